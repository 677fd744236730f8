// Getting paid out: what is owed, payouts with their transactions, when it happens by itself, and days to take along.

import { facts, keyed } from "/static/lib/hub.js";
import { decimal, dollars, minorUnits, moment, short } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { empty, every, html, nothing, once, part, render, say, sure } from "/static/lib/view.js";
import { _, language } from "/static/lib/words.js";
import { behindAccount } from "/static/merchant/account.js";
import { today } from "/static/merchant/day.js";
import { fetchText, saveText } from "/static/merchant/download.js";
import { pill } from "/static/merchant/invoices.js";

const body = (id) => document.querySelector(`#${id} .body`);
const LOOK_MS = 3_000;
const SHOWN = 20;
const DAYS_MOST = 14; // each is a call of its own, of which an address has thirty a minute

const STATES = { received: () => _("Ordered"), sent: () => _("On its way"), paid: () => _("Arrived"), failed: () => _("Failed") };
const TONES = { received: "open", sent: "paying", paid: "paid", failed: "cancelled" };
const SUNDAY = Date.UTC(2026, 10, 22);
const weekday = (monday0) => new Intl.DateTimeFormat(language, { weekday: "long", timeZone: "UTC" }).format(SUNDAY + (monday0 + 1) * 86_400_000);

behindAccount(start);

