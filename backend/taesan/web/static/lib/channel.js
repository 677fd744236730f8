// The payer's channel: opened by one signature of her wallet, then spent by a hot key that this browser makes and keeps, which can
// never spend more than the deposit. What was begun and has no answer is on disk before it is sent, and is finished first.

import { keccak_256 } from "/static/noble/hashes/sha3.js";
import { missingFor } from "/static/lib/holdings.js";
import { askPatiently, facts, isPassing, newKey, pause, Refused, signingTime } from "/static/lib/hub.js";
import * as keys from "/static/lib/keys.js";
import { askSigned, session, signTyped } from "/static/lib/session.js";
import { digest } from "/static/lib/typed.js";
import { _ } from "/static/lib/words.js";
import { bytesOf, hexOf } from "/static/proof.js";
import { newNonce } from "/static/signing.js";

const ONE_CHANNEL = "0x" + "00".repeat(32);
const VALID_FOR_S = 3_600;
const POLL_MS = 500;

const fields = (text) => text.split(",").map((field) => ({ type: field.split(" ")[0], name: field.split(" ")[1] }));
const CONFIG = { ChannelConfig: fields("address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt") };
const VOUCHER = { Voucher: fields("bytes32 channelId,uint128 maxClaimableAmount") };
export const TRANSFER_FIELDS = fields("address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce");

const hotKeyName = async (address) => `hot.${(await facts()).settlement}.${address}`.toLowerCase();

/** The channel of the signed-in wallet and this browser's hot key, on the chain or not. */
export async function mine() {
  const { address } = session();
  const hub = await facts();
  const hotKey = keys.kept(await hotKeyName(address));
  const message = {
    payer: address,
    payerAuthorizer: hotKey.address,
    receiver: hub.settlement,
    receiverAuthorizer: hub.receiver_authorizer,
    token: hub.asset_domain.verifyingContract,
    withdrawDelay: hub.withdraw_delay,
    salt: ONE_CHANNEL,
  };
  const id = digest({ domain: hub.voucher_domain, primaryType: "ChannelConfig", types: CONFIG, message });
  return { id, message, hotKey, hub };
}

/** This browser's channel as `GET /v1/channels` tells it; null if the hub knows none yet. Looked for among the wallet's, as a browser logs
 * every 404 as an error. */
export async function state() {
  const { id } = await mine();
  for (let cursor = ""; cursor !== null; ) {
    const page = await askSigned("GET", `/v1/channels?limit=100${cursor && `&cursor=${cursor}`}`);
    const own = page.items.find((channel) => channel.id === id);
    if (own) return own;
    cursor = page.next_cursor;
  }
  return null;
}

// --------------------------------------------------------------------- deposit

const depositPlace = (id) => `taesan.deposit.${id}`;
const depositOf = (id) => JSON.parse(localStorage.getItem(depositPlace(id)) ?? "null");

/** Has the wallet sign a deposit, and the hub bring it to the chain; resolves when it can be spent. One of this amount that was begun and
 * had no answer is this one. More than the wallet has is not signed.
 *
 * @param {bigint} amount minor units @param {(step: "sign" | "send" | "wait") => void} told
 */
export async function deposit(amount, told = () => {}) {
  const own = await mine();
  return navigator.locks.request(depositPlace(own.id), async () => {
    const begun = depositOf(own.id);
    const done = begun && (await finishDeposit(own.id, told));
    if (begun?.body.deposit.amount === String(amount)) return done;
    const held = await heldNow();
    const missing = held && missingFor(amount, held, own.hub.asset_exponent);
    if (missing) throw new Error(missing);
    told("sign");
    localStorage.setItem(depositPlace(own.id), JSON.stringify(await signedDeposit(own, amount)));
    return finishDeposit(own.id, told);
  });
}

/** Null while nobody can tell: then the hub says what it makes of the deposit. */
const heldNow = () => askSigned("GET", "/v1/holdings").catch((error) => {
  if (isPassing(error)) return null;
  throw error;
});

