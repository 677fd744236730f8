// The operator's console: is all well, how far are the batches, what does a payment cost, what was set aside.

import { chart } from "/static/lib/chart.js";
import { behindSignIn } from "/static/lib/gate.js";
import { ask, facts, newKey } from "/static/lib/hub.js";
import { decimal, dollars, moment, short } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { empty, every, html, nothing, once, part, say, sure, svg } from "/static/lib/view.js";
import { _, count, language } from "/static/lib/words.js";

const body = (id) => document.querySelector(`#${id} .body`);
const LOOK_MS = 3_000;
const BATCHES = 30;
const whole = new Intl.NumberFormat(language);

behindSignIn(_("This is for the wallets that run the hub."), start);

async function start() {
  const { asset_exponent: exponent } = await facts();
  const money = (value) => dollars(value, exponent);
  const looks = [
    part(body("health"), () => askSigned("GET", "/v1/operator/status"), health),
    part(body("reserve"), () => ask("GET", "/v1/overview"), (told) => reserve(told.trust, money)),
    part(body("batches"), () => ask("GET", `/v1/batches?limit=${BATCHES}`), ({ items }) => batches(items, money)),
    part(body("quarantine"), () => askSigned("GET", "/v1/operator/quarantine?limit=50"), ({ items }, again) => quarantine(items, money, again)),
    part(body("actions"), () => askSigned("GET", "/v1/operator/actions?limit=20"), ({ items }) => actions(items)),
  ];
  every(LOOK_MS, () => Promise.all(looks.map((look) => look())));
}

// ---------------------------------------------------------------------- health

const NAMES = { database: () => _("Database"), node: () => _("Node"), outbox: () => _("Events"), maintenance: () => _("Catching up"), intake: () => _("Intake") };

const health = ({ checks, alarms, signer, figures }) => html`
  <ul class="lamps">
    ${Object.entries(checks).map(([name, state]) => html`<li data-state=${state === "ok" ? "yes" : "no"}><span class="lamp"></span> ${NAMES[name]?.() ?? name}<span class="hint"> ${state === "ok" ? _("fine") : state}</span></li>`)}
  </ul>
  ${alarms.length ? html`<ul class="alarms">${alarms.map((alarm) => html`<li role="alert"><strong>${alarm.name}</strong> ${moment(alarm.since)}<br />${alarm.detail}${alarm.pauses_signing ? html`<br /><em>${_("Nothing new is signed while it lasts.")}</em>` : nothing}</li>`)}</ul>` : html`<p>${_("No alarm is on.")}</p>`}
  <dl class="sums">
    <div><dt>${_("The key that pays the gas")}</dt><dd><code title=${signer.address}>${short(signer.address)}</code></dd></div>
    <div><dt>${_("It has")}</dt><dd>${signer.balance_wei === null ? _("unknown: no node answers") : ether(signer.balance_wei)}</dd></div>
    <div><dt>${_("It signs nothing new below")}</dt><dd>${ether(signer.balance_min_wei)}</dd></div>
    ${WAITING.map(([name, label]) => html`<div><dt>${label()}</dt><dd>${seconds(figures[name] ?? 0)}</dd></div>`)}
  </dl>`;

const WAITING = [
  ["taesan_oldest_waiting_payment_age_seconds", () => _("Oldest payment that waits for a batch")],
  ["taesan_open_batch_age_seconds", () => _("Oldest batch that is not posted")],
  ["taesan_worker_absence_seconds", () => _("No worker for")],
  ["taesan_node_silence_seconds", () => _("Last heard from the chain")],
];

const ether = (wei) => `${new Intl.NumberFormat(language, { maximumFractionDigits: 4 }).format(decimal(wei, 18))} ETH`;
const seconds = (value) => new Intl.NumberFormat(language, { style: "unit", unit: "second", maximumFractionDigits: 0 }).format(value);

// --------------------------------------------------------------------- reserve

/** Both as bars of one length: what is owed may never be longer than what is there. */
function reserve({ reserve: held, liabilities: owed, checked_block: block, books_equal_chain: equal }, money) {
  const most = BigInt(held) > BigInt(owed) ? BigInt(held) : BigInt(owed);
  const width = (value) => (most ? Number((BigInt(value) * 1000n) / most) : 0);
  const bar = (label, value, kind) => html`<div><dt>${label}</dt><dd>${money(value)}</dd><dd class="bar"><svg viewBox="0 0 1000 1" preserveAspectRatio="none" aria-hidden="true"><rect class=${kind} width=${width(value)} height="1" /></svg></dd></div>`;
  return html`
    <dl class="bars">${bar(_("Reserve"), held, "")}${bar(_("Owed to all"), owed, "other")}</dl>
    <p class="hint">${block === null ? _("Not compared with the chain yet.") : equal ? _("Books and chain were equal at block %(block)s.", { block: whole.format(block) }) : _("Books and chain differ, or an event is stuck: see the runbook.")}</p>`;
}

