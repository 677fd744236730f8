// EIP-712: the digest of typed data, as wallets compute it for `eth_signTypedData_v4`. Pure. As the service has it in `core/crypto.py`.

import { keccak_256 } from "/static/noble/hashes/sha3.js";
import { bytesOf, hexOf } from "/static/proof.js";

const utf8 = new TextEncoder();
const word = (value) => BigInt.asUintN(256, BigInt(value)).toString(16).padStart(64, "0");
const hash = (hex) => hexOf(keccak_256(bytesOf("0x" + hex))).slice(2);
export const hashText = (text) => hexOf(keccak_256(utf8.encode(text)));

const DOMAIN = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
];
const bare = (type) => type.replace(/\[\]$/, "");

/** `Rule(…)Destination(…)`: the type, and those that it is made of, by name. */
function encodeType(primary, types) {
  const found = new Set();
  const visit = (type) => {
    if (!(type in types) || found.has(type)) return;
    found.add(type);
    for (const field of types[type]) visit(bare(field.type));
  };
  visit(primary);
  found.delete(primary);
  return [primary, ...[...found].sort()].map((name) => `${name}(${types[name].map((f) => `${f.type} ${f.name}`).join(",")})`).join("");
}

function encodeValue(type, value, types) {
  if (type.endsWith("[]")) return hash(value.map((item) => encodeValue(bare(type), item, types)).join(""));
  if (type in types) return hashStruct(type, value, types);
  if (type === "string") return hashText(value).slice(2);
  if (type === "bytes") return hash(value.slice(2));
  if (type === "bytes32") return value.slice(2).padEnd(64, "0");
  return word(type === "bool" ? Number(value) : value);
}

/** 32 bytes as hexadecimal digits, without `0x`. */
export function hashStruct(primary, value, types) {
  const typeHash = hashText(encodeType(primary, types)).slice(2);
  return hash(typeHash + types[primary].map((field) => encodeValue(field.type, value[field.name], types)).join(""));
}

/** What is signed, `0x…`. @param {{domain: object, primaryType: string, types: object, message: object}} data */
export function digest({ domain, primaryType, types, message }) {
  const all = { ...types, EIP712Domain: DOMAIN };
  return "0x" + hash("1901" + hashStruct("EIP712Domain", domain, all) + hashStruct(primaryType, message, all));
}

/** As `eth_signTypedData_v4` takes it: with the domain's type told, and no BigInt. */
export const forWallet = (data) =>
  JSON.stringify({ ...data, types: { ...data.types, EIP712Domain: DOMAIN } }, (_name, value) => (typeof value === "bigint" ? value.toString() : value));

/** Digest of a text as `personal_sign` signs it (EIP-191). */
export function textDigest(text) {
  const bytes = utf8.encode(text);
  const start = utf8.encode(`\x19Ethereum Signed Message:\n${bytes.length}`);
  return hexOf(keccak_256(Uint8Array.from([...start, ...bytes])));
}
