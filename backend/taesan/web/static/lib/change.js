// What of a purchase goes into the jar: computed here by the very words that the wallet has signed, or by the jar's own setting where no
// signed rule takes it. The hub computes the same and takes no other amount. As the Python client has it in `client/change.py`.

import * as channel from "/static/lib/channel.js";
import { Refused } from "/static/lib/hub.js";
import { CURRENCIES, readGather, readOnly } from "/static/lib/rule.js";
import { askSigned } from "/static/lib/session.js";
import { _ } from "/static/lib/words.js";

const WHOLE = 10_000n; // ten-thousandths
const OUT_OF_DATE = ["rule-mismatch", "rule-not-active", "rule-cap-reached", "unknown-rule", "round-up-mismatch"];
const least = (...values) => values.reduce((a, b) => (b < a ? b : a));
const greatest = (...values) => values.reduce((a, b) => (b > a ? b : a));
const roundUp = (amount, step) => (step - (amount % step)) % step;

/** A currency's minor units in the asset's, null if that is no whole number of them. */
export function rescaled(value, from, to) {
  if (to >= from) return value * 10n ** BigInt(to - from);
  const by = 10n ** BigInt(from - to);
  return value % by ? null : value / by;
}

/** Of one purchase, caps aside. @param {bigint} price minor units of the asset @param {bigint} byTier ten-thousandths */
export function ofPurchase(gather, price, exponent, byTier = WHOLE) {
  const units = (money) => rescaled(money.value, CURRENCIES[money.currency], exponent);
  let amount = 0n;
  if (gather.step) {
    const alone = BigInt(gather.times) * WHOLE;
    const times = gather.mostTimes ? least(BigInt(gather.times) * byTier, BigInt(gather.mostTimes) * WHOLE) : alone;
    amount += (roundUp(price, units(gather.step)) * times) / WHOLE;
  }
  if (gather.share) amount += (price * BigInt(gather.share)) / WHOLE;
  if (gather.fixed) amount += units(gather.fixed);
  return amount;
}

const gathersOfPurchases = ({ step, share, fixed }) => Boolean(step || share || fixed);

/** Which of the rules gathers of a purchase: the one that demands more, and of equals the oldest. @param {object[]} rules the oldest first */
export function chosen(rules, merchantId, category) {
  let best = null;
  for (const rule of rules) {
    const { merchants, categories } = readOnly(rule.only);
    const takes = (!merchants.length || merchants.includes(merchantId)) && (!categories.length || categories.includes(category));
    if (!takes || !gathersOfPurchases(readGather(rule.gather))) continue;
    const rank = 2 * Boolean(merchants.length) + Boolean(categories.length);
    if (!best || rank > best.rank) best = { rule, rank };
  }
  return best?.rule ?? null;
}

/** What goes into the jar with a purchase.
 *
 * @param {{rules: object[], jar: object, exponent: number}} known as `know` gives it
 * @param {{amount: bigint, merchant_id?: string, category?: string}} bought `amount` in minor units of the asset
 * @returns {{amount: bigint, rule: object | null}} `rule`: that takes it; null: the jar's own setting does
 */
export function plan({ rules, jar, exponent }, { amount, merchant_id: merchantId, category }) {
  const rule = chosen(rules, merchantId, category);
  if (!rule) return { amount: roundUp(amount, BigInt(jar.round_up_step)), rule: null };
  const { perks } = rule;
  const byTier = greatest(WHOLE, BigInt(perks.hub ?? WHOLE), BigInt(perks[merchantId] ?? WHOLE));
  const wanted = ofPurchase(readGather(rule.gather), amount, exponent, byTier);
  const { left_today: left, most_at_once: cap } = rule.progress;
  return { amount: left === null ? least(wanted, BigInt(cap)) : least(wanted, BigInt(cap), BigInt(left)), rule };
}

/** All of the channel's rules, the newest first. */
export async function allRules(channelId) {
  const found = [];
  for (let cursor = ""; cursor !== null; ) {
    const page = await askSigned("GET", `/v1/channels/${channelId}/rules?limit=100${cursor && `&cursor=${cursor}`}`);
    found.push(...page.items);
    cursor = page.next_cursor;
  }
  return found;
}

/** The rules that gather now, the oldest first, and the jar; null without a channel. */
export async function know() {
  const state = await channel.state();
  if (!state || state.state === "pending") return null;
  const [rules, jar] = await Promise.all([allRules(state.id), askSigned("GET", `/v1/channels/${state.id}/jar`)]);
  const { hub } = await channel.mine();
  return { state, jar, rules: rules.filter((rule) => rule.state === "active").reverse(), exponent: hub.asset_exponent };
}

/** Pays for something, and puts the change of it into the jar.
 *
 * @param {object} destination as `POST /v1/payments` takes it
 * @param {{amount: bigint, price: string | null, currency: string, merchant_id?: string, category?: string}} bought `price` in the
 *   currency's minor units; null: it is none of them, so no change is put aside
 * @param {{key: string, reference?: string, most: bigint}} how `key`: it is paid once, however often this is called; `most`: the change
 *   that the person was shown, 0: none. No more is signed, whatever the hub says of rules and tiers meanwhile
 * @returns {Promise<{payment: object, change: object | null, kept: Error | null}>} `kept`: why the change is not in the jar
 */
export async function buy(destination, bought, { key, reference, most }) {
  const { amount, price, currency, merchant_id, category } = bought;
  const named = Object.fromEntries(Object.entries({ merchant_id, category }).filter(([, value]) => value !== undefined));
  const purchase = price === null ? {} : { purchase: { value: price, asset: currency, ...named } };
  const payment = await channel.pay(amount, destination, { ...purchase, ...(reference ? { reference } : {}) }, key);
  if (price === null || !most) return { payment, change: null, kept: null };
  try {
    return { payment, change: await putAside(bought, most, { ...purchase, reference: payment.id }), kept: null };
  } catch (error) {
    return { payment, change: null, kept: error };
  }
}

async function putAside(bought, most, extra) {
  for (let isLast = false; ; isLast = true) {
    const { amount, rule } = plan(await know(), bought);
    if (!amount) return null;
    if (amount > most) throw new Error(_("The change would be more than you were shown, so none was put aside. Look at your rules."));
    try {
      return await channel.pay(amount, rule ? { type: "jar", rule_id: rule.id } : { type: "jar" }, extra, `change-${extra.reference}`);
    } catch (error) {
      if (isLast || !(error instanceof Refused) || !OUT_OF_DATE.includes(error.type)) throw error;
    }
  }
}
