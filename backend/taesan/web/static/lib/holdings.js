// What the wallet itself holds, and whether it is enough: asked before she is asked to sign, as the hub could only refuse it after.

import { dollars } from "/static/lib/money.js";
import { _ } from "/static/lib/words.js";

/** @param {bigint} amount minor units @param {{asset: string, test_dollars: string}} held `GET /v1/holdings`
 * @returns {string | null} what is missing for a deposit, and how to get it; null: nothing */
export function missingFor(amount, held, exponent) {
  if (amount <= BigInt(held.asset)) return null;
  const text = _("You have %(amount)s in your wallet.", { amount: dollars(held.asset, exponent) });
  return held.test_dollars === "0" ? text : `${text} ${_("\"Get test dollars\" on the wallet's first page brings you more.")}`;
}