// --------------------------------------------------------------------- batches

const STATES = [
  ["frozen", () => _("Closed")],
  ["signed", () => _("Signed")],
  ["broadcast", () => _("Sent")],
  ["mined", () => _("In a block")],
  ["confirmed", () => _("Confirmed")],
  ["posted", () => _("Fully settled")],
];

function batches(rows, money) {
  if (!rows.length) return empty(_("No batch yet: the first is closed when payments wait."));
  const settled = rows.filter((batch) => batch.gas_per_payment !== null).reverse();
  queueMicrotask(() => settled.length > 1 && gasChart(settled));
  return html`<div id="gas"></div><ol class="batches-live">${rows.slice(0, 8).map((batch) => row(batch, money))}</ol>`;
}

function row(batch, money) {
  const reached = STATES.findIndex(([state]) => state === batch.state);
  const name = batch.state === "reorged" ? _("Sending again") : (STATES[reached]?.[1]() ?? batch.state);
  return html`<li>
    <a href=${`/batches/${batch.id}?lang=${language}`}>${_("Batch %(id)s", { id: whole.format(batch.id) })}</a>
    <span>${count("%(count)s payment", "%(count)s payments", batch.payments)} · ${money(batch.claimed)}</span>
    <span class="pill" data-state=${batch.state}>${name}</span>
    <svg class="steps" viewBox="0 0 60 4" preserveAspectRatio="none" aria-hidden="true">${STATES.map((_state, at) => svg`<rect x=${at * 10} width="9" height="4" class=${at <= reached ? "done" : ""}></rect>`)}</svg>
    ${batch.last_error ? html`<p class="hint">${batch.last_error}</p>` : nothing}
  </li>`;
}

function gasChart(settled) {
  const place = document.getElementById("gas");
  const newest = settled.at(-1);
  const key = settled.map((batch) => batch.id).join();
  if (!place || place.dataset.shown === key) return;
  place.dataset.shown = key;
  chart(place, {
    title: _("Gas a payment, by batch"),
    sentence: _("Gas a payment: %(gas)s in batch %(id)s.", { gas: whole.format(newest.gas_per_payment), id: whole.format(newest.id) }),
    label: _("Batch"),
    at: settled.map((batch) => whole.format(batch.id)),
    series: [{ label: _("Gas a payment"), values: settled.map((batch) => batch.gas_per_payment), bars: true }],
    tell: (value) => whole.format(value),
  });
}

// ------------------------------------------------------------------ quarantine

const HELD = { held: () => _("set aside"), retried: () => _("let in again"), refunded: () => _("given back") };

const quarantine = (rows, money, again) =>
  rows.length
    ? html`<ul class="list">${rows.map((held) => html`<li>
        <strong>${money(held.amount)}</strong> <span class="pill" data-state=${held.state}>${HELD[held.state]?.() ?? held.state}</span>
        <p class="hint">${held.reason}<br />${count("%(count)s payment", "%(count)s payments", held.payments)} · <code title=${held.payer}>${short(held.payer)}</code> · ${moment(held.since)}</p>
        ${held.state === "held" ? html`<div class="ways">
          <button class="quiet" @click=${once(() => act(held, "retry", again))}>${_("Try again")}</button>
          <button class="danger" @click=${once(async () => (await sure(_("The payer gets back what cannot be settled, merchants are paid out of the surplus (%(amount)s), and the channel is closed. This cannot be undone.", { amount: money(held.to_merchants) }), _("Give it back"))) && act(held, "refund", again))}>${_("Give it back")}</button>
        </div>` : nothing}
      </li>`)}</ul>`
    : empty(_("Nothing is set aside."));

async function act(held, what, again) {
  await askSigned("POST", `/v1/operator/quarantine/${held.id}/${what}`, { key: newKey() });
  say(what === "retry" ? _("Its payments go into the next batch.") : _("It is on its way back."));
  await again();
}

const actions = (rows) =>
  rows.length
    ? html`<ul class="list">${rows.map((done) => html`<li><span><code>${done.action}</code> ${done.detail}</span><span class="hint">${done.operator === "cli" ? "taesan" : short(done.operator)} · ${moment(done.at)}</span></li>`)}</ul>`
    : empty(_("Nobody has done anything by hand."));
