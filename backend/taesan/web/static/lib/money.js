// Amounts: minor units in strings or BigInts, never floats. Intl takes decimal strings as they are, to the last digit.

const language = document.documentElement.lang; // not out of words.js, which brings all texts with it: the front page is to be light

/** Minor units as a decimal string: `1234567`, 6 → `1.234567`. */
export function decimal(value, exponent) {
  const [sign, digits] = String(value).startsWith("-") ? ["-", String(value).slice(1)] : ["", String(value)];
  const padded = digits.padStart(exponent + 1, "0");
  return sign + padded.slice(0, padded.length - exponent) + (exponent ? "." + padded.slice(padded.length - exponent) : "");
}

/** Dollars of the hub's asset or of its gift token, with two to four decimals, rounded half to even; what is less than they show has all
 * its own. As the service has it in `web/router.py`. */
export function dollars(value, exponent, options = {}) {
  const size = BigInt(value) < 0n ? -BigInt(value) : BigInt(value);
  const isLess = size > 0n && size * 10_000n < 10n ** BigInt(exponent);
  const form = { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", minimumFractionDigits: 2, maximumFractionDigits: isLess ? exponent : 4 };
  return new Intl.NumberFormat(language, { ...form, roundingMode: "halfEven", ...options }).format(decimal(value, exponent));
}

/** Money as the API tells it: `{value, asset, exponent}`, where `asset` is a currency's code or a token's CAIP-19. */
export function money({ value, asset, exponent }) {
  if (!/^[A-Z]{3}$/.test(asset)) return dollars(value, exponent);
  return new Intl.NumberFormat(language, { style: "currency", currency: asset, currencyDisplay: "narrowSymbol" }).format(decimal(value, exponent));
}

/** What a person has typed, in minor units; null if it is no amount above zero that the asset can tell. Commas stand between thousands
 * alone: who writes "1,50" means no hundred and fifty. */
export function minorUnits(typed, exponent) {
  const text = typed.trim().replace(/^[$₩]/, "");
  if (!/^(\d{1,12}|\d{1,3}(,\d{3}){1,3})(\.\d*)?$/.test(text)) return null;
  const [whole, rest = ""] = text.replaceAll(",", "").split(".");
  if (rest.replace(/0+$/, "").length > exponent) return null;
  const value = BigInt(whole + rest.slice(0, exponent).padEnd(exponent, "0"));
  return value > 0n ? value : null;
}

const dates = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const days = new Intl.DateTimeFormat(language, { dateStyle: "medium" });

/** An RFC 3339 moment in the reader's own time. */
export const moment = (at) => dates.format(new Date(at));
export const day = (at) => days.format(new Date(at));
export const short = (hex) => `${hex.slice(0, 6)}…${hex.slice(-4)}`;
