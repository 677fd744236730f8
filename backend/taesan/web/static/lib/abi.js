// Call data of contracts' functions whose arguments are of one word each: numbers, addresses, 32 bytes. A struct of such is its fields.

import { hashText } from "/static/lib/typed.js";

const word = (value) => BigInt.asUintN(256, BigInt(value)).toString(16).padStart(64, "0");

/** @param {string} signature such as `batches(uint64)` @param {...(string | number | bigint)} values hexadecimal or numbers */
export const callData = (signature, ...values) => hashText(signature).slice(0, 10) + values.map(word).join("");

/** The words of an answer, as BigInts. */
export const wordsOf = (answer) => (answer.slice(2).match(/.{64}/g) ?? []).map((digits) => BigInt("0x" + digits));
