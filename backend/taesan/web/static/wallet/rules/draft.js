// A rule as it is being put together: what the form holds, and the terms that come of it, with what is wrong beside each field. Pure.

import { minorUnits } from "/static/lib/money.js";
import { CURRENCIES, percent, readFires, readGather, readOnly, STEPS, writeFires, writeGather, writeMoney, writeOnly } from "/static/lib/rule.js";
import { share } from "/static/lib/rulewords.js";
import { _ } from "/static/lib/words.js";

const WHOLE = 10_000;
const MOST_PAYMENTS = 100_000;
const NOBODY = "0x" + "00".repeat(20);
const CATEGORY = /^[\p{L}\p{N}](?:[\p{L}\p{N} .&+/·-]{0,30}[\p{L}\p{N}])?$/u;
const names = (text) => text.split(",").map((name) => name.trim().normalize("NFC")).filter(Boolean);

export const destination = (kind, part) => ({ kind, share: part, recipient: "", token: "", slippage: "1" });

/** One part more: half of the last one's share. */
export function split(destinations, kind) {
  const last = destinations.at(-1);
  const tenths = Math.max(Math.round(Number(last.share) * 10) || 0, 0);
  const half = Math.floor(tenths / 2);
  return [...destinations.slice(0, -1), { ...last, share: String((tenths - half) / 10) }, destination(kind, String(half / 10))];
}

/** What the form begins with. */
export const fresh = (zone) => ({
  roundUp: true, step: "2", times: "1", byTier: false, mostTimes: "3",
  hasShare: false, share: "3", hasFixed: false, fixed: "0.10",
  topUps: false, cashback: false, gateway: false, perDay: "", perMonth: "",
  categories: "", merchants: "",
  hasCount: false, count: "100", hasValue: true, value: "5", date: "", weekday: "0", day: "1", zone, onRequest: false,
  destinations: [destination("wallet", "100")], movedPerDay: "",
});

/** What the form begins with for words that were advised; null if the form cannot say just these.
 *
 * @param {{gather: string, fires: string, only: string}} words @param {object} here as `termsOf` takes it
 */
export function draftOf(words, zone, here) {
  try {
    const draft = { ...fresh(zone), ...draftedGather(readGather(words.gather), here.currency), ...draftedFires(readFires(words.fires), zone), ...draftedOnly(readOnly(words.only)) };
    const { terms, faults } = termsOf(draft, here);
    const isSame = ["gather", "fires", "only"].every((name) => terms[name] === words[name]);
    return isSame && !Object.keys(faults).length ? draft : null;
  } catch {
    return null; // no words of a rule
  }
}

const typedMoney = (money) => (money ? writeMoney(money).split(" ")[0] : "");

const draftedGather = ({ step, times = 1, mostTimes, share: part, fixed, inflows, perDay, perMonth }, currency) => ({
  roundUp: Boolean(step), step: String(STEPS[currency].indexOf(step?.value)), times: String(times), byTier: Boolean(mostTimes), mostTimes: String(mostTimes ?? ""),
  hasShare: Boolean(part), share: percent(part ?? 0), hasFixed: Boolean(fixed), fixed: typedMoney(fixed),
  topUps: inflows.includes("top-ups"), cashback: inflows.includes("cashback"), gateway: inflows.includes("gateway"), perDay: typedMoney(perDay), perMonth: typedMoney(perMonth),
});

const draftedFires = ({ count, value, weekday, dayOfMonth, zone, onRequest = false }, own) => ({
  hasCount: Boolean(count), count: String(count ?? ""), hasValue: Boolean(value), value: typedMoney(value),
  date: weekday !== undefined ? "weekly" : dayOfMonth ? "monthly" : "", weekday: String(weekday ?? 0), day: String(dayOfMonth ?? 1), zone: zone ?? own, onRequest,
});

const draftedOnly = ({ categories, merchants }) => ({ categories: categories.join(", "), merchants: merchants.join(", ") });

/** The terms to be signed, as far as they make sense.
 *
 * @param {object} draft @param {{currency: string, exponent: number, payer: string, offered: object[]}} here
 * @returns {{terms: object, faults: Record<string, string>}} `faults`: by the field's name; nothing may be signed while there is one
 */
export function termsOf(draft, { currency, exponent, payer, offered }) {
  const faults = {};
  const wrong = (name, text) => void (faults[name] ??= text);
  const amount = (name, decimals = CURRENCIES[currency]) => {
    const value = minorUnits(draft[name], decimals);
    if (value === null) wrong(name, _("Type an amount, such as 0.50."));
    return value ?? 0n;
  };
  const money = (name) => ({ value: amount(name), currency });
  const whole = (name, least, most) => {
    const number = Number(draft[name]);
    if (!(Number.isInteger(number) && number >= least && number <= most)) wrong(name, _("A whole number from %(least)s to %(most)s.", { least, most }));
    return number;
  };

  const terms = {
    gather: writeGather(gatherOf(draft, { currency, amount: money, whole, wrong })),
    fires: writeFires(firesOf(draft, { money, whole, wrong })),
    only: writeOnly(onlyOf(draft, wrong)),
    destinations: destinationsOf(draft, { payer, offered, wrong }),
    per_day: "0",
  };
  if (terms.destinations.some(({ kind }) => kind !== "wallet")) terms.per_day = String(amount("movedPerDay", exponent));
  return { terms, faults };
}

