// The pay page: turns to paid by itself, and lets a wallet in this browser pay with gift tokens, without gas.

import { countConfirmations, countDown, follow, shownState } from "/static/invoice.js";
import { onOurChain } from "/static/lib/chain.js";
import { ask, facts, Refused } from "/static/lib/hub.js";
import { forWallet } from "/static/lib/typed.js";
import { render, sentence, walletButton } from "/static/lib/view.js";
import { extensions } from "/static/lib/wallets.js";
import { bytesOf, hexOf, keccak256 } from "/static/proof.js";
import { checksummed } from "/static/signing.js";

const page = document.getElementById("main");
const ways = document.getElementById("pay-in-tokens");
const trouble = document.getElementById("trouble");
const left = page.querySelector(".left");
const path = `/v1/invoices/${page.dataset.invoice}`;
const RECEIVE = ["from", "to", "value", "validAfter", "validBefore", "nonce"].map((name, at) => ({
  name,
  type: ["address", "address", "uint256", "uint256", "uint256", "bytes32"][at],
}));

let unanswered = null; // signed and sent, and perhaps heard: it is sent again before anything else is signed
let isUnderWay = false; // the hub has taken in what this page sent
let stop = follow(page.dataset.invoice, show);

function show(invoice) {
  page.dataset.state = shownState(invoice);
  countConfirmations(page.querySelector(".depth"), invoice);
  if (unanswered && invoice.state === "paying") heard();
  if (isUnderWay && invoice.state === "open") fallBack();
}
if (page.dataset.state === "open") {
  countDown(left, page.dataset.expires);
  setInterval(() => countDown(left, page.dataset.expires), 1_000);
}

// ------------------------------------------------------------------ gift tokens

/** The holder's signed gift tokens for the invoice: the body of `POST /v1/invoices/{id}/redemptions`. */
async function signed(wallet) {
  const [invoice, hub] = await Promise.all([ask("GET", path), facts()]);
  const [told] = await wallet.provider.request({ method: "eth_requestAccounts" });
  await onOurChain(wallet);
  const holder = checksummed(told);
  const salt = invoice.salt_prefix + hexOf(crypto.getRandomValues(new Uint8Array(16))).slice(2);
  const nonce = hexOf(keccak256(bytesOf("0x" + invoice.merchant_address.slice(2).padStart(64, "0") + salt.slice(2))));
  const validBefore = String(Math.floor(Date.parse(invoice.expires_at) / 1_000));
  const message = { from: holder, to: hub.settlement, value: invoice.quote.value, validAfter: "0", validBefore, nonce };
  const types = { ReceiveWithAuthorization: RECEIVE };
  const typed = forWallet({ domain: hub.gift_domain, primaryType: "ReceiveWithAuthorization", types, message });
  const signature = await wallet.provider.request({ method: "eth_signTypedData_v4", params: [holder, typed] });
  return { holder, amount: message.value, valid_after: "0", valid_before: validBefore, salt, signature };
}

async function pay(wallet) {
  trouble.hidden = true;
  setFree(false);
  try {
    unanswered ??= await signed(wallet);
    await ask("POST", `${path}/redemptions`, { body: unanswered, key: unanswered.salt });
    heard();
    page.dataset.state = "paying";
    stop(); // what was asked before tells of before
    stop = follow(page.dataset.invoice, show);
  } catch (error) {
    if (error instanceof Refused && error.status !== 429) unanswered = null;
    complain(sentence(error));
  }
}

function heard() {
  unanswered = null;
  isUnderWay = true;
}

/** The tokens did not arrive, and the invoice is open again. */
function fallBack() {
  isUnderWay = false;
  complain(trouble.dataset.fell);
}

function complain(text) {
  trouble.textContent = text;
  trouble.hidden = false;
  setFree(true);
}

function setFree(isFree) {
  for (const button of ways.querySelectorAll("button")) button.disabled = !isFree;
}

if (ways) render((await extensions()).map((wallet) => walletButton(wallet, ways.dataset.text, () => pay(wallet))), ways);
