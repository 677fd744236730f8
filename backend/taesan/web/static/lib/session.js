// Who is here: a wallet that has signed in (EIP-4361). The session's token lies in this browser, so that each tab has it.

import { ask, facts, Refused } from "/static/lib/hub.js";
import { forWallet } from "/static/lib/typed.js";
import { walletOf } from "/static/lib/wallets.js";
import { _ } from "/static/lib/words.js";
import { checksummed } from "/static/signing.js";

const PLACE = "taesan.session";
const STATEMENT = "Sign in to Taesan.";

/** The session has ended, or there was none: the page shows its sign-in. */
export class SignedOut extends Error {}

/** @returns {{address: string, token: string, rdns: string, expires_at: string} | null} */
export function session() {
  const stored = JSON.parse(localStorage.getItem(PLACE) ?? "null");
  return stored && Date.parse(stored.expires_at) > Date.now() ? stored : null;
}

/** @param {(session: object | null) => void} told of each sign-in and sign-out, in other tabs too */
export function onSession(told) {
  addEventListener("taesan:session", () => told(session()));
  addEventListener("storage", ({ key }) => key === PLACE && told(session()));
}

function keep(found) {
  if (found) localStorage.setItem(PLACE, JSON.stringify(found));
  else localStorage.removeItem(PLACE);
  dispatchEvent(new Event("taesan:session"));
}

/** By itself: its time is over, or all sessions of the wallet were ended. */
function end() {
  keep(null);
  dispatchEvent(new Event("taesan:ended"));
}

const hexOfText = (text) => "0x" + Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** What a wallet signs to sign in, or to be linked; the message is the same as the other clients'. */
export async function signedMessage({ provider }) {
  const [told] = await provider.request({ method: "eth_requestAccounts" });
  const address = checksummed(told);
  const { network } = await facts();
  const { nonce } = await ask("POST", "/v1/auth/nonces", { body: {} });
  const message =
    `${location.host} wants you to sign in with your Ethereum account:\n${address}\n\n${STATEMENT}\n\n` +
    `URI: ${location.origin}\nVersion: 1\nChain ID: ${network.replace("eip155:", "")}\nNonce: ${nonce}\nIssued At: ${new Date().toISOString().replace(/\.\d+Z$/, "Z")}`;
  const signature = await provider.request({ method: "personal_sign", params: [hexOfText(message), address] });
  return { message, signature };
}

export async function signIn(wallet) {
  const opened = await ask("POST", "/v1/auth/sessions", { body: await signedMessage(wallet) });
  keep({ ...opened, rdns: wallet.info.rdns });
  return session();
}

export async function signOut() {
  const open = session();
  keep(null);
  if (open) await ask("DELETE", "/v1/auth/sessions/current", { token: open.token }).catch(() => {}); // it ends by itself
}

/** As `ask`, by the signed-in wallet. @throws {SignedOut} */
export async function askSigned(method, path, options = {}) {
  const open = session();
  if (!open) {
    if (localStorage.getItem(PLACE)) end();
    throw new SignedOut();
  }
  try {
    return await ask(method, path, { ...options, token: open.token });
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 401) throw error;
    if (session()?.token === open.token) end();
    throw new SignedOut();
  }
}

/** Saves what only the signed-in wallet may have, such as a report. @param {string} name the file's */
export async function save(path, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await askSigned("GET", path, { as: "file" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The wallet's own signature of typed data. @throws {SignedOut} it is not here any more, or shows another account */
export async function signTyped(data) {
  const open = session();
  const wallet = open && (await walletOf(open.rdns));
  if (!wallet) throw new SignedOut();
  const accounts = await wallet.provider.request({ method: "eth_requestAccounts" });
  if (!accounts.some((account) => account.toLowerCase() === open.address.toLowerCase())) {
    throw new Error(_("Your wallet shows another account. Choose %(address)s there.", { address: open.address }));
  }
  return wallet.provider.request({ method: "eth_signTypedData_v4", params: [open.address, forWallet(data)] });
}
