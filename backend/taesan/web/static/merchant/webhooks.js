// Webhooks: where the merchant's systems are told of what, and whether they are well.

import { repeat } from "/static/lit/directives/repeat.js";
import { moment } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { empty, html, nothing, once, part, say, sure } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { pill } from "/static/merchant/invoices.js";
import { choose, OVERLAPS } from "/static/merchant/keys.js";
import { showSecret } from "/static/merchant/secret.js";

export const EVENTS = {
  "payment.received": () => _("Payments come in (gathered)"),
  "payment.settled": () => _("Payments are settled"),
  "payout.paid": () => _("A payout has arrived"),
  "payout.failed": () => _("A payout has failed"),
  "redemption.confirmed": () => _("Gift tokens were taken"),
  "redemption.failed": () => _("Gift tokens did not arrive"),
  "invoice.paid": () => _("An invoice is paid"),
  "invoice.expired": () => _("An invoice has expired"),
  "refund.accepted": () => _("A refund is accepted"),
  "campaign.ended": () => _("A campaign has ended"),
  "member.tier_changed": () => _("A member's tier changes"),
  "member.tier_at_risk": () => _("A member is about to lose a tier"),
  "points.expiring": () => _("Points lapse soon"),
  "points.expired": () => _("Points have lapsed"),
  "reminder.due": () => _("Cashback waits for a customer"),
};
const USUAL = new Set(["payment.settled", "payout.paid", "payout.failed", "invoice.paid", "refund.accepted"]);

/** @param {{open: (webhook: object) => void, close: (id: string) => void}} log shows a webhook's deliveries @returns {() => Promise<void>} looks again */
export function webhooks(card, { open, close }) {
  const look = part(card.querySelector(".body"), () => askSigned("GET", "/v1/webhooks"), (rows) => html`
    ${rows.length ? html`<ul class="list">${repeat(rows, ({ id }) => id, row)}</ul>` : empty(_("None yet. A webhook tells your server what happens, signed, and tries again for three days."))}
    <details class="more"><summary>${_("Add a webhook")}</summary>
      <form @submit=${once(make)}>
        <p class="field"><label for="hook-url">${_("Your server's address")}</label><input id="hook-url" name="url" type="url" maxlength="500" required placeholder="https://shop.example/taesan" autocomplete="off" /></p>
        <fieldset class="scopes"><legend>${_("Tell it when")}</legend>
          ${Object.entries(EVENTS).map(([type, name]) => html`<label class="check"><input type="checkbox" name="type" value=${type} ?checked=${USUAL.has(type)} /> <span>${name()} <code>${type}</code></span></label>`)}
        </fieldset>
        <p class="field"><button>${_("Add it")}</button></p>
      </form></details>`);
  const show = (made) => {
    showSecret(card.querySelector(".once"), _("The secret of %(url)s", { url: made.url }), made.secret);
    return look();
  };
  return look;

  async function make(_event, form) {
    const typed = new FormData(form);
    const types = typed.getAll("type");
    if (!types.length) return say(_("Choose what it is told."), "alert");
    const made = await askSigned("POST", "/v1/webhooks", { body: { url: typed.get("url").trim(), event_types: types } });
    form.reset();
    form.closest("details").open = false;
    await show(made);
    open(made);
  }

  function health(webhook) {
    if (!webhook.enabled) return pill("expired", _("Off"));
    return webhook.failing_since ? pill("failed", _("Fails")) : pill("paid", _("Well"));
  }

  function row(webhook) {
    return html`<li>
      <span class="address">${webhook.url}</span> ${health(webhook)}
      <span class="whole hint">${webhook.event_types.map((type) => EVENTS[type]?.() ?? type).join(", ")}</span>
      ${webhook.failing_since ? html`<span class="whole hint">${_("Nothing was delivered since %(when)s.", { when: moment(webhook.failing_since) })}</span>` : nothing}
      ${webhook.disabled_reason ? html`<span class="whole hint">${webhook.disabled_reason}</span>` : nothing}
      <span class="whole ways">
        <button class="link" @click=${() => open(webhook)}>${_("Deliveries")}</button>
        ${webhook.enabled ? html`<button class="link" @click=${once(() => test(webhook))}>${_("Send a test")}</button>` : nothing}
        <button class="link" @click=${once(() => turn(webhook))}>${webhook.enabled ? _("Turn off") : _("Turn on")}</button>
        <button class="link" @click=${once(() => rotate(webhook))}>${_("New secret")}</button>
        <button class="link" @click=${once(() => remove(webhook))}>${_("Delete")}</button>
      </span>
    </li>`;
  }

  async function test(webhook) {
    await askSigned("POST", `/v1/webhooks/${webhook.id}/test`);
    say(_("A test is on its way."));
    open(webhook);
  }

  async function turn(webhook) {
    await askSigned("PATCH", `/v1/webhooks/${webhook.id}`, { body: { enabled: !webhook.enabled } });
    await look();
  }

  async function rotate(webhook) {
    const overlap = await choose(_("A new secret signs what is sent from now on."), _("The old one"), OVERLAPS, _("New secret"));
    if (overlap !== null) await show(await askSigned("POST", `/v1/webhooks/${webhook.id}/rotate`, { body: { overlap_s: Number(overlap) } }));
  }

  async function remove(webhook) {
    if (!(await sure(_("Delete this webhook? Nothing more is sent, not even what waits."), _("Delete")))) return;
    await askSigned("DELETE", `/v1/webhooks/${webhook.id}`);
    close(webhook.id);
    await look();
  }
}
