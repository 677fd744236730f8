// Insights: where the small money went in a month, what stands, what is to come, and what one could do.

import { behindSignIn } from "/static/lib/gate.js";
import { facts, isPassing, pause, Refused } from "/static/lib/hub.js";
import { askSigned } from "/static/lib/session.js";
import { html, once, part, render } from "/static/lib/view.js";
import { _, language } from "/static/lib/words.js";
import { advice } from "/static/wallet/insights/advice.js";
import { budgets } from "/static/wallet/insights/budgets.js";
import { became, places, report, spent } from "/static/wallet/insights/month.js";
import { outlook } from "/static/wallet/insights/outlook.js";
import { privacy, sources } from "/static/wallet/insights/sources.js";
import { standing } from "/static/wallet/insights/standing.js";

const byId = (id) => document.getElementById(id);
const body = (id) => byId(id).querySelector(".body");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

behindSignIn(_("What you have paid is shown to you alone."), begin);

/** Nothing is gathered of who has not asked. */
async function begin() {
  const found = await askSigned("GET", "/v1/insights/me").catch((error) => {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  });
  if (found) return show(found);
  byId("begin").hidden = false;
  render(
    html`<h2>${_("See where your small money goes")}</h2>
      <p>${_("Once you ask for it, this hub keeps a list of what your wallets pay, for you alone: by merchant, by day, what stands, what grew. You can take it with you or erase it at any time.")}</p>
      <button @click=${once(async () => show(await ask()))}>${_("Show me")}</button>`,
    byId("begin"),
  );
}

const ask = () => askSigned("PUT", "/v1/insights/me", { body: { zone, language } });

// ---------------------------------------------------------------------- months

const monthNow = (inZone) => new Intl.DateTimeFormat("sv", { timeZone: inZone, year: "numeric", month: "2-digit" }).format(new Date());
const nameOf = (month) => new Intl.DateTimeFormat(language, { year: "numeric", month: "long", timeZone: "UTC" }).format(new Date(`${month}-15T00:00Z`));

function moved(month, by) {
  const [year, number] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number - 1 + by, 15)).toISOString().slice(0, 7);
}

function show(person) {
  byId("begin").hidden = true;
  for (const id of ["told-month", "of-month"]) byId(id).hidden = false;
  const newest = monthNow(person.zone);
  const go = (month) => {
    render(
      html`<button class="quiet" aria-label=${_("The month before")} @click=${() => go(moved(month, -1))}>‹</button>
        <strong aria-live="polite">${nameOf(month)}</strong>
        <button class="quiet" aria-label=${_("The month after")} ?disabled=${month >= newest} @click=${() => go(moved(month, 1))}>›</button>`,
      byId("told-month"),
    );
    showMonth(person, month, month === newest);
  };
  go(newest);
  part(body("standing"), () => askSigned("GET", "/v1/insights/recurring"), standing);
  part(body("budgets"), async () => ({ rows: (await askSigned("GET", "/v1/insights/budgets")).items, hub: await facts() }), budgets);
  part(body("advice"), () => askSigned("GET", "/v1/insights/advice"), advice);
  part(body("sources"), sources.load, sources.show);
  privacy(body("privacy"));
}

const [UNREAD_AGAIN_MS, UNREAD_MOST_MS] = [2_000, 30_000]; // twice as long each time: each look costs the hub work, which it limits
let shown = 0; // which month's reading is followed

function showMonth(person, month, isNow) {
  const mine = ++shown;
  let audit = null;
  const asked = () => (audit ??= askSigned("GET", `/v1/insights/months/${month}`));
  byId("spent-title").textContent = nameOf(month);
  render(report(month), body("report"));
  const looks = [
    part(body("spent"), asked, (found) => spent(found, body("spent"))),
    part(body("places"), asked, places),
    part(body("became"), asked, became),
    part(body("outlook"), () => outlook.load(month, isNow), outlook.show),
  ];
  const isRead = () => asked().then(({ complete }) => complete, (error) => !isPassing(error)); // what went wrong, the parts tell
  const untilRead = async () => {
    for (let waitMs = UNREAD_AGAIN_MS; !(await isRead()); waitMs = Math.min(2 * waitMs, UNREAD_MOST_MS)) {
      await pause(waitMs);
      if (mine !== shown) return;
      audit = null;
      await Promise.all(looks.map((look) => look()));
    }
  };
  untilRead();
}
