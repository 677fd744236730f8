// The gift page: takes a gift to a wallet, which may be made here. The link's key, in its fragment, never leaves the browser:
// what is sent is its signature for one recipient.

import { ask, facts, Refused } from "/static/lib/hub.js";
import { render, sentence, walletButton } from "/static/lib/view.js";
import { extensions } from "/static/lib/wallets.js";
import { hexOf } from "/static/proof.js";
import { addressOf, checksummed, isMistyped, keyIn, newKey, newNonce, signTransfer } from "/static/signing.js";

const SOON_MS = 1_000;
const LATER_MS = 5_000;
const OVER = new Set(["claimed", "returned", "failed"]);
const CALM = new Set(["open", "expired", "broken"]);

const page = document.getElementById("main");
const trouble = document.getElementById("trouble");
const kept = document.getElementById("kept");
const intoNew = document.getElementById("into-new");
const path = `/v1/gifts/${page.dataset.gift}`;
let linkKey = null;
let wallet = null;
let timer = null;
let looks = 0; // how often the hub was asked: an answer that a later question has overtaken tells nothing
let unanswered = null; // a claim that was sent, and perhaps heard
let isAsking = false;
let isUnderWay = false; // what this page has asked for, and the hub has taken in

// ------------------------------------------------------------------------ state

function readLink() {
  const found = keyIn(location.hash);
  if (found && addressOf(found) === page.dataset.key) linkKey = found;
  for (const link of document.querySelectorAll("nav a[hreflang]")) link.hash = location.hash;
}

function show({ state }) {
  page.dataset.state = state === "open" && !linkKey ? "broken" : state;
  if (isUnderWay && CALM.has(state)) fallBack();
  if (unanswered && !isAsking && !CALM.has(state)) claim(unanswered).catch(() => {}); // was it this page? the next look asks again
}

/** What was asked for has failed on the chain. */
function fallBack() {
  isUnderWay = false;
  setMine(false);
  setFree(true);
  complain(trouble.dataset.fell);
}

async function follow() {
  const look = ++looks;
  try {
    const answer = await fetch(path);
    const gift = answer.ok && (await answer.json());
    if (look !== looks) return;
    if (gift) show(gift);
  } catch {
    // asked again below
  }
  clearTimeout(timer); // there is one at a time, whoever has asked
  const { state } = page.dataset;
  if (!OVER.has(state) || unanswered) timer = setTimeout(follow, CALM.has(state) ? LATER_MS : SOON_MS);
}

// ----------------------------------------------------------------------- asking

function complain(text) {
  trouble.textContent = text;
  trouble.hidden = false;
}

/** Nothing goes to the wallet made here before its key is kept. */
function setFree(isFree) {
  for (const button of page.querySelectorAll(".ways button")) button.disabled = !isFree;
  intoNew.disabled = !isFree || !kept.checked;
}

/** Whether it is this page that has taken it, and where to. */
function setMine(isMine, recipient = "") {
  page.toggleAttribute("data-mine", isMine);
  document.getElementById("taken-to").textContent = recipient;
  page.querySelector("dl .mine").hidden = !isMine;
  document.getElementById("next").open = isMine;
}

/** Does what a button is for, says what went wrong, and shows the gift as it is then. */
async function trying(work) {
  trouble.hidden = true;
  setFree(false);
  try {
    await work();
    isUnderWay = true;
  } catch (error) {
    setFree(true);
    complain(sentence(error));
  }
  follow();
}

/** @returns {Promise<object>} the body of `POST /v1/gifts/{id}/claim` */
async function signed(recipient) {
  const { gift_domain: domain } = await facts();
  const nonce = newNonce();
  const validBefore = Math.floor(Date.parse(page.dataset.expires) / 1_000);
  const transfer = { to: recipient, value: page.dataset.amount, validAfter: 0, validBefore, nonce };
  return { recipient, nonce, signature: signTransfer(linkKey, domain, transfer) };
}

/** Asked again with the same nonce, it is told whether it was heard. @throws {Refused} somebody else has taken it, or it is no claim */
async function claim(body) {
  unanswered = body;
  isAsking = true;
  try {
    await ask("POST", `${path}/claim`, { body, key: body.nonce });
    unanswered = null;
    isUnderWay = true;
    trouble.hidden = true;
    setMine(true, body.recipient);
  } catch (error) {
    if (error instanceof Refused && error.status !== 429) unanswered = null;
    throw error;
  } finally {
    isAsking = false;
  }
}

function takeTo(recipient) {
  if (isMistyped(recipient)) complain(trouble.dataset.mistyped);
  else trying(async () => claim(unanswered?.recipient === recipient ? unanswered : await signed(recipient)));
}

// ---------------------------------------------------------------------- wallets

async function takeInto({ provider }) {
  try {
    const [recipient] = await provider.request({ method: "eth_requestAccounts" });
    takeTo(checksummed(recipient));
  } catch (error) {
    complain(sentence(error));
  }
}

const intoWallet = document.getElementById("into-wallet");
extensions().then((found) => render(found.map((wallet) => walletButton(wallet, intoWallet.dataset.text, () => takeInto(wallet))), intoWallet));

document.getElementById("make-wallet").addEventListener("click", ({ target }) => {
  wallet = newKey();
  document.getElementById("new-address").textContent = addressOf(wallet);
  document.getElementById("new-key").textContent = hexOf(wallet);
  document.getElementById("new-wallet").hidden = false;
  target.hidden = true;
});

document.getElementById("download").addEventListener("click", ({ target }) => {
  const lines = [target.dataset.text, "", addressOf(wallet), hexOf(wallet), "", target.dataset.token, location.origin, ""];
  const file = document.createElement("a");
  file.href = URL.createObjectURL(new Blob([lines.join("\n")], { type: "text/plain" }));
  file.download = `wallet-${addressOf(wallet)}.txt`;
  file.click();
  URL.revokeObjectURL(file.href);
});

document.getElementById("copy").addEventListener("click", async ({ target }) => {
  try {
    await navigator.clipboard.writeText(hexOf(wallet));
    target.textContent = target.dataset.done;
  } catch {
    getSelection().selectAllChildren(document.getElementById("new-key")); // to be copied by hand
  }
});

kept.addEventListener("change", ({ target }) => (intoNew.disabled = !target.checked));
intoNew.addEventListener("click", () => takeTo(addressOf(wallet)));

document.getElementById("to-address").addEventListener("submit", (event) => {
  event.preventDefault();
  takeTo(document.getElementById("address").value);
});

document.getElementById("take-back").addEventListener("click", () => trying(() => ask("POST", `${path}/return`, { body: {} })));

const until = document.getElementById("until"); // in this reader's own time
const time = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
until.textContent = until.dataset.text.replace("{time}", time.format(new Date(page.dataset.expires)));

readLink();
addEventListener("hashchange", () => {
  readLink();
  follow();
});
show({ state: page.dataset.state });
follow();
