// What the parts of the page share: amounts against others, and bars.

import { money } from "/static/lib/money.js";
import { html } from "/static/lib/view.js";
import { _, language } from "/static/lib/words.js";

const absolute = (value) => (value < 0n ? -value : value);
const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });

/** @param {{asset: string, exponent: number}} of whose amount it is */
export const told = (value, { asset, exponent }) => money({ value: String(value), asset, exponent });

/** Against what it was: more, less, or the same. */
export function change(now, before, of) {
  const [is, was] = [BigInt(now), BigInt(before)];
  if (is === was) return html`<span class="change">${_("as before")}</span>`;
  const difference = told(absolute(is - was), of);
  const share = was > 0n ? percent.format(Number(((is - was) * 100n) / was) / 100) : null;
  const way = is > was ? "up" : "down";
  return html`<span class="change" data-way=${way}>${way === "up" ? _("%(amount)s more", { amount: difference }) : _("%(amount)s less", { amount: difference })}${share ? ` (${share})` : ""}</span>`;
}

/** A part of a whole as a bar; beyond the whole it says so by its colour. */
export function bar(part, whole) {
  const most = BigInt(whole) > 0n ? BigInt(whole) : 1n;
  const width = Number((BigInt(part) * 1000n) / most);
  return html`<svg class="share-bar" viewBox="0 0 1000 1" preserveAspectRatio="none" aria-hidden="true"><rect class="rest" width="1000" height="1" /><rect class=${width > 1000 ? "over" : ""} width=${Math.max(0, Math.min(width, 1000))} height="1" /></svg>`;
}

/** What nobody has named. */
export const named = (name) => name || _("unnamed");
