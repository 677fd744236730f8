// Leaving with everything: jar, channel, tokens, and the way without the hub (`leave/alone.js`). Each step's state is read anew, so it goes on
// after a reload.

import * as channel from "/static/lib/channel.js";
import { ownWallet } from "/static/lib/chain.js";
import { behindSignIn } from "/static/lib/gate.js";
import { facts } from "/static/lib/hub.js";
import { carryOut, cashOut, command, emptyJar, followed, refund, unclaimed, withdrawSavings } from "/static/lib/leaving.js";
import { dollars, moment, short } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { every, html, nothing, once, part, say, sure } from "/static/lib/view.js";
import { _, language } from "/static/lib/words.js";
import { progressOf, showAlone } from "/static/wallet/leave/alone.js";

const LOOK_MS = 4_000;
const COSTLY_MS = 15_000; // what costs the hub work is asked for less often, as it limits how often one wallet may
const body = (id) => document.querySelector(`#${id} .body`);
const isSome = (amount) => amount !== null && amount !== "0";
const page = (name) => `/wallet/${name}?lang=${language}`;

behindSignIn(_("What is yours goes with you: out of the jar, out of the channel, out of this hub."), start);
showAlone(document.getElementById("alone"));

async function start({ address }) {
  const { asset_exponent: exponent, min_relayed: least } = await facts();
  const money = (value) => dollars(value, exponent);
  const here = (await channel.mine()).id;
  const finished = (text) => html`<p class="finished">${text}</p>`;

  const channels = async () => (await askSigned("GET", "/v1/channels?limit=100")).items.filter(({ state }) => !["pending", "rejected"].includes(state));
  const eachWith = (path, name) => async () => Promise.all((await channels()).map(async (one) => ({ ...one, [name]: (await askSigned("GET", `/v1/channels/${one.id}/${path}?limit=10`)).items })));

  // ----------------------------------------------------------------------- jar

  function jarOf(one) {
    const fired = one.firings.filter(({ batch_id: batch }) => batch === null).reduce((sum, { amount }) => sum + BigInt(amount), 0n);
    const coming = fired ? html`<p class="hint">${_("%(amount)s become gift tokens with the next batch.", { amount: money(fired) })}</p>` : nothing;
    if (one.in_jar === "0") return coming;
    const why =
      one.id !== here ? _("Another browser or app pays out of this channel. Empty its jar there, or withdraw it below without the hub.")
      : one.available === "0" ? _("Nothing is left in the channel for the last payment that makes it fire. It comes with the withdrawal below, without the hub.")
      : null;
    return html`<p>${_("%(amount)s in your jar.", { amount: money(one.in_jar) })}</p>${coming}
      ${why ? html`<p class="hint">${why}</p>` : html`<p class="ways"><button @click=${once(async () => {
        const question = _("Your rules end, and all that is in the jar becomes gift tokens. For that, this page pays less than a cent into it, once. Go on?");
        if (!(await sure(question, _("Turn it into gift tokens")))) return;
        await emptyJar(one.id);
        say(_("Done. The next batch brings the tokens to your wallet."));
        await refresh();
      })}>${_("Turn it into gift tokens")}</button></p>`}`;
  }

  // ---------------------------------------------------------------------- free

  function freeOf(one) {
    const [last] = one.refunds;
    return html`<div class="way">
      <h3>${_("Channel %(id)s", { id: short(one.id) })}</h3>
      ${stateOf(one, last)}
      ${last?.state === "confirmed" ? html`<p class="hint">${_("%(amount)s came back to your wallet, %(when)s.", { amount: money(last.amount), when: moment(last.requested_at) })}</p>` : nothing}
      ${last?.state === "failed" ? html`<p class="hint">${_("The last try failed: %(reason)s", { reason: last.reason ?? "" })}</p>` : nothing}
    </div>`;
  }

  function stateOf(one) {
    if (one.state === "refunding") return html`<p role="status">${_("It is on its way. The hub pays the gas.")}</p>`;
    if (one.state === "withdrawing") return html`<p>${_("A withdrawal was announced on the chain: see below.")}</p>`;
    if (one.available === "0") return finished(_("Nothing is left in it. An empty channel costs nothing, and can be filled again."));
    if (one.state !== "open") return html`<p>${_("The channel takes no requests now (%(state)s).", { state: one.state })}</p>`;
    if (BigInt(one.available) < BigInt(least)) return html`<p>${money(one.available)}</p><p class="hint">${_("That is less than the hub pays the gas for (%(least)s). Spend it, or withdraw it below.", { least: money(least) })}</p>`;
    return html`<p class="ways"><button @click=${once(async () => {
      if (one.id === here) await channel.resume();
      await refund(one.id);
      await refresh();
    })}>${_("Get %(amount)s back", { amount: money(one.available) })}</button></p>`;
  }

  // -------------------------------------------------------------------- tokens

  let costly = null; // what was asked of it, and when; null: something was done since
  let isNothingWaiting = false; // the hub makes a tree for it, so it is asked once, and again after something was done

  const heldNow = async () => {
    const [held, waiting] = await Promise.all([askSigned("GET", "/v1/holdings"), isNothingWaiting ? null : unclaimed()]);
    isNothingWaiting = waiting === null;
    return { held, waiting };
  };
  const heldLately = () => {
    if (!costly || performance.now() - costly.at > COSTLY_MS) costly = { at: performance.now(), told: heldNow() };
    costly.told.catch(() => (costly = null)); // a failure is not kept
    return costly.told;
  };
  const done = () => {
    [costly, isNothingWaiting] = [null, false];
  };

  let before = ""; // how far transactions were, as text
  async function heldOf() {
    const [wallet, ...sent] = await Promise.all([ownWallet(), ...["claim", "cash", "savings"].map((name) => followed(`${name}.${address}`))]);
    const now = JSON.stringify(sent);
    if (now !== before) done();
    before = now;
    const { held, waiting } = await heldLately();
    const [minting, cashing, saving] = sent;
    const ways = [waiting?.act, held.gift !== "0" && (await cashOut(held.gift)), isSome(held.savings) && (await withdrawSavings(held.savings))];
    return { held, waiting, wallet, minting, cashing, saving, commands: wallet ? [] : ways.filter(Boolean) };
  }

  const typed = (...acts) => html`<p class="hint">${_("This wallet has no node of its own and cannot send transactions. By the command line it is:")}</p><pre tabindex="0"><code>${acts.map(command).join("\n\n")}</code></pre>`;

  const act = (name, make, label, isBusy) => html`<button ?disabled=${isBusy} @click=${once(async () => {
    await carryOut(`${name}.${address}`, await make());
    await refresh();
  })}>${label}</button>`;

  function tokensOf({ held, waiting, wallet, minting, cashing, saving, commands }) {
    return html`${held.gift === "0" ? finished(_("None is left.")) : html`<p class="big">${money(held.gift)}</p><p class="hint">${_("Each is worth a dollar in the reserve, with this hub or without.")}</p>`}
      ${waiting === null ? nothing : html`<div class="way"><h3>${_("Settled, and not in your wallet yet: %(amount)s", { amount: money(waiting.amount) })}</h3>
        ${wallet ? act("claim", async () => waiting.act, _("Claim them"), minting?.state === "pending") : nothing}</div>`}
      ${progressOf(minting)}
      ${held.gift === "0" ? progressOf(cashing) : choices(held, wallet, cashing)}
      ${isSome(held.savings) ? html`<div class="way"><h3>${_("Savings: %(amount)s", { amount: money(held.savings) })}</h3>
        ${wallet ? act("savings", () => withdrawSavings(held.savings), _("Take them out"), saving?.state === "pending") : nothing}</div>` : nothing}
      ${progressOf(saving)}${commands.length ? typed(...commands) : nothing}`;
  }

  const choices = (held, wallet, cashing) => html`<ul class="list choices">
    <li><a href=${page("shop")}>${_("Spend them")}</a> <span class="hint">${_("at any shop of this hub, by a signature and without gas")}</span></li>
    <li><a href=${page("gifts")}>${_("Give them")}</a> <span class="hint">${_("by a link, or to an address, without gas")}</span></li>
    <li><a href=${page("rules")}>${_("Have the jar become dollars")}</a> <span class="hint">${_("by a rule, for what is still to come: it takes tokens out of your wallet only as far as you allow it")}</span></li>
    <li><strong>${_("Cash them out")}</strong> <span class="hint">${_("at the reserve itself: your wallet sends the transaction, and pays its gas")}</span>
      ${wallet ? act("cash", () => cashOut(held.gift), _("Cash out %(amount)s", { amount: money(held.gift) }), cashing?.state === "pending") : nothing}${progressOf(cashing)}</li>
  </ul>`;

  // ---------------------------------------------------------------------- page

  const jar = part(body("jar"), eachWith("jar/firings", "firings"), (found) => html`${found.map(jarOf)}${found.some(({ in_jar: left }) => left !== "0") ? nothing : finished(_("The jar is empty."))}`);
  const free = part(body("free"), eachWith("refunds", "refunds"), (found) => (found.length ? found.map(freeOf) : finished(_("You have no channel. There is nothing to get back."))));
  const tokens = part(body("tokens"), heldOf, tokensOf);
  const look = () => Promise.all([jar(), free(), tokens()]);
  const refresh = () => {
    done();
    return look();
  };
  every(LOOK_MS, look);
}
