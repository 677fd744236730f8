// The wallet's first page: the jar and how near it is, what the channel can spend at most, what is in the wallet.

import { know } from "/static/lib/change.js";
import * as channel from "/static/lib/channel.js";
import { behindSignIn } from "/static/lib/gate.js";
import { facts } from "/static/lib/hub.js";
import { rejoice } from "/static/lib/joy.js";
import { dollars, minorUnits } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { every, html, nothing, once, part, say } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { jars } from "/static/wallet/home/jars.js";
import { treasures, treasuresOf } from "/static/wallet/home/treasures.js";

const body = (id) => document.querySelector(`#${id} .body`);
const SUGGESTED = ["5", "10", "20"];
const LOOK_MS = 4_000;

behindSignIn(_("Your jar, your channel and your tokens are behind it."), start);

async function start() {
  const { asset_exponent: exponent } = await facts();
  const money = (value) => dollars(value, exponent);

  const holdings = part(body("holdings"), () => askSigned("GET", "/v1/holdings"), (held, again) => html`
    <dl class="sums">
      <div><dt>${_("Dollars")}</dt><dd>${money(held.asset)}</dd></div>
      <div><dt>${_("Gift tokens")}</dt><dd>${money(held.gift)}</dd></div>
      ${held.savings === null ? nothing : html`<div><dt>${_("Savings")}</dt><dd>${money(held.savings)}</dd></div>`}
    </dl>
    ${held.test_dollars === "0" ? nothing : html`<button class="quiet" @click=${once(async () => {
      await askSigned("POST", "/v1/test-dollars");
      say(_("%(amount)s of test money are on their way.", { amount: money(held.test_dollars) }));
      setTimeout(again, 1_500);
    })}>${_("Get test dollars")}</button>`}
  `);

  const look = part(body("channel"), channel.state, (state) => (state && state.state !== "pending" ? spending(state) : opening(state)));
  const jar = part(body("jar"), know, (found) => {
    if (found) rejoice(found.state.id, found.jar.firings, exponent);
    return jars(found);
  });
  const all = part(body("treasures"), async () => treasuresOf((await channel.state())?.id ?? null), (found) => treasures(found, exponent));

  const refresh = () => Promise.all([look(), jar(), holdings(), all()]);
  every(LOOK_MS, () => Promise.all([look(), jar()]));

  const inIt = (amount, { available }) => String(amount) === available
    ? _("%(amount)s are in your channel.", { amount: money(amount) })
    : _("%(amount)s added: %(all)s are in your channel now.", { amount: money(amount), all: money(available) });

  const depositForm = (label) => html`
    <form class="line" @submit=${once(async (_event, form) => {
      const amount = minorUnits(new FormData(form).get("amount"), exponent);
      if (amount === null) return say(_("Type an amount, such as 5 or 12.50."), "alert");
      await channel.deposit(amount, (step) => say({ sign: _("Sign in your wallet…"), send: _("Sent to the hub…"), wait: _("On its way to the chain…") }[step]));
      say(inIt(amount, await channel.state()));
      form.reset();
      await refresh();
    })}>
      <label for="amount">${_("Amount in dollars")}</label>
      <input id="amount" name="amount" inputmode="decimal" autocomplete="off" required placeholder="10" list="amounts" />
      <datalist id="amounts">${SUGGESTED.map((value) => html`<option value=${value}></option>`)}</datalist>
      <button>${label}</button>
    </form>`;

  const opening = (state) => state
    ? html`<p role="status">${_("Your deposit is on its way to the chain.")}</p>`
    : html`<p>${_("Deposit once, then pay cents without a pop-up and without gas. Nobody can take more than you have signed, and what is left is yours to take back.")}</p>${depositForm(_("Open a channel"))}`;

  const spending = (state) => html`
    <p class="big">${money(state.available)}</p>
    <p class="hint">${_("The most that this browser can spend. Everything else of your wallet is out of its reach.")}</p>
    ${depositForm(_("Add"))}`;
}
