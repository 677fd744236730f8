// The jars of the wallet: that of its own setting, and each signed rule's, with how near the next token is.

import { jarPicture, nearness, ofJar, ofRule } from "/static/lib/jar.js";
import { dollars, moment } from "/static/lib/money.js";
import { readGather } from "/static/lib/rule.js";
import { gatherSentences } from "/static/lib/rulewords.js";
import { empty, html, nothing } from "/static/lib/view.js";
import { _, language } from "/static/lib/words.js";

const one = (name, at, exponent) => {
  const { level, text } = nearness(at, exponent);
  const amount = dollars(at.gathered, exponent);
  return html`<div class="one-jar">
    ${jarPicture(level, _("The jar: %(amount)s in it. %(text)s", { amount, text }))}
    <div><h3>${name}</h3><p class="big">${amount}</p><p class="hint">${text}</p></div>
  </div>`;
};

/** @param {{jar: object, rules: object[], exponent: number} | null} found as `change.know` gives it */
export function jars(found) {
  if (!found) return empty(_("Nothing yet: your jar fills with the change of what you buy."));
  const { jar, rules, exponent } = found;
  const own = jar.gathered !== "0" || !rules.length ? [one(rules.length ? _("By the jar's own setting") : _("Change of what you buy"), ofJar(jar), exponent)] : [];
  const [last] = jar.firings;
  return html`<div class="jars">${own}${rules.map((rule) => one(gatherSentences(readGather(rule.gather)).join(" "), ofRule(rule), exponent))}</div>
    ${last ? html`<p class="hint">${_("Last: %(amount)s became gift tokens, %(when)s.", { amount: dollars(last.amount, exponent), when: moment(last.fired_at) })}</p>` : nothing}
    <p><a href="/wallet/rules?lang=${language}">${_("What gathers, and what becomes of it")}</a></p>`;
}
