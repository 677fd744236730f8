// What the month will have cost at its end, and what was unusual in it.

import { askSigned } from "/static/lib/session.js";
import { empty, html, nothing } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { bar, named, told } from "/static/wallet/insights/amounts.js";
import { dayOf } from "/static/wallet/insights/month.js";

const WHY = { dearer: () => _("dearer than usual"), "more-often": () => _("more often than usual"), new: () => _("new") };

async function load(month, isNow) {
  const [forecast, unusual] = await Promise.all([
    isNow ? askSigned("GET", "/v1/insights/forecast") : { items: [] },
    askSigned("GET", `/v1/insights/unusual?month=${month}`),
  ]);
  return { forecast: forecast.items, unusual: unusual.items, isNow };
}

function show({ forecast, unusual, isNow }) {
  if (!forecast.length && !unusual.length) return empty(isNow ? _("Too little is known yet.") : _("Nothing was unusual in this month."));
  return html`${forecast.map((one) => html`
      ${one.total === null ? nothing : html`<p class="big">${told(one.total, one)}</p>
      ${bar(one.spent, one.total)}`}
      <p class="hint">${one.total === null ? _("Too little is known yet.") : one.low === null ? _("A guess: with two months of payments it gets a range.") : _("In four cases of five between %(low)s and %(high)s.", { low: told(one.low, one), high: told(one.high, one) })}</p>
      <dl class="sums">
        <div><dt>${_("Spent so far")}</dt><dd>${told(one.spent, one)}</dd></div>
        <div><dt>${_("Standing costs until then")}</dt><dd>${told(one.due, one)}</dd></div>
        ${one.expected === null ? nothing : html`<div><dt>${_("All else, as it goes")}</dt><dd>${told(one.expected, one)}</dd></div>`}
      </dl>`)}
    ${unusual.length ? html`<h3>${_("Unusual")}</h3><ul class="list">${unusual.map((one) => html`<li>
        <span>${named(one.key)} <span class="flag">${WHY[one.why]?.() ?? one.why}</span></span><span class="amount">${told(one.total, one)}</span>
        <span class="hint">${one.usual === "0" ? nothing : _("usually %(amount)s", { amount: told(one.usual, one) })} ${one.causes.slice(0, 3).map((cause) => html`<br />${dayOf(cause.day)}: ${told(cause.amount, one)}`)}</span>
      </li>`)}</ul>` : nothing}`;
}

export const outlook = { load, show };
