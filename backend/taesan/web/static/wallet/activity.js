// What happened with her money, newest first and by day, each with where it stands; payments can be proved.

import { behindSignIn } from "/static/lib/gate.js";
import { ask, facts } from "/static/lib/hub.js";
import { merged } from "/static/lib/merged.js";
import { day, dollars } from "/static/lib/money.js";
import { failed, empty, every, html, nothing, once, part } from "/static/lib/view.js";
import { shown, verify } from "/static/lib/verify.js";
import { _, language } from "/static/lib/words.js";
import { repeat } from "/static/lit/directives/repeat.js";
import { sources } from "/static/wallet/activity/sources.js";

const PAGE = 30;
const LOOK_MS = 10_000;
const ON_CHAIN = new Set(["mined", "confirmed", "posted"]);

const hour = new Intl.DateTimeFormat(language, { timeStyle: "short" });
const proofs = new Map(); // payment → what its check has found
let wanted = PAGE;

behindSignIn(_("Every payment is behind it, and the proof of each."), start);

async function start() {
  const { asset_exponent: exponent } = await facts();
  const money = (value) => dollars(value, exponent);
  const place = document.querySelector("#activity .body");

  const look = part(place, load, show);
  every(LOOK_MS, look);

  async function load() {
    const [next, batches] = await Promise.all([sources().then(merged), ask("GET", "/v1/batches?limit=50")]);
    const { entries, isMore } = await next(wanted);
    await Promise.all(entries.map(({ source, item }) => source.prepare?.(item)));
    return { entries, isMore, batches: batches.items };
  }

  function show({ entries, isMore, batches }) {
    if (!entries.length) return empty(_("Nothing yet. What you pay, give and get will stand here, with its proof."), html`<a href="/wallet?lang=${language}">${_("Open a channel")}</a>`);
    const days = Map.groupBy ? Map.groupBy(entries, ({ at }) => day(at)) : grouped(entries);
    return html`
      ${repeat([...days], ([name]) => name, ([name, rows]) => html`<h3 class="day">${name}</h3>
        <ul class="list events">${repeat(rows, key, (entry) => row(entry, batches))}</ul>`)}
      ${isMore ? html`<button class="quiet" @click=${once(async () => {
        wanted += PAGE;
        await look();
      })}>${_("Show more")}</button>` : nothing}`;
  }

  const key = ({ source, item, at }) => `${source.name} ${item.id ?? item.payment_id ?? at}`;

  function row(entry, batches) {
    const { what, more, amount, sign, batch, state, of } = entry.source.tell(entry.item, exponent);
    const isPayment = entry.source.name === "payments";
    return html`<li>
      <span class="what">${what} ${more ? html`<small>${more}</small>` : nothing}</span>
      <span class="amount" data-sign=${sign}>${sign}${money(amount)}</span>
      <span class="when"><time datetime=${entry.at}>${hour.format(new Date(entry.at))}</time> ${batch === undefined ? pill(state) : whereabouts(batch, batches)}</span>
      ${isPayment ? proofOf(entry.item) : nothing}
      ${of ? html`<div class="trace"><a href="/payments/${of}?lang=${language}">${_("The payment")}</a></div>` : nothing}
    </li>`;
  }

  const pill = ({ name, text }) => html`<span class="pill" data-state=${name}>${text}</span>`;

  /** Batches settle in their order: what is older than one that has is settled, too. */
  function whereabouts(id, batches) {
    if (id === null) return pill({ name: "waiting", text: _("waiting for a batch") });
    const settled = Math.max(0, ...batches.filter(({ state }) => ON_CHAIN.has(state)).map((batch) => batch.id));
    const text = id <= settled ? _("settled in batch %(batch)s", { batch: id }) : _("in batch %(batch)s, on its way", { batch: id });
    return html`<a class="pill" data-state=${id <= settled ? "settled" : "moving"} href="/batches/${id}?lang=${language}">${text}</a>`;
  }

  function proofOf(payment) {
    const found = proofs.get(payment.id);
    return html`<div class="trace">
      ${payment.batch_id === null ? nothing : html`<button class="link" aria-expanded=${found !== undefined} @click=${once(async () => {
        if (proofs.delete(payment.id)) return look();
        proofs.set(payment.id, await verify(payment).catch((error) => ({ error })));
        await look();
      })}>${found ? _("Close") : _("Verify")}</button>`}
      <a href="/payments/${payment.id}?lang=${language}">${_("Each step")}</a>
      ${found === undefined ? nothing : found.error ? failed(found.error) : shown(found)}
    </div>`;
  }
}

function grouped(entries) {
  const days = new Map();
  for (const entry of entries) days.set(day(entry.at), [...(days.get(day(entry.at)) ?? []), entry]);
  return days;
}
