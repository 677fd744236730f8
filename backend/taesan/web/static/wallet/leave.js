// Leaving with everything: jar, channel, tokens, and the way without the hub. Each step's state is read anew, so it goes on after a reload.

import * as channel from "/static/lib/channel.js";
import { ownWallet } from "/static/lib/chain.js";
import { behindSignIn } from "/static/lib/gate.js";
import { facts, signingTime } from "/static/lib/hub.js";
import { announce, carryOut, cashOut, command, emptyJar, finish, followed, onChain, refund, unclaimed, withdrawSavings } from "/static/lib/leaving.js";
import { dollars, moment, short } from "/static/lib/money.js";
import { askSigned, session } from "/static/lib/session.js";
import { every, html, nothing, once, part, say, sure } from "/static/lib/view.js";
import { _, count, language } from "/static/lib/words.js";

const LOOK_MS = 4_000;
const body = (id) => document.querySelector(`#${id} .body`);
const page = (name) => `/wallet/${name}?lang=${language}`;

behindSignIn(_("What is yours goes with you: out of the jar, out of the channel, out of this hub."), start);

/** The wait between announcing a withdrawal and fetching it. */
function span(seconds) {
  if (seconds >= 86_400) return count("%(count)s day", "%(count)s days", Math.ceil(seconds / 86_400));
  if (seconds >= 3_600) return count("%(count)s hour", "%(count)s hours", Math.ceil(seconds / 3_600));
  return count("%(count)s minute", "%(count)s minutes", Math.ceil(seconds / 60));
}

