// The jar as a picture: grains of gold dust that rise with what is in it, and a coin that falls when one is added.

import { svg } from "/static/lit/lit-html.js";
import { keyed } from "/static/lit/directives/keyed.js";
import { html, nothing } from "/static/lib/view.js";
import { dollars } from "/static/lib/money.js";
import { _, count } from "/static/lib/words.js";

const OUTLINE = "M38 8h44M41 8v14c0 7-19 13-19 34v66c0 8 6 14 14 14h48c8 0 14-6 14-14V56c0-21-19-27-19-34V8";
const INSIDE = { left: 31, right: 89, bottom: 128, top: 52 };
const APART = 7.2;

/** Where grains lie, the lowest first: the same on every load. */
const PLACES = (() => {
  const found = [];
  for (let row = 0, y = INSIDE.bottom; y >= INSIDE.top; row++, y -= APART * 0.86) {
    for (let i = 0, x = INSIDE.left + (row % 2) * APART * 0.5; x <= INSIDE.right; i++, x += APART) {
      const shift = Math.sin(row * 12.9898 + i * 78.233) * 1.3;
      found.push([x + shift, y + Math.cos(row * 39.346 + i * 11.135) * 1.1]);
    }
  }
  return found;
})();

const dots = (places) => places.map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");

/** @param {number} level from 0 to 1 @param {string} told what it shows, in words @param {number} fall of which coin: a new number lets one fall, 0: none */
export function jarPicture(level, told, fall = 0) {
  const grains = PLACES.slice(0, level > 0 ? Math.max(1, Math.round(Math.min(level, 1) * PLACES.length)) : 0);
  const [, surface] = grains.at(-1) ?? [0, INSIDE.bottom];
  return html`<svg class="jar-picture" viewBox="0 0 120 144" role="img" aria-label=${told}>
    <path class="glass" d=${OUTLINE} />
    <path class="dust" d=${dots(grains)} />
    ${fall ? keyed(fall, svg`<circle class="coin" cx="60" cy=${surface} r="6" />`) : nothing}
  </svg>`;
}

/** How far a jar is: of the jar's own setting, or a signed rule's `progress`. Whichever of its ends is nearest.
 *
 * @param {{gathered: string, payments: number, ofPayments: number | null, ofValue: string | null}} at
 * @returns {{level: number, text: string}} `text`: what is missing until it fires; empty: no payment makes it fire
 */
export function nearness({ gathered, payments, ofPayments, ofValue }, exponent) {
  const ways = [];
  if (ofValue !== null) {
    const left = BigInt(ofValue) - BigInt(gathered);
    ways.push([Number(gathered) / Number(ofValue), _("%(amount)s until a token", { amount: dollars(left > 0n ? left : 0n, exponent) })]);
  }
  if (ofPayments !== null) {
    const left = Math.max(ofPayments - payments, 0);
    ways.push([payments / ofPayments, count("%(count)s payment until a token", "%(count)s payments until a token", left)]);
  }
  const [level, text] = ways.sort(([a], [b]) => b - a)[0] ?? [Number(gathered) > 0 ? 0.5 : 0, ""];
  return { level: Math.min(level, 1), text };
}

export const ofJar = (jar) => ({ gathered: jar.gathered, payments: jar.payments, ofPayments: jar.trigger_count, ofValue: jar.trigger_value });
export const ofRule = ({ progress }) => ({ gathered: progress.gathered, payments: progress.payments, ofPayments: progress.of_payments, ofValue: progress.of_value });
