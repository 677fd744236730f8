// Budgets: how much a month is to cost, told of before it is broken.

import { minorUnits } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { html, nothing, once, say } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { bar, told } from "/static/wallet/insights/amounts.js";

const CURRENCIES = { KRW: 0, USD: 2 }; // what statements and gateways tell, besides the hub's own asset
const WARNED = { over: () => _("it is broken"), near: () => _("four fifths are spent"), pace: () => _("at this pace it will be broken") };

/** @param {{rows: object[], hub: object}} found `hub`: its facts */
export const budgets = ({ rows, hub }, again) => html`
  ${rows.length ? html`<ul class="list">${rows.map((one) => row(one, again))}</ul>` : html`<p class="hint">${_("Say how much a month may cost, and you are told before it is broken.")}</p>`}
  <form @submit=${once((_event, form) => add(form, { [hub.asset]: hub.asset_exponent, ...CURRENCIES }, again))}>
    <div class="field"><label for="budget-amount">${_("At most, a month")}</label><input id="budget-amount" name="amount" inputmode="decimal" autocomplete="off" required /></div>
    <div class="field"><label for="budget-asset">${_("Currency")}</label><select id="budget-asset" name="asset"><option value=${hub.asset}>${_("%(symbol)s, of this hub", { symbol: hub.asset_symbol })}</option>${Object.keys(CURRENCIES).map((name) => html`<option>${name}</option>`)}</select></div>
    <div class="field"><label for="budget-key">${_("For one merchant (empty: for all)")}</label><input id="budget-key" name="key" autocomplete="off" maxlength="200" /></div>
    <div class="field"><button>${_("Set")}</button></div>
  </form>`;

const row = (one, again) => html`<li>
  <span>${one.scope === "all" ? _("All together") : one.key}</span>
  <span class="amount">${_("%(spent)s of %(amount)s", { spent: told(one.spent, one), amount: told(one.amount, one) })}</span>
  ${bar(BigInt(one.spent) > 0n ? one.spent : 0, one.amount)}
  ${one.pace === null ? nothing : html`<span class="hint">${_("About %(amount)s by the month's end", { amount: told(one.pace, one) })}</span>`}
  ${one.other_assets.length ? html`<span class="hint">${_("Spent in another currency too, which does not count here")}</span>` : nothing}
  ${one.alerts.map((alert) => html`<span class="flag">${WARNED[alert.warning]?.() ?? alert.warning}</span>`)}
  <div class="ways"><button class="link" @click=${once(async () => { await askSigned("DELETE", `/v1/insights/budgets/${one.id}`); await again(); })}>${_("Remove")}</button></div>
</li>`;

async function add(form, exponents, again) {
  const { amount, asset, key } = Object.fromEntries(new FormData(form));
  const value = minorUnits(amount, exponents[asset]);
  if (value === null) return say(_("Type an amount, such as 5 or 12.50."), "alert");
  const scope = key.trim() ? "merchant" : "all";
  await askSigned("PUT", "/v1/insights/budgets", { body: { scope, key: key.trim(), asset, amount: String(value) } });
  form.reset();
  await again();
}
