// The daily closing: what a day has brought, in the merchant's own time zone, to print or to take along.

import { askSigned, save } from "/static/lib/session.js";
import { html, nothing, once, part } from "/static/lib/view.js";
import { _, count, language } from "/static/lib/words.js";

/** Today as `2026-11-26`, where the merchant's clock hangs. */
export const today = (zone, at = new Date()) => new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" }).format(at);

/** A day as people write it, whatever the reader's own time zone. */
export const dayName = (day) => new Intl.DateTimeFormat(language, { dateStyle: "full", timeZone: "UTC" }).format(new Date(`${day}T00:00:00Z`));

/** @param {{zone: string, money: (value: string) => string, shop: string}} of @returns {() => Promise<void>} looks again */
export function dayCard(place, { zone, money, shop }) {
  let chosen = today(zone);
  const look = part(place, () => askSigned("GET", `/v1/closings/${chosen}`), card);
  const choose = (day) => { if (day) { chosen = day; look(); } };
  return look;

  function card(closing) {
    const line = (name, { count: number, amount }, sign = "") => html`<div><dt>${name} <span class="hint">${count("%(count)s time", "%(count)s times", number)}</span></dt><dd>${amount === "0" ? "" : sign}${money(amount)}</dd></div>`;
    return html`
      <p class="printed">${shop} · ${dayName(closing.day)} · ${closing.time_zone}</p>
      <p class="big">${money(closing.net)}</p>
      <p class="hint">${closing.is_over ? _("The day is closed: nothing is added any more.") : _("Without refunds and cashback. The day goes on until midnight (%(zone)s).", { zone: closing.time_zone })}</p>
      <dl class="sums">
        ${line(_("Payments"), closing.payments)}
        ${closing.of_invoices.count ? line(_("Of these, invoices"), closing.of_invoices) : nothing}
        ${line(_("Gift tokens taken"), closing.redemptions)}
        ${line(_("Refunds"), closing.refunds, "−")}
        ${line(_("Cashback"), closing.rewards, "−")}
        ${closing.paid_on_chain.count ? line(_("Straight into your wallet"), closing.paid_on_chain) : nothing}
        ${line(_("Payouts ordered"), closing.payouts)}
      </dl>
      <p class="field"><label for="closing-day">${_("Another day")}</label><input id="closing-day" type="date" .value=${closing.day} max=${today(zone)} @change=${({ target }) => choose(target.value)} /></p>
      <div class="ways">
        <button class="quiet" @click=${() => print()}>${_("Print")}</button>
        <button class="quiet" @click=${once(() => save(`/v1/closings/${closing.day}/csv`, `closing-${closing.day}.csv`))}>${_("Download (CSV)")}</button>
      </div>`;
  }
}
