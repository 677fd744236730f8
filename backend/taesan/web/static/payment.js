// For developers: one payment, each step with its data, checked here where it can be, and code that does the same.

import { ask, facts } from "/static/lib/hub.js";
import { dollars, moment } from "/static/lib/money.js";
import { because } from "/static/lib/reasons.js";
import { askSigned, onSession, session } from "/static/lib/session.js";
import { digest } from "/static/lib/typed.js";
import { shown, verify } from "/static/lib/verify.js";
import { every, html, nothing, once, part, render, say } from "/static/lib/view.js";
import { _, language } from "/static/lib/words.js";
import { snippets, TONGUES } from "/static/payment/snippets.js";
import { signerOf } from "/static/signing.js";

const LOOK_MS = 5_000;
const TONGUE = "taesan.tongue";
const id = document.getElementById("main").dataset.payment;
const body = (name) => document.querySelector(`#${name} .body`);
const VOUCHER = { Voucher: [{ name: "channelId", type: "bytes32" }, { name: "maxClaimableAmount", type: "uint128" }] };

const { asset_exponent: exponent, settlement, voucher_domain: domain } = await facts();
const money = (value) => html`<code>${value}</code> <span class="hint">${dollars(value, exponent)}</span>`;
const code = (value) => html`<code>${value}</code>`;
const rows = (pairs) => html`<dl class="facts">${pairs.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

// ------------------------------------------------------------------------- code

let tongue = localStorage.getItem(TONGUE) ?? "curl";

async function copy(text) {
  await navigator.clipboard.writeText(text);
  say(_("Copied."));
}

const known = { batch: null };
const codeOf = (step) => {
  const text = snippets({ hub: location.origin, id, settlement, batch: known.batch }, tongue)[step];
  return text
    ? html`<div class="code"><pre tabindex="0" data-step=${step} aria-label=${_("Code")}><code>${text}</code></pre><button class="link" @click=${once(() => copy(text))}>${_("Copy")}</button></div>`
    : nothing;
};

function needs() {
  const names = { curl: "curl", python: "pip install httpx eth-account", javascript: _("the console of this page, or Deno") };
  render(
    html`${names[tongue]}. ${_("$TOKEN is a session's token (step 1 and 3), $NODE the address of any node of this chain.")}
      ${session() ? html`<button class="link" @click=${once(() => copy(session().token))}>${_("Copy my token: whoever has it is signed in as you")}</button>` : nothing}`,
    document.getElementById("needs"),
  );
}

// ------------------------------------------------------------------------ steps

const signIn = () => html`<p>${_("Only its payer and its merchant may see this.")} <a href="/wallet/activity?lang=${language}">${_("Sign in to your wallet")}</a></p>`;
const record = () => (session() ? askSigned("GET", `/v1/payments/${id}/record`).catch((error) => {
  if (error.status === 403) return null;
  throw error;
}) : null);

function signer(voucher) {
  const message = { channelId: voucher.channel_id, maxClaimableAmount: voucher.max_claimable_amount };
  const found = signerOf(digest({ domain, primaryType: "Voucher", types: VOUCHER, message }), voucher.signature);
  return found === voucher.signer ? html`<p class="agrees">${_("Checked here: this key has signed it.")}</p>` : html`<p class="differs">${_("Checked here: another has signed it, %(address)s. A contract wallet answers for itself (ERC-1271).", { address: found ?? "?" })}</p>`;
}

function voucherOf(found) {
  if (!found?.voucher) return html`${found ? html`<p>${_("The voucher is its payer's to see.")}</p>` : signIn()}${codeOf("voucher")}`;
  const { voucher } = found;
  return html`${rows([
    ["channelId", code(voucher.channel_id)],
    ["maxClaimableAmount", money(voucher.max_claimable_amount)],
    ["signature", code(voucher.signature)],
    [_("signer"), code(voucher.signer)],
  ])}${signer(voucher)}${codeOf("voucher")}`;
}

const lineOf = ({ account, amount }) => html`<li><code>${account}</code><span class="amount">${dollars(amount, exponent, { signDisplay: "always" })}</span></li>`;

function bookedOf(found) {
  if (!found) return html`${signIn()}${codeOf("booked")}`;
  return html`${rows([
    [_("entry"), code(found.entry.id)],
    [_("kind"), found.entry.kind],
    [_("hash"), code(found.entry.hash)],
  ])}
    <ul class="list lines">${found.lines.map(lineOf)}</ul>
    ${found.firings.map((firing) => html`<p>${_("Its jar fired with it: %(amount)s, %(why)s", { amount: dollars(firing.amount, exponent), why: because(firing.reason, exponent) })}</p>`)}
    ${found.refunded === "0" ? nothing : html`<p>${_("%(amount)s of it were given back as gift tokens.", { amount: dollars(found.refunded, exponent) })}</p>`}
    ${codeOf("booked")}`;
}

const acceptedOf = (payment) => html`${rows([
  [_("amount"), money(payment.amount)],
  ["charged_cumulative", money(payment.charged_cumulative)],
  ["destination", payment.destination],
  ["merchant_id", payment.merchant_id && code(payment.merchant_id)],
  ["recipient", payment.recipient && code(payment.recipient)],
  ["reference", payment.reference && code(payment.reference)],
  ["accepted_at", moment(payment.accepted_at)],
])}${codeOf("accepted")}`;

const batchOf = (batch) => batch
  ? html`${rows([
      [_("batch"), html`<a href="/batches/${batch.id}?lang=${language}">${batch.id}</a>`],
      [_("state"), html`<span class="pill" data-state=${batch.state}>${batch.state}</span>`],
      [_("payments"), new Intl.NumberFormat(language).format(batch.payments)],
      [_("root"), code(batch.root)],
      [_("transaction"), batch.transaction && code(batch.transaction)],
      [_("block"), batch.block_number],
      [_("gas a payment"), batch.gas_per_payment],
    ])}${codeOf("batch")}`
  : html`<p>${_("It waits for the next batch.")}</p>`;

// ------------------------------------------------------------------------- page

const payment = () => ask("GET", `/v1/payments/${id}`);

async function batch() {
  const { batch_id: number } = await payment();
  known.batch = number;
  return number === null ? null : ask("GET", `/v1/batches/${number}`);
}

let proof = null;
const proofOf = (found) => html`
  ${found ? shown(found) : nothing}
  ${known.batch === null ? html`<p>${_("There is a proof as soon as a batch has it.")}</p>` : html`<button class="quiet" @click=${once(async () => {
    proof = await verify(await payment());
    await looks.proof();
  })}>${found ? _("Verify again") : _("Verify")}</button>${codeOf("proof")}`}`;

const looks = {
  voucher: part(body("voucher"), record, voucherOf),
  accepted: part(body("accepted"), payment, acceptedOf),
  booked: part(body("booked"), record, bookedOf),
  batch: part(body("batch"), batch, batchOf),
  proof: part(body("proof"), () => batch().then(() => proof), proofOf),
};
const all = () => Promise.all(Object.values(looks).map((look) => look()));

for (const input of document.querySelectorAll("[name=tongue]")) {
  input.checked = input.value === tongue;
  input.addEventListener("change", () => {
    tongue = TONGUES.includes(input.value) ? input.value : "curl";
    localStorage.setItem(TONGUE, tongue);
    needs();
    all();
  });
}
needs();
onSession(() => {
  needs();
  all();
});
every(LOOK_MS, () => Promise.all([looks.batch(), known.batch === null ? looks.proof() : null]));
