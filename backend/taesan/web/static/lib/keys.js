// Keys that this browser makes and keeps: the hot key of a channel, and the test wallet of a local chain.

import { bytesOf, hexOf } from "/static/proof.js";
import { addressOf, isKey, newKey, signDigest } from "/static/signing.js";

/** The key kept under a name, made if there is none. It stays in this browser: whoever clears its data loses it. */
export function kept(name) {
  const place = `taesan.key.${name}`;
  const stored = localStorage.getItem(place);
  const secret = stored ? bytesOf(stored) : newKey();
  if (!stored) localStorage.setItem(place, hexOf(secret));
  return { address: addressOf(secret), sign: (digest) => signDigest(secret, bytesOf(digest)) };
}

/** Keeps a key that was made elsewhere, such as one of a local chain's. Whether it is one. */
export function keep(name, secret) {
  const hex = secret.trim().replace(/^(0x)?/, "0x");
  if (!isKey(hex)) return false;
  localStorage.setItem(`taesan.key.${name}`, hex);
  return true;
}

export const has = (name) => localStorage.getItem(`taesan.key.${name}`) !== null;
