// What a wallet has of merchants' and of the hub's programmes: tiers, cashback; and the collectibles that its rules have bought.

import { dollars } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { empty, html, nothing } from "/static/lib/view.js";
import { _, count } from "/static/lib/words.js";

const MEDAL = "M16 4h16l-4 14h-8zM24 18a12 12 0 1 1 0 24a12 12 0 0 1 0-24zM24 25v10M19 30h10";
const GEM = "M14 8h20l8 12-18 22L6 20zM6 20h36M18 20l6 22 6-22-6-12z";

/** @param {string | null} channelId */
export async function treasuresOf(channelId) {
  const [memberships, cashback, conversions] = await Promise.all([
    askSigned("GET", "/v1/memberships?limit=20"),
    askSigned("GET", "/v1/cashback"),
    channelId ? askSigned("GET", `/v1/channels/${channelId}/jar/conversions?limit=100`) : { items: [] },
  ]);
  const collectibles = new Map();
  for (const { kind, state, token } of conversions.items) {
    if (kind === "collectible" && state === "done") collectibles.set(token, (collectibles.get(token) ?? 0) + 1);
  }
  return { tiers: memberships.items, cashback, collectibles };
}

const picture = (d) => html`<svg class="medal" viewBox="0 0 48 48" aria-hidden="true"><path d=${d} /></svg>`;

const tierRow = ({ merchant_name: at, tier, next_tier: next, points, badge }) => html`<li>
  ${picture(MEDAL)}
  <div>
    <p><b>${tier?.name ?? _("No tier yet")}</b> · ${at ?? _("This hub")}${badge === null ? nothing : html` <span class="test">${_("Badge on chain")}</span>`}</p>
    <p class="hint">${[points > 0 ? count("%(count)s point", "%(count)s points", points) : "", next ? _("Next: %(tier)s", { tier: next.name }) : ""].filter(Boolean).join(" · ")}</p>
  </div>
</li>`;

/** The number of a collectible, out of its id as 20 bytes. */
const numberOf = (token) => String(BigInt(token));

export function treasures({ tiers, cashback, collectibles }, exponent) {
  if (!tiers.length && !cashback.length && !collectibles.size) {
    return empty(_("Nothing yet: merchants give tiers, points and cashback to those who come back."));
  }
  return html`<ul class="treasures">
    ${tiers.map(tierRow)}
    ${cashback.map((at) => html`<li>${picture(MEDAL)}<div><p><b>${dollars(at.amount, exponent)}</b> · ${at.merchant_name}</p><p class="hint">${_("Cashback that gathers until it is worth a token")}</p></div></li>`)}
    ${[...collectibles].map(([token, times]) => html`<li>${picture(GEM)}<div><p><b>${_("Collectible no. %(number)s", { number: numberOf(token) })}</b></p><p class="hint">${count("%(count)s piece", "%(count)s pieces", times)}</p></div></li>`)}
  </ul>`;
}
