// What the merchant's custom is made of. Of fewer than five payers nothing is told: the hub leaves it out.

import { chart } from "/static/lib/chart.js";
import { dollars } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { empty, html, nothing, part } from "/static/lib/view.js";
import { _, count, language } from "/static/lib/words.js";
import { behindAccount } from "/static/merchant/account.js";
import { percent } from "/static/merchant/campaigns.js";

const body = (id) => document.querySelector(`#${id} .body`);
const short = new Intl.DateTimeFormat(language, { month: "short", timeZone: "UTC" });
const long = new Intl.DateTimeFormat(language, { year: "numeric", month: "short", timeZone: "UTC" });
const monthOf = (form, month) => form.format(new Date(`${month}-01T00:00:00Z`));
const number = new Intl.NumberFormat(language);
const COLORS = ["--rock", "--dust", "--pine", "--moving", "--lit", "--soft", "--red"];
const few = () => _("fewer than five");

behindAccount(start);

async function start() {
  let month = null; // this one, as the account's time zone has it
  let asked = null; // one question for all cards
  const ask = () => (asked ??= askSigned("GET", `/v1/merchant-insights${month ? `?month=${month}` : ""}`).catch((error) => { asked = null; throw error; }));
  const cards = [["sold", sold], ["comeback", comeback], ["forecast", forecast], ["cohorts", cohorts], ["effects", effects], ["levels", levels]];
  const looks = cards.map(([id, show]) => part(body(id), ask, show));

  function choose(value) {
    if (!value) return;
    [month, asked] = [value, null];
    Promise.all(looks.map((look) => look()));
  }

  function sold({ month: told, paid, exponent, time_zone: zone, complete }) {
    return html`
      <p class="big">${dollars(paid.amount, exponent)}</p>
      <p class="hint">${count("%(count)s payment", "%(count)s payments", paid.payments)} · ${count("%(count)s payer", "%(count)s payers", paid.payers)} · ${_("before refunds")}</p>
      <p class="field"><label for="month">${_("Month (%(zone)s)", { zone })}</label><input id="month" type="month" .value=${told} @change=${({ target }) => choose(target.value)} /></p>
      ${complete ? nothing : html`<p class="hint">${_("You have more payments than are looked at, so fewer months are.")}</p>`}`;
  }

  function comeback({ repeat }) {
    if (!repeat) return empty(_("This is told once five have paid in the month: nobody is to be recognised."));
    const share = (value) => (value === null ? few() : percent(value));
    return html`
      <p class="big">${share(repeat.returning)}</p>
      <p class="hint">${_("of the month's payers had paid in the months before, too.")}</p>
      <dl class="sums"><div><dt>${_("Paid on two days or more")}</dt><dd>${share(repeat.again)}</dd></div></dl>`;
  }

  function forecast({ forecast: told, exponent }) {
    if (!told) return empty(_("The month is over, or too little is known yet."));
    const money = (value) => dollars(value, exponent);
    return html`
      <p class="big">${money(told.total)}</p>
      <p class="hint">${_("by the month's end, if it goes on as it did: %(so_far)s so far, %(expected)s to come.", { so_far: money(told.so_far), expected: money(told.expected) })}</p>
      <label class="progress"><progress max=${Number(told.total)} value=${Number(told.so_far)}></progress><span>${_("Reached so far")}</span></label>
      ${told.low === null ? nothing : html`<p>${_("In eight cases of ten it is between %(low)s and %(high)s.", { low: money(told.low), high: money(told.high) })}</p>`}`;
  }

  function cohorts({ cohorts: groups, since }) {
    if (!groups.length) return empty(_("Too few payers yet: cohorts have five at least."));
    queueMicrotask(() => drawn(document.getElementById("chart"), groups));
    return html`<p class="hint">${_("How many of those who first came in a month still pay, since %(month)s.", { month: monthOf(long, since) })}</p><div id="chart"></div>`;
  }

  function drawn(place, groups) {
    const months = groups[0].active.map(({ month: at }) => at);
    const series = groups.map((group, at) => {
      const told = months.map((month) => group.active.find(({ month: of }) => of === month));
      return { label: nameOf(group), color: COLORS[at % COLORS.length], values: told.map((of) => of?.payers ?? null), missing: told.map((of) => (of ? "<5" : "")) };
    });
    const title = _("Payers who come back, by the month in which they first came");
    chart(place, { title, at: months.map((month) => monthOf(short, month)), series, tell: (payers) => number.format(payers), label: _("First came") });
  }

  function nameOf({ first, last, or_before: before }) {
    const span = first === last ? monthOf(long, first) : `${monthOf(long, first)} – ${monthOf(long, last)}`;
    return before ? _("%(span)s or before", { span }) : span;
  }

  const around = (sums, money) => (sums === null ? few() : _("%(amount)s of %(payers)s", { amount: money(sums.amount), payers: count("%(count)s payer", "%(count)s payers", sums.payers) }));
  const change = (name, told, money) => told && html`<div><dt>${name}</dt><dd>${around(told.before, money)} → ${around(told.after, money)}</dd></div>`;

  function effects({ campaigns, exponent }) {
    const money = (value) => dollars(value, exponent);
    if (!campaigns.length) return empty(_("No campaign ran in this month."));
    return html`<p class="hint">${_("What was paid in as many weeks before and after a start. That it was the campaign nobody can tell: seasons and prices are at work, too.")}</p>
      ${campaigns.map((told) => html`<h3>${told.name} <span class="hint">${_("%(spent)s promised", { spent: money(told.spent) })}</span></h3>
        ${told.weeks ? html`<p class="hint">${count("%(count)s week before and after", "%(count)s weeks before and after", told.weeks)}</p>
          <dl class="sums">${change(_("All"), told.all, money)}${change(_("Who got cashback"), told.rewarded, money)}${change(_("The others"), told.others, money)}</dl>`
        : html`<p class="hint">${_("Nothing to compare yet: a week before and after is the least.")}</p>`}`)}`;
  }

  function levels({ tiers, exponent }) {
    const money = (value) => dollars(value, exponent);
    if (!tiers.length) return empty(_("Nobody has a tier yet."));
    const name = (told) => told.map((level) => (level ? _("Tier %(level)s", { level }) : _("No tier yet"))).join(", ");
    return html`<p class="hint">${_("The month before → this month, of those who have paid in it.")}</p>
      <dl class="sums">${tiers.map(({ levels: told, paid }) => change(name(told), paid, money))}</dl>`;
  }
}
