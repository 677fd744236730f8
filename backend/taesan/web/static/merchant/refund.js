// Gives a payment back, whole or in part: asks how much and why, and says what becomes of it before it is done.

import { newKey } from "/static/lib/hub.js";
import { minorUnits } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { html, modal, once, say } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";

/** @param {{of: string, amount: string, exponent: number, money: (value: string) => string}} payment `of`: `pay_…` or `red_…`
 * @returns {Promise<boolean>} whether it was given back */
export async function refund({ of, amount, exponent, money }) {
  const key = newKey(); // asked again after a lost answer, it is given back once
  let given = null;
  const give = (dialog) => once(async (_event, form) => {
    const typed = new FormData(form);
    const part = typed.get("amount").trim();
    const value = part ? minorUnits(part, exponent) : undefined;
    if (value === null) return say(_("Type an amount, such as 5 or 12.50."), "alert");
    const body = { of, note: typed.get("note").trim() || null, ...(value === undefined ? {} : { amount: String(value) }) };
    given = await askSigned("POST", "/v1/refunds", { body, key });
    dialog.close();
  });
  await modal((dialog) => html`<form @submit=${give(dialog)}>
    <h2 id="refund-title">${_("Refund this payment?")}</h2>
    <p>${_("It comes out of what you are paid, and becomes gift tokens of who paid. This cannot be undone.")}</p>
    <p class="field"><label for="refund-amount">${_("How much (all that is left, if empty)")}</label><input id="refund-amount" name="amount" inputmode="decimal" autocomplete="off" placeholder=${money(amount)} /></p>
    <p class="field"><label for="refund-note">${_("Why (for your own books)")}</label><input id="refund-note" name="note" maxlength="200" autocomplete="off" /></p>
    <div class="ways"><button type="button" class="quiet" @click=${() => dialog.close()}>${_("No, go back")}</button><button class="danger">${_("Refund")}</button></div>
  </form>`, "refund-title");
  if (given) say(_("%(amount)s go back to who paid.", { amount: money(given.amount) }));
  return given !== null;
}
