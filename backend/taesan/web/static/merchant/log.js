// A webhook's deliveries: each with its tries and what came back, and a way to send it again.

import { repeat } from "/static/lit/directives/repeat.js";
import { moment } from "/static/lib/money.js";
import { askSigned } from "/static/lib/session.js";
import { empty, every, html, nothing, once, part, say } from "/static/lib/view.js";
import { _, count } from "/static/lib/words.js";
import { pill } from "/static/merchant/invoices.js";

const SHOWN = 20;
const LOOK_MS = 2_500;
const STATES = { waiting: () => _("Waits"), delivered: () => _("Delivered"), failed: () => _("Failed") };
const TONES = { waiting: "open", delivered: "paid", failed: "failed" };

/** @returns {{open: (webhook: {id: string, url: string}) => void, close: (id: string) => void}} shows a webhook's, until it is gone */
export function deliveryLog(card) {
  const body = card.querySelector(".body");
  let shown = null;
  let stop = () => {};
  return { open, close: (id) => id === shown && show(null) };

  function show(id) {
    stop();
    shown = id;
    card.hidden = id === null;
    const place = document.createElement("div"); // of its own: what still comes for the one before is drawn nowhere
    body.replaceChildren(place);
    return place;
  }

  function open(webhook) {
    const place = show(webhook.id);
    const opened = new Map(); // delivery → its details, of those that are unfolded
    const at = `/v1/webhooks/${webhook.id}/deliveries`;
    const look = part(place, load, ({ items }) => html`
      <p class="hint address">${webhook.url}</p>
      ${items.length ? html`<ul class="list">${repeat(items, ({ id }) => id, row)}</ul>` : empty(_("Nothing was sent yet. Send a test."))}`);
    stop = every(LOOK_MS, look);
    card.querySelector("h2").focus();

    async function load() {
      const [told] = await Promise.all([askSigned("GET", `${at}?limit=${SHOWN}`), ...[...opened.keys()].map(unfold)]);
      return told;
    }

    async function unfold(id) {
      opened.set(id, await askSigned("GET", `${at}/${id}`));
    }

    async function toggle({ id }, isOpen) {
      if (!isOpen) return opened.delete(id);
      opened.set(id, null);
      await look();
    }

    function row(delivery) {
      const details = opened.get(delivery.id);
      return html`<li>
        <code>${delivery.type}</code> ${pill(TONES[delivery.state], STATES[delivery.state]())}
        <span class="whole hint">${moment(delivery.created_at)}</span>
        ${delivery.next_try_at && delivery.state === "waiting" ? html`<span class="whole hint">${_("next try %(when)s", { when: moment(delivery.next_try_at) })}</span>` : nothing}
        <details @toggle=${({ target }) => toggle(delivery, target.open)}>
          <summary>${_("Tries and content")}</summary>
          ${details ? html`<ol class="tries">${details.attempts.map(attempt)}</ol>
            ${details.attempts.length ? nothing : html`<p class="hint">${_("Not tried yet.")}</p>`}
            <pre tabindex="0">${JSON.stringify(details.body, null, 2)}</pre>
            <p class="hint"><code>${delivery.id}</code></p>` : nothing}
          <button class="quiet" @click=${once(() => redeliver(delivery))}>${_("Send again")}</button>
        </details>
      </li>`;
    }

    const attempt = (tried) => html`<li>
      <span><strong>${tried.status ?? _("No answer")}</strong> ${tried.error ?? ""}</span>
      <span class="hint">${moment(tried.at)} · ${count("%(count)s millisecond", "%(count)s milliseconds", tried.duration_ms)}</span>
      ${tried.answer ? html`<pre class="whole" tabindex="0">${tried.answer}</pre>` : nothing}
    </li>`;

    async function redeliver({ id }) {
      await askSigned("POST", `${at}/${id}/redeliver`);
      say(_("It is sent again."));
      await look();
    }
  }
}
