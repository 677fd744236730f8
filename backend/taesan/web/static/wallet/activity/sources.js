// The lists that her activity is made of, and how each of their items is told.

import { ask } from "/static/lib/hub.js";
import { dollars, short } from "/static/lib/money.js";
import { because } from "/static/lib/reasons.js";
import { titles } from "/static/lib/sample.js";
import { askSigned } from "/static/lib/session.js";
import { CONVERSION_STATES, GIFT_STATES, REFUND_STATES, RELAY_STATES, REWARD_STATES, TRANSFER_STATES } from "/static/lib/states.js";
import { _ } from "/static/lib/words.js";

const LIMIT = 50;
const names = new Map(); // merchant → its public name
const references = new Map(); // payment → what it was for
const asked = new Map(); // path → its answer
let called = (_merchant, reference) => reference;

const list = (path) => (cursor) => askSigned("GET", `${path}?limit=${LIMIT}${cursor ? `&cursor=${cursor}` : ""}`);

/** Asked once for all rows. Without an answer an id stands there, until a later look. */
async function keep(map, id, path, field) {
  if (!asked.has(path)) asked.set(path, ask("GET", path));
  try {
    map.set(id, (await asked.get(path))[field]);
  } catch {
    asked.delete(path);
  }
}

const nameOf = (merchant) => keep(names, merchant, `/v1/merchants/${merchant}`, "name");

const referenceOf = (payment) => payment.startsWith("pay_") && keep(references, payment, `/v1/payments/${payment}`, "reference");

/** Of a payment to a merchant: who that is, and what a sample good is called. */
async function learn({ merchant_id: merchant, reference }) {
  await nameOf(merchant);
  if (reference) called = await titles();
}

const CONVERTED = {
  savings: () => _("Gift tokens into savings"),
  swap: () => _("Gift tokens exchanged"),
  cash: () => _("Gift tokens into dollars"),
  person: () => _("Gift tokens to somebody"),
  collectible: () => _("A collectible bought"),
};

const PAID = {
  jar: () => _("Into your jar"),
  invoice: () => _("A bill paid"),
  gateway: () => _("A customer's change"),
  merchant: ({ merchant_id: id }) => _("Paid to %(name)s", { name: names.get(id) ?? short(id) }),
  person: ({ recipient }) => _("Sent to %(address)s", { address: short(recipient) }),
};

const payments = (channel) => ({
  name: "payments",
  page: list(`/v1/channels/${channel}/payments`),
  at: (item) => item.accepted_at,
  prepare: (item) => item.destination === "merchant" && learn(item),
  tell: (item) => ({
    what: PAID[item.destination](item),
    more: item.destination === "jar" ? null : called(item.merchant_id, item.reference),
    amount: item.amount,
    sign: item.destination === "jar" ? "" : "−",
    batch: item.batch_id,
  }),
});

const firings = (channel) => ({
  name: `firings ${channel}`,
  page: list(`/v1/channels/${channel}/jar/firings`),
  at: (item) => item.fired_at,
  tell: (item, exponent) => ({ what: _("Your jar became gift tokens"), more: because(item.reason, exponent), amount: item.amount, sign: "+", batch: item.batch_id }),
});

const conversions = (channel) => ({
  name: "conversions",
  page: list(`/v1/channels/${channel}/jar/conversions`),
  at: (item) => item.created_at,
  tell: (item, exponent) => ({ what: CONVERTED[item.kind]?.() ?? item.kind, more: item.reason && because(item.reason, exponent), amount: item.amount, sign: "", state: CONVERSION_STATES[item.state]() }),
});

const refunds = (channel) => ({
  name: "refunds",
  page: list(`/v1/channels/${channel}/refunds`),
  at: (item) => item.requested_at,
  tell: (item) => ({ what: _("Back out of your channel"), more: item.reason, amount: item.amount, sign: "+", state: RELAY_STATES[item.state]() }),
});

const others = [
  {
    name: "received",
    page: list("/v1/personal-payments"),
    at: (item) => item.accepted_at,
    tell: (item) => ({ what: _("From %(address)s", { address: short(item.sender) }), more: item.reference, amount: item.amount, sign: "+", batch: item.batch_id }),
  },
  {
    name: "given back",
    page: list("/v1/personal-refunds"),
    at: (item) => item.made_at,
    prepare: async (item) => {
      await referenceOf(item.of);
      await learn({ merchant_id: item.merchant_id, reference: references.get(item.of) });
    },
    tell: (item, exponent) => ({
      what: _("Given back by %(name)s", { name: names.get(item.merchant_id) }),
      more: item.reward_taken_back === "0" ? called(item.merchant_id, references.get(item.of)) : _("without %(amount)s of cashback", { amount: dollars(item.reward_taken_back, exponent) }),
      amount: String(BigInt(item.amount) - BigInt(item.reward_taken_back)),
      sign: "+",
      state: REFUND_STATES[item.state](),
      of: item.of.startsWith("pay_") ? item.of : null,
    }),
  },
  {
    name: "gifts",
    page: list("/v1/gifts"),
    at: (item) => item.made_at,
    tell: (item) => ({ what: _("A gift link"), more: item.message, amount: item.amount, sign: item.state === "returned" ? "" : "−", state: GIFT_STATES[item.state]() }),
  },
  {
    name: "transfers",
    page: list("/v1/token-transfers"),
    at: (item) => item.accepted_at,
    tell: (item) => ({ what: _("Gift tokens to %(address)s", { address: short(item.recipient) }), more: item.reason, amount: item.amount, sign: "−", state: TRANSFER_STATES[item.state]() }),
  },
  {
    name: "rewards",
    page: list("/v1/rewards"),
    at: (item) => item.made_at,
    tell: (item) => ({ what: _("Cashback"), amount: String(BigInt(item.amount) - BigInt(item.reversed)), sign: "+", state: REWARD_STATES[item.state]() }),
  },
];

async function channelsOf() {
  const found = [];
  for (let cursor = null; ; ) {
    const { items, next_cursor: next } = await list("/v1/channels")(cursor);
    found.push(...items);
    if (next === null) return found;
    cursor = next;
  }
}

/** All of the signed-in wallet's. */
export async function sources() {
  const channels = await channelsOf();
  return [...channels.flatMap(({ id }) => [payments(id), firings(id), conversions(id), refunds(id)]), ...others];
}
