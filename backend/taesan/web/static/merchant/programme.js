// Tiers and points: what is asked of members, what they get for it, and how many stand where. Members have addresses, no names.

import { noChange } from "/static/lit/lit-html.js";
import { live } from "/static/lit/directives/live.js";
import { decimal, minorUnits, short } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { empty, html, nothing, once, part, render, say } from "/static/lib/view.js";
import { _, count, language } from "/static/lib/words.js";
import { pill } from "/static/merchant/invoices.js";

const TIERS_MOST = 10;
const MEMBERS_MOST = 100;
const WHOLE = 10_000;
const times = (multiplier) => new Intl.NumberFormat(language, { maximumFractionDigits: 2 }).format(multiplier / WHOLE);

function asks(tier, money) {
  return [
    tier.count && count("%(count)s payment", "%(count)s payments", tier.count),
    tier.value && tier.value !== "0" && money(tier.value),
    tier.streak && count("%(count)s period in a row", "%(count)s periods in a row", tier.streak),
  ].filter(Boolean).join(" · ");
}

/** @returns {() => Promise<void>} looks again at the members */
export function programme(shaping, listing, { exponent, money, zone }) {
  let told = null; // the programme as the hub has it
  let drafts = [];
  const look = part(listing, members, roll);
  part(shaping, async () => {
    if (told) return noChange; // what is typed stays when she signs in again
    told = await askSigned("GET", "/v1/programme");
    drafts = told.tiers.map((tier) => ({ ...tier }));
    return editor();
  }, (drawn) => drawn);
  return look;

  function editor() {
    const isNew = !told.tiers.length && !told.points;
    const draw = () => render(editor(), shaping);
    return html`<form @submit=${once(save)}>
      <div class="pair">
        <p class="field"><label for="window">${_("Counted together")}</label><input id="window" name="window" type="number" min="1" max="24" required .value=${String(told.window)} /></p>
        <p class="field"><label for="period">${_("Periods")}</label><select id="period" name="period" ?disabled=${!isNew}>${[["week", _("weeks")], ["month", _("months")]].map(([value, name]) => html`<option value=${value} ?selected=${told.period === value}>${name}</option>`)}</select></p>
      </div>
      ${drafts.map((tier, at) => html`<fieldset class="tier">
        <legend>${_("Tier %(level)s", { level: at + 1 })}</legend>
        ${field(at, "name", _("Name"), tier.name ?? "", { required: true })}
        <div class="trio">
          ${field(at, "count", _("Payments"), tier.count ?? "", { mode: "numeric" })}
          ${field(at, "value", _("Sum in dollars"), tier.value && tier.value !== "0" ? decimal(tier.value, exponent).replace(/\.?0+$/, "") : "", { mode: "decimal" })}
          ${field(at, "streak", _("In a row"), tier.streak ?? "", { mode: "numeric" })}
        </div>
        <div class="pair">
          ${field(at, "cashback", _("Cashback times"), String((tier.cashback_multiplier ?? WHOLE) / WHOLE), { mode: "decimal" })}
          <p class="field end"><button type="button" class="link" @click=${() => { drafts = collected(shaping).filter((_tier, n) => n !== at); draw(); }}>${_("Remove")}</button></p>
        </div>
      </fieldset>`)}
      ${drafts.length < TIERS_MOST ? html`<p class="field"><button type="button" class="quiet" @click=${() => { drafts = [...collected(shaping), {}]; draw(); }}>${_("Add a tier")}</button></p>` : nothing}
      <div class="pair">
        <p class="field"><label for="per">${_("A point for each (in dollars)")}</label><input id="per" name="per" inputmode="decimal" autocomplete="off" placeholder=${_("no points")} .value=${told.points ? decimal(told.points.per, exponent).replace(/\.?0+$/, "") : ""} /></p>
        <p class="field"><label for="valid">${_("Good for (days)")}</label><input id="valid" name="valid_days" type="number" min="1" max="3650" required .value=${String(told.points?.valid_days ?? 365)} /></p>
      </div>
      <p class="hint">${_("It holds for payments to come. Who has a tier and does not keep it up is told a period before, and is then one step lower.")}</p>
      <p class="field"><button>${_("Save")}</button></p>
    </form>`;
  }

  function field(at, name, label, value, { mode = "text", required = false } = {}) {
    const id = `tier-${at}-${name}`;
    return html`<p class="field"><label for=${id}>${label}</label><input id=${id} data-tier=${at} data-name=${name} inputmode=${mode} autocomplete="off" maxlength="60" ?required=${required} .value=${live(String(value))} /></p>`;
  }

  /** What stands in the form; an amount that is none is NaN or null, and `save` says so. */
  function collected(form) {
    return drafts.map((_tier, at) => {
      const text = (name) => form.querySelector(`#tier-${at}-${name}`).value.trim();
      const number = (name) => (text(name) ? Number(text(name)) : null);
      const value = text("value") ? minorUnits(text("value"), exponent) : undefined;
      return {
        name: text("name"),
        count: number("count"),
        value: value === undefined ? null : value === null ? NaN : String(value),
        streak: number("streak"),
        cashback_multiplier: Math.round(Number(text("cashback") || 1) * WHOLE),
        round_up_multiplier: drafts[at].round_up_multiplier ?? WHOLE,
      };
    });
  }

  async function save(_event, form) {
    const tiers = collected(form);
    const typed = Object.fromEntries(new FormData(form));
    const per = typed.per.trim() ? minorUnits(typed.per, exponent) : undefined;
    const numbers = tiers.flatMap(({ count: payments, value, streak, cashback_multiplier: cashback }) => [payments, value, streak, cashback]);
    if (per === null || numbers.some(Number.isNaN)) return say(_("Type an amount, such as 5 or 12.50."), "alert");
    const points = per === undefined ? null : { per: String(per), valid_days: Number(typed.valid_days), notice_days: told.points?.notice_days ?? 30 };
    const isNew = !told.tiers.length && !told.points;
    const body = { period: typed.period ?? told.period, time_zone: isNew ? zone : told.time_zone, window: Number(typed.window), tiers, points };
    told = await askSigned("PUT", "/v1/programme", { body });
    drafts = told.tiers.map((tier) => ({ ...tier }));
    render(editor(), shaping);
    say(_("Saved."));
    await look();
  }

  async function members() {
    const [{ items, next_cursor: more }, { tiers }] = await Promise.all([
      askSigned("GET", `/v1/members?limit=${MEMBERS_MOST}`),
      askSigned("GET", "/v1/programme"),
    ]);
    return { items, more, tiers };
  }

  function roll({ items, more, tiers }) {
    if (!items.length) return empty(_("No members yet: who pays you from now on, once you have tiers or points, is one."));
    const levels = [...tiers].reverse().map(({ level, name }) => ({ level, name })).concat({ level: 0, name: _("No tier yet") });
    return html`
      ${more ? html`<p class="hint">${_("The newest %(count)s members.", { count: items.length })}</p>` : nothing}
      ${levels.map(({ level, name }) => {
        const here = items.filter(({ tier }) => (tier?.level ?? 0) === level);
        return html`<details class="level" ?open=${level > 0}><summary>${name} <span class="hint">${count("%(count)s member", "%(count)s members", here.length)}</span></summary>
          <ul class="list">${here.map(member)}</ul></details>`;
      })}`;
  }

  function member(one) {
    return html`<li>
    <code title=${one.payer}>${short(one.payer)}</code> <span>${asks(one, money)}</span>
    ${one.next_tier ? html`<span class="whole hint">${_("Next: %(tier)s for %(asks)s", { tier: one.next_tier.name, asks: asks(one.next_tier, money) })}</span>` : nothing}
    ${one.tier && one.tier.cashback_multiplier > WHOLE ? html`<span class="whole hint">${_("%(times)s× cashback", { times: times(one.tier.cashback_multiplier) })}</span>` : nothing}
    ${one.points ? html`<span class="whole hint">${count("%(count)s point", "%(count)s points", one.points)}</span>` : nothing}
    ${one.at_risk ? pill("open", _("About to lose it")) : nothing}
  </li>`;
  }
}
