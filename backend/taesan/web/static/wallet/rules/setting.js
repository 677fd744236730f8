// The jar's own setting, which needs no signature: it goes for what no signed rule takes, and its gift tokens stay in the wallet.

import { decimal, dollars, minorUnits } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { html, once, say } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { fault } from "/static/wallet/rules/fields.js";

const MOST_PAYMENTS = 100_000;
const plain = (value, exponent) => decimal(value, exponent).replace(/(\.\d\d)0*$/, "$1");

/** @param {FormData} typed @returns {{rule: object, faults: Record<string, string>}} the body of `PUT /v1/channels/{id}/jar` */
export function settingOf(typed, exponent) {
  const faults = {};
  const amount = (name) => {
    const value = minorUnits(typed.get(name), exponent);
    if (value === null) faults[name] = _("Type an amount, such as 0.50.");
    return String(value);
  };
  const payments = typed.get("own-count").trim();
  if (payments && !(Number.isInteger(Number(payments)) && payments >= 1 && payments <= MOST_PAYMENTS)) {
    faults["own-count"] = _("A whole number from %(least)s to %(most)s.", { least: 1, most: MOST_PAYMENTS });
  }
  if (!payments && !typed.get("own-value").trim()) faults["own-count"] = _("Choose at least one moment.");
  const rule = {
    round_up_step: amount("own-step"),
    trigger_count: payments ? Number(payments) : null,
    trigger_value: typed.get("own-value").trim() ? amount("own-value") : null,
  };
  return { rule, faults };
}

/** @param {object} jar @param {{exponent: number, faults: object, show: (faults: object) => void, refresh: () => Promise<void>}} here */
export function setting(jar, { exponent, faults, show, refresh }) {
  const field = (name, label, value, mode = "decimal") => html`<div class="field">
    <label for=${name}>${label}</label>
    <input id=${name} name=${name} inputmode=${mode} autocomplete="off" value=${value} aria-invalid=${faults[name] ? "true" : "false"} aria-describedby="${name}-fault" />
    ${fault(faults, name)}
  </div>`;
  const save = once(async (_event, form) => {
    const { rule, faults: wrong } = settingOf(new FormData(form), exponent);
    show(wrong);
    if (Object.keys(wrong).length) return form.querySelector("[aria-invalid=true]")?.focus();
    await askSigned("PUT", `/v1/channels/${jar.channel_id}/jar`, { body: rule });
    say(_("Kept: each price is rounded up to the next %(step)s.", { step: dollars(rule.round_up_step, exponent) }));
    await refresh();
  });
  return html`<p class="hint">${_("For what no signed rule takes. It needs no signature, and its gift tokens stay in your wallet.")}</p>
    <form novalidate @submit=${save}>
      ${field("own-step", _("Each price is rounded up to the next (dollars)"), plain(jar.round_up_step, exponent))}
      ${field("own-value", _("A token each time so much has gathered (dollars; may be empty)"), jar.trigger_value ? plain(jar.trigger_value, exponent) : "")}
      ${field("own-count", _("Or after so many payments (may be empty)"), jar.trigger_count ?? "", "numeric")}
      <button class="quiet">${_("Keep this setting")}</button>
    </form>`;
}
