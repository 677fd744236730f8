// The wallets that this browser has (EIP-6963), and on a local chain one of our own to try things with.

import { has, kept } from "/static/lib/keys.js";
import { digest, textDigest } from "/static/lib/typed.js";
import { facts } from "/static/lib/hub.js";
import { _ } from "/static/lib/words.js";
import { bytesOf } from "/static/proof.js";

export const TEST_WALLET = "taesan.test";
/** With the key of a local chain's operator, which everybody knows; its page has it kept. */
export const OPERATOR_WALLET = "taesan.operator";
const MS_TO_ANNOUNCE = 150; // extensions answer at once; this is for the slow ones

/** Is there nothing at stake here? Only then may a key lie in a web page. */
const isLocal = async () => (await facts()).chain_time !== null;

/** A wallet without an extension: its key lies open in this browser. For a local chain alone. */
function testWallet(rdns, name, place) {
  const key = () => kept(place); // looked up anew: the person may have put another there
  const methods = {
    eth_requestAccounts: () => [key().address],
    eth_accounts: () => [key().address],
    personal_sign: ([hex]) => key().sign(textDigest(new TextDecoder().decode(bytesOf(hex)))),
    eth_signTypedData_v4: ([, data]) => key().sign(digest(JSON.parse(data))),
  };
  const request = async ({ method, params = [] }) => {
    if (!(method in methods)) throw Object.assign(new Error(`the test wallet has no ${method}`), { code: 4200 });
    return methods[method](params);
  };
  return { info: { rdns, name, icon: "/static/favicon.svg" }, provider: { request }, isTest: true };
}

/** Those of extensions, each once. */
export async function extensions() {
  const found = new Map();
  const announced = ({ detail }) => found.set(detail.info.rdns, { ...detail, isTest: false });
  addEventListener("eip6963:announceProvider", announced);
  dispatchEvent(new Event("eip6963:requestProvider"));
  await new Promise((done) => setTimeout(done, MS_TO_ANNOUNCE));
  removeEventListener("eip6963:announceProvider", announced);
  return [...found.values()];
}

/** All wallets, those for trying out last. */
export async function wallets() {
  const all = await extensions();
  if (!(await isLocal())) return all;
  if (has("operator")) all.push(testWallet(OPERATOR_WALLET, _("Operator's test wallet"), "operator"));
  return [...all, testWallet(TEST_WALLET, _("Test wallet"), "test")];
}

export const walletOf = async (rdns) => (await wallets()).find(({ info }) => info.rdns === rdns) ?? null;

/** The person has said no in her wallet (EIP-1193). */
export const isDeclined = (error) => error?.code === 4001;
