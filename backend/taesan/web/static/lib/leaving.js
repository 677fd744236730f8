// Ways out: what the hub gives back without gas, and what a wallet can do on the chain by itself, with the hub gone too.

import { callData, wordsOf } from "/static/lib/abi.js";
import { chainTime, lastFacts, ownWallet, read, receipt, send } from "/static/lib/chain.js";
import { allRules } from "/static/lib/change.js";
import * as channel from "/static/lib/channel.js";
import { ask, newKey, Unanswered } from "/static/lib/hub.js";
import { askSigned, session } from "/static/lib/session.js";

const CONFIG = "(address,address,address,address,address,uint40,bytes32)";
const configOf = (c) => [c.payer, c.payer_authorizer, c.receiver, c.receiver_authorizer, c.token, c.withdraw_delay, c.salt];

// ------------------------------------------------------------------ by the hub

/** What is free in a channel comes back to its payer. Asked again after a lost answer, it is the same request. */
export async function refund(id) {
  const place = `taesan.refund.${id}`;
  const key = localStorage.getItem(place) ?? newKey();
  localStorage.setItem(place, key);
  try {
    const answer = await askSigned("POST", `/v1/channels/${id}/refunds`, { body: {}, key });
    localStorage.removeItem(place);
    return answer;
  } catch (error) {
    if (error.status && error.status !== 429) localStorage.removeItem(place);
    throw error;
  }
}

const LEAST = 1n; // minor units: the payment that makes the jar fire

/** Has all of this browser's jar become gift tokens: rules end, which leaves their content to the jar's own, and that fires with the next
 * payment, of one minor unit; then its rule is as it was. Each part may be done already: begun again, it goes on. */
export async function emptyJar(id) {
  for (const rule of await allRules(id)) if (["active", "paused"].includes(rule.state)) await askSigned("POST", `/v1/channels/${id}/rules/${rule.id}/cancel`);
  const place = `taesan.jar.${id}`;
  const { round_up_step, trigger_count, trigger_value } = JSON.parse(localStorage.getItem(place)) ?? (await askSigned("GET", `/v1/channels/${id}/jar`));
  const before = { round_up_step, trigger_count, trigger_value };
  localStorage.setItem(place, JSON.stringify(before));
  await askSigned("PUT", `/v1/channels/${id}/jar`, { body: { ...before, trigger_count: 1 } });
  await channel.resume();
  if (BigInt((await askSigned("GET", `/v1/channels/${id}`)).in_jar) > 0n) await channel.pay(LEAST, { type: "jar" });
  await askSigned("PUT", `/v1/channels/${id}/jar`, { body: before });
  localStorage.removeItem(place);
}

// ---------------------------------------------------------------- by the chain

/** A transaction that a wallet can send. @param {string[]} told its arguments as the command line takes them; default: the words themselves */
const act = (to, signature, words, told = words) => ({ to, data: callData(signature, ...words), signature, told });

/** Burns gift tokens and pays their face value in dollars. */
export const cashOut = async (amount) => act((await lastFacts()).settlement, "redeem(uint256,address)", [amount, session().address]);

/** Takes savings out of the vault, as gift tokens. */
export async function withdrawSavings(amount) {
  const { vault } = await askSigned("GET", "/v1/destinations");
  return act(vault, "withdraw(uint256,address,address)", [amount, session().address, session().address]);
}

/** Tokens that are settled and were not minted: how much, and the call that mints them by proof; null if there are none. */
export async function unclaimed() {
  const found = await askSigned("GET", `/v1/entitlements/${session().address}`).catch((error) => {
    if (error.status === 404) return null;
    throw error;
  });
  const amount = found && BigInt(found.cumulative) - BigInt(found.claimed);
  return amount ? { amount, act: claim(found) } : null;
}

