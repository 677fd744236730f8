// The merchant's day: what it has brought, what is on its way, and the newest of both.

import { repeat } from "/static/lit/directives/repeat.js";
import { facts } from "/static/lib/hub.js";
import { dollars, moment } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { empty, every, html, nothing, once, part } from "/static/lib/view.js";
import { _, language } from "/static/lib/words.js";
import { behindAccount } from "/static/merchant/account.js";
import { dayCard } from "/static/merchant/day.js";
import { invoices, pill } from "/static/merchant/invoices.js";
import { refund } from "/static/merchant/refund.js";

const body = (id) => document.querySelector(`#${id} .body`);
const LOOK_MS = 4_000;
const SHOWN = 8;

behindAccount(start);

async function start(merchant) {
  document.getElementById("name").textContent = merchant.name;
  const [{ asset_exponent: exponent }, { time_zone: zone }] = await Promise.all([facts(), askSigned("GET", "/v1/account/settings")]);
  const money = (value) => dollars(value, exponent);
  const day = dayCard(body("day"), { zone, money, shop: merchant.name });
  const currencies = document.getElementById("ask").dataset.currencies.split(" ");
  const asked = invoices(body("ask"), body("invoices"), { currencies, exponent, money });

  const balance = part(body("balance"), () => askSigned("GET", "/v1/account"), (account) => html`
    <p class="big">${money(account.credit)}</p>
    <p class="hint">${_("Settled: it can be paid out.")}</p>
    <dl class="sums">
      <div data-waits><dt>${_("Being settled")}</dt><dd>${money(account.pending)}</dd></div>
      <div><dt>${_("On its way to your wallet")}</dt><dd>${money(account.paying_out)}</dd></div>
      ${account.refunding === "0" ? nothing : html`<div><dt>${_("Held for refunds")}</dt><dd>${money(account.refunding)}</dd></div>`}
      ${account.budget === "0" ? nothing : html`<div><dt>${_("Held for campaigns")}</dt><dd>${money(account.budget)}</dd></div>`}
    </dl>`);

  let newest; // the day is added up again when something has come, not each time that somebody looks
  const payments = part(body("payments"), paid, ({ rows, back }) => rows.length
    ? html`<ul class="list">${repeat(rows, ({ id }) => id, (payment) => row(payment, back.get(payment.id) ?? 0n))}</ul>`
    : empty(_("Nobody has paid yet. The till and your invoices are one way, your website another.")));

  async function paid() {
    const [{ items: rows }, { items: refunds }] = await Promise.all([
      askSigned("GET", `/v1/payments?limit=${SHOWN}`),
      askSigned("GET", "/v1/refunds?limit=100"),
    ]);
    const last = `${rows[0]?.id} ${refunds[0]?.id}`;
    if (newest !== undefined && newest !== last) day();
    newest = last;
    const back = new Map();
    for (const { of, amount } of refunds) back.set(of, (back.get(of) ?? 0n) + BigInt(amount));
    return { rows, back };
  }

  const row = (payment, back) => html`<li>
    <span class="amount">${money(payment.amount)}</span>
    ${payment.batch_id ? html`<a href=${`/batches/${payment.batch_id}?lang=${language}`}>${_("Batch %(id)s", { id: payment.batch_id })}</a>` : pill("open", _("Waits to be settled"))}
    <span class="hint">${moment(payment.accepted_at)}</span>
    ${back < BigInt(payment.amount) ? html`<button class="link" @click=${once(async () => {
      const left = String(BigInt(payment.amount) - back);
      if (await refund({ of: payment.id, amount: left, exponent, money })) await refresh();
    })}>${_("Refund")}</button>` : html`<span></span>`}
    ${back ? pill("refunded", _("%(amount)s refunded", { amount: money(back) })) : nothing}
  </li>`;

  const refresh = () => Promise.all([balance(), payments(), asked()]);
  every(LOOK_MS, refresh);
}
