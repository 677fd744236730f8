// The fields of the rule editor, each with its label, and with what is wrong about it right beside it.

import { money, short } from "/static/lib/money.js";
import { weekdayName } from "/static/lib/rulewords.js";
import { html, nothing } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { split } from "/static/wallet/rules/draft.js";

export const fault = (faults, name) => (faults[name] ? html`<p class="fault" id="${name}-fault">${faults[name]}</p>` : nothing);
const invalid = (faults, name) => (faults[name] ? "true" : "false");

/** A text field. @param {string} at the fault's name, and the element's id @param {number} [i] of which destination */
const typed = ({ draft, set, leave, faults }, name, label, { i, at = name, mode = "decimal", placeholder = "", unit = "" } = {}) => html`<div class="field">
  <label for=${at}>${label}</label>
  <div class="with-unit"><input id=${at} inputmode=${mode} autocomplete="off" placeholder=${placeholder} .value=${i === undefined ? draft[name] : draft.destinations[i][name]}
    aria-invalid=${invalid(faults, at)} aria-describedby="${at}-fault" @input=${({ target }) => set(name, target.value, i)} @change=${() => leave(at)} />${unit ? html`<span aria-hidden="true">${unit}</span>` : nothing}</div>
  ${fault(faults, at)}
</div>`;

const ticked = ({ draft, set }, name, label, more = nothing) => html`<div class="tick">
  <label class="choice"><input type="checkbox" id=${name} .checked=${draft[name]} @change=${({ target }) => set(name, target.checked)} /> <span>${label}</span></label>
  ${draft[name] && more !== nothing ? html`<div class="more">${more}</div>` : nothing}
</div>`;

/** @param {[string, string][]} options value and text */
const chosen = ({ draft, set }, name, label, options, { i, at = name } = {}) => html`<div class="field">
  <label for=${at}>${label}</label>
  <select id=${at} @change=${({ target }) => set(name, target.value, i)}>
    ${options.map(([value, text]) => html`<option value=${value} ?selected=${value === String(i === undefined ? draft[name] : draft.destinations[i][name])}>${text}</option>`)}
  </select>
</div>`;

/** Focusable when something is wrong with all of it. */
const wholeFault = (faults, name) => (faults[name] ? html`<div tabindex="-1" aria-invalid="true">${fault(faults, name)}</div>` : nothing);

export const gatherFields = (form, steps, decimals) => {
  const { currency, faults } = form;
  const stepName = (step) => money({ value: String(step), asset: currency, exponent: decimals });
  return html`
    ${ticked(form, "roundUp", _("The change of each purchase"), html`
      ${chosen(form, "step", _("Rounded up to the next"), steps.map((step, i) => [String(i), stepName(step)]))}
      ${typed(form, "times", _("So many times"), { mode: "numeric", unit: "×" })}
      ${ticked(form, "byTier", _("More by my tier"), typed(form, "mostTimes", _("But at most so many times"), { mode: "numeric", unit: "×" }))}`)}
    ${ticked(form, "hasShare", _("A share of each price"), typed(form, "share", _("Per cent of the price"), { unit: "%" }))}
    ${ticked(form, "hasFixed", _("The same of each purchase"), typed(form, "fixed", _("Amount of each purchase"), { unit: currency }))}
    ${ticked(form, "topUps", _("What I put in by hand"))}
    ${ticked(form, "cashback", _("As much as my cashback"))}
    ${ticked(form, "gateway", _("What payment services convert for me"))}
    ${wholeFault(faults, "gather")}
    <div class="pair">
      ${typed(form, "perDay", _("At most a day"), { unit: currency, placeholder: _("no bound") })}
      ${typed(form, "perMonth", _("At most a month"), { unit: currency, placeholder: _("no bound") })}
    </div>`;
};

const WEEKDAYS = [0, 1, 2, 3, 4, 5, 6].map((weekday) => [String(weekday), weekdayName(weekday)]);

