// The chain as the person's own wallet sees it: what it tells does not go through this hub.

import { facts, pause } from "/static/lib/hub.js";
import { session } from "/static/lib/session.js";
import { extensions } from "/static/lib/wallets.js";
import { _ } from "/static/lib/words.js";

const PLACE = "taesan.facts";
const PATIENCE_MS = 3_000;
let told = null;

async function toldOrKept() {
  const asked = facts().then((found) => {
    localStorage.setItem(PLACE, JSON.stringify(found));
    return found;
  });
  const kept = JSON.parse(localStorage.getItem(PLACE) ?? "null");
  return kept ? Promise.race([asked.catch(() => kept), pause(PATIENCE_MS).then(() => kept)]) : asked;
}

/** `GET /v1/hub`, or what it told last if the hub does not answer: chain and contracts stay the same. */
export const lastFacts = () => (told ??= toldOrKept().catch((error) => { told = null; throw error; }));

/** The signed-in wallet if it has a node, else any that has; null: there is none, as the test wallet has none. */
export async function ownWallet() {
  const found = await extensions();
  const rdns = session()?.rdns;
  if (rdns) return found.find(({ info }) => info.rdns === rdns) ?? null;
  return found[0] ?? null;
}

/** @throws it is on another chain than this hub */
export async function onOurChain({ provider }) {
  const { network } = await lastFacts();
  const asked = BigInt(network.replace("eip155:", ""));
  const told = BigInt(await provider.request({ method: "eth_chainId" }));
  if (told !== asked) throw new Error(_("Your wallet is on another network (%(told)s). Choose number %(asked)s there.", { told, asked }));
}

/** `eth_call` by the wallet's node. */
export async function read(wallet, to, data) {
  await onOurChain(wallet);
  return wallet.provider.request({ method: "eth_call", params: [{ to, data }, "latest"] });
}

/** Unix seconds, by the newest block or, where blocks are rare, by this machine. */
export async function chainTime(wallet) {
  const { timestamp } = await wallet.provider.request({ method: "eth_getBlockByNumber", params: ["latest", false] });
  return Math.max(Number(timestamp), Math.floor(Date.now() / 1_000));
}

/** Has the wallet sign and send a transaction, which costs gas; returns its hash. */
export async function send(wallet, from, to, data) {
  await onOurChain(wallet);
  await wallet.provider.request({ method: "eth_requestAccounts" });
  return wallet.provider.request({ method: "eth_sendTransaction", params: [{ from, to, data }] });
}

/** Its receipt, null while it is not mined. */
export const receipt = (wallet, hash) => wallet.provider.request({ method: "eth_getTransactionReceipt", params: [hash] });
