// What a rule would have done with purchases of the past, before anything is signed.

import { day, dollars } from "/static/lib/money.js";
import { because } from "/static/lib/reasons.js";
import { askSigned } from "/static/lib/session.js";
import { html, nothing } from "/static/lib/view.js";
import { _, count, language } from "/static/lib/words.js";

const monthName = new Intl.DateTimeFormat(language, { year: "numeric", month: "long", timeZone: "UTC" });
const two = (number) => String(number).padStart(2, "0");

/** @param {object} terms as `termsOf` has them @param {"this" | "last"} which month of the reader's own calendar */
export function dryRunOf(channelId, { gather, fires, only, per_day: perDay }, which) {
  const today = new Date();
  const first = new Date(today.getFullYear(), today.getMonth() - (which === "last" ? 1 : 0), 1);
  const body = { gather, fires, only, month: `${first.getFullYear()}-${two(first.getMonth() + 1)}`, ...(perDay === "0" ? {} : { per_day: perDay }) };
  return askSigned("POST", `/v1/channels/${channelId}/rules/dry-run`, { body });
}

export function dryRun({ month, purchases, payments, gathered, left, never_moved: never, firings, complete }, exponent) {
  const money = (value) => dollars(value, exponent);
  const values = { month: monthName.format(new Date(`${month}-01T00:00:00Z`)), amount: money(gathered) };
  const text = payments
    ? count("In %(month)s this would have gathered %(amount)s out of %(count)s purchase.", "In %(month)s this would have gathered %(amount)s out of %(count)s purchases.", payments, values)
    : purchases ? _("In %(month)s you bought something, but none of it would have brought anything.", values)
    : _("In %(month)s this wallet has bought nothing here that the rule takes.", values);
  return html`<div class="rehearsal" role="status">
    <p><b>${text}</b> ${payments ? (firings.length
      ? count("It would have become gift tokens once.", "It would have become gift tokens %(count)s times.", firings.length)
      : _("It would still be gathering.")) : nothing}</p>
    ${firings.length ? html`<ul class="list">${firings.slice(0, 10).map(({ at, amount, reason }) => html`<li><span>${day(at)} · ${because(reason, exponent)}</span><span class="amount">${money(amount)}</span></li>`)}</ul>` : nothing}
    ${left === "0" ? nothing : html`<p class="hint">${_("%(amount)s would be in the jar at the end.", { amount: money(left) })}</p>`}
    ${never === "0" ? nothing : html`<p class="hint">${_("%(amount)s of it came in firings of more than a day lets pass: they would have stayed in your wallet.", { amount: money(never) })}</p>`}
    ${complete ? nothing : html`<p class="hint">${_("You have bought more since than is looked at: this may not be all.")}</p>`}
  </div>`;
}
