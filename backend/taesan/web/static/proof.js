// Checks a payment's Merkle proof in the reader's own browser: keccak-256, the leaf, the climb to the root.
// No network, no page: `lib/verify.js` compares and shows what comes out of here.

const MASK = (1n << 64n) - 1n;
const RATE = 136; // bytes a round takes in for a 256-bit hash

// Keccak-f[1600]'s constants, grown from their own rules (FIPS 202 §3.2) instead of being copied in.
const ROUND_CONSTANTS = [];
const ROTATIONS = new Array(25).fill(0n);
const PATH = []; // the order in which ρ and π walk over the lanes
{
  let lfsr = 1;
  for (let round = 0; round < 24; round++) {
    let constant = 0n;
    for (let j = 0; j <= 6; j++) {
      if (lfsr & 1) constant |= 1n << ((1n << BigInt(j)) - 1n);
      lfsr = (lfsr << 1) ^ (lfsr & 0x80 ? 0x171 : 0);
    }
    ROUND_CONSTANTS.push(constant);
  }
  let [x, y] = [1, 0];
  for (let t = 0; t < 24; t++) {
    ROTATIONS[x + 5 * y] = BigInt((((t + 1) * (t + 2)) / 2) % 64);
    PATH.push([x + 5 * y, y + 5 * ((2 * x + 3 * y) % 5)]);
    [x, y] = [y, (2 * x + 3 * y) % 5];
  }
}

const rotate = (lane, by) => ((lane << by) | (lane >> (64n - by))) & MASK;

function permute(state) {
  for (const constant of ROUND_CONSTANTS) {
    const columns = [0, 1, 2, 3, 4].map((x) => state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20]);
    for (let x = 0; x < 5; x++) {
      const theta = columns[(x + 4) % 5] ^ rotate(columns[(x + 1) % 5], 1n);
      for (let y = 0; y < 25; y += 5) state[x + y] ^= theta;
    }
    const moved = [state[0]];
    for (const [from, to] of PATH) moved[to] = rotate(state[from], ROTATIONS[from]);
    for (let y = 0; y < 25; y += 5) {
      for (let x = 0; x < 5; x++) {
        state[x + y] = moved[x + y] ^ (~moved[((x + 1) % 5) + y] & MASK & moved[((x + 2) % 5) + y]);
      }
    }
    state[0] ^= constant;
  }
}

/** Ethereum's keccak-256 of some bytes, as bytes. */
export function keccak256(bytes) {
  const padded = new Uint8Array(Math.ceil((bytes.length + 1) / RATE) * RATE);
  padded.set(bytes);
  padded[bytes.length] |= 0x01;
  padded[padded.length - 1] |= 0x80;
  const lanes = new DataView(padded.buffer);
  const state = new Array(25).fill(0n);
  for (let at = 0; at < padded.length; at += RATE) {
    for (let i = 0; i < RATE / 8; i++) state[i] ^= lanes.getBigUint64(at + 8 * i, true);
    permute(state);
  }
  const hash = new DataView(new ArrayBuffer(32));
  for (let i = 0; i < 4; i++) hash.setBigUint64(8 * i, state[i], true);
  return new Uint8Array(hash.buffer);
}

/** Bytes of `0x…`. Throws for anything that is no whole number of hexadecimal bytes. */
export function bytesOf(hex) {
  if (typeof hex !== "string" || !/^0x(?:[0-9a-f]{2})*$/i.test(hex)) throw new TypeError(`not hexadecimal: ${hex}`);
  return Uint8Array.from(hex.slice(2).match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export const hexOf = (bytes) => "0x" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function join(...parts) {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function word(number) {
  if (number < 0n || number >> 256n) throw new RangeError(`no uint256: ${number}`);
  return bytesOf("0x" + number.toString(16).padStart(64, "0"));
}

/** The leaf of a payment, hashed twice, so that no inner node can pass for one. As `taesan.settlement.merkle.payment_leaf`. */
export function paymentLeaf(id, { channel_id, amount, cumulative, payee }) {
  const content = join(
    keccak256(new TextEncoder().encode(id)),
    word(BigInt(channel_id)),
    word(BigInt(amount)),
    word(BigInt(cumulative)),
    word(BigInt(payee)),
  );
  return hexOf(keccak256(keccak256(content)));
}

/** The node over two children: the smaller hash goes first, so a proof needs no left or right. */
export function pairHash(one, other) {
  const [low, high] = [one.toLowerCase(), other.toLowerCase()].sort();
  return hexOf(keccak256(join(bytesOf(low), bytesOf(high))));
}

/**
 * Climbs from a payment to its batch's root.
 *
 * @param {string} id the payment that was asked for: its leaf is made from this, not from what the answer calls it
 * @param {{leaf: object, proof: string[], root: string}} given the answer of `GET /v1/payments/{id}/proof`
 * @returns {{leaf: string, steps: {sibling: string, hash: string}[], computed: string, holds: boolean}}
 */
export function climb(id, given) {
  const leaf = paymentLeaf(id, given.leaf);
  const steps = [];
  let hash = leaf;
  for (const sibling of given.proof) {
    if (bytesOf(sibling).length !== 32) throw new RangeError(`no hash: ${sibling}`);
    hash = pairHash(hash, sibling);
    steps.push({ sibling: sibling.toLowerCase(), hash });
  }
  return { leaf, steps, computed: hash, holds: hash === given.root.toLowerCase() };
}
