// API keys: what each may do and when it was last used; make one, replace one, end one.

import { repeat } from "/static/lit/directives/repeat.js";
import { day, moment } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { html, modal, once, part, say, sure } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { showSecret } from "/static/merchant/secret.js";

const DAY_S = 86_400;
const PURPOSES = {
  till: { name: () => _("A till: invoices and refunds"), scopes: ["account:read", "invoices:write", "refunds:write"] },
  books: { name: () => _("Bookkeeping: reads, changes nothing"), scopes: ["account:read", "payments:read", "redemptions:read", "payouts:read", "invoices:read", "refunds:read"] },
  all: { name: () => _("Everything, what is to come too"), scopes: null },
  own: { name: () => _("As I choose"), scopes: [] },
};
const ENDS = { 30: () => _("in 30 days"), 90: () => _("in 90 days"), 365: () => _("in a year"), never: () => _("never") };
const OVERLAPS = { 0: () => _("ends at once"), 3600: () => _("goes on for an hour"), 86400: () => _("goes on for a day"), 604800: () => _("goes on for a week") };
/** What there is to read or write; writing includes reading. */
const SUBJECTS = {
  account: [() => _("Account and closings"), "read"],
  payments: [() => _("Payments"), "read"],
  invoices: [() => _("Invoices"), "read", "write"],
  refunds: [() => _("Refunds"), "read", "write"],
  redemptions: [() => _("Gift tokens"), "read", "write"],
  payouts: [() => _("Payouts"), "read", "write"],
  loyalty: [() => _("Campaigns and tiers"), "read", "write"],
  insights: [() => _("Insights"), "read"],
  webhooks: [() => _("Webhooks"), "read", "write"],
};
const ACCESS = { read: () => _("read"), write: () => _("change") };

const options = (choices, chosen) => Object.entries(choices).map(([value, name]) => html`<option value=${value} ?selected=${value === chosen}>${name()}</option>`);

function told(scopes) {
  if (scopes === null) return _("may do everything");
  return scopes.map((scope) => { const [subject, access] = scope.split(":"); return `${SUBJECTS[subject]?.[0]() ?? subject} (${ACCESS[access]()})`; }).join(", ");
}

export function keys(card) {
  const look = part(card.querySelector(".body"), () => askSigned("GET", "/v1/merchants/me/keys"), (rows) => html`
    <ul class="list">${repeat(rows, ({ id }) => id, row)}</ul>
    <details class="more"><summary>${_("Make a key")}</summary>
      <form @submit=${once(make)}>
        <p class="field"><label for="key-name">${_("Which system is it for?")}</label><input id="key-name" name="name" maxlength="80" required autocomplete="off" /></p>
        <p class="field"><label for="key-purpose">${_("What may it do?")}</label><select id="key-purpose" name="purpose" @change=${({ target }) => { target.form.querySelector(".scopes").hidden = target.value !== "own"; }}>
          ${Object.entries(PURPOSES).map(([value, { name }]) => html`<option value=${value}>${name()}</option>`)}</select></p>
        <fieldset class="scopes" hidden><legend>${_("It may")}</legend>
          ${Object.entries(SUBJECTS).map(([subject, [name, ...ways]]) => html`<p class="scope"><span>${name()}</span>
            ${ways.map((way) => html`<label class="check"><input type="checkbox" name="scope" value=${`${subject}:${way}`} aria-label=${`${name()}: ${ACCESS[way]()}`} /> ${ACCESS[way]()}</label>`)}</p>`)}
        </fieldset>
        <p class="field"><label for="key-ends">${_("It ends")}</label><select id="key-ends" name="days">${options(ENDS, "90")}</select></p>
        <p class="field"><button>${_("Make the key")}</button></p>
      </form></details>`);
  const show = (made) => {
    showSecret(card.querySelector(".once"), _("The key of “%(name)s”", { name: made.key.name ?? made.key.hint }), made.api_key);
    return look();
  };
  return look;

  async function make(_event, form) {
    const typed = new FormData(form);
    const { scopes } = PURPOSES[typed.get("purpose")];
    const granted = typed.get("purpose") === "own" ? typed.getAll("scope") : scopes;
    if (granted?.length === 0) return say(_("Choose what it may do."), "alert");
    const days = Number(typed.get("days"));
    const body = { name: typed.get("name").trim(), scopes: granted, expires_in_s: days ? days * DAY_S : null };
    const made = await askSigned("POST", "/v1/merchants/me/keys", { body });
    form.reset();
    form.querySelector(".scopes").hidden = true;
    form.closest("details").open = false;
    await show(made);
  }

  function row(key) {
    return html`<li>
      <strong>${key.name ?? _("First key")}</strong> <code>${key.hint}…</code>
      <span class="whole hint">${key.last_used_at ? _("used %(when)s", { when: moment(key.last_used_at) }) : _("never used")}</span>
      <span class="whole hint">${told(key.scopes)} · ${key.expires_at ? _("until %(day)s", { day: day(key.expires_at) }) : _("without an end")}</span>
      <span class="whole ways"><button class="link" @click=${once(() => rotate(key))}>${_("Replace")}</button>
        <button class="link" @click=${once(() => revoke(key))}>${_("End it")}</button></span>
    </li>`;
  }

  async function rotate(key) {
    const overlap = await choose(_("A new key takes the place of “%(name)s”, with the same rights.", { name: key.name ?? key.hint }), _("The old one"), OVERLAPS, _("Replace"));
    if (overlap === null) return;
    await show(await askSigned("POST", `/v1/merchants/me/keys/${key.id}/rotate`, { body: { overlap_s: Number(overlap) } }));
  }

  async function revoke(key) {
    if (!(await sure(_("End “%(name)s”? Whatever uses it stops working at once.", { name: key.name ?? key.hint }), _("End it")))) return;
    await askSigned("DELETE", `/v1/merchants/me/keys/${key.id}`);
    await look();
  }
}

/** A dialog with one choice. @returns {Promise<string | null>} null: no, go back */
export async function choose(text, label, choices, yes) {
  const dialog = await modal(() => html`<form method="dialog"><p>${text}</p>
    <p class="field"><label for="choice">${label}</label><select id="choice">${options(choices, Object.keys(choices).at(-2))}</select></p>
    <div class="ways"><button class="quiet" value="">${_("No, go back")}</button><button value="yes">${yes}</button></div></form>`);
  return dialog.returnValue === "yes" ? dialog.querySelector("select").value : null;
}
export { OVERLAPS };
