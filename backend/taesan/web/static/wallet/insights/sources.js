// Several wallets and banks' statements in one view; and everything to be taken along, or erased.

import { askSigned, save, session, signedMessage } from "/static/lib/session.js";
import { day, moment, short } from "/static/lib/money.js";
import { html, nothing, once, render, say, sure } from "/static/lib/view.js";
import { walletOf } from "/static/lib/wallets.js";
import { _, count } from "/static/lib/words.js";
import { Refused } from "/static/lib/hub.js";
import { named, told } from "/static/wallet/insights/amounts.js";

async function load() {
  const [person, { items: imports }, { items: duplicates }] = await Promise.all([
    askSigned("GET", "/v1/insights/me"),
    askSigned("GET", "/v1/insights/imports?limit=20"),
    askSigned("GET", "/v1/insights/duplicates?limit=20"),
  ]);
  return { person, imports, duplicates: duplicates.filter((one) => one.verdict === "suspected") };
}

const show = ({ person, imports, duplicates }, again) => html`
  <h3>${_("Wallets")}</h3>
  <ul class="list">${person.wallets.map((one) => html`<li><code title=${one.wallet}>${short(one.wallet)}</code>
    ${person.wallets.length > 1 ? html`<button class="link" @click=${once(async () => { await askSigned("DELETE", `/v1/insights/me/wallets/${one.wallet}`); await again(); })}>${_("Unlink")}</button>` : nothing}</li>`)}</ul>
  <button class="quiet" @click=${once(() => link(person, again))}>${_("Link another wallet")}</button>
  <h3>${_("Statements of banks and cards")}</h3>
  <label class="file">${_("A file as your bank gives it (OFX or CSV)")}<input type="file" accept=".csv,.ofx,.qfx,text/csv" @change=${(event) => choose(event.target, again)} /></label>
  <div id="preview" class="preview"></div>
  <ul class="list">${imports.map((one) => html`<li><span>${one.name || named(one.account)} <span class="hint">${count("%(count)s line", "%(count)s lines", one.lines)} · ${moment(one.imported_at)}</span></span>
    <button class="link" @click=${once(async () => { await askSigned("DELETE", `/v1/insights/imports/${one.id}`); await again(); })}>${_("Remove")}</button></li>`)}</ul>
  ${duplicates.length ? html`<h3>${_("The same payment twice?")}</h3><ul class="list">${duplicates.map((one) => pair(one, again))}</ul>` : nothing}`;

export const sources = { load, show };

/** The other account of the same wallet, or of another one, signs that it is hers too. */
async function link(person, again) {
  const wallet = await walletOf(session().rdns);
  const signed = await signedMessage(wallet);
  const told = signed.message.split("\n")[1];
  if (person.wallets.some(({ wallet: known }) => known === told)) throw new Error(_("This wallet is linked already. Choose another account in your wallet, then try again."));
  await askSigned("POST", "/v1/insights/me/wallets", { body: signed });
  say(_("Linked. What it has paid is being read."));
  await again();
}

const pair = ({ movement, original }, again) => html`<li>
  <span>${movement.day} · ${named(movement.name)}${original ? html`<span class="hint"> = ${original.day} · ${named(original.name)}</span>` : nothing}</span><span class="amount">${told(movement.amount, movement)}</span>
  <div class="ways">
    <button class="quiet" @click=${verdict(movement, "confirm", again)}>${_("The same")}</button>
    <button class="quiet" @click=${verdict(movement, "dismiss", again)}>${_("Two payments")}</button>
  </div>
</li>`;

const verdict = (movement, said, again) =>
  once(async () => {
    await askSigned("POST", `/v1/insights/duplicates/${movement.id}/${said}`);
    await again();
  });

// ------------------------------------------------------------------ statements

async function choose(input, again) {
  const [file] = input.files;
  const place = document.getElementById("preview");
  if (!file) return;
  try {
    render(preview(await askSigned("POST", "/v1/insights/imports/preview", { file }), file, place, again), place);
  } catch (error) {
    render(fault(error), place);
  }
}

const fault = (error) => html`<div class="failed" role="alert"><p>${error.message} ${error instanceof Refused ? (error.problem.detail ?? "") : ""}</p>
  ${(error.problem?.faults ?? []).map((one) => html`<p>${_("Line %(line)s: %(reason)s", one)}</p>`)}</div>`;

const preview = (found, file, place, again) => html`
  <p>${count("%(count)s line would be new.", "%(count)s lines would be new.", found.added)} ${found.duplicates ? count("%(count)s seems to be known from elsewhere and would count once.", "%(count)s seem to be known from elsewhere and would count once.", found.duplicates) : ""}</p>
  <table><tbody>${found.first_lines.slice(0, 5).map((one) => html`<tr><th scope="row">${day(`${one.day}T12:00Z`)}</th><td>${named(one.name)}</td><td class="number">${told(one.amount, one)}</td></tr>`)}</tbody></table>
  ${found.faults.map((one) => html`<p class="failed" role="alert">${_("Line %(line)s: %(reason)s", { line: one.line, reason: one.title ?? one.reason })}</p>`)}
  ${found.confirmed ? nothing : mapping(found)}
  ${found.faults.length ? nothing : html`<div class="ways"><button @click=${once(() => take(found, file, place, again))}>${found.confirmed ? _("Import") : _("These are right: import")}</button></div>`}`;

const NAMES = { date: () => _("Date"), amount: () => _("Amount"), debit: () => _("Spent"), credit: () => _("Came in"), names: () => _("Who was paid"), category: () => _("Category"), currency: () => _("Currency") };

/** What the columns are taken for: the person looks whether the lines above are right. */
const mapping = ({ mapping: guessed }) =>
  guessed
    ? html`<dl class="mapping sums">${Object.entries(NAMES).filter(([key]) => guessed[key]?.length).map(([key, name]) => html`<div><dt>${name()}</dt><dd>${[guessed[key]].flat().join(", ")}</dd></div>`)}</dl>`
    : html`<p class="failed">${_("Its columns could not be told. Set them by the API: docs/insights.md says how.")}</p>`;

async function take(found, file, place, again) {
  if (!found.confirmed) await askSigned("PUT", `/v1/insights/statement-mappings/${found.fingerprint}`, { body: found.mapping });
  const done = await askSigned("POST", `/v1/insights/imports?${new URLSearchParams({ name: file.name.slice(0, 80) })}`, { file });
  render(nothing, place);
  say(count("%(count)s line was imported.", "%(count)s lines were imported.", done.added));
  await again();
}

// --------------------------------------------------------------------- privacy

export function privacy(place) {
  render(
    html`<p class="hint">${_("Nothing of this leaves the hub unless you send it. What stays in the books after erasing are the payments themselves, by your wallet's address.")}</p>
      <div class="ways">
        <button class="quiet" @click=${once(() => save("/v1/insights/me/export", "taesan-me.jsonl"))}>${_("Take it with me")}</button>
        <button class="danger" @click=${once(async () => {
          if (!(await sure(_("All that insights keep of you is erased: lists, budgets, statements, what you have said. This cannot be undone."), _("Erase it")))) return;
          await askSigned("DELETE", "/v1/insights/me");
          location.reload();
        })}>${_("Erase it")}</button>
      </div>`,
    place,
  );
}