async function signedDeposit({ id, message, hub }, amount) {
  const salt = newNonce();
  const validBefore = (await signingTime()) + VALID_FOR_S;
  const signature = await signTyped({
    domain: hub.asset_domain,
    primaryType: "ReceiveWithAuthorization",
    types: { ReceiveWithAuthorization: TRANSFER_FIELDS },
    message: { from: message.payer, to: hub.collector, value: amount, validAfter: 0, validBefore, nonce: hexOf(keccak_256(bytesOf(id + salt.slice(2)))) },
  });
  const authorization = { valid_after: "0", valid_before: String(validBefore), salt, signature };
  const config = {
    payer: message.payer,
    payer_authorizer: message.payerAuthorizer,
    receiver: message.receiver,
    receiver_authorizer: message.receiverAuthorizer,
    token: message.token,
    withdraw_delay: message.withdrawDelay,
    salt: message.salt,
  };
  return { body: { config, deposit: { amount: String(amount), authorization } }, key: salt };
}

async function finishDeposit(id, told) {
  told("send");
  try {
    const { deposit: begun } = await askPatiently("POST", "/v1/channels", depositOf(id));
    told("wait");
    const done = await confirmed(begun);
    localStorage.removeItem(depositPlace(id));
    return done;
  } catch (error) {
    if (error instanceof Refused && error.status !== 429) localStorage.removeItem(depositPlace(id));
    throw error;
  }
}

async function confirmed(deposit) {
  for (let told = deposit; ; told = await askPatiently("GET", `/v1/deposits/${deposit.id}`)) {
    if (told.state === "confirmed") return told;
    if (told.state === "failed") throw new Refused({ title: told.reason?.text ?? told.reason }, 409);
    await pause(POLL_MS);
  }
}

// -------------------------------------------------------------------- payments

const pendingPlace = (id) => `taesan.pending.${id}`;
const signedPlace = (id) => `taesan.signed.${id}`;
const pendingOf = (id) => JSON.parse(localStorage.getItem(pendingPlace(id)) ?? "null");
const settle = (id) => localStorage.removeItem(pendingPlace(id));
const mostSigned = (id) => BigInt(localStorage.getItem(signedPlace(id)) ?? 0);

/** What the hub says was paid. More than this browser has signed is not believed: the next voucher would pay that, too. */
function goOnFrom(id, told) {
  if (BigInt(told) > mostSigned(id)) throw new Error(_("The hub says that you have paid more than this browser has signed. Do not pay; ask its operator."));
  return BigInt(told);
}

/** Pays out of the channel, without asking the wallet. One at a time, whichever tab asks.
 *
 * @param {bigint} amount minor units
 * @param {object} destination as `POST /v1/payments` takes it
 * @param {object} extra `purchase`, `reference`
 * @param {string} key names it: what was begun by it and had no answer is answered, and not paid again
 * @throws {Refused} nothing was paid @throws {Unanswered} it may have been paid: the next call finds out first
 */
export async function pay(amount, destination, extra = {}, key = newKey()) {
  const own = await mine(); // once: who signs in meanwhile, in another tab, is somebody else
  const { id } = own;
  return navigator.locks.request(`taesan.channel.${id}`, async () => {
    if (pendingOf(id)?.key === key) return finish(id);
    await finish(id).catch(ofAnother);
    const { charged_cumulative: charged } = await askSigned("GET", `/v1/channels/${id}`);
    const cumulative = goOnFrom(id, charged) + amount;
    const body = signed(own, amount, cumulative, destination, extra);
    if (cumulative > mostSigned(id)) localStorage.setItem(signedPlace(id), String(cumulative));
    localStorage.setItem(pendingPlace(id), JSON.stringify({ key, body }));
    return finish(id);
  });
}

/** That an older payment was refused is no matter of this one. */
function ofAnother(error) {
  if (!(error instanceof Refused)) throw error;
}

function signed({ id, hotKey, hub }, amount, cumulative, destination, extra) {
  const voucher = { channelId: id, maxClaimableAmount: cumulative };
  const signature = hotKey.sign(digest({ domain: hub.voucher_domain, primaryType: "Voucher", types: VOUCHER, message: voucher }));
  return {
    voucher: { channel_id: id, max_claimable_amount: String(cumulative), signature },
    amount: { value: String(amount), asset: hub.asset, exponent: hub.asset_exponent },
    destination,
    ...extra,
  };
}

/** Sends what was begun until it has its answer; null if nothing was. */
async function finish(id) {
  const pending = pendingOf(id);
  if (!pending) return null;
  try {
    const answer = await askPatiently("POST", "/v1/payments", pending);
    settle(id);
    return answer;
  } catch (error) {
    if (error instanceof Refused && error.status !== 429) settle(id);
    throw error;
  }
}

/** Has what was begun answered; null if nothing was. */
export async function resume() {
  const { id } = await mine();
  return navigator.locks.request(`taesan.channel.${id}`, () => finish(id));
}