/** @param {object} proof `GET /v1/entitlements/{account}` */
export function claim({ settlement, batch_id: batch, account, cumulative, proof }) {
  const words = [batch, account, cumulative, 4 * 32, proof.length, ...proof]; // the list stands behind the four words of the head
  return act(settlement, "claim(uint64,address,uint96,bytes32[])", words, [batch, account, cumulative, `"[${proof.join(",")}]"`]);
}

const onChannel = async (name, config, ...more) => {
  const values = configOf(config);
  const contract = (await lastFacts()).voucher_domain.verifyingContract;
  return act(contract, name, [...values, ...more], [`"(${values.join(",")})"`, ...more]);
};
export const announce = (config, amount) => onChannel(`initiateWithdraw(${CONFIG},uint128)`, config, amount);
export const finish = (config) => onChannel(`finalizeWithdraw(${CONFIG})`, config);

/** The same by the command line, with a key that pays the gas. */
export const command = ({ to, signature, told }) => `cast send ${to} "${signature}" ${told.join(" ")} --rpc-url "$NODE" --private-key "$KEY"`;

const WAYS = "taesan.channels";
const PARTS = ["id", "payer", "payer_authorizer", "receiver", "receiver_authorizer", "token", "withdraw_delay", "salt", "available", "in_jar"];
const keptWays = () => JSON.parse(localStorage.getItem(WAYS) ?? "[]");

const answers = () => ask("GET", "/v1/hub").then(() => true, (error) => !(error instanceof Unanswered));

/** The channels of the signed-in wallet, which this browser remembers for a day without the hub; then, who cannot sign in gets those. */
export async function channelsToLeave() {
  const mine = session()?.address;
  const kept = keptWays();
  if (!mine) return (await answers()) ? [] : kept;
  try {
    const { items } = await askSigned("GET", "/v1/channels?limit=100");
    const told = items.filter(({ state }) => !["pending", "rejected"].includes(state));
    const ways = told.map((one) => Object.fromEntries(PARTS.map((name) => [name, one[name]])));
    localStorage.setItem(WAYS, JSON.stringify([...kept.filter(({ payer }) => payer !== mine), ...ways]));
    return told;
  } catch (error) {
    const known = kept.filter(({ payer }) => payer === mine);
    if (!(error instanceof Unanswered) || !known.length) throw error;
    return known;
  }
}

/** What the chain has of a channel, by the wallet's own node; null if it has none.
 * @returns {Promise<{left: bigint, announced: bigint, opensAt: number, now: number} | null>} Unix seconds; `opensAt` 0: nothing is announced */
export async function onChain(config) {
  const wallet = await ownWallet();
  if (!wallet) return null;
  const contract = (await lastFacts()).voucher_domain.verifyingContract;
  const [balance, claimed] = wordsOf(await read(wallet, contract, callData("channels(bytes32)", config.id)));
  const [announced, at] = wordsOf(await read(wallet, contract, callData("pendingWithdrawals(bytes32)", config.id)));
  return { left: balance - claimed, announced, opensAt: at ? Number(at) + config.withdraw_delay : 0, now: await chainTime(wallet) };
}

// ---------------------------------------------------------------- transactions

const sentPlace = (name) => `taesan.sent.${name}`;

/** Has the wallet send one; its hash is kept, so that it is followed after a reload too. */
export async function carryOut(name, { to, data }, from = session()?.address) {
  localStorage.setItem(sentPlace(name), await send(await ownWallet(), from, to, data));
}

/** How far the last one by this name is. @returns {Promise<{hash: string, state: "pending" | "done" | "failed"} | null>} */
export async function followed(name) {
  const [hash, wallet] = [localStorage.getItem(sentPlace(name)), await ownWallet()];
  if (!hash || !wallet) return null;
  const found = await receipt(wallet, hash);
  if (found === null && (await wallet.provider.request({ method: "eth_getTransactionByHash", params: [hash] })) === null) {
    localStorage.removeItem(sentPlace(name)); // replaced in the wallet, or dropped: it will never be mined
    return null;
  }
  return { hash, state: found === null ? "pending" : BigInt(found.status) === 1n ? "done" : "failed" };
}
