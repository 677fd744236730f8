// Advice: what one could do, with the figures that it rests on, and the rule that it would set, to be tried before it is signed.

import { askSigned } from "/static/lib/session.js";
import { empty, html, nothing, once, say } from "/static/lib/view.js";
import { _, language } from "/static/lib/words.js";

export const advice = ({ items }, again) =>
  items.length
    ? html`<ul class="advice">${items.map((one) => piece(one, again))}</ul>`
    : empty(_("Nothing to say yet. Advice comes when there is a month of payments to look at."));

const piece = (one, again) => html`<li>
  <p>${one.phrased ?? one.title}</p>
  ${one.phrased ? html`<p class="hint">${one.title}</p>` : nothing}
  ${one.rule ? html`<p class="hint"><code>${one.rule.gather}</code> · <code>${one.rule.fires}</code>${one.rule.only ? html` · <code>${one.rule.only}</code>` : nothing}</p>` : nothing}
  <div class="ways">
    ${one.dry_run ? html`<button class="quiet" @click=${once(() => rehearse(one))}>${_("Try it on my purchases")}</button>
      <a href=${`/wallet/rules?${new URLSearchParams({ lang: language, gather: one.rule.gather, fires: one.rule.fires, only: one.rule.only })}#editor`}>${_("Make it a rule")}</a>` : nothing}
    <button class="link" @click=${once(async () => { await askSigned("POST", `/v1/insights/advice/${one.id}/dismiss`); await again(); })}>${_("Not for me")}</button>
  </div>
</li>`;

async function rehearse({ dry_run: path, rule }) {
  const { text } = await askSigned("POST", path, { body: rule });
  say(text);
}
