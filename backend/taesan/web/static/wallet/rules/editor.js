// The rule editor: choices that a person understands, the sentences and the exact words that come of them, a dry run, and the signature.

import { dollars } from "/static/lib/money.js";
import { CURRENCIES, STEPS } from "/static/lib/rule.js";
import { sentences } from "/static/lib/rulewords.js";
import { Refused } from "/static/lib/hub.js";
import { session } from "/static/lib/session.js";
import { html, nothing, once, render, say, sentence } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { draftOf, fresh, fieldOf, termsOf, toldOf } from "/static/wallet/rules/draft.js";
import { dryRun, dryRunOf } from "/static/wallet/rules/dryrun.js";
import { firesFields, gatherFields, onlyFields, becomesFields } from "/static/wallet/rules/fields.js";
import { allow, allowed, enoughFor, newNumber, signRule } from "/static/wallet/rules/signing.js";

/** @param {HTMLElement} place
 * @param {{channelId: string, currency: string, exponent: number, there: object, allowance: object, advised: object | null}} here `there`:
 *   `GET /v1/destinations`; `advised`: `gather`, `fires`, `only` to begin with
 * @param {() => Promise<void>} signed called when a rule was signed
 */
export function editor(place, here, signed) {
  const { channelId, currency, exponent, there, advised } = here;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  let draft = fresh(zone);
  let number = newNumber();
  let refused = {}; // what the hub has said, by field, until that is changed
  let isTried = false;
  let left = new Set(); // fields that she has changed and gone out of: what is wrong there is told at once
  let rehearsed = null;
  const money = (value) => dollars(value, exponent);

  const bounds = () => ({ currency, exponent, payer: session()?.address, offered: there.offered });
  const read = () => termsOf(draft, bounds());

  /** Sets one field of the draft, or of one of its destinations, and draws what changes with it. */
  const set = (name, value, i) => {
    if (i === undefined) draft = { ...draft, [name]: value };
    else draft = { ...draft, destinations: draft.destinations.map((one, at) => (at === i ? { ...one, [name]: value } : one)) };
    refused = {};
    rehearsed = null;
    number = newNumber();
    draw();
  };

  const leave = (name) => {
    left.add(name);
    draw();
  };

  /** Nothing is asked of hub or wallet while something is wrong: the first fault is shown, and focused. */
  const tried = (work) => once(async (event) => {
    event.preventDefault();
    isTried = true;
    draw();
    const { terms, faults } = read();
    if (Object.keys(faults).length) return showFault();
    try {
      await work(terms);
    } catch (error) {
      if (!(error instanceof Refused) || !["invalid-rule", "invalid-request"].includes(error.type)) throw error;
      refused = { [fieldOf(error.problem)]: sentence(error) };
    }
    draw();
    showFault();
  });

  const showFault = () => place.querySelector("[aria-invalid=true]")?.focus();

  const tryIt = tried(async (terms) => {
    rehearsed = await dryRunOf(channelId, terms, place.querySelector("#month").value);
  });

  const sign = tried(async (terms) => {
    const rule = await signRule(channelId, terms, number);
    [draft, number, isTried, left, rehearsed] = [fresh(zone), newNumber(), false, new Set(), null]; // it is there, whatever becomes of the second signature
    draw();
    await signed();
    say((await mayMove(enoughFor(rule.per_day))) ? _("Signed. The rule gathers from now on.") : _("The rule gathers from now on. It may not move tokens out of your wallet until you sign for that, beside your rules."));
  });

  /** Whether rules may move so much: asks for the signature, if it takes one. */
  async function mayMove(wanted) {
    if (wanted <= allowed(here.allowance)) return true;
    try {
      here.allowance = await allow(wanted);
      return true;
    } catch {
      return false;
    }
  }

  function draw() {
    const { terms, faults } = read();
    const shown = { ...(isTried ? faults : toldOf(faults, left)), ...refused };
    const form = { draft, set, leave, faults: shown, currency, exponent, there };
    const isNarrowed = draft.categories || draft.merchants || shown.categories || shown.merchants;
    render(html`
      <form novalidate @submit=${sign}>
        <fieldset><legend>${_("What gathers")}</legend>${gatherFields(form, STEPS[currency], CURRENCIES[currency])}</fieldset>
        <fieldset><legend>${_("When it becomes gift tokens")}</legend>${firesFields(form)}</fieldset>
        <fieldset><legend>${_("What the gift tokens become")}</legend>${becomesFields(form)}</fieldset>
        <details ?open=${Boolean(isNarrowed)}><summary>${_("Only some of what I buy")}</summary>${onlyFields(form)}</details>
        ${Object.keys(faults).length ? html`<p class="hint">${_("What you would sign stands here as soon as nothing above is missing or wrong.")}</p>` : preview(terms)}
        <div class="ways try-line">
          <label class="unseen" for="month">${_("Month")}</label>
          <select id="month"><option value="this">${_("This month")}</option><option value="last">${_("Last month")}</option></select>
          <button type="button" class="quiet try" @click=${tryIt}>${_("Try it on what I bought")}</button>
        </div>
        ${rehearsed ? dryRun(rehearsed, exponent) : nothing}
        <button class="sign">${_("Sign the rule")}</button>
      </form>`, place);
  }

  const preview = (terms) => html`<div class="preview">
    <h3>${_("What you sign")}</h3>
    <ul>${sentences(terms, exponent).map((told) => html`<li>${told}</li>`)}</ul>
    <p class="hint">${_("Word for word, as your wallet shows it:")}</p>
    <dl class="exact" lang="en">
      <div><dt>gather</dt><dd><code>${terms.gather}</code></dd></div>
      <div><dt>fires</dt><dd><code>${terms.fires}</code></dd></div>
      ${terms.only ? html`<div><dt>only</dt><dd><code>${terms.only}</code></dd></div>` : nothing}
    </dl>
    ${enoughFor(terms.per_day) > allowed(here.allowance) ? html`<p class="hint">${_("You sign twice: the rule, and that rules may move at most %(amount)s in gift tokens out of your wallet, all in all, until you sign anew.", { amount: money(enoughFor(terms.per_day)) })}</p>` : nothing}
  </div>`;

  if (advised) {
    const found = draftOf(advised, zone, bounds());
    if (found) draft = found;
    else say(_("What was advised cannot be put into this form: it shows a fresh rule."), "alert");
  }
  draw();
}
