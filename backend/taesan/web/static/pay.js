// The pay page: turns to paid by itself, and lets a wallet in this browser pay with gift tokens, without gas.

import { countConfirmations, countDown, follow, shownState } from "/static/invoice.js";
import { bytesOf, hexOf, keccak256 } from "/static/proof.js";

const page = document.getElementById("main");
const button = document.getElementById("pay-in-tokens");
const trouble = document.getElementById("trouble");
const left = page.querySelector(".left");

follow(page.dataset.invoice, (invoice) => {
  page.dataset.state = shownState(invoice);
  countConfirmations(page.querySelector(".depth"), invoice);
});
if (page.dataset.state === "open") {
  countDown(left, page.dataset.expires);
  setInterval(() => countDown(left, page.dataset.expires), 1_000);
}

/** The holder's signed gift tokens for an invoice: the body of `POST /v1/invoices/{id}/redemptions`. */
async function signed(wallet, invoice, hub) {
  const [holder] = await wallet.request({ method: "eth_requestAccounts" });
  const salt = invoice.salt_prefix + hexOf(crypto.getRandomValues(new Uint8Array(16))).slice(2);
  const nonce = hexOf(keccak256(bytesOf("0x" + invoice.merchant_address.slice(2).padStart(64, "0") + salt.slice(2))));
  const message = {
    from: holder,
    to: hub.settlement,
    value: invoice.quote.value,
    validAfter: "0",
    validBefore: String(Math.floor(Date.parse(invoice.expires_at) / 1_000)),
    nonce,
  };
  const types = {
    EIP712Domain: [
      { name: "name", type: "string" },
      { name: "version", type: "string" },
      { name: "chainId", type: "uint256" },
      { name: "verifyingContract", type: "address" },
    ],
    ReceiveWithAuthorization: [
      { name: "from", type: "address" },
      { name: "to", type: "address" },
      { name: "value", type: "uint256" },
      { name: "validAfter", type: "uint256" },
      { name: "validBefore", type: "uint256" },
      { name: "nonce", type: "bytes32" },
    ],
  };
  const typed = { types, domain: hub.gift_domain, primaryType: "ReceiveWithAuthorization", message };
  const signature = await wallet.request({ method: "eth_signTypedData_v4", params: [holder, JSON.stringify(typed)] });
  return {
    holder,
    amount: message.value,
    valid_after: message.validAfter,
    valid_before: message.validBefore,
    salt,
    signature,
  };
}

const read = async (path) => (await fetch(path)).json();

async function pay() {
  trouble.hidden = true;
  button.disabled = true;
  let body;
  try {
    const [invoice, hub] = await Promise.all([read(`/v1/invoices/${page.dataset.invoice}`), read("/v1/hub")]);
    body = await signed(window.ethereum, invoice, hub);
  } catch {
    complain(trouble.dataset.refused);
    return;
  }
  try {
    const answer = await fetch(`/v1/invoices/${page.dataset.invoice}/redemptions`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": body.salt },
      body: JSON.stringify(body),
    });
    if (!answer.ok) complain((await answer.json()).title);
    else page.dataset.state = "paying";
  } catch {
    complain(trouble.dataset.failed);
  }
}

function complain(text) {
  trouble.textContent = text;
  trouble.hidden = false;
  button.disabled = false;
}

if (button && window.ethereum) {
  button.hidden = false;
  button.addEventListener("click", pay);
}