async function start() {
  const { asset_exponent: exponent, min_relayed: least, withdraw_delay: delay } = await facts();
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
        const question = _("Your rules end, and a last payment of the smallest amount there is makes the jar fire. Go on?");
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

  let waiting = null; // asked for while there is something, else once: the hub makes a tree for it

  async function heldOf() {
    const [held, wallet, minting, cashing, saving] = await Promise.all([askSigned("GET", "/v1/holdings"), ownWallet(), ...["claim", "cash", "savings"].map((name) => followed(`${name}.${session().address}`))]);
    if (waiting?.found !== null) waiting = { found: await unclaimed() };
    const ways = [waiting.found?.act, held.gift !== "0" && (await cashOut(held.gift)), Number(held.savings) && (await withdrawSavings(held.savings))];
    return { held, wallet, minting, cashing, saving, commands: wallet ? [] : ways.filter(Boolean) };
  }

  const DONE = { pending: _("Sent to the chain: %(hash)s"), done: _("Done on the chain: %(hash)s"), failed: _("The chain has refused it: %(hash)s") };
  const progressOf = (sent) => sent ? html`<p class="hint" role="status" data-state=${sent.state}>${DONE[sent.state].replace("%(hash)s", short(sent.hash))}</p>` : nothing;
  const typed = (...acts) => html`<p class="hint">${_("This wallet has no node of its own and cannot send transactions. By the command line it is:")}</p><pre tabindex="0"><code>${acts.map(command).join("\n\n")}</code></pre>`;

  const act = (name, make, label, isBusy, of = session().address) => html`<button ?disabled=${isBusy} @click=${once(async () => {
    await carryOut(`${name}.${of}`, await make());
    waiting = null;
    await refresh();
  })}>${label}</button>`;

  function tokensOf({ held, wallet, minting, cashing, saving, commands }) {
    return html`${held.gift === "0" ? finished(_("None is left.")) : html`<p class="big">${money(held.gift)}</p><p class="hint">${_("Each is worth a dollar in the reserve, with this hub or without.")}</p>`}
      ${waiting.found === null ? nothing : html`<div class="way"><h3>${_("Settled, and not in your wallet yet: %(amount)s", { amount: money(waiting.found.amount) })}</h3>
        ${wallet ? act("claim", async () => waiting.found.act, _("Claim them"), minting?.state === "pending") : nothing}</div>`}
      ${progressOf(minting)}
      ${held.gift === "0" ? progressOf(cashing) : choices(held, wallet, cashing)}
      ${Number(held.savings) ? html`<div class="way"><h3>${_("Savings: %(amount)s", { amount: money(held.savings) })}</h3>
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

  // --------------------------------------------------------------------- alone

  async function aloneOf() {
    const now = await signingTime();
    return Promise.all((await channels()).map(async (one) => {
      const chain = await onChain(one);
      const all = BigInt(one.available) + BigInt(one.in_jar);
      return { ...one, chain, now, sent: await followed(`withdraw.${one.id}`), acts: [await announce(one, chain?.left || all), await finish(one)] };
    }));
  }

  const aloneShown = (found) => html`
    <p class="hint">${_("If the hub does not answer any more, the contract gives you all that no voucher has claimed, the jar's content too: announce it, wait %(delay)s, and fetch it. Your wallet pays the gas. While the hub is there, the steps above are quicker.", { delay: span(delay) })}</p>
    ${found.map(withdrawalOf)}
    ${found.length ? html`<p class="ways"><button class="quiet" @click=${() => save(found)}>${_("Save all this for a day without the hub")}</button></p>` : nothing}`;

  function withdrawalOf(one) {
    const [announcing, finishing] = one.acts;
    const isBusy = one.sent?.state === "pending";
    return html`<div class="way" data-channel=${one.id}>
      <h3>${_("Channel %(id)s", { id: short(one.id) })}</h3>
      ${one.chain === null ? nothing : html`<p>${_("On the chain: %(amount)s that nobody has claimed.", { amount: money(one.chain.left) })}</p>
        ${one.chain.opensAt === 0
          ? one.chain.left ? html`<button class="quiet" ?disabled=${isBusy} @click=${once(async () => {
              if (!(await sure(_("Announce a withdrawal of %(amount)s? The channel takes no payments until it is over.", { amount: money(one.chain.left) }), _("Announce the withdrawal")))) return;
              await carryOut(`withdraw.${one.id}`, announcing);
              await refresh();
            })}>${_("Announce the withdrawal")}</button>` : nothing
          : html`<p role="status">${_("Announced: %(amount)s can be fetched from %(when)s on.", { amount: money(one.chain.announced), when: moment(one.chain.opensAt * 1_000) })}</p>
            ${act("withdraw", () => finishing, _("Fetch it"), isBusy || one.now < one.chain.opensAt, one.id)}`}
        ${progressOf(one.sent)}`}
      <details ?open=${one.chain === null}><summary>${_("The commands")}</summary><pre tabindex="0"><code>${command(announcing)}\n\n${command(finishing)}</code></pre></details>
    </div>`;
  }

  function save(found) {
    const lines = found.flatMap((one) => [`# ${one.id}`, ...one.acts.map(command), ""]);
    const file = document.createElement("a");
    file.href = URL.createObjectURL(new Blob([[location.origin, session().address, "", ...lines].join("\n")], { type: "text/plain" }));
    file.download = `leave-${session().address}.txt`;
    file.click();
    URL.revokeObjectURL(file.href);
  }

  // ---------------------------------------------------------------------- page

  const jar = part(body("jar"), eachWith("jar/firings", "firings"), (found) => html`${found.map(jarOf)}${found.some(({ in_jar: left }) => left !== "0") ? nothing : finished(_("The jar is empty."))}`);
  const free = part(body("free"), eachWith("refunds", "refunds"), (found) => (found.length ? found.map(freeOf) : finished(_("You have no channel. There is nothing to get back."))));
  const tokens = part(body("tokens"), heldOf, tokensOf);
  const alone = part(body("alone"), aloneOf, aloneShown);
  const refresh = () => Promise.all([jar(), free(), tokens(), alone()]);
  every(LOOK_MS, refresh);
}