async function start(merchant) {
  const { asset_exponent: exponent, min_relayed: least } = await facts();
  const money = (value) => dollars(value, exponent);

  const order = keyed((what, key) => askSigned("POST", "/v1/payouts", { body: what, key }));
  const owed = part(body("owed"), () => askSigned("GET", "/v1/account"), (account) => html`
    <p class="big">${money(account.credit)}</p>
    <p class="hint">${_("To your wallet %(address)s, in one transfer. The hub pays the gas.", { address: short(merchant.address) })}</p>
    ${account.credit === "0" ? html`<p>${_("Nothing waits to be paid out. What you are paid is settled first, which takes a moment.")}</p>`
      : BigInt(account.credit) < BigInt(least) ? html`<p>${_("A payout is %(least)s at least.", { least: money(least) })}</p>`
      : html`<button @click=${once(() => payOut(account.credit))}>${_("Pay me out now")}</button>`}
    <dl class="sums">
      <div><dt>${_("Being settled")}</dt><dd>${money(account.pending)}</dd></div>
      <div><dt>${_("On its way to your wallet")}</dt><dd>${money(account.paying_out)}</dd></div>
    </dl>`);

  async function payOut(credit) {
    if (!(await sure(_("Pay out %(amount)s to your wallet?", { amount: money(credit) }), _("Pay out")))) return;
    await order({ amount: credit });
    say(_("Ordered. It is on its way to the chain."));
    await refresh();
  }

  const payouts = part(body("payouts"), () => askSigned("GET", `/v1/payouts?limit=${SHOWN}`), ({ items }) => items.length
    ? html`<ul class="list">${items.map(row)}</ul>`
    : empty(_("No payouts yet.")));

  const row = (payout) => html`<li>
    <span class="amount">${money(payout.amount)}</span> ${pill(TONES[payout.state], STATES[payout.state]())}
    ${payout.period ? html`<span class="hint">${_("By your schedule, %(day)s", { day: payout.period })}</span>` : nothing}
    ${payout.transaction ? html`<span class="whole hint">${_("Transaction")} <code title=${payout.transaction}>${short(payout.transaction)}</code></span>` : nothing}
    ${payout.reason ? html`<span class="whole hint">${payout.reason}</span>` : nothing}
  </li>`;

  const refresh = () => Promise.all([owed(), payouts()]);
  every(LOOK_MS, refresh);

  part(body("schedule"), () => askSigned("GET", "/v1/account/settings"), (settings, again) => {
    days(settings.time_zone);
    return schedule(settings, again);
  });

  const schedule = ({ time_zone: zone, payouts: { every: often, weekday: on, at_least: from, next_at: next }, takes_transfers: transfers }, again) => html`
    <form @submit=${once(async (_event, form) => {
      const typed = Object.fromEntries(new FormData(form));
      const floor = typed.at_least.trim() ? minorUnits(typed.at_least, exponent) : 0n;
      if (floor === null && Number(typed.at_least) !== 0) return say(_("Type an amount, such as 5 or 12.50."), "alert");
      const [rhythm, at] = typed.when.split(" ");
      const plan = { every: rhythm, weekday: at === undefined ? null : Number(at), at_least: String(floor ?? 0n) };
      await askSigned("PUT", "/v1/account/settings", { body: { time_zone: typed.time_zone.trim(), payouts: plan, takes_transfers: typed.transfers === "on" } });
      say(_("Saved."));
      await again();
    })}>
      <p class="field"><label for="when">${_("Pay me out")}</label><select id="when" name="when">
        ${[["never", _("When I say so")], ["day", _("Every day")]].map(([value, name]) => html`<option value=${value} ?selected=${often === value}>${name}</option>`)}
        ${[0, 1, 2, 3, 4, 5, 6].map((day) => html`<option value=${`week ${day}`} ?selected=${often === "week" && on === day}>${_("Every week, on %(weekday)s", { weekday: weekday(day) })}</option>`)}
      </select></p>
      <p class="field"><label for="at-least">${_("Only if there is as much, in dollars")}</label><input id="at-least" name="at_least" inputmode="decimal" autocomplete="off" .value=${from === "0" ? "" : decimal(from, exponent).replace(/\.?0+$/, "")} placeholder="10" /></p>
      <p class="field"><label for="zone">${_("Time zone: where your day begins")}</label><input id="zone" name="time_zone" list="zones" required .value=${zone} /><datalist id="zones">${Intl.supportedValuesOf("timeZone").map((name) => html`<option value=${name}></option>`)}</datalist></p>
      <p class="field"><label class="check"><input type="checkbox" name="transfers" .checked=${transfers} /> ${_("Let customers pay invoices by a plain transfer from any wallet, too")}</label></p>
      <p class="field"><button>${_("Save")}</button></p>
    </form>
    ${next ? html`<p class="hint">${_("Next: %(when)s", { when: moment(next) })}</p>` : nothing}`;

  const days = (zone) => render(html`
    <p class="hint">${_("What each day brought, for your books: %(most)s days at most in one file.", { most: DAYS_MOST })}</p>
    <form @submit=${once(async (_event, form) => {
      const { first, last } = Object.fromEntries(new FormData(form));
      const wanted = daysBetween(first, last);
      if (!wanted.length || wanted.length > DAYS_MOST) return say(_("Choose one to %(most)s days.", { most: DAYS_MOST }), "alert");
      const files = [];
      for (const day of wanted) files.push(await fetchText(`/v1/closings/${day}/csv`));
      const [heading] = files[0].split("\r\n");
      const lines = files.map((text) => text.slice(heading.length + 2));
      saveText([heading, "\r\n", ...lines].join(""), `closings-${first}-${last}.csv`);
      say(_("Downloaded."));
    })}>
      <div class="pair">
        <p class="field"><label for="first">${_("First day")}</label><input id="first" name="first" type="date" required .value=${today(zone)} max=${today(zone)} /></p>
        <p class="field"><label for="last">${_("Last day")}</label><input id="last" name="last" type="date" required .value=${today(zone)} max=${today(zone)} /></p>
      </div>
      <p class="field"><button class="quiet">${_("Download (CSV)")}</button></p>
    </form>`, body("statements"));
}

/** Both included, as `2026-11-26`; none if the last lies before the first. */
export function daysBetween(first, last) {
  const found = [];
  for (let at = Date.parse(first); at <= Date.parse(last); at += 86_400_000) found.push(new Date(at).toISOString().slice(0, 10));
  return found;
}
