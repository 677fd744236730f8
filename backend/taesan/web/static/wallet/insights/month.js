// A month: how much, on which days, where, and what became of the change.

import { chart } from "/static/lib/chart.js";
import { day } from "/static/lib/money.js";
import { save } from "/static/lib/session.js";
import { empty, html, nothing, once } from "/static/lib/view.js";
import { _, count, language } from "/static/lib/words.js";
import { bar, change, named, told } from "/static/wallet/insights/amounts.js";

const SHOWN = 8;
const KINDS = {
  spent: () => _("Spent"),
  refunded: () => _("Came back"),
  gathered: () => _("Into the jar"),
  ungathered: () => _("Out of the jar again"),
  rewarded: () => _("Cashback"),
  fee: () => _("Fees"),
};

/** @param {HTMLElement} place where the chart goes, once it is drawn */
export function spent(audit, place) {
  if (!audit.assets.length) return empty(audit.complete ? _("Nothing moved in this month.") : _("Your payments are being read…"));
  queueMicrotask(() => days(audit, place.querySelector(".by-day")));
  return html`${audit.assets.map((asset) => sums(asset, audit.is_over))}
    <div class="by-day"></div>
    ${audit.complete ? nothing : html`<p class="hint" role="status">${_("Your payments are being read…")}</p>`}`;
}

const sums = (asset, isOver) => html`<dl class="sums">
  ${asset.moved.map((one) => html`<div>
    <dt>${KINDS[one.kind]?.() ?? one.kind} <span class="hint">${count("%(count)s time", "%(count)s times", one.count)}</span></dt>
    <dd>${told(one.amount, asset)} ${one.kind === "spent" ? html`<br />${change(one.amount, one.before, asset)} <span class="hint">${isOver ? _("than the month before") : _("than in as many days of the month before")}</span>` : nothing}</dd>
  </div>`)}
</dl>`;

/** Of the asset with most movements: currencies are never added up. */
function days(audit, place) {
  const [asset] = audit.assets;
  const spent = asset.days.filter((one) => one.spent !== "0");
  if (!place || spent.length < 2) return;
  const name = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" });
  const most = spent.reduce((best, one) => (BigInt(one.spent) > BigInt(best.spent) ? one : best));
  const exact = new Map(spent.map((one) => [Number(one.spent), one.spent]));
  chart(place, {
    title: _("Spent by day"),
    sentence: _("Most on %(day)s: %(amount)s.", { day: name.format(new Date(most.day)), amount: told(most.spent, asset) }),
    label: _("Day"),
    at: spent.map((one) => name.format(new Date(one.day))),
    series: [{ label: _("Spent"), values: spent.map((one) => Number(one.spent)), bars: true, color: "--rock" }],
    tell: (value) => told(exact.get(value) ?? String(Math.round(value)), asset),
  });
}

export function places(audit) {
  if (!audit.assets.length) return empty(_("Nothing was paid in this month."));
  return audit.assets.map((asset) => html`
    ${list(_("Merchants"), asset.merchants, asset)}
    ${asset.categories.items.some((one) => one.key) ? list(_("Categories"), asset.categories, asset) : nothing}`);
}

function list(title, { items, left_out: more, left_out_net: rest }, asset) {
  const shown = items.slice(0, SHOWN);
  const hidden = items.slice(SHOWN);
  const others = hidden.reduce((sum, one) => sum + BigInt(one.net), BigInt(rest));
  const most = items.reduce((best, one) => (BigInt(one.net) > best ? BigInt(one.net) : best), 1n);
  return html`<h3>${title}</h3><ul class="list">
    ${shown.map((one) => html`<li>
      <span>${named(one.name || one.key)} <span class="hint">${count("%(count)s time", "%(count)s times", one.count)}</span></span>
      <span><span class="amount">${told(one.net, asset)}</span></span>
      ${bar(BigInt(one.net) > 0n ? one.net : 0, most)}
      <span class="hint">${change(one.net, one.before, asset)}</span>
    </li>`)}
    ${hidden.length + more ? html`<li><span>${count("%(count)s more", "%(count)s more", hidden.length + more)}</span><span class="amount">${told(others, asset)}</span></li>` : nothing}
  </ul>`;
}

const WHERE = {
  savings: () => _("Savings"),
  swap: () => _("Swapped"),
  cash: () => _("Cashed out"),
  person: () => _("To a person"),
  collectible: () => _("Collectibles"),
  wallet: () => _("Gift tokens"),
};

export function became({ became: it }) {
  const of = it;
  const rows = [
    [_("Became gift tokens this month"), it.fired.amount],
    ...it.converted.filter((one) => one.state === "done").map((one) => [WHERE[one.kind]?.() ?? one.kind, one.amount]),
    [_("Cashback promised this month"), it.promised.amount],
    [_("In your jars now"), it.in_jars],
    [_("Could not be moved yet"), it.held],
  ].filter(([, amount]) => amount !== "0");
  return html`${rows.length ? html`<dl class="sums">${rows.map(([label, amount]) => html`<div><dt>${label}</dt><dd>${told(amount, of)}</dd></div>`)}</dl>` : empty(_("No change was gathered yet."))}
    ${it.points === "0" ? nothing : html`<p class="hint">${count("%(count)s point", "%(count)s points", Number(it.points))}${it.points_lapsing === "0" ? "" : " · " + count("%(count)s of them lapses within 31 days", "%(count)s of them lapse within 31 days", Number(it.points_lapsing))}</p>`}`;
}

export const report = (month) => html`<p class="hint">${_("The same month to keep, or to hand to somebody.")}</p>
  <div class="ways">
    ${[["pdf", "PDF"], ["csv", "CSV"]].map(([form, name]) => html`<button class="quiet" @click=${once(() => save(`/v1/insights/months/${month}/${form}${form === "pdf" ? `?language=${language}` : ""}`, `taesan-${month}.${form}`))}>${name}</button>`)}
  </div>`;

export const dayOf = (text) => day(`${text}T12:00Z`);
