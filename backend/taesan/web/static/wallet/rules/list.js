// The signed rules: how far each is, what it says, what became of it and why; paused, resumed, fired, ended.

import { repeat } from "/static/lit/directives/repeat.js";
import * as channel from "/static/lib/channel.js";
import { cashbackToPut, putCashback } from "/static/lib/cashback.js";
import { newKey, Refused } from "/static/lib/hub.js";
import { jarPicture, nearness, ofRule } from "/static/lib/jar.js";
import { dollars, minorUnits, moment } from "/static/lib/money.js";
import { because } from "/static/lib/reasons.js";
import { readFires, readGather } from "/static/lib/rule.js";
import { sentences } from "/static/lib/rulewords.js";
import { askSigned } from "/static/lib/session.js";
import { empty, html, nothing, once, part, say, sure } from "/static/lib/view.js";
import { _, count } from "/static/lib/words.js";
import { allow, allowed, enoughFor } from "/static/wallet/rules/signing.js";

const stateOf = (rule) => ({ active: _("gathers"), paused: _("paused"), cancelled: _("ended"), expired: _("ended") })[rule.state] ?? rule.state;
const noteOf = (kind) => ({
  fired: _("Made into gift tokens"), "not fired": _("Did not fire"), cut: _("Not all was gathered"), paused: _("Paused"), resumed: _("Resumed"),
  cancelled: _("Ended"), expired: _("Ended"), released: _("Given back"),
})[kind] ?? kind;

const historyRow = ({ kind, reason, amount, at }, exponent) => html`<li>
  <span><b>${noteOf(kind)}</b> · ${moment(at)}<br />${because(reason, exponent)}</span>
  ${amount === "0" ? nothing : html`<span class="amount">${dollars(amount, exponent)}</span>`}
</li>`;

