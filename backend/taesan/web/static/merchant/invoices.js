// Asking for money: an invoice with its link and its code, and how far each is.

import { repeat } from "/static/lit/directives/repeat.js";
import { keyed } from "/static/lib/hub.js";
import { minorUnits, moment, money as priced } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { empty, html, nothing, once, part, render, say, sure } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { refund } from "/static/merchant/refund.js";
import { copyButton } from "/static/merchant/secret.js";

const SHOWN = 8;
const LIVES_S = { 900: () => _("15 minutes"), 3600: () => _("1 hour"), 86400: () => _("1 day"), 604800: () => _("1 week") };

const STATES = {
  open: () => _("Open"),
  paying: () => _("On its way"),
  paid: () => _("Paid in full"),
  partly_refunded: () => _("Refunded in part"),
  refunded: () => _("Refunded"),
  expired: () => _("Expired"),
  cancelled: () => _("Cancelled"),
};
export const pill = (state, text) => html`<span class="pill" data-tone=${state}>${text}</span>`;

const exponentOf = (currency) => new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;

/** @param {HTMLElement} asking where the form goes @param {HTMLElement} listing where the list goes @returns {() => Promise<void>} looks again */
export function invoices(asking, listing, { currencies, exponent, money }) {
  let fresh = null;
  const order = keyed((body, key) => askSigned("POST", "/v1/invoices", { body, key }));
  const look = part(listing, () => askSigned("GET", `/v1/invoices?limit=${SHOWN}`), ({ items }) => items.length
    ? html`<ul class="list">${repeat(items, ({ id }) => id, row)}</ul>`
    : empty(_("No invoices yet. Ask for an amount, and send the link or show the code.")));
  render(form(), asking);
  return look;

  function form() {
    return html`<form @submit=${once(make)}>
      <div class="pair">
        <p class="field"><label for="invoice-amount">${_("Amount")}</label><input id="invoice-amount" name="amount" inputmode="decimal" autocomplete="off" required placeholder="4.50" /></p>
        <p class="field"><label for="invoice-currency">${_("Currency")}</label><select id="invoice-currency" name="currency">${currencies.map((code) => html`<option>${code}</option>`)}</select></p>
      </div>
      <p class="field"><label for="invoice-what">${_("For what")}</label><input id="invoice-what" name="description" maxlength="200" required autocomplete="off" /></p>
      <p class="field"><label for="invoice-category">${_("Category, for campaigns (may be empty)")}</label><input id="invoice-category" name="category" maxlength="40" autocomplete="off" /></p>
      <p class="field"><label for="invoice-life">${_("Good for")}</label><select id="invoice-life" name="expires_in_s">${Object.entries(LIVES_S).map(([seconds, name]) => html`<option value=${seconds}>${name()}</option>`)}</select></p>
      <p class="field"><button>${_("Make an invoice")}</button></p>
    </form>`;
  }

  async function make(_event, form) {
    const typed = Object.fromEntries(new FormData(form));
    const decimals = exponentOf(typed.currency);
    const value = minorUnits(typed.amount, decimals);
    if (value === null) return say(_("Type an amount, such as 5 or 12.50."), "alert");
    const amount = { value: String(value), asset: typed.currency, exponent: decimals };
    const body = { amount, description: typed.description.trim(), expires_in_s: Number(typed.expires_in_s), metadata: typed.category.trim() ? { category: typed.category.trim() } : {} };
    const made = await order(body);
    fresh = made.id;
    form.reset();
    await look();
    listing.querySelector("details[open] summary")?.focus();
    say(_("The invoice is ready: send its link or show its code."));
  }

  function row(invoice) {
    const isOpen = invoice.state === "open";
    return html`<li>
      <span>${invoice.description}</span> <span class="amount">${priced(invoice.amount)}</span>
      <span class="hint">${moment(invoice.created_at)}</span> ${pill(invoice.state, STATES[invoice.state]?.() ?? invoice.state)}
      ${isOpen ? html`<details ?open=${invoice.id === fresh}>
        <summary>${_("Link and code")}</summary>
        <img class="code" src=${`/pay/${invoice.id}/qr.svg`} width="200" height="200" loading="lazy" alt=${_("QR code of the pay page")} />
        <p><a href=${invoice.pay_url}>${invoice.pay_url}</a></p>
        <div class="ways">${copyButton(invoice.pay_url)}<button class="danger" @click=${once(() => cancel(invoice))}>${_("Cancel it")}</button></div>
      </details>` : nothing}
      ${["paid", "partly_refunded"].includes(invoice.state) && !invoice.paid_by.startsWith("tra_") ? html`<span></span><button class="link" @click=${once(() => give(invoice))}>${_("Refund")}</button>` : nothing}
    </li>`;
  }

  async function cancel(invoice) {
    if (!(await sure(_("Cancel this invoice? Nobody can pay it any more."), _("Cancel it")))) return;
    await askSigned("POST", `/v1/invoices/${invoice.id}/cancel`);
    await look();
  }

  async function give(invoice) {
    const left = BigInt(invoice.quote.value) - BigInt(invoice.refunded);
    if (await refund({ of: invoice.paid_by, amount: String(left), exponent, money })) await look();
  }
}
