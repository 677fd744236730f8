// Gift links: made, shared, taken back; and gift tokens to somebody's address.

import { repeat } from "/static/lit/directives/repeat.js";
import { behindSignIn } from "/static/lib/gate.js";
import { canTakeBack, give, linkOf, resume, send, stateOf, takeBack, tidy, whyNot } from "/static/lib/gifts.js";
import { facts } from "/static/lib/hub.js";
import { day, dollars, minorUnits, moment, short } from "/static/lib/money.js";
import { qrCode } from "/static/lib/qr.js";
import { askSigned } from "/static/lib/session.js";
import { empty, every, html, nothing, once, part, render, say, sentence, sure } from "/static/lib/view.js";
import { _, count, language } from "/static/lib/words.js";
import { GIFT_STATES, TRANSFER_STATES } from "/static/lib/states.js";

const LOOK_MS = 4_000;
const HOLDINGS_MS = 30_000; // each is a question to the node, so the hub limits how many one wallet asks
const PAGE = 20;
const LIVES_FOR = [7, 30, 90, 365]; // days
const body = (id) => document.querySelector(`#${id} .body`);

behindSignIn(_("Give somebody a few dollars by a link: no wallet is needed to take them."), start);

async function start() {
  const { asset_exponent: exponent, min_relayed: least } = await facts();
  const money = (value) => dollars(value, exponent);
  const pill = ({ name, text }) => html`<span class="pill" data-state=${name}>${text}</span>`;
  const shownOf = { links: PAGE, transfers: PAGE };
  let newest = null;

  let held = null;
  const holdings = () => (held = askSigned("GET", "/v1/holdings").catch((error) => { held = null; throw error; }));
  const make = part(body("make"), holdings, makeForm);
  const links = part(body("links"), () => listOf("/v1/gifts", "links"), linksOf);
  const sending = part(body("send"), async () => ({ held: await (held ?? holdings()), sent: await listOf("/v1/token-transfers", "transfers") }), sendForm);
  const refresh = () => Promise.all([make(), links(), sending()]);
  every(LOOK_MS, () => Promise.all([links(), sending()]));
  every(HOLDINGS_MS, make);
  resume().then(refresh, (error) => say(sentence(error), "alert"));

  async function listOf(path, name) {
    const found = await askSigned("GET", `${path}?limit=${shownOf[name]}`);
    if (name === "links") tidy(found.items);
    return found;
  }

  const more = (found, name, look) => found.next_cursor === null ? nothing : html`<button class="quiet" @click=${once(async () => {
    shownOf[name] += PAGE;
    await look();
  })}>${_("Show more")}</button>`;

  /** @returns {[bigint | null, string | null]} and what is wrong with it */
  function amountIn(form, held) {
    const amount = minorUnits(new FormData(form).get("amount"), exponent);
    const wrong =
      amount === null ? _("Type an amount, such as 5 or 12.50.")
      : amount > BigInt(held.gift) ? _("You have %(amount)s in gift tokens.", { amount: money(held.gift) })
      : amount < BigInt(least) ? _("The hub pays the gas of %(amount)s and more.", { amount: money(least) })
      : null;
    return [amount, wrong];
  }

  // ---------------------------------------------------------------------- make

  function makeForm(held) {
    return html`
      <p class="hint">${_("You have %(amount)s in gift tokens.", { amount: money(held.gift) })}</p>
      ${held.gift === "0" ? html`<p>${_("Gift tokens come out of your jar when it fires.")} <a href="/wallet/rules?lang=${language}">${_("Your jar")}</a></p>` : html`
      <form @submit=${once(async (_event, form) => {
        const [amount, wrong] = amountIn(form, held);
        if (wrong) return say(wrong, "alert");
        const said = new FormData(form);
        say(_("Sign in your wallet…"));
        newest = await give(amount, Number(said.get("days")), said.get("message").trim(), said.get("name").trim());
        say(_("The link is made. Whoever has it has the gift."));
        form.reset();
        await refresh();
        document.querySelector("#links button")?.focus();
      })}>
        <div class="field"><label for="gift-amount">${_("Amount in dollars")}</label><input id="gift-amount" name="amount" inputmode="decimal" autocomplete="off" required placeholder="1" /></div>
        <div class="field"><label for="message">${_("A few words")}</label><textarea id="message" name="message" rows="2" maxlength="280"></textarea></div>
        <div class="field"><label for="name">${_("Your name")}</label><input id="name" name="name" maxlength="60" autocomplete="nickname" /></div>
        <div class="field"><label for="days">${_("It can be taken for")}</label>
          <select id="days" name="days">${LIVES_FOR.map((days) => html`<option value=${days} ?selected=${days === 30}>${count("%(count)s day", "%(count)s days", days)}</option>`)}</select></div>
        <p class="ways"><button>${_("Make a gift link")}</button></p>
      </form>`}`;
  }

  // --------------------------------------------------------------------- links

  function linksOf(found) {
    if (!found.items.length) return empty(_("No links yet. Make one: it takes a signature, and no gas."));
    return html`<ul class="gifts">${repeat(found.items, ({ id }) => id, giftCard)}</ul>${more(found, "links", links)}`;
  }

  function giftCard(gift) {
    const link = linkOf(gift);
    return html`<li class="gift" data-state=${stateOf(gift)} ?data-newest=${newest?.id === gift.id}>
      <svg class="ribbon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="M4 9h16v4H4zM5.5 13v8h13v-8M12 9v12M12 9S7 9 7 6.2C7 4 10.5 3.5 12 9zM12 9s5 0 5-2.8C17 4 13.5 3.5 12 9z"/></svg>
      <p class="worth">${money(gift.amount)} ${pill(GIFT_STATES[stateOf(gift)]())}</p>
      ${gift.message ? html`<blockquote>${gift.message}</blockquote>` : nothing}
      <p class="hint">${toldOf(gift)}</p>
      <p class="ways">
        ${link && gift.state !== "expired" ? html`
          ${navigator.share ? html`<button @click=${once(() => share(gift, link))}>${_("Send the link")}</button>` : nothing}
          <button class="quiet" @click=${once(() => copy(link))}>${_("Copy the link")}</button>` : nothing}
        ${canTakeBack(gift) ? html`<button class="quiet" @click=${once(() => back(gift))}>${_("Take it back")}</button>` : nothing}
      </p>
      ${link && gift.state !== "expired" ? html`
        <details class="code" ?open=${newest?.id === gift.id} @toggle=${(event) => code(event.currentTarget, link)}>
          <summary>${_("Show the link as a QR code")}</summary>
          <div></div>
          <p class="hint">${_("Whoever scans it has the gift.")}</p>
        </details>` : nothing}
      ${gift.state === "open" && !link ? html`<p class="hint">${_("Its key is in another browser. After its end it can be taken back from here.")}</p>` : nothing}
    </li>`;
  }

  function toldOf(gift) {
    if (gift.reason) return gift.reason;
    if (gift.claimed_at && stateOf(gift) === "claimed") return _("Taken %(when)s", { when: moment(gift.claimed_at) });
    return _("Made %(made)s, to be taken until %(until)s", { made: day(gift.made_at), until: day(gift.expires_at) });
  }

  const share = (gift, link) =>
    navigator.share({ title: _("A gift for you"), text: gift.message || _("A gift for you"), url: link }).catch((error) => {
      if (error.name !== "AbortError") throw error; // she has thought better of it
    });

  /** Drawn here, of a key that this browser alone has. */
  const code = async ({ open, children: [, place] }, link) => {
    if (!open) return render(nothing, place);
    try {
      render(await qrCode(link, _("QR code of the link")), place);
    } catch (error) {
      say(sentence(error), "alert");
    }
  };

  async function copy(link) {
    await navigator.clipboard.writeText(link);
    say(_("Copied. Whoever has the link has the gift."));
  }

  async function back(gift) {
    const question = _("Take %(amount)s back? The link is then worth nothing.", { amount: money(gift.amount) });
    if (!(await sure(question, _("Take it back")))) return;
    await takeBack(gift);
    say(_("It is on its way back to your wallet."));
    await refresh();
  }

  // ---------------------------------------------------------------------- send

  function sendForm({ held, sent }) {
    return html`
      <form @submit=${once(async (_event, form) => {
        const to = new FormData(form).get("to").trim();
        const [amount, wrong] = amountIn(form, held);
        const faults = [whyNot(to), wrong].filter(Boolean);
        if (faults.length) return say(faults.join(" "), "alert");
        say(_("Sign in your wallet…"));
        await send(amount, to);
        say(_("%(amount)s are on their way to %(address)s.", { amount: money(amount), address: short(to) }));
        form.reset();
        await refresh();
      })}>
        <div class="field"><label for="to">${_("To the address")}</label><input id="to" name="to" required autocomplete="off" autocapitalize="none" spellcheck="false" placeholder="0x…" /></div>
        <div class="field"><label for="send-amount">${_("Amount in dollars")}</label><input id="send-amount" name="amount" inputmode="decimal" autocomplete="off" required placeholder="1" /></div>
        <p class="ways"><button>${_("Send gift tokens")}</button></p>
      </form>
      ${sent.items.length ? html`<ul class="list">${sent.items.map((item) => html`<li>
        <code title=${item.recipient}>${short(item.recipient)}</code> <span class="amount">${money(item.amount)}</span>
        <span class="hint">${moment(item.accepted_at)} ${pill(TRANSFER_STATES[item.state]())}</span>
        ${item.state === "failed" && item.reason ? html`<span class="hint">${item.reason}</span>` : nothing}
      </li>`)}</ul>${more(sent, "transfers", sending)}` : nothing}`;
  }
}
