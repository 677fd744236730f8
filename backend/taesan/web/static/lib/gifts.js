// Gift tokens to other people: by a link, whose key is made here and never leaves this browser but in the link itself, or to an address.

import { begun } from "/static/lib/begun.js";
import { TRANSFER_FIELDS } from "/static/lib/channel.js";
import { ask, facts, Refused, signingTime } from "/static/lib/hub.js";
import { session, signTyped } from "/static/lib/session.js";
import { _ } from "/static/lib/words.js";
import { bytesOf, hexOf } from "/static/proof.js";
import { addressOf, isMistyped, newKey, newNonce, signTransfer } from "/static/signing.js";

const VALID_FOR_S = 3_600;
const RETURN_LIFE_S = 366 * 86_400;
const OVER = new Set(["claimed", "returned", "failed"]);

const keyPlace = (address) => `taesan.gift.${address}`;
const backPlace = ({ id }) => `taesan.back.${id}`;
const links = begun("gift");
const transfers = begun("transfer");

/** The wallet's own signature that tokens go to an address. */
async function signedOver(to, amount, validBefore, nonce) {
  const { gift_domain: domain } = await facts();
  const message = { from: session().address, to, value: amount, validAfter: 0, validBefore, nonce };
  return signTyped({ domain, primaryType: "TransferWithAuthorization", types: { TransferWithAuthorization: TRANSFER_FIELDS }, message });
}

// ------------------------------------------------------------------------ links

/** Makes a link; the wallet signs once. @param {bigint} amount minor units @param {number} days @returns {Promise<object>} `GET /v1/gifts/{id}` */
export async function give(amount, days, message, senderName) {
  await resume();
  const { gift_domain: domain } = await facts();
  const now = await signingTime();
  const [key, wrap, back, ends] = [newKey(), newNonce(), newNonce(), now + days * 86_400];
  const signature = await signedOver(addressOf(key), amount, now + VALID_FOR_S, wrap);
  const value = String(amount);
  const way = { to: session().address, value, validAfter: ends, validBefore: ends + RETURN_LIFE_S, nonce: back };
  const body = {
    sender: session().address,
    amount: value,
    key_address: addressOf(key),
    expires_at: String(ends),
    wrapping: { valid_before: String(now + VALID_FOR_S), nonce: wrap, signature },
    taking_back: { nonce: back, signature: signTransfer(key, domain, way) },
    message,
    sender_name: senderName,
  };
  localStorage.setItem(keyPlace(body.key_address), hexOf(key)); // before it is sent: without it nobody could take the gift
  return (await links.ask("/v1/gifts", body, wrap)).answer;
}

/** Has what was begun answered, if anything was. */
export async function resume() {
  await links.finish();
  await transfers.finish();
}

/** Forgets the keys of gifts that are over. */
export function tidy(gifts) {
  for (const { state, key_address: address } of gifts) if (OVER.has(state)) localStorage.removeItem(keyPlace(address));
}

const keyOf = ({ key_address: address }) => {
  const kept = localStorage.getItem(keyPlace(address));
  return kept ? bytesOf(kept) : null;
};

/** The whole link; null if its key is not in this browser. */
export function linkOf(gift) {
  const key = keyOf(gift);
  return key && `${gift.url}#${btoa(String.fromCharCode(...key)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** What the hub calls claimed is what came back, if it was this browser that claimed it. */
export function stateOf(gift) {
  const isMine = localStorage.getItem(backPlace(gift)) !== null;
  return isMine && ["claiming", "claimed"].includes(gift.state) ? { claiming: "returning", claimed: "returned" }[gift.state] : gift.state;
}

export const canTakeBack = (gift) => gift.state === "expired" || (gift.state === "open" && keyOf(gift) !== null);

/** Before its end by the link's key, as whoever has the link could; after it by what was signed when it was made. */
export async function takeBack(gift) {
  if (gift.state === "expired") return ask("POST", `/v1/gifts/${gift.id}/return`, { body: {} });
  const { gift_domain: domain } = await facts();
  const recipient = session().address;
  const nonce = newNonce();
  const validBefore = Math.floor(Date.parse(gift.expires_at) / 1_000);
  const transfer = { to: recipient, value: gift.amount, validAfter: 0, validBefore, nonce };
  localStorage.setItem(backPlace(gift), nonce);
  return ask("POST", `/v1/gifts/${gift.id}/claim`, { body: { recipient, nonce, signature: signTransfer(keyOf(gift), domain, transfer) }, key: nonce }).catch((error) => {
    if (error instanceof Refused) localStorage.removeItem(backPlace(gift)); // somebody else was faster
    throw error;
  });
}

// ------------------------------------------------------------------- to an address

/** What is wrong with an address, in a sentence; null if nothing is. */
export function whyNot(address) {
  if (!/^0x[0-9a-f]{40}$/i.test(address)) return _("That is no address: it has 0x and 40 digits.");
  if (isMistyped(address)) return _("A letter of this address is mistyped.");
  return address.toLowerCase() === session().address.toLowerCase() ? _("That is your own address.") : null;
}

/** @param {bigint} amount minor units @param {string} to an address that is one */
export async function send(amount, to) {
  await resume();
  const validBefore = (await signingTime()) + VALID_FOR_S;
  const nonce = newNonce();
  const signature = await signedOver(to, amount, validBefore, nonce);
  const body = { sender: session().address, recipient: to, amount: String(amount), valid_after: "0", valid_before: String(validBefore), nonce, signature };
  return (await transfers.ask("/v1/token-transfers", body, nonce)).answer;
}