export const firesFields = (form) => html`
  ${ticked(form, "hasValue", _("Each time so much has gathered"), typed(form, "value", _("Amount"), { unit: form.currency }))}
  ${ticked(form, "hasCount", _("After a number of payments"), typed(form, "count", _("Payments"), { mode: "numeric" }))}
  ${chosen(form, "date", _("By the calendar"), [["", _("On no date")], ["weekly", _("Every week")], ["monthly", _("Every month")]])}
  ${form.draft.date === "weekly" ? chosen(form, "weekday", _("Day of the week"), WEEKDAYS) : nothing}
  ${form.draft.date === "monthly" ? typed(form, "day", _("Day of the month"), { mode: "numeric" }) : nothing}
  ${form.draft.date ? html`<p class="hint">${_("At midnight, %(zone)s.", { zone: form.draft.zone })}</p>` : nothing}
  ${ticked(form, "onRequest", _("When I say so"))}
  ${wholeFault(form.faults, "fires")}`;

export const onlyFields = (form) => html`
  ${typed(form, "categories", _("Categories"), { mode: "text", placeholder: "coffee, games" })}
  ${typed(form, "merchants", _("Merchants' ids"), { mode: "text", placeholder: "mer_…" })}
  <p class="hint">${_("Of several rules, the one that demands more gathers a purchase.")}</p>`;

/** What gift tokens can become at this hub. */
const kinds = ({ vault, bought, offered }) => [
  ["wallet", _("Stay in my wallet")],
  ...(vault ? [["savings", _("Savings")]] : []),
  ["cash", _("Dollars")],
  ["person", _("Another person")],
  ...(bought.length ? [["swap", _("Another token, bought")]] : []),
  ...(offered.length ? [["collectible", _("A collectible")]] : []),
];

export const becomesFields = (form) => {
  const { draft, set, faults, there } = form;
  const replace = (destinations) => set("destinations", destinations);
  const kindSet = (i) => (name, kind) => {
    const token = { swap: there.bought[0]?.token, collectible: there.offered[0]?.token }[kind] ?? "";
    replace(draft.destinations.map((one, at) => (at === i ? { ...one, [name]: kind, token } : one)));
  };
  return html`
    ${draft.destinations.map((one, i) => html`<div class="destination" role="group" aria-label=${_("Part %(number)s", { number: i + 1 })}>
      <div class="pair">
        ${chosen({ ...form, set: kindSet(i) }, "kind", _("Becomes"), kinds(there), { i, at: `kind-${i}` })}
        ${typed(form, "share", _("Share"), { i, at: `share-${i}`, unit: "%" })}
      </div>
      ${one.kind === "person" ? typed(form, "recipient", _("Address of the person"), { i, at: `recipient-${i}`, mode: "text", placeholder: "0x…" }) : nothing}
      ${one.kind === "swap" ? html`<div class="pair">${chosen(form, "token", _("Token"), there.bought.map(({ token }) => [token, short(token)]), { i, at: `token-${i}` })}
        ${typed(form, "slippage", _("At most below the market"), { i, at: `slippage-${i}`, unit: "%" })}</div>` : nothing}
      ${one.kind === "collectible" ? chosen(form, "token", _("Collectible"), there.offered.map(({ token, price }) => [token, `${BigInt(token)} · ${money({ value: price, asset: "", exponent: form.exponent })}`]), { i, at: `token-${i}` }) : nothing}
      ${draft.destinations.length > 1 ? html`<button type="button" class="link" @click=${() => replace(draft.destinations.filter((_one, at) => at !== i))}>${_("Leave this part out")}</button>` : nothing}
    </div>`)}
    ${wholeFault(faults, "destinations")}
    ${draft.destinations.length < 10 ? html`<button type="button" class="quiet part" @click=${() => replace(split(draft.destinations, there.vault ? "savings" : "cash"))}>${_("Split off a part")}</button>` : nothing}
    ${draft.destinations.some(({ kind }) => kind !== "wallet") ? html`${typed(form, "movedPerDay", _("At most a day out of my wallet"), { unit: form.currency })}
      <p class="hint">${_("What becomes gift tokens at once is moved as a whole or not at all: let it be at least that much.")}</p>` : nothing}`;
};
