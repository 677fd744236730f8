// The lists that her activity is made of, and how each of their items is told.

import { ask } from "/static/lib/hub.js";
import { short } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { CONVERSION_STATES, GIFT_STATES, RELAY_STATES, REWARD_STATES, TRANSFER_STATES } from "/static/lib/states.js";
import { _ } from "/static/lib/words.js";

const LIMIT = 50;
const names = new Map(); // merchant → its public name
const asked = new Map(); // merchant → the answer that tells it

const list = (path) => (cursor) => askSigned("GET", `${path}?limit=${LIMIT}${cursor ? `&cursor=${cursor}` : ""}`);

/** Asked once for all rows of a merchant; without an answer its id stands there, until a later look. */
async function nameOf(merchant) {
  if (!asked.has(merchant)) asked.set(merchant, ask("GET", `/v1/merchants/${merchant}`));
  try {
    names.set(merchant, (await asked.get(merchant)).name);
  } catch {
    asked.delete(merchant);
  }
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
  prepare: (item) => item.destination === "merchant" && nameOf(item.merchant_id),
  tell: (item) => ({
    what: PAID[item.destination](item),
    more: item.destination === "jar" ? null : item.reference,
    amount: item.amount,
    sign: item.destination === "jar" ? "" : "−",
    batch: item.batch_id,
  }),
});

const firings = (channel) => ({
  name: `firings ${channel}`,
  page: list(`/v1/channels/${channel}/jar/firings`),
  at: (item) => item.fired_at,
  tell: (item) => ({ what: _("Your jar became gift tokens"), more: item.reason.title, amount: item.amount, sign: "+", batch: item.batch_id }),
});

const conversions = (channel) => ({
  name: "conversions",
  page: list(`/v1/channels/${channel}/jar/conversions`),
  at: (item) => item.created_at,
  tell: (item) => ({ what: CONVERTED[item.kind]?.() ?? item.kind, more: item.reason?.title, amount: item.amount, sign: "", state: CONVERSION_STATES[item.state]() }),
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
