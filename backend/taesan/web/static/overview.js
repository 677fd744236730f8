// Keeps the overview in step with the hub. The server has drawn every figure already; this follows `GET /v1/overview`.

import { dollars } from "./lib/money.js";
import { VIEW, grainFor, heap, placeOf, scaleFor, skyline, specksFor } from "./mountain.js";

const POLL_MS = 2000;
const LONGEST_WAIT_MS = 15000;
const TIMEOUT_MS = 8000;
const SPOKEN_EVERY_MS = 30000;
const MOST_FALLING = 40;

const language = document.documentElement.lang || "en";
const stillness = matchMedia("(prefers-reduced-motion: reduce)");
const find = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const parsed = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");
const texts = parsed("texts") ?? {};
const states = parsed("states") ?? {};

/** A text with `{names}` filled in. */
const say = (text, values = {}) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const at = (path, from) => path.split(".").reduce((value, key) => value?.[key], from);

// ------------------------------------------------------------------ figures

const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
let exponent = 6;

const money = (minor) => dollars(minor, exponent);

const kinds = {
  money: (value) => (value === "" ? "–" : money(BigInt(value))),
  count: (value) => (value === "" ? "–" : whole.format(BigInt(value))),
};

/** Lets a figure run to its new value, unless the reader wants it still. */
function setFigure(element, value) {
  const next = value == null ? "" : String(value);
  const before = element.dataset.value;
  if (next === before) return;
  element.dataset.value = next;
  const show = (text) => {
    element.textContent = text;
    if ("length" in element.dataset) element.dataset.length = text.length;
  };
  const tell = kinds[element.dataset.kind];
  if (!before || !next || stillness.matches || document.hidden) return show(tell(next));
  const [from, to] = [BigInt(before), BigInt(next)];
  const started = performance.now();
  element.dataset.changed = "";
  const frame = (now) => {
    if (element.dataset.value !== next) return; // a newer figure has taken over
    const part = Math.min(1, (now - started) / 700);
    const eased = BigInt(Math.round((1 - (1 - part) ** 3) * 1000));
    show(tell((from + ((to - from) * eased) / 1000n).toString()));
    if (part < 1) requestAnimationFrame(frame);
    else delete element.dataset.changed;
  };
  requestAnimationFrame(frame);
}

/** `part` of `most` in thousandths. */
const thousandths = (part, most) => Number(most > 0n ? (BigInt(part ?? 0) * 1000n) / most : 0n);

function drawShares(overview) {
  const accepted = BigInt(overview.money.accepted);
  for (const bar of all("[data-share]")) {
    bar.setAttribute("width", Math.min(1000, thousandths(at(bar.dataset.share, overview), accepted)));
  }
  for (const group of all("[data-bars]")) {
    const bars = all("[data-bar]", group);
    const values = bars.map((bar) => BigInt(at(bar.dataset.bar, overview) ?? 0));
    const most = values.reduce((a, b) => (a > b ? a : b));
    bars.forEach((bar, i) => bar.setAttribute("width", thousandths(values[i], most)));
  }
}

function drawSeals({ trust, gas }) {
  const known = gas.per_payment != null && gas.erc20_transfer != null;
  const answers = {
    books_equal_chain: trust.books_equal_chain,
    books_balance: trust.books_balance,
    covered: trust.checked_block == null ? null : BigInt(trust.reserve) >= BigInt(trust.liabilities),
    gas: known ? gas.per_payment < gas.erc20_transfer : null,
  };
  for (const [name, answer] of Object.entries(answers)) {
    const state = answer == null ? "unknown" : answer ? "yes" : "no";
    find(`[data-seal="${name}"]`).dataset.state = state;
    find(`[data-words="${name}"]`).textContent = texts[name][state];
  }
}

// --------------------------------------------------------------------- time

const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const absolute = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
const clockTime = new Intl.DateTimeFormat(language, { timeStyle: "medium" });

