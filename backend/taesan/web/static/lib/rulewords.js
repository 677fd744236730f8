// A rule in the reader's own language: whole sentences, beside the exact words that her wallet signs.

import { dollars, money, short } from "/static/lib/money.js";
import { CURRENCIES, readFires, readGather, readOnly } from "/static/lib/rule.js";
import { _, count, language } from "/static/lib/words.js";

const told = ({ value, currency }) => money({ value: String(value), asset: currency, exponent: CURRENCIES[currency] });
const tenThousandths = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 2 });
const listed = new Intl.ListFormat(language, { type: "disjunction" });
const A_MONDAY = Date.UTC(2024, 0, 1);

/** 5000 → 50% */
export const share = (part) => tenThousandths.format(part / 10_000);
export const weekdayName = (weekday) => new Intl.DateTimeFormat(language, { weekday: "long", timeZone: "UTC" }).format(A_MONDAY + weekday * 86_400_000);

/** @param {object} gather as `readGather` has it @returns {string[]} */
export function gatherSentences({ step, times, mostTimes, share: part, fixed, inflows, perDay, perMonth }) {
  const rounded = step && { step: told(step), times, most: mostTimes };
  return [
    step && (mostTimes ? _("Each purchase is rounded up to the next %(step)s, %(times)s times over, and up to %(most)s times by your tier.", rounded)
      : times > 1 ? _("Each purchase is rounded up to the next %(step)s, %(times)s times over.", rounded)
      : _("Each purchase is rounded up to the next %(step)s.", rounded)),
    part && _("%(share)s of each price goes in.", { share: share(part) }),
    fixed && _("%(amount)s of each purchase goes in.", { amount: told(fixed) }),
    inflows.includes("top-ups") && _("What you put in by hand goes in."),
    inflows.includes("cashback") && _("As much as your cashback goes in."),
    inflows.includes("gateway") && _("What payment services convert for you goes in."),
    perDay && _("At most %(amount)s a day.", { amount: told(perDay) }),
    perMonth && _("At most %(amount)s a month.", { amount: told(perMonth) }),
  ].filter(Boolean);
}

export function firesSentences({ count: payments, value, weekday, dayOfMonth, zone, onRequest }) {
  return [
    payments && count("It becomes gift tokens with every payment.", "It becomes gift tokens every %(count)s payments.", payments),
    value && _("It becomes gift tokens each time %(amount)s have gathered.", { amount: told(value) }),
    weekday !== undefined && _("It becomes gift tokens each %(weekday)s at midnight (%(zone)s).", { weekday: weekdayName(weekday), zone }),
    dayOfMonth && _("It becomes gift tokens on day %(day)s of each month (%(zone)s).", { day: dayOfMonth, zone }),
    onRequest && _("It becomes gift tokens when you say so."),
  ].filter(Boolean);
}

export function onlySentences({ merchants, categories }) {
  return [
    categories.length && _("Only what you buy as %(names)s counts.", { names: listed.format(categories) }),
    merchants.length && _("Only what you buy at %(names)s counts.", { names: listed.format(merchants.map(short)) }),
  ].filter(Boolean);
}

/** One of its destinations, with its share. */
export function destinationSentence({ kind, share: part, recipient, token, slippage }) {
  const values = { share: share(part), recipient: short(recipient), token: short(token), slippage: share(slippage) };
  return {
    wallet: () => _("%(share)s stays in your wallet as gift tokens.", values),
    savings: () => _("%(share)s goes into savings.", values),
    swap: () => _("%(share)s buys %(token)s, for at most %(slippage)s below the market.", values),
    cash: () => _("%(share)s is paid out in dollars.", values),
    person: () => _("%(share)s goes to %(recipient)s.", values),
    collectible: () => _("%(share)s buys a collectible; the rest of it stays in your wallet.", values),
  }[kind]();
}

/** All of a rule. @param {{gather: string, fires: string, only: string, destinations: object[], per_day: string}} rule */
export function sentences({ gather, fires, only, destinations, per_day: perDay }, exponent) {
  return [
    ...gatherSentences(readGather(gather)),
    ...onlySentences(readOnly(only)),
    ...firesSentences(readFires(fires)),
    ...(destinations.length === 1 && destinations[0].kind === "wallet" ? [_("The gift tokens stay in your wallet.")] : destinations.map(destinationSentence)),
    ...(perDay === "0" ? [] : [_("At most %(amount)s a day leaves your wallet by this rule.", { amount: dollars(perDay, exponent) })]),
  ];
}
