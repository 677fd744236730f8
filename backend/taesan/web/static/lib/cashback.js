// A rule that says `cashback`: as much as campaigns have paid out to the wallet goes into the jar, out of the channel, each reward once. As the
// Python client has it in `client/change.py`.

import * as channel from "/static/lib/channel.js";
import { Refused } from "/static/lib/hub.js";
import { askSigned } from "/static/lib/session.js";

const least = (a, b) => (b < a ? b : a);
const place = (channelId) => `taesan.cashback.${channelId}`;
const putBefore = (channelId) => new Set(JSON.parse(localStorage.getItem(place(channelId)) ?? "[]"));

/** Rewards that have become gift tokens since a moment, the oldest first. */
async function rewardsSince(begin) {
  const found = [];
  for (let cursor = ""; cursor !== null; ) {
    const page = await askSigned("GET", `/v1/rewards?limit=100${cursor && `&cursor=${cursor}`}`);
    const since = page.items.filter((reward) => Date.parse(reward.made_at) >= Date.parse(begin));
    found.push(...since.filter(({ state }) => state === "done"));
    cursor = since.length < page.items.length ? null : page.next_cursor;
  }
  return found.reverse();
}

/** What has come since the rule was signed and is not in the jar yet. @param {object} rule as the API has it @returns {Promise<bigint>} */
export async function cashbackToPut({ channel_id: channelId, created_at: begin }) {
  const done = putBefore(channelId);
  const come = (await rewardsSince(begin)).filter(({ payment_id: id }) => !done.has(id));
  return come.reduce((sum, { amount, reversed }) => sum + BigInt(amount) - BigInt(reversed), 0n);
}

/** Puts it in; how much that was. @param {bigint} limit what the person has agreed to, whatever the hub says now @returns {Promise<bigint>} */
export async function putCashback(rule, limit) {
  const { id, channel_id: channelId, created_at: begin } = rule;
  const done = putBefore(channelId);
  let sum = 0n;
  for (const { payment_id: paymentId, amount, reversed } of await rewardsSince(begin)) {
    if (done.has(paymentId)) continue;
    const { progress } = await askSigned("GET", `/v1/channels/${channelId}/rules/${id}`);
    const most = progress.left_today === null ? BigInt(progress.most_at_once) : least(BigInt(progress.most_at_once), BigInt(progress.left_today));
    const part = least(BigInt(amount) - BigInt(reversed), most);
    if (part <= 0n || sum + part > limit) continue;
    sum += await putOnce(part, id, paymentId);
    localStorage.setItem(place(channelId), JSON.stringify([...done.add(paymentId)]));
  }
  return sum;
}

/** The hub knows by its key what was put in before, from a browser that has forgotten it, too. */
async function putOnce(amount, ruleId, paymentId) {
  try {
    await channel.pay(amount, { type: "jar", rule_id: ruleId }, { reference: paymentId }, `cashback-${paymentId}`);
    return amount;
  } catch (error) {
    if (error instanceof Refused && error.type === "idempotency-key-reused") return 0n;
    throw error;
  }
}
