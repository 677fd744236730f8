// The words of a rule, as `jars/grammar.py` has them and wallets sign them: read into parts, and written from them. Pure.
// Money is `{value, currency}` in minor units of the currency, shares are ten-thousandths.

export const CURRENCIES = { USD: 2, KRW: 0 };
export const STEPS = { USD: [10n, 50n, 100n], KRW: [100n, 500n, 1000n] };
export const WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
export const INFLOWS = ["cashback", "top-ups", "gateway"];
export const ON_REQUEST = "when I say so";

const parts = (text) => (text ? text.split(", ") : []);

/** `0.50 USD` */
export function readMoney(text) {
  const [amount, currency] = text.split(" ");
  const [whole, rest = ""] = amount.split(".");
  return { value: BigInt(whole + rest.padEnd(CURRENCIES[currency], "0")), currency };
}

export function writeMoney({ value, currency }) {
  const one = 10n ** BigInt(CURRENCIES[currency]);
  const rest = value % one ? "." + String(value % one).padStart(CURRENCIES[currency], "0") : "";
  return `${value / one}${rest} ${currency}`;
}

/** 350 → `3.5` */
export const percent = (share) => String(share / 100);

/** @returns {{step?, times?, mostTimes?, share?, fixed?, inflows: string[], perDay?, perMonth?}} */
export function readGather(text) {
  const found = { inflows: [] };
  for (const part of parts(text)) {
    let match;
    if (INFLOWS.includes(part)) found.inflows.push(part);
    else if ((match = part.match(/^round up to (\S+ [A-Z]+)(?: x(\d+))?(?: to x(\d+) by tier)?$/))) {
      Object.assign(found, { step: readMoney(match[1]), times: Number(match[2] ?? 1) }, match[3] ? { mostTimes: Number(match[3]) } : {});
    } else if ((match = part.match(/^([\d.]+)% of the price$/))) found.share = Math.round(Number(match[1]) * 100);
    else if ((match = part.match(/^fixed (.+)$/))) found.fixed = readMoney(match[1]);
    else if ((match = part.match(/^at most (.+) a (day|month)$/))) found[match[2] === "day" ? "perDay" : "perMonth"] = readMoney(match[1]);
  }
  return found;
}

export function writeGather({ step, times = 1, mostTimes, share, fixed, inflows = [], perDay, perMonth }) {
  const by = mostTimes ? ` x${times} to x${mostTimes} by tier` : times > 1 ? ` x${times}` : "";
  return [
    step && `round up to ${writeMoney(step)}${by}`,
    share && `${percent(share)}% of the price`,
    fixed && `fixed ${writeMoney(fixed)}`,
    ...INFLOWS.filter((name) => inflows.includes(name)),
    perDay && `at most ${writeMoney(perDay)} a day`,
    perMonth && `at most ${writeMoney(perMonth)} a month`,
  ].filter(Boolean).join(", ");
}

/** @returns {{count?: number, value?, weekday?: number, dayOfMonth?: number, zone?: string, onRequest?: boolean}} */
export function readFires(text) {
  const found = {};
  for (const part of parts(text)) {
    let match;
    if (part === ON_REQUEST) found.onRequest = true;
    else if ((match = part.match(/^every (\d+) payments$/))) found.count = Number(match[1]);
    else if ((match = part.match(/^every (.+)$/))) found.value = readMoney(match[1]);
    else if ((match = part.match(/^weekly on (\w+) at (.+)$/))) Object.assign(found, { weekday: WEEKDAYS.indexOf(match[1]), zone: match[2] });
    else if ((match = part.match(/^monthly on day (\d+) at (.+)$/))) Object.assign(found, { dayOfMonth: Number(match[1]), zone: match[2] });
  }
  return found;
}

export function writeFires({ count, value, weekday, dayOfMonth, zone, onRequest }) {
  return [
    count && `every ${count} payments`,
    value && `every ${writeMoney(value)}`,
    weekday !== undefined && `weekly on ${WEEKDAYS[weekday]} at ${zone}`,
    dayOfMonth && `monthly on day ${dayOfMonth} at ${zone}`,
    onRequest && ON_REQUEST,
  ].filter(Boolean).join(", ");
}

/** @returns {{merchants: string[], categories: string[]}} */
export function readOnly(text) {
  const of = (kind) => parts(text).filter((part) => part.startsWith(`${kind} `)).map((part) => part.slice(kind.length + 1));
  return { merchants: of("merchant"), categories: of("category") };
}

export const writeOnly = ({ merchants = [], categories = [] }) =>
  [...merchants.map((id) => `merchant ${id}`), ...categories.map((name) => `category ${name}`)].join(", ");
