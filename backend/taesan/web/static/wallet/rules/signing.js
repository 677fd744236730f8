// The wallet's signatures for a rule: the rule itself, word for word, and how many gift tokens rules may move (EIP-2612).

import { facts, signingTime } from "/static/lib/hub.js";
import { askSigned, session, signTyped } from "/static/lib/session.js";

const FOR_EVER = 2 ** 40;
const ALLOWED_FOR_S = 90 * 86_400;
const DAYS_ALLOWED = 30n;
const fields = (text) => text.split(",").map((field) => ({ type: field.split(" ")[0], name: field.split(" ")[1] }));
const RULE = {
  Rule: fields("address payer,uint64 id,string gather,string fires,string only,Destination[] destinations,uint96 perDay,uint64 validUntil"),
  Destination: fields("string kind,uint16 share,address recipient,address token,uint16 slippage"),
};
const PERMIT = { Permit: fields("address owner,address spender,uint256 value,uint256 nonce,uint256 deadline") };

/** The payer's own number for a rule, used once for ever: below 2^62. */
export const newNumber = () => String(crypto.getRandomValues(new BigUint64Array(1))[0] >> 2n);

/** @param {string} channelId @param {object} terms as `termsOf` has them @param {string} number the same again is signed once */
export async function signRule(channelId, terms, number) {
  const { standing_orders_domain: domain } = await facts();
  const { gather, fires, only, destinations, per_day: perDay } = terms;
  const message = { payer: session().address, id: number, gather, fires, only, destinations, perDay, validUntil: FOR_EVER };
  const signature = await signTyped({ domain, primaryType: "Rule", types: RULE, message });
  return askSigned("POST", `/v1/channels/${channelId}/rules`, { body: { id: number, ...terms, valid_until: FOR_EVER, signature } });
}

/** What rules may move in all, by the permit that waits or by what the chain says. */
export const allowed = ({ allowance, permitted }) => (permitted === null ? BigInt(allowance) : BigInt(permitted));

/** A month of a rule's days. */
export const enoughFor = (perDay) => BigInt(perDay) * DAYS_ALLOWED;

/** Lets rules move so many gift tokens in all, minor units. No gas: it goes along with the next conversion. */
export async function allow(value) {
  const { gift_domain: domain } = await facts();
  const { nonce, spender } = await askSigned("GET", "/v1/allowance");
  const deadline = (await signingTime()) + ALLOWED_FOR_S;
  const message = { owner: session().address, spender, value, nonce, deadline };
  const signature = await signTyped({ domain, primaryType: "Permit", types: PERMIT, message });
  return askSigned("PUT", "/v1/allowance", { body: { value: String(value), deadline, signature } });
}
