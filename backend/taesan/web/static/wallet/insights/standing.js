// Standing costs: what is paid again and again, what it costs in a year, and what is hidden in it.

import { askSigned } from "/static/lib/session.js";
import { empty, html, nothing, once, say } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { named, told } from "/static/wallet/insights/amounts.js";
import { dayOf } from "/static/wallet/insights/month.js";

const EACH = {
  weekly: () => _("each week"),
  "four-weekly": () => _("every four weeks"),
  monthly: () => _("each month"),
  yearly: () => _("each year"),
};

export function standing({ items, doubles, totals }, again) {
  if (!items.length) return empty(_("None was found: three payments to one merchant at regular times make one."));
  const twice = new Map(doubles.flatMap((double) => double.ids.map((id) => [id, double])));
  const shown = items.filter((one) => one.verdict !== "dismissed");
  return html`
    ${totals.map((total) => html`<p class="big">${told(total.yearly, total)}</p><p class="hint">${_("a year, for all that goes on")}</p>`)}
    <ul class="list">${shown.map((one) => row(one, twice.get(one.id), again))}</ul>`;
}

const row = (one, double, again) => html`<li>
  <span>${named(one.name)} <span class="hint">${EACH[one.cadence]?.() ?? one.cadence}</span></span>
  <span class="amount">${told(one.price, one)}</span>
  <span class="hint">${_("%(amount)s a year", { amount: told(one.yearly, one) })} · ${one.over ? _("seems to have ended") : _("next about %(day)s", { day: dayOf(one.next_due) })}</span>
  ${one.rise ? html`<span class="flag">${_("Price rose from %(was)s: %(more)s more a year", { was: told(one.rise.was, one), more: told(one.rise.more_a_year, one) })}</span>` : nothing}
  ${one.trial ? html`<span class="flag">${_("A trial that went on, in full since %(day)s", { day: dayOf(one.trial.full_since) })}</span>` : nothing}
  ${double ? html`<span class="flag">${double.why === "merchant" ? _("Paid twice at one merchant") : _("Another of the same kind goes on")}</span>` : nothing}
  ${one.verdict ? nothing : html`<div class="ways">
    <button class="quiet" @click=${judged(one, "confirm", again)}>${_("That is right")}</button>
    <button class="quiet" @click=${judged(one, "dismiss", again)}>${_("Not a standing cost")}</button>
  </div>`}
</li>`;

const judged = (one, verdict, again) =>
  once(async () => {
    await askSigned("POST", `/v1/insights/recurring/${one.id}/${verdict}`);
    say(_("Remembered."));
    await again();
  });
