// Campaigns: a promise of cashback in one sentence, what it can cost at most, and how far each has come.

import { repeat } from "/static/lit/directives/repeat.js";
import { keyed } from "/static/lib/hub.js";
import { day, minorUnits } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { empty, html, nothing, once, part, render, say, sure } from "/static/lib/view.js";
import { _, count, language } from "/static/lib/words.js";
import { pill } from "/static/merchant/invoices.js";

const SHOWN = 20;
const LAST_MS = 61_000; // one that is ended goes on for a minute, so that no payment on its way is missed
const STATES = { scheduled: () => _("Planned"), running: () => _("Runs"), ending: () => _("Is ending"), ended: () => _("Ended"), taken: () => _("Ended: its budget was taken out") };
const TONES = { scheduled: "open", running: "paid", ending: "paying", ended: "expired", taken: "failed" };

/** Ten-thousandths as people write them: 525 → 5.25%. */
export const percent = (rate) => new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 2 }).format(rate / 10_000);

/** The promise in one sentence, as a customer would be told it. */
export function sentenceOf({ rate, cap_payment: each, category, ends_at: ends }, money) {
  const values = { rate: percent(rate), category, most: each && money(each), until: day(ends) };
  if (category && each) return _("%(rate)s back on every purchase of “%(category)s”, at most %(most)s each, until %(until)s.", values);
  if (category) return _("%(rate)s back on every purchase of “%(category)s”, until %(until)s.", values);
  if (each) return _("%(rate)s back on every purchase, at most %(most)s each, until %(until)s.", values);
  return _("%(rate)s back on every purchase, until %(until)s.", values);
}

/** @returns {() => Promise<void>} looks again */
export function campaigns(making, listing, { exponent, money }) {
  const look = part(listing, () => askSigned("GET", `/v1/campaigns?limit=${SHOWN}`), ({ items }) => items.length
    ? html`<ul class="list">${repeat(items, ({ id }) => id, row)}</ul>`
    : empty(_("No campaign yet. Your regulars like to get a little back.")));
  render(html`${form()}<div class="held"></div>`, making); // once: what is typed stays, whatever becomes of the session
  const again = part(making.querySelector(".held"), () => askSigned("GET", "/v1/account"), ({ credit }) => html`
    <p class="hint">${_("The budget is held out of your %(credit)s of credit until the campaign ends; what nobody was promised is credit again then.", { credit: money(credit) })}</p>`);
  const promise = keyed((body, key) => askSigned("POST", "/v1/campaigns", { body, key }));
  return () => Promise.all([look(), again()]);

  function form() {
    return html`<form class="promise" @input=${({ currentTarget }) => preview(currentTarget)} @submit=${once(start)}>
      <p class="said">
        <label for="rate" class="unseen">${_("Percent back")}</label><input id="rate" name="rate" inputmode="decimal" required value="5" autocomplete="off" />
        <span>${_("% back on")}</span>
        <label for="category" class="unseen">${_("What it is on")}</label><input id="category" name="category" maxlength="40" placeholder=${_("every purchase")} autocomplete="off" />
        <span>${_("at most $")}</span>
        <label for="cap" class="unseen">${_("Most for one purchase, in dollars")}</label><input id="cap" name="cap_payment" inputmode="decimal" placeholder=${_("no bound")} autocomplete="off" />
        <span>${_("each, until")}</span>
        <label for="until" class="unseen">${_("Last day")}</label><input id="until" name="until" type="date" required min=${isoDay(0)} .value=${isoDay(30)} />
        <span>${_("included.")}</span>
      </p>
      <div class="pair">
        <p class="field"><label for="budget">${_("In all at most, in dollars")}</label><input id="budget" name="budget" inputmode="decimal" required autocomplete="off" placeholder="10" /></p>
        <p class="field"><label for="cap-payer">${_("For one customer at most")}</label><input id="cap-payer" name="cap_payer" inputmode="decimal" autocomplete="off" placeholder=${_("no bound")} /></p>
      </div>
      <p class="field"><label for="campaign-name">${_("Name, for your own list")}</label><input id="campaign-name" name="name" maxlength="60" required autocomplete="off" /></p>
      <div class="preview" role="status"></div>
      <p class="field"><button>${_("Start the campaign")}</button></p>
    </form>`;
  }

  /** @returns {object | null} the body of `POST /v1/campaigns`; null: something is no amount */
  function terms(form) {
    const typed = Object.fromEntries(new FormData(form));
    const rate = minorUnits(typed.rate, 2); // percents with two decimals are ten-thousandths
    const amounts = ["budget", "cap_payment", "cap_payer"].map((name) => (typed[name].trim() ? minorUnits(typed[name], exponent) : undefined));
    if (rate === null || rate > 10_000n || amounts.includes(null) || amounts[0] === undefined || !typed.until) return null;
    const [budget, each, payer] = amounts.map((value) => (value === undefined ? null : String(value)));
    const last = new Date(`${typed.until}T00:00:00`);
    last.setDate(last.getDate() + 1);
    return { name: typed.name.trim(), rate: Number(rate), budget, cap_payment: each, cap_payer: payer, category: typed.category.trim() || null, ends_at: last.toISOString() };
  }

  function preview(form) {
    const said = terms(form);
    render(said ? html`<p><strong>${sentenceOf(shown(said), money)}</strong></p>
      <p>${_("It costs you %(budget)s at most: that is what %(spent)s of purchases earn.", { budget: money(said.budget), spent: money((BigInt(said.budget) * 10_000n) / BigInt(said.rate)) })}
      ${said.category ? _("It is for invoices of this category.") : nothing}
      ${said.cap_payer ? _("One customer gets %(most)s at most.", { most: money(said.cap_payer) }) : nothing}</p>` : nothing, form.querySelector(".preview"));
  }

  async function start(_event, form) {
    const body = terms(form);
    if (!body) return say(_("Type a percentage up to 100 and amounts such as 5 or 12.50."), "alert");
    await promise(body);
    form.reset();
    render(nothing, form.querySelector(".preview"));
    say(_("The campaign runs."));
    await Promise.all([look(), again()]);
  }

  function row(campaign) {
    const isLast = campaign.state === "running" && Date.parse(campaign.ends_at) - Date.now() < LAST_MS;
    const state = isLast ? "ending" : campaign.state;
    return html`<li>
      <span><strong>${campaign.name}</strong></span> ${pill(TONES[state] ?? "open", STATES[state]?.() ?? state)}
      <span class="whole">${sentenceOf(shown(campaign), money)}</span>
      <label class="whole progress"><progress max=${Number(campaign.budget)} value=${Number(campaign.spent)}></progress>
        <span>${_("%(spent)s of %(budget)s promised", { spent: money(campaign.spent), budget: money(campaign.budget) })} · ${count("%(count)s reward", "%(count)s rewards", campaign.rewards)}</span></label>
      ${["scheduled", "running"].includes(state) ? html`<button class="link" @click=${once(() => end(campaign))}>${_("End it")}</button>` : nothing}
    </li>`;
  }

  async function end(campaign) {
    if (!(await sure(_("End “%(name)s”? In a minute no purchase is rewarded any more; what is left of its budget is yours again.", { name: campaign.name }), _("End it")))) return;
    await askSigned("POST", `/v1/campaigns/${campaign.id}/end`);
    await look();
  }
}

/** Ends are moments; people think of the last day. */
const shown = (campaign) => ({ ...campaign, ends_at: new Date(Date.parse(campaign.ends_at) - 1_000).toISOString() });

function isoDay(ahead) {
  const at = new Date();
  at.setDate(at.getDate() + ahead);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;
}