function gatherOf(draft, { currency, amount, whole, wrong }) {
  const found = { inflows: [["top-ups", draft.topUps], ["cashback", draft.cashback], ["gateway", draft.gateway]].filter(([, is]) => is).map(([name]) => name) };
  if (draft.roundUp) {
    Object.assign(found, { step: { value: STEPS[currency][Number(draft.step)], currency }, times: whole("times", 1, 10) });
    if (draft.byTier) found.mostTimes = whole("mostTimes", Math.min(found.times + 1, 10), 10);
  }
  if (draft.hasShare) {
    const part = minorUnits(draft.share, 2);
    if (part === null || part > WHOLE) wrong("share", _("More than 0 and at most 100 per cent, with at most two decimals."));
    else found.share = Number(part);
  }
  if (draft.hasFixed) found.fixed = amount("fixed");
  const gathersAnything = found.step || found.fixed || draft.hasShare || found.inflows.length;
  if (!gathersAnything) wrong("gather", _("Choose at least one thing that gathers."));
  if (draft.perDay) found.perDay = amount("perDay");
  if (draft.perMonth) found.perMonth = amount("perMonth");
  const isAlone = !found.step && !found.fixed && !draft.hasShare && found.inflows.length === 1 && !found.perDay && !found.perMonth;
  if (draft.gateway && !isAlone) wrong("gather", _("What payment services convert is gathered by itself: leave out the rest."));
  return found;
}

function firesOf(draft, { money, whole, wrong }) {
  const found = { onRequest: draft.onRequest };
  if (draft.hasCount) found.count = whole("count", 1, MOST_PAYMENTS);
  if (draft.hasValue) found.value = money("value");
  if (draft.date === "weekly") Object.assign(found, { weekday: Number(draft.weekday), zone: draft.zone });
  if (draft.date === "monthly") Object.assign(found, { dayOfMonth: whole("day", 1, 31), zone: draft.zone });
  if (!draft.hasCount && !draft.hasValue && !draft.date && !draft.onRequest) wrong("fires", _("Choose at least one moment."));
  if (draft.gateway && (draft.date || draft.onRequest)) wrong("fires", _("What payment services convert fires by payments or by an amount."));
  return found;
}

function onlyOf(draft, wrong) {
  const found = { categories: names(draft.categories), merchants: names(draft.merchants) };
  if (found.categories.some((name) => !CATEGORY.test(name) || name.includes("  "))) wrong("categories", _("At most 32 letters and digits each, with commas between them."));
  if (found.merchants.some((id) => !/^mer_[0-9a-z]{1,76}$/.test(id))) wrong("merchants", _("A merchant's id begins with mer_."));
  const ofPurchases = draft.roundUp || draft.hasShare || draft.hasFixed;
  if (!ofPurchases && (found.categories.length || found.merchants.length)) wrong("categories", _("This is for rules that gather of purchases."));
  return found;
}

function destinationsOf(draft, { payer, offered, wrong }) {
  const found = draft.destinations.map((one, i) => {
    const part = minorUnits(one.share, 1);
    if (part === null || part > 1_000) wrong(`share-${i}`, _("More than 0 and at most 100 per cent, with at most one decimal."));
    const made = { kind: one.kind, share: 10 * Number(part ?? 0), recipient: one.kind === "wallet" ? NOBODY : payer, token: NOBODY, slippage: 0 };
    if (one.kind === "person") {
      made.recipient = one.recipient.trim();
      if (!/^0x[0-9a-fA-F]{40}$/.test(made.recipient)) wrong(`recipient-${i}`, _("An address is 0x and 40 digits or letters up to f."));
    }
    if (one.kind === "swap") {
      made.token = one.token;
      const slippage = minorUnits(one.slippage, 2);
      if (slippage === null || slippage > WHOLE) wrong(`slippage-${i}`, _("More than 0 and at most 100 per cent, with at most two decimals."));
      made.slippage = Number(slippage ?? 0);
    }
    if (one.kind === "collectible") Object.assign(made, { token: one.token, recipient: offered.find(({ token }) => token === one.token)?.recipient ?? NOBODY });
    return made;
  });
  const sum = found.reduce((all, one) => all + one.share, 0);
  const areShares = found.every((one) => one.share > 0 && one.share <= WHOLE); // else that is told already
  if (areShares && sum !== WHOLE) wrong("destinations", _("The shares make %(sum)s together: they have to make %(whole)s.", { sum: share(sum), whole: share(WHOLE) }));
  return found;
}

/** The faults to be told: all once it was tried, and before that those of fields which she has left.
 * @param {Record<string, string>} faults @param {Set<string>} left names of fields; the shares' sum goes with any share */
export const toldOf = (faults, left) => Object.fromEntries(
  Object.entries(faults).filter(([name]) => left.has(name) || (name === "destinations" && [...left].some((one) => one.startsWith("share-")))),
);

/** Which field a refusal of the hub belongs to. @param {{detail?: string, errors?: {field: string}[]}} problem */
export function fieldOf({ detail = "", errors = [] }) {
  const told = errors[0]?.field ?? "";
  const [field] = [
    ["movedPerDay", /per_day/], ["categories", /category|filter/], ["merchants", /merchant/],
    ["destinations", /recipient|slippage|market|collectible|shares|destinations|token/], ["fires", /fire|time|zone|week|month has/], ["gather", /./],
  ].find(([, words]) => words.test(`${told} ${detail}`)) ?? ["gather"];
  return field;
}
