// The till: keypad → QR code → paid. It asks as the merchant who has signed in, or with an API key, which this page's memory alone keeps.

import { ask, newKey, Unanswered } from "/static/lib/hub.js";
import { decimal, money, short } from "/static/lib/money.js";
import { askSigned, session, SignedOut } from "/static/lib/session.js";
import { countConfirmations, countDown, follow, shownState } from "/static/invoice.js";

const till = document.getElementById("main");
const element = (id) => document.getElementById(id);
const [display, trouble, left] = [element("display"), element("trouble"), till.querySelector(".left")];
const MOST_DIGITS = 9;

let key = "";
let digits = "";
let current = null;
let stop = () => {};
let clock = null;

function call(method, path, body) {
  const options = { body, key: method === "POST" ? newKey() : undefined };
  return key ? ask(method, path, { ...options, token: key }) : askSigned(method, path, options);
}

function sentence(error) {
  if (error instanceof Unanswered) return trouble.dataset.failed;
  if (error instanceof SignedOut) return trouble.dataset.ended;
  const detail = [401, 403].includes(error.status) && error.problem.detail;
  return detail ? `${error.message} ${detail}` : error.message;
}

/** Runs what a button does, once at a time, and tells what went wrong. */
function on(target, event, work) {
  let busy = false;
  target.addEventListener(event, async (happened) => {
    happened.preventDefault();
    if (busy) return;
    busy = true;
    trouble.hidden = true;
    try {
      await work(happened);
    } catch (error) {
      if (error instanceof SignedOut) till.dataset.step = "key";
      trouble.textContent = sentence(error);
      trouble.hidden = false;
    } finally {
      busy = false;
    }
  });
}

function chosen() {
  const radio = till.querySelector("input[name=currency]:checked");
  return { asset: radio.value, exponent: Number(radio.dataset.exponent) };
}

function showAmount() {
  display.textContent = money({ value: digits || "0", ...chosen() });
}

function show(invoice) {
  if (current?.state !== invoice.state) trouble.hidden = true;
  current = invoice;
  till.dataset.state = shownState(invoice);
  countConfirmations(till.querySelector(".depth"), invoice);
}

/** The second code, if the invoice may be paid past the hub. */
function offerTransfer({ id, transfer }) {
  element("code-page").checked = true;
  element("which-code").hidden = !transfer;
  if (!transfer) return;
  element("transfer-code").src = `/pay/${id}/transfer.svg`;
  const { value, exponent } = transfer.amount;
  element("transfer-amount").textContent = decimal(value, exponent);
}

/** Makes ready for the next customer. */
function clear() {
  stop();
  clearInterval(clock);
  current = null;
  digits = "";
  delete till.dataset.state;
  showAmount();
}

async function open() {
  const { id, name } = await call("GET", "/v1/merchants/me");
  element("whose").textContent = name;
  element("as").textContent = key ? "" : short(session().address);
  till.querySelector(".whose").hidden = false;
  if (current && current.merchant_id !== id) clear();
  if (!current) showAmount();
  till.dataset.step = current ? "code" : "amount"; // after a sign-in that has ended it goes on with who is being served
}

on(element("key-form"), "submit", async () => {
  key = element("api-key").value.trim();
  await open();
  element("api-key").value = "";
});

if (session()) open().catch(() => {}); // else, or if that wallet is no merchant's, a key opens it

element("keypad").addEventListener("click", ({ target }) => {
  const { digit } = target.dataset;
  if (!digit) return;
  trouble.hidden = true;
  digits = digit === "clear" ? "" : (digits + digit).replace(/^0+/, "").slice(0, MOST_DIGITS);
  showAmount();
});

for (const radio of till.querySelectorAll("input[name=currency]")) radio.addEventListener("change", showAmount);

on(element("amount-form"), "submit", async () => {
  const amount = { value: digits || "0", ...chosen() };
  const invoice = await call("POST", "/v1/invoices", { amount, description: till.dataset.description });
  show(invoice);
  element("asked").textContent = money(invoice.amount);
  element("code").src = `/pay/${invoice.id}/qr.svg`;
  offerTransfer(invoice);
  till.dataset.step = "code";
  stop = follow(invoice.id, show);
  countDown(left, invoice.expires_at);
  clock = setInterval(() => countDown(left, invoice.expires_at), 1_000);
});

on(element("cancel"), "click", async () => show(await call("POST", `/v1/invoices/${current.id}/cancel`)));

on(element("refund"), "click", async () => {
  if (!confirm(till.dataset.sure)) return;
  const { paid_by: of } = await call("GET", `/v1/invoices/${current.id}/record`);
  await call("POST", "/v1/refunds", { of });
  show(await call("GET", `/v1/invoices/${current.id}/record`));
});

on(element("next"), "click", async () => {
  clear();
  till.dataset.step = "amount";
});