function ago(then) {
  const seconds = Math.min(0, Math.round((then - Date.now()) / 1000)); // clocks differ; nothing here is to come
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (-seconds >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return relative.format(seconds, "second");
}

function tellTimes() {
  for (const element of all("time[datetime]")) {
    const then = new Date(element.dateTime);
    if (Number.isNaN(then.valueOf())) continue;
    const text = ago(then);
    if (element.textContent !== text) element.textContent = text;
    element.title = absolute.format(then);
  }
}

function setTime(element, value) {
  if (value) element.dateTime = value;
  else {
    element.removeAttribute("datetime");
    element.textContent = "–";
  }
}

// --------------------------------------------------------------------- rows

/** Makes the list's children match the items, keeping those that stay, so that focus and selection stay too. */
function syncRows(list, template, items, fill) {
  const known = new Map(all("[data-id]", list).map((row) => [row.dataset.id, row]));
  let before = null;
  for (const item of items) {
    const id = String(item.id);
    const row = known.get(id) ?? template.content.firstElementChild.cloneNode(true);
    known.delete(id);
    row.dataset.id = id;
    fill(row, item);
    const place = before ? before.nextElementSibling : list.firstElementChild;
    if (place !== row) list.insertBefore(row, place);
    before = row;
  }
  for (const gone of known.values()) gone.remove();
}

const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

function fillBatch(row, batch) {
  const field = (name) => find(`[data-field="${name}"]`, row);
  const link = field("id");
  link.href = `/batches/${batch.id}?lang=${language}`;
  setText(link.lastElementChild, String(batch.id));
  const pill = find(".pill", row);
  pill.dataset.state = batch.state;
  setText(pill, states[batch.state] ?? batch.state);
  setText(field("payments"), whole.format(batch.payments));
  setText(field("payers"), whole.format(batch.payers));
  setText(field("claimed"), money(BigInt(batch.claimed)));
  setText(field("gas_per_payment"), batch.gas_per_payment == null ? "–" : whole.format(batch.gas_per_payment));
  const hash = batch.transaction;
  setText(find("code", row), hash ? `${hash.slice(0, 8)}…${hash.slice(-6)}` : "–");
  setTime(find("time", row), batch.posted_at ?? batch.frozen_at);
}

function fillPayment(row, payment) {
  const field = (name) => find(`[data-field="${name}"]`, row);
  setText(field("amount"), money(BigInt(payment.amount)));
  field("amount").href = `/payments/${payment.id}?lang=${language}`;
  setText(field("destination"), { jar: texts.to_jar, gateway: texts.to_wallet, person: texts.to_person }[payment.destination] ?? payment.merchant ?? texts.to_merchant);
  setTime(find("time", row), payment.accepted_at);
  const waiting = payment.batch_id == null;
  row.toggleAttribute("data-waiting", waiting);
  field("waiting").hidden = !waiting;
  field("check").hidden = waiting;
  field("check").href = `?lang=${language}&check=${payment.id}#check`;
  setText(field("id"), ` ${payment.id}`);
}

// ----------------------------------------------------------------- mountain

const SVG = "http://www.w3.org/2000/svg";
const mountain = document.getElementById("mountain");
let drawn = null; // the specks that the mountain shows, with its scale

const size = ({ settled, moving, waiting }) => settled + moving + waiting;

function drawHeap(specks, shown) {
  const group = find("[data-specks]", mountain);
  const paths = heap(specks, specks.capacity, shown);
  mountain.style.setProperty("--grain", grainFor(specks.capacity).toFixed(3));
  for (const path of all("path", group)) if (!(path.dataset.name in paths)) path.remove();
  for (const [name, d] of Object.entries(paths)) {
    let path = find(`[data-name="${name}"]`, group);
    if (!path) {
      path = document.createElementNS(SVG, "path");
      path.dataset.name = name;
      [path.dataset.kind, path.dataset.grain] = name.split("-");
      group.append(path);
    }
    path.setAttribute("d", d);
  }
}

function letFall(from, to, capacity, done) {
  const group = find("[data-falling]", mountain);
  const count = Math.min(to - from, MOST_FALLING);
  let landed = 0;
  for (let i = 0; i < count; i++) {
    const { x, y } = placeOf(from + i, capacity);
    const speck = document.createElementNS(SVG, "circle");
    speck.setAttribute("cx", x);
    speck.setAttribute("cy", y);
    speck.setAttribute("r", (3.5 * grainFor(capacity)).toFixed(2));
    group.append(speck);
    const drift = ((i * 37) % 60) - 30;
    const fall = speck.animate(
      [{ transform: `translate(${drift}px, ${-y - 60}px)`, opacity: 0 }, { opacity: 1, offset: 0.25 }, { transform: "none", opacity: 1 }],
      { duration: 1100, delay: (i * 900) / count, easing: "cubic-bezier(0.5, 0, 0.8, 0.6)", fill: "backwards" },
    );
    fall.onfinish = fall.oncancel = () => {
      speck.remove();
      if (++landed === count) done();
    };
  }
}

function drawMountain({ counts }) {
  const { unit, capacity } = scaleFor(counts.payments);
  const specks = {
    settled: specksFor(counts.payments_settled, unit),
    moving: specksFor(counts.payments_moving, unit),
    waiting: specksFor(counts.payments_waiting, unit),
    unit,
    capacity,
  };
  const before = drawn;
  if (before && Object.entries(specks).every(([name, value]) => before[name] === value)) return;
  drawn = specks;
  if (counts.payments > 0) {
    find("title", mountain).textContent = say(texts.mountain, {
      payments: whole.format(counts.payments),
      settled: whole.format(counts.payments_settled),
      waiting: whole.format(counts.payments - counts.payments_settled),
    });
  }
  document.getElementById("scale").textContent = say(unit === 1 ? texts.scale_one : texts.scale_many, {
    payments: whole.format(unit),
    full: whole.format(unit * capacity),
  });

  if (stillness.matches || document.hidden) drawHeap(specks);
  else if (!before) rise(specks);
  else if (before.unit === unit && before.capacity === capacity && size(specks) > size(before)) {
    // The new specks fall on the old heap; only then does the heap have them.
    drawHeap(specks, size(before));
    letFall(size(before), size(specks), capacity, () => drawHeap(drawn));
  } else drawHeap(specks);
}

/** On arrival the heap is poured once. */
function rise(specks) {
  const started = performance.now();
  const frame = (now) => {
    if (drawn !== specks) return;
    const part = Math.min(1, (now - started) / 1400);
    drawHeap(specks, Math.round(size(specks) * (1 - (1 - part) ** 2.5)));
    if (part < 1) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

// --------------------------------------------------------------------- page

let spokenAt = performance.now();

function speak(overview, before) {
  if (!before || before.counts.payments === overview.counts.payments) return;
  if (performance.now() - spokenAt < SPOKEN_EVERY_MS) return;
  spokenAt = performance.now();
  document.getElementById("spoken").textContent = say(texts.spoken, {
    payments: whole.format(overview.counts.payments),
    amount: money(BigInt(overview.money.accepted)),
  });
}

function showState(state, chain) {
  const status = document.getElementById("status");
  status.dataset.state = state;
  const place = chain.node === "up" && chain.head_block > chain.indexed_block + 12 ? "behind" : "block";
  const words = say(texts[place], {
    block: whole.format(chain.indexed_block ?? 0),
    behind: whole.format(chain.head_block - chain.indexed_block),
  });
  const text = state === "live" ? texts.live : texts.retrying;
  setText(find("[data-status]", status), text);
  setText(find("[data-block]", document), words);
}

function show(overview, before) {
  exponent = overview.asset.exponent;
  const { counts } = overview;
  counts.payments_moving = Math.max(0, counts.payments - counts.payments_settled - counts.payments_waiting);
  for (const element of all("[data-figure]")) setFigure(element, at(element.dataset.figure, overview));
  for (const noun of all("[data-noun]")) setText(noun, at(noun.dataset.noun, overview) === 1 ? noun.dataset.one : noun.dataset.many);
  drawShares(overview);
  drawSeals(overview);
  syncRows(document.getElementById("batch-rows"), document.getElementById("batch-row"), overview.batches, fillBatch);
  syncRows(document.getElementById("payment-rows"), document.getElementById("payment-row"), overview.recent_payments, fillPayment);
  document.getElementById("batch-table").hidden = !overview.batches.length;
  document.getElementById("no-batches").hidden = overview.batches.length > 0;
  document.getElementById("no-payments").hidden = overview.recent_payments.length > 0;
  const empty = counts.payments === 0;
  document.getElementById("main").dataset.empty = String(empty);
  for (const part of all("[data-when-empty]")) part.hidden = !empty;
  for (const part of all("[data-when-full]")) part.hidden = empty;
  document.getElementById("node-down").hidden = overview.chain.node === "up";
  drawMountain(overview);
  showState("live", overview.chain);
  document.getElementById("unreachable").hidden = true;
  tellTimes();
  speak(overview, before);
}

async function getJson(path) {
  const answer = await fetch(path, {
    headers: { accept: "application/json", "accept-language": language },
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return { answer, body: await answer.json() };
}

function follow(overview) {
  let wait = POLL_MS;
  let timer = 0;
  let asking = false;
  let freshAt = new Date();

  async function poll() {
    clearTimeout(timer);
    if (asking || document.hidden) return;
    asking = true;
    try {
      const { answer, body } = await getJson("/v1/overview");
      if (!answer.ok) throw new Error(String(answer.status));
      const before = overview;
      overview = body;
      freshAt = new Date();
      wait = POLL_MS;
      show(overview, before);
    } catch {
      wait = Math.min(LONGEST_WAIT_MS, wait * 1.6);
      const notice = document.getElementById("unreachable");
      setText(notice, say(texts.unreachable, { time: clockTime.format(freshAt) }));
      notice.hidden = false;
      showState("retrying", overview.chain);
      tellTimes();
    } finally {
      asking = false;
      if (!document.hidden) timer = setTimeout(poll, wait);
    }
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) poll();
  });
  addEventListener("online", poll);
  show(overview, null);
  timer = setTimeout(poll, POLL_MS);
}

// -------------------------------------------------------------------- proof

let checks = 0; // what a later check has overtaken is not shown

/** As the wallet and the payment's page check it: against the payment, and against the chain. Its scripts come when somebody asks. */
async function check(id) {
  const mine = ++checks;
  const place = document.getElementById("checked");
  const { ask } = await import("/static/lib/hub.js");
  const { failed, html, render } = await import("/static/lib/view.js");
  const { shown, verify } = await import("/static/lib/verify.js");
  const draw = (what) => mine === checks && render(what, place);
  document.getElementById("picture").hidden = true;
  draw(html`<p role="status">${texts.checking}</p>`);
  try {
    const payment = await ask("GET", `/v1/payments/${encodeURIComponent(id)}`);
    const found = await verify({ ...payment, id }); // another's proves nothing
    draw(html`${shown(found)}<p><a href=${`/payments/${encodeURIComponent(id)}?lang=${language}`}>${texts.each_step}</a></p>`);
  } catch (error) {
    draw(failed(error));
  }
}

function offerChecks() {
  const form = document.getElementById("check-form");
  const input = document.getElementById("payment-id");
  const start = (id) => {
    input.value = id;
    const here = new URL(location.href);
    here.searchParams.set("check", id);
    here.hash = "check";
    history.replaceState(null, "", here);
    return check(id);
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = find("button", form);
    button.disabled = true;
    await start(input.value.trim()).finally(() => (button.disabled = false));
  });
  document.getElementById("payment-rows").addEventListener("click", (event) => {
    const link = event.target.closest("a.check");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    start(link.closest("li").dataset.id);
    document.getElementById("check").scrollIntoView({ behavior: stillness.matches ? "auto" : "smooth", block: "nearest" });
  });
  const asked = new URL(location.href).searchParams.get("check");
  if (asked) start(asked);
}

// -------------------------------------------------------------- a batch's page

/** Until the batch is settled its page is fetched again and put in place of the old one. */
function keepFresh() {
  setInterval(async () => {
    const main = document.getElementById("main");
    if (document.hidden || main.dataset.refresh !== "true") return;
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
      if (fresh && !main.contains(document.activeElement)) main.replaceWith(fresh);
      tellTimes();
    } catch {
      // the figures that stand there are still true
    }
  }, 2 * POLL_MS);
}

const first = parsed("first");
if (first) {
  find(".skyline", mountain).setAttribute("d", skyline());
  mountain.setAttribute("viewBox", `0 0 ${VIEW.width} ${VIEW.height}`);
  follow(first);
  offerChecks();
} else {
  tellTimes();
  keepFresh();
}