/** @param {object} rule @param {{exponent: number, refresh: () => Promise<void>}} here */
function card(rule, { exponent, refresh }) {
  const path = `/v1/channels/${rule.channel_id}/rules/${rule.id}`;
  const money = (value) => dollars(value, exponent);
  const { level, text } = nearness(ofRule(rule), exponent);
  const { gathered, due_at: due, left_today: left } = rule.progress;
  const isOver = !["active", "paused"].includes(rule.state);
  const act = (what, told) => once(async () => {
    await askSigned("POST", `${path}/${what}`);
    say(told);
    await refresh();
  });
  const cancel = once(async () => {
    if (!(await sure(_("End this rule for good? What it has gathered is left to the jar's own setting."), _("End it")))) return;
    await askSigned("POST", `${path}/cancel`);
    say(_("The rule has ended."));
    await refresh();
  });
  const putIn = once(async (_event, form) => {
    const amount = minorUnits(new FormData(form).get("amount"), exponent);
    if (amount === null) return say(_("Type an amount, such as 5 or 12.50."), "alert");
    const key = (form.dataset.key ??= newKey()); // until it is answered, so that a second try pays nothing twice
    await channel.pay(amount, { type: "jar", rule_id: rule.id }, {}, key).catch((error) => {
      if (error instanceof Refused) delete form.dataset.key;
      throw error;
    });
    delete form.dataset.key;
    form.reset();
    say(_("%(amount)s fell into the jar.", { amount: money(amount) }));
    await refresh();
  });
  const cashback = once(async () => {
    const come = await cashbackToPut(rule);
    if (come && !(await sure(_("Up to %(amount)s go out of your channel into this jar, as much as cashback has come since.", { amount: money(come) }), _("Put it in")))) return;
    const put = come ? await putCashback(rule, come) : 0n;
    say(put ? _("%(amount)s fell into the jar.", { amount: money(put) }) : _("No cashback has come since."));
    await refresh();
  });
  const history = ({ target }) => {
    if (!target.open) return;
    part(target.querySelector(".history"), () => askSigned("GET", `${path}/history?limit=20`), ({ items }) =>
      items.length ? html`<ul class="list">${items.map((note) => historyRow(note, exponent))}</ul>` : empty(_("Nothing has become of it yet.")));
  };
  return html`<li class="rule" data-state=${rule.state}>
    <div class="one-jar">
      ${jarPicture(isOver ? 0 : level, _("The jar: %(amount)s in it. %(text)s", { amount: money(gathered), text }))}
      <div>
        <p><span class="state">${stateOf(rule)}</span></p>
        <p class="big">${money(gathered)}</p>
        <p class="hint">${isOver ? nothing : text} ${due ? _("Due on %(when)s.", { when: moment(due) }) : nothing} ${left === "0" ? _("No more for now: its bound is reached.") : nothing}</p>
        <p class="hint" ?hidden=${rule.progress.fired === "0"}>${_("In all %(amount)s became gift tokens.", { amount: money(rule.progress.fired) })}</p>
      </div>
    </div>
    <ul class="says">${sentences(rule, exponent).map((told) => html`<li>${told}</li>`)}</ul>
    ${rule.warning ? html`<p class="fault">${_("It may fire more at once than a day lets pass: then all of that stays in your wallet as gift tokens.")}</p>` : nothing}
    ${isOver ? nothing : html`<div class="ways">
      ${rule.state === "active" ? html`<button class="quiet" @click=${act("pause", _("Paused. What it has gathered stays."))}>${_("Pause")}</button>` : html`<button class="quiet" @click=${act("resume", _("It gathers again."))}>${_("Resume")}</button>`}
      ${rule.state === "active" && readFires(rule.fires).onRequest ? html`<button ?disabled=${gathered === "0"} @click=${act("fire", _("On its way with the next batch."))}>${_("Make gift tokens now")}</button>` : nothing}
      ${rule.state === "active" && readGather(rule.gather).inflows.includes("cashback") ? html`<button class="quiet" @click=${cashback}>${_("Put in what cashback has come")}</button>` : nothing}
      <button class="quiet danger" @click=${cancel}>${_("End it")}</button>
    </div>`}
    ${rule.state === "active" && readGather(rule.gather).inflows.includes("top-ups") ? html`<form class="line" @submit=${putIn}>
      <label for="put-${rule.id}">${_("Put in by hand, in dollars")}</label>
      <input id="put-${rule.id}" name="amount" inputmode="decimal" autocomplete="off" required />
      <button class="quiet">${_("Put in")}</button>
    </form>` : nothing}
    <details @toggle=${history}><summary>${_("What became of it, and why")}</summary><div class="history body"></div></details>
    <details><summary>${_("Word for word")}</summary><dl class="exact" lang="en">
      <div><dt>gather</dt><dd><code>${rule.gather}</code></dd></div>
      <div><dt>fires</dt><dd><code>${rule.fires}</code></dd></div>
      ${rule.only ? html`<div><dt>only</dt><dd><code>${rule.only}</code></dd></div>` : nothing}
    </dl></details>
  </li>`;
}

/** How much rules may still move out of the wallet: less than a month of theirs is told with a way to sign for more. */
function allowanceLine(rules, allowance, { exponent, refresh }) {
  const wanted = rules.reduce((sum, rule) => sum + enoughFor(rule.per_day), 0n);
  if (!wanted || !allowance) return nothing;
  const left = allowed(allowance);
  const more = once(async () => {
    await allow(wanted);
    say(_("Signed. What waited for it is tried again."));
    await refresh();
  });
  return html`<p class="hint">${_("Rules may still move %(amount)s in gift tokens out of your wallet.", { amount: dollars(left, exponent) })}</p>
    ${left < wanted ? html`<button class="quiet" @click=${more}>${_("Sign for %(amount)s", { amount: dollars(wanted, exponent) })}</button>` : nothing}`;
}

/** @param {object[]} rules the newest first @param {object | null} allowance @param {{exponent: number, refresh: () => Promise<void>}} here */
export function list(rules, allowance, here) {
  const cards = (some) => html`<ul class="rules">${repeat(some, ({ id }) => id, (rule) => card(rule, here))}</ul>`;
  const [open, over] = [rules.filter(({ state }) => ["active", "paused"].includes(state)), rules.filter(({ state }) => !["active", "paused"].includes(state))];
  return html`${open.length ? cards(open) : empty(_("You have signed no rule. Until then the jar goes by its own setting."))}
    ${allowanceLine(open, allowance, here)}
    ${over.length ? html`<details><summary>${count("%(count)s rule has ended", "%(count)s rules have ended", over.length)}</summary>${cards(over)}</details>` : nothing}`;
}
