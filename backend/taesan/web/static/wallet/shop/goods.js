// One good of the sample shop: locked, with what it costs, or open, with what was bought.

import { html, nothing } from "/static/lib/view.js";
import { _, language } from "/static/lib/words.js";

const LOCKED = "M14 22h20v18H14zM18 22v-5a6 6 0 0 1 12 0v5";
const clock = new Intl.DateTimeFormat(language, { timeStyle: "medium" });

const kindOf = (one) => ({ article: _("Article"), item: _("Game item"), subscription: _("Subscription") })[one.kind];
const mine = (one) => ({ article: _("Read it any time"), item: _("Yours"), subscription: _("Paid until %(time)s", { time: one.paid_until && clock.format(new Date(one.paid_until)) }) })[one.kind];
const verb = (one) => (one.kind === "subscription" ? (one.paid_until ? _("Renew by hand") : _("Subscribe")) : one.kind === "article" ? _("Read") : _("Buy"));

const picture = (one) => {
  if (one.kind !== "item") return nothing;
  return html`<svg class="picture ${one.picture ? "" : "is-locked"}" viewBox="0 0 48 48" aria-hidden="true"><path d=${one.picture ?? LOCKED} /></svg>`;
};

/** @param {object} one as `GET /v1/sample-shop` has it @param {{cost: unknown, canPay: boolean, renews: boolean, buy: Function, setRenews: Function}} ways */
export const good = (one, { cost, canPay, renews, buy, setRenews }) => html`
  <article class="good ${one.content ? "is-open" : ""}" data-good=${one.id}>
    <p class="kind">${kindOf(one)}${one.content ? html` · <b>${mine(one)}</b>` : nothing}</p>
    ${picture(one)}
    <h3>${one.title}</h3>
    ${one.content ? html`<div class="reading">${one.content.map((paragraph) => html`<p>${paragraph}</p>`)}</div>` : html`<p class="teaser">${one.teaser}</p>`}
    ${one.content && one.kind !== "subscription" ? nothing : html`<div class="buys">
      ${cost}
      <div class="ways"><button ?disabled=${!canPay} @click=${buy} aria-label="${verb(one)}: ${one.title}">${verb(one)}</button></div>
      ${one.kind === "subscription" ? html`<label class="choice"><input type="checkbox" .checked=${renews} ?disabled=${!canPay} @change=${setRenews} /> <span>${_("Renew by itself while this page is open")}</span></label>
        <p class="hint">${_("Nobody can draw from your wallet: only this page pays, and only while you have it open. Close it, and the subscription ends by itself.")}</p>` : nothing}
    </div>`}
  </article>`;
