// Why a jar fired or not, and why its tokens were not converted, to its owner: in money and days of hers. What has no words here is told as the hub tells it.

import { dollars } from "/static/lib/money.js";
import { _, count, language } from "/static/lib/words.js";

const days = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeZone: "UTC" }); // the day is the rule's own, whatever zone we are in

/** @param {{code: string, title: string, values: object}} reason as the API tells it @param {number} exponent the asset's */
export function because({ code, title, values }, exponent) {
  const money = (value) => dollars(value, exponent);
  const cut = () => ({ taken: money(values.taken), amount: money(values.amount) });
  const told = {
    payments: () => count("%(count)s payment has come together.", "%(count)s payments have come together.", Number(values.count)),
    value: () => _("%(amount)s have come together.", { amount: money(values.value) }),
    date: () => _("Its day has come: %(day)s.", { day: days.format(new Date(values.day)) }),
    request: () => _("You have said so."),
    paused: () => _("You have paused it."),
    resumed: () => _("You have resumed it."),
    cancelled: () => _("You have ended it."),
    "payment-cap": () => _("%(taken)s of %(amount)s: one payment may be no more.", cut()),
    "rule-cap": () => _("%(taken)s of %(amount)s: its bounds leave no more.", cut()),
    "price-moved": () => _("The price has moved: it would have brought less than you accept."), // in another token's units
    "price-not-paid": () => _("The collectible costs %(price)s, here are %(amount)s.", { price: money(values.price), amount: money(values.amount) }),
    "too-little": () => _("It is less than %(least)s, for which the hub pays no gas: let the rule gather more before it fires.", { least: money(values.least) }),
  }[code];
  return told ? told() : title;
}
