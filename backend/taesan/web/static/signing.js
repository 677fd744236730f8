// Keys in the reader's own browser: makes them, reads one out of a link, signs transfers of tokens (ERC-3009, EIP-712).
// Curve and hashes are noble's (https://paulmillr.com/noble/). No network, no page.

import { hmac } from "/static/noble/hashes/hmac.js";
import { sha256 } from "/static/noble/hashes/sha2.js";
import { keccak_256 } from "/static/noble/hashes/sha3.js";
import * as secp256k1 from "/static/noble/secp256k1/index.js";
import { digest } from "/static/lib/typed.js";
import { bytesOf, hexOf } from "/static/proof.js";

// Given by hand: the browser's own are there on https alone.
secp256k1.hashes.sha256 = sha256;
secp256k1.hashes.hmacSha256 = (key, message) => hmac(sha256, key, message);

const TRANSFER = ["from", "to", "value", "validAfter", "validBefore", "nonce"].map((name, at) => ({
  name,
  type: ["address", "address", "uint256", "uint256", "uint256", "bytes32"][at],
}));
const utf8 = new TextEncoder();

/** A new secret key, 32 bytes. */
export const newKey = () => secp256k1.utils.randomSecretKey();

/** Whether a text is a secret key, `0x…`. */
export const isKey = (hex) => /^0x[0-9a-f]{64}$/i.test(hex) && secp256k1.utils.isValidSecretKey(bytesOf(hex));

/** 32 random bytes as `0x…`. */
export const newNonce = () => hexOf(crypto.getRandomValues(new Uint8Array(32)));

/** The key in a link's fragment (base64url), or null if it is none. */
export function keyIn(fragment) {
  const text = fragment.replace(/^#/, "");
  if (!/^[\w-]{43}$/.test(text)) return null;
  const key = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/") + "="), (char) => char.charCodeAt(0));
  return secp256k1.utils.isValidSecretKey(key) ? key : null;
}

/** A key's address, in mixed case (EIP-55). */
export const addressOf = (key) => inMixedCase(hexOf(keccak_256(secp256k1.getPublicKey(key, false).slice(1)).slice(-20)));

/** Whether an address is in mixed case, and not in the one that its digits have: somebody has mistyped it. */
export function isMistyped(address) {
  const digits = address.slice(2);
  return digits !== digits.toLowerCase() && digits !== digits.toUpperCase() && address !== inMixedCase(address.toLowerCase());
}

/** @param {string} address in lower case */
function inMixedCase(address) {
  const hex = address.slice(2);
  const cases = hexOf(keccak_256(utf8.encode(hex))).slice(2);
  return "0x" + [...hex].map((digit, at) => (parseInt(cases[at], 16) > 7 ? digit.toUpperCase() : digit)).join("");
}

/** An address as EIP-55 writes it, whatever case it came in. */
export const checksummed = (address) => inMixedCase(address.toLowerCase());

/** 65 bytes r, s, v as `0x…`. @param {Uint8Array} key @param {Uint8Array} hash 32 bytes */
export function signDigest(key, hash) {
  const [recovery, ...rest] = secp256k1.sign(hash, key, { prehash: false, format: "recovered" });
  return hexOf(Uint8Array.from([...rest, 27 + recovery]));
}

/**
 * Signs tokens over: a `TransferWithAuthorization`, which anybody may carry out.
 *
 * @param {Uint8Array} key the holder's
 * @param {{name: string, version: string, chainId: number, verifyingContract: string}} domain the token's
 * @param {{to: string, value: string, validAfter: number, validBefore: number, nonce: string}} transfer
 * @returns {string} 65 bytes r, s, v as `0x…`
 */
export function signTransfer(key, domain, transfer) {
  const message = { from: addressOf(key), ...transfer };
  const types = { TransferWithAuthorization: TRANSFER };
  return signDigest(key, bytesOf(digest({ domain, primaryType: "TransferWithAuthorization", types, message })));
}

/** Whose key has signed; null if no key has. @param {string} hash `0x…`, 32 bytes @param {string} signature r, s, v as `0x…` */
export function signerOf(hash, signature) {
  const bytes = bytesOf(signature);
  if (bytes.length !== 65) return null;
  try {
    const recovered = Uint8Array.from([bytes[64] - 27, ...bytes.slice(0, 64)]);
    const point = secp256k1.Point.fromBytes(secp256k1.recoverPublicKey(recovered, bytesOf(hash), { prehash: false }));
    return inMixedCase(hexOf(keccak_256(point.toBytes(false).slice(1)).slice(-20)));
  } catch {
    return null;
  }
}
