// The chain as the person's own wallet sees it: what it tells does not go through this hub.

import { facts } from "/static/lib/hub.js";
import { session } from "/static/lib/session.js";
import { wallets } from "/static/lib/wallets.js";
import { _ } from "/static/lib/words.js";

/** The signed-in wallet if it has a node, else any that has; null: there is none, as the test wallet has none. */
export async function ownWallet() {
  const found = (await wallets()).filter(({ isTest }) => !isTest);
  const rdns = session()?.rdns;
  if (rdns) return found.find(({ info }) => info.rdns === rdns) ?? null;
  return found[0] ?? null;
}

/** @throws it is on another chain than this hub */
async function onOurChain({ provider }) {
  const { network } = await facts();
  const asked = BigInt(network.replace("eip155:", ""));
  const told = BigInt(await provider.request({ method: "eth_chainId" }));
  if (told !== asked) throw new Error(_("Your wallet is on another network (%(told)s). Choose number %(asked)s there.", { told, asked }));
}

/** `eth_call` by the wallet's node. */
export async function read(wallet, to, data) {
  await onOurChain(wallet);
  return wallet.provider.request({ method: "eth_call", params: [{ to, data }, "latest"] });
}

/** Has the wallet sign and send a transaction, which costs gas; returns its hash. @throws {SignedOut} nobody is signed in */
export async function send(wallet, from, to, data) {
  await onOurChain(wallet);
  return wallet.provider.request({ method: "eth_sendTransaction", params: [{ from, to, data }] });
}

/** Its receipt, null while it is not mined. */
export const receipt = (wallet, hash) => wallet.provider.request({ method: "eth_getTransactionReceipt", params: [hash] });
