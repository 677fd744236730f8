// Where the wallet pays: a merchant's bill, or a sample shop's goods on a local chain. What goes into the jar is told before, and seen after.

import * as change from "/static/lib/change.js";
import { behindSignIn } from "/static/lib/gate.js";
import { ask, facts } from "/static/lib/hub.js";
import { jarPicture, nearness, ofJar, ofRule } from "/static/lib/jar.js";
import { rejoice } from "/static/lib/joy.js";
import { dollars, money as told } from "/static/lib/money.js";
import { sampleShop } from "/static/lib/sample.js";
import { empty, every, html, nothing, once, part, say, sentence } from "/static/lib/view.js";
import { _, language } from "/static/lib/words.js";
import { good as drawGood } from "/static/wallet/shop/goods.js";

const body = (id) => document.querySelector(`#${id} .body`);
const LOOK_MS = 4_000;
const WITHOUT = "taesan.without-change";
const invoiceId = new URLSearchParams(location.search).get("invoice");
const numberIn = (typed) => typed.match(/inv_[0-9a-z]+/)?.[0] ?? null;

behindSignIn(_("You pay out of your channel, and your change falls into your jar."), start);

async function start() {
  if (invoiceId) document.getElementById("change").before(document.getElementById("bill"));
  const { asset_exponent: exponent } = await facts();
  const money = (value) => dollars(value, exponent);
  const renews = new Set(); // subscriptions, while this page is open
  const buying = new Set();
  let known = null;
  let learning = null;
  let fall = 0;

  const learn = () => (learning = change.know().then((found) => (known = found)));
  const learnt = () => learning.catch(() => null); // what has gone wrong is told where the jar stands

  const withChange = () => localStorage.getItem(WITHOUT) === null;
  /** The change of a purchase, as far as is known now. What is drawn with it is paid with it: that is all that the person has seen. */
  const planned = (bought) => (known && withChange() && bought.price !== null ? change.plan(known, bought).amount : 0n);

  /** "$3.70 + $0.30 into the jar" */
  const cost = (price, most) => html`<p class="cost">${price}${most ? html` <span class="dusty">${_("+ %(amount)s into the jar", { amount: money(most) })}</span>` : nothing}</p>`;

  const refresh = () => Promise.all([lookAtJar(), lookAtGoods(), lookAtBill()]);

  /** Pays, lets the coin fall, and tells of it. @param {{key: string, reference?: string, most: bigint}} how as `change.buy` takes it */
  const pay = async (destination, bought, how) => {
    const { payment, change: put, kept } = await change.buy(destination, bought, how);
    if (put) fall++;
    const values = { paid: money(payment.amount), change: put ? money(put.amount) : "" };
    if (kept) say(_("Paid %(paid)s. The change stayed with you: %(reason)s", { ...values, reason: sentence(kept) }), "alert");
    else if (put) say(_("Paid %(paid)s. %(change)s fell into the jar.", values));
    else say(_("Paid %(paid)s.", values));
    await refresh();
  };

  // ------------------------------------------------------------------ the jar

  const lookAtJar = part(body("change"), async () => ({ found: await learn() }), ({ found }) => {
    if (!found) return empty(_("Open a channel first: then paying takes no pop-up and no gas."), html`<p><a href="/wallet?lang=${language}">${_("Open a channel")}</a></p>`);
    rejoice(found.state.id, found.jar.firings, exponent);
    const [rule] = found.rules;
    const at = rule && found.jar.gathered === "0" ? ofRule(rule) : ofJar(found.jar);
    const { level, text } = nearness(at, exponent);
    return html`<div class="one-jar">
        ${jarPicture(level, _("The jar: %(amount)s in it. %(text)s", { amount: money(at.gathered), text }), fall)}
        <div><p class="big">${money(at.gathered)}</p><p class="hint">${text}</p><p class="hint">${_("To spend: %(amount)s", { amount: money(found.state.available) })}</p></div>
      </div>
      <label class="choice"><input type="checkbox" .checked=${withChange()} @change=${toggle} /> <span>${_("Put my change into the jar")}</span></label>
      <p class="hint">${found.rules.length ? _("What goes in follows the rules that you have signed.") : _("What goes in: each price rounded up to the next %(step)s.", { step: money(found.jar.round_up_step) })} <a href="/wallet/rules?lang=${language}">${_("Change this")}</a></p>`;
  });

  const toggle = ({ target }) => {
    if (target.checked) localStorage.removeItem(WITHOUT);
    else localStorage.setItem(WITHOUT, "yes");
    refresh();
  };

  // ----------------------------------------------------------------- the bill

  const lookAtBill = part(body("bill"), async () => (await learnt(), invoiceId ? ask("GET", `/v1/invoices/${encodeURIComponent(invoiceId)}`) : null), (invoice) => (invoice ? bill(invoice) : findBill()));

  const findBill = () => html`
    <p>${_("Somebody shows you a QR code or a link to pay? Type its number, or put the link in.")}</p>
    <form class="line" @submit=${once((_event, form) => {
      const number = numberIn(new FormData(form).get("invoice"));
      if (!number) return say(_("A bill's number begins with inv_, and a link to it ends with that."), "alert");
      location.search = new URLSearchParams({ invoice: number, lang: language });
    })}>
      <label for="invoice">${_("Link or number of the bill")}</label>
      <input id="invoice" name="invoice" autocomplete="off" autocapitalize="off" required placeholder="inv_…" />
      <button>${_("Show")}</button>
    </form>`;

  const bill = (invoice) => {
    const bought = billed(invoice);
    const most = planned(bought);
    const isOpen = invoice.state === "open" && invoice.payable_in.includes("channel");
    return html`
      <p>${invoice.merchant_name}</p>
      <p class="big">${told(invoice.amount)}</p>
      <p class="hint">${invoice.description}</p>
      ${isOpen ? html`${cost(money(invoice.quote.value), most)}
        <button ?disabled=${!known} @click=${once(() => pay({ type: "invoice", invoice_id: invoice.id }, bought, { key: invoice.id, most }))}>${_("Pay %(amount)s", { amount: money(invoice.quote.value) })}</button>`
        : html`<p role="status">${{
            paid: _("This bill is paid."),
            paying: _("A payment for this bill is on its way."),
            expired: _("The time to pay this bill is over. Ask for a new one."),
            cancelled: _("The merchant has cancelled this bill."),
          }[invoice.state] ?? _("This bill cannot be paid out of a channel.")}</p>`}
      <p><a href="/wallet/shop?lang=${language}">${_("Another bill")}</a></p>`;
  };

  /** An invoice as a purchase: of one in another currency there is no change, as rules gather in the hub's own. */
  const billed = (invoice) => ({
    amount: BigInt(invoice.quote.value),
    price: invoice.won_for_a_dollar === null ? invoice.amount.value : null,
    currency: invoice.amount.asset,
    merchant_id: invoice.merchant_id,
  });

  // ---------------------------------------------------------------- the goods

  const lookAtGoods = part(body("goods"), async () => (await learnt(), sampleShop()), (shop) => {
    if (!shop) return empty(_("This hub has no shop of its own. Merchants show you their bills as a link or a QR code: pay them above, or on the page that the link opens."));
    const goods = shop.goods.map((one) => ({ one, most: planned(boughtOf(shop, one)) }));
    for (const { one, most } of goods) if (renews.has(one.id) && !one.content) renew(shop, one, most);
    return html`<p class="head"><span class="test">${_("Sample")}</span> <span>${_("%(merchant)s sells what it has made up, for test dollars. The merchant, the payments and the lock are real.", { merchant: shop.merchant_name })}</span></p>
      <div class="goods">${goods.map(({ one, most }) => drawGood(one, {
        cost: cost(money(one.amount), most),
        canPay: known !== null,
        renews: renews.has(one.id),
        buy: once(() => buyGood(shop, one, most)),
        setRenews: ({ target }) => { target.checked ? renews.add(one.id) : renews.delete(one.id); refresh(); },
      }))}</div>`;
  });

  const boughtOf = (shop, one) => ({ amount: BigInt(one.amount), price: one.price, currency: shop.currency, merchant_id: shop.merchant_id, category: one.category });

  /** Once: what is open already is not paid again, and two tabs that begin at once have one key. */
  const buyGood = async (shop, one, most) => {
    if (buying.has(one.id)) return;
    buying.add(one.id);
    try {
      const now = await nowOf(one);
      if (now.content && one.kind !== "subscription") return await refresh();
      const key = one.kind === "subscription" ? `${one.id}-${now.paid_until ?? "first"}` : one.id;
      await pay({ type: "merchant", merchant_id: shop.merchant_id }, boughtOf(shop, one), { key, reference: one.id, most });
    } finally {
      buying.delete(one.id);
    }
  };

  /** Pays for one period more. What is then not open is not paid again by itself. */
  const renew = async (shop, one, most) => {
    if (buying.has(one.id)) return;
    try {
      await buyGood(shop, one, most);
      if (!(await nowOf(one)).content) throw new Error(_("It was paid for, and is not open: it is not renewed by itself any more."));
    } catch (error) {
      renews.delete(one.id);
      say(sentence(error), "alert");
      refresh();
    }
  };

  every(LOOK_MS, refresh);
}

const nowOf = async ({ id }) => (await sampleShop()).goods.find((one) => one.id === id);
