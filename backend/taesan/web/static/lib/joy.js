// The moment when a jar fires: its grains fall, and are a mountain. Also for who comes back after it.

import { svg } from "/static/lit/lit-html.js";
import { count, _ } from "/static/lib/words.js";
import { dollars } from "/static/lib/money.js";
import { html, render } from "/static/lib/view.js";
import { heap, VIEW } from "/static/mountain.js";

const GRAINS = 200;
const POUR_MS = 1_800;
const SETTLE_MS = 900;
let open = { channelId: null, firings: [] }; // what the card on the page tells of
const place = (channelId) => `taesan.joy.${channelId}`;

/** Firings that nobody has been told of in this browser, the newest first. */
export function untold(channelId, firings) {
  const last = localStorage.getItem(place(channelId)) ?? "";
  return firings.filter(({ fired_at: at }) => at > last);
}

/** Tells of them once, at the head of the page; a card that is still there then tells of all together. @param {object[]} firings as `GET /v1/channels/{id}/jar` has them */
export function rejoice(channelId, firings, exponent) {
  const fresh = untold(channelId, firings);
  if (!fresh.length) return;
  localStorage.setItem(place(channelId), firings[0].fired_at);
  const shown = document.querySelector(".joy");
  shown?.remove();
  const told = shown && open.channelId === channelId ? [...fresh, ...open.firings] : fresh;
  open = { channelId, firings: told };
  const card = Object.assign(document.createElement("section"), { className: "card joy wide" });
  card.setAttribute("role", "status");
  document.getElementById("signed").prepend(card);
  const amount = told.reduce((sum, firing) => sum + BigInt(firing.amount), 0n);
  const payments = told.reduce((sum, firing) => sum + firing.payments, 0);
  render(
    html`<svg class="specks" viewBox="0 0 ${VIEW.width} ${VIEW.height}" aria-hidden="true"></svg>
      <div>
        <h2>${count("Your dust became a gift token", "Your dust became gift tokens, %(count)s times", told.length)}</h2>
        <p class="big">${dollars(amount, exponent)}</p>
        <p>${count("Out of %(count)s payment, grain by grain. It reaches your wallet with the next batch.", "Out of %(count)s payments, grain by grain. It reaches your wallet with the next batch.", payments)}</p>
        <button class="quiet" @click=${() => card.remove()}>${_("How nice")}</button>
      </div>`,
    card,
  );
  grow(card.querySelector("svg"));
}

function grow(picture) {
  const draw = (poured, settled) => {
    const specks = { settled: Math.round(GRAINS * 0.82 * settled), moving: 0, waiting: 0 };
    specks.waiting = GRAINS - specks.settled;
    const paths = Object.entries(heap(specks, GRAINS, Math.round(GRAINS * poured)));
    render(paths.map(([name, d]) => svg`<path data-kind=${name.split("-")[0]} data-grain=${name.split("-")[1]} d=${d} />`), picture);
  };
  picture.style.setProperty("--grain", "2.6");
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return draw(1, 1);
  const began = performance.now();
  const step = (now) => {
    const gone = Math.max(now - began, 0);
    draw(Math.min(gone / POUR_MS, 1), Math.min(Math.max((gone - POUR_MS) / SETTLE_MS, 0), 1));
    if (gone < POUR_MS + SETTLE_MS && picture.isConnected) requestAnimationFrame(step);
  };
  step(began);
}
