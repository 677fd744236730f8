// What pages are drawn with: lit's templates, and the states that each part of a page can be in.

import { html, nothing, render, svg } from "/static/lit/lit-html.js";
import { Refused, Unanswered } from "/static/lib/hub.js";
import { session, SignedOut } from "/static/lib/session.js";
import { isDeclined } from "/static/lib/wallets.js";
import { _ } from "/static/lib/words.js";

export { html, nothing, render, svg };

/** What has gone wrong, in a sentence that says what to do next. */
export function sentence(error) {
  if (isDeclined(error)) return _("You declined in your wallet. Nothing was done.");
  if (error instanceof SignedOut) return _("Your sign-in has ended. Sign in again; nothing is lost.");
  if (error instanceof Unanswered) return error.message || _("The hub does not answer. Nothing is lost; try again in a moment.");
  if (error instanceof Refused) return [error.message, error.problem.detail].filter(Boolean).join(" ");
  return error?.message ?? String(error);
}

export const loading = () => html`<div class="skeleton" role="status"><span class="unseen">${_("Loading…")}</span></div>`;

/** @param {string} title what is not here yet @param {unknown} next what to do about it */
export const empty = (title, next = nothing) => html`<div class="empty"><p>${title}</p>${next}</div>`;

export const failed = (error, again) => html`<div class="failed" role="alert">
  <p>${sentence(error)}</p>
  ${again ? html`<button class="quiet" @click=${again}>${_("Try again")}</button>` : nothing}
</div>`;

/** What one of the browser's wallets can do. @param {{info: object}} wallet as EIP-6963 tells it */
export const walletButton = ({ info }, text, pressed) => html`<button type="button" @click=${pressed}><img src=${info.icon} alt="" width="24" height="24" /> ${text} <small>${info.name}</small></button>`;

const parts = new WeakMap(); // place → ends the part that is drawn there

/** A part of a page that is loaded: first a skeleton, then what `load` gives through `show`, or the error with a way to try again.
 * What was shown stays when a later look fails, with a word about it until one does not. An answer that is older than what is shown is
 * dropped, and so is what another part of the same place has still to say.
 *
 * @returns {() => Promise<void>} looks again
 */
export function part(place, load, show) {
  let shown = null;
  let [looks, newest] = [0, 0];
  let complaint = null;
  parts.get(place)?.abort();
  const ending = new AbortController();
  parts.set(place, ending);
  const isLate = (mine) => ending.signal.aborted || mine < newest;
  async function look() {
    if (ending.signal.aborted) return;
    const mine = ++looks;
    if (!shown) render(loading(), place);
    try {
      const found = await load();
      if (isLate(mine)) return;
      newest = mine;
      render(show(found, look), place);
      shown = found;
      place.removeAttribute("data-stale");
      if (complaint && line.textContent.includes(complaint)) hush();
      complaint = null;
    } catch (error) {
      if (isLate(mine)) return;
      newest = mine;
      place.toggleAttribute("data-stale", shown !== null);
      if (shown === null || error instanceof SignedOut) render(failed(error, look), place);
      else say((complaint = sentence(error)), "alert");
    }
  }
  const again = () => session() && place.isConnected && look(); // who signs in again goes on where she was
  addEventListener("taesan:session", again, { signal: ending.signal });
  look();
  return look;
}

/** Looks again every so often while the page is seen. */
export function every(ms, look) {
  const timer = setInterval(() => document.visibilityState === "visible" && look(), ms);
  return () => clearInterval(timer);
}

/** A handler that works once at a time, with its button busy meanwhile, and tells what went wrong. */
export function once(work) {
  return async (event) => {
    event.preventDefault();
    const target = event.currentTarget;
    const button = target.tagName === "FORM" ? (event.submitter ?? target.querySelector("button:not([type=button])")) : target;
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    hush();
    try {
      await work(event, target);
    } catch (error) {
      say(sentence(error), "alert");
    } finally {
      button.removeAttribute("aria-busy");
    }
  };
}

const line = document.getElementById("told");

/** One line for all to hear: at the page's foot, read aloud. @param {"status" | "alert"} role */
export function say(text, role = "status") {
  render(html`<p class="told" role=${role === "alert" ? role : nothing}>${text} <button class="close" aria-label=${_("Close")} @click=${hush}>×</button></p>`, line);
}

export const hush = () => render(nothing, line);

/** A dialog over the page. What is said meanwhile is said in it: the rest of the page can neither be seen nor heard then.
 *
 * @param {(dialog: HTMLDialogElement) => unknown} draw what is in it: a form @param {string} [title] the id of its heading
 * @returns {Promise<HTMLDialogElement>} it, once it is closed and gone
 */
export function modal(draw, title) {
  const dialog = document.createElement("dialog");
  if (title) dialog.setAttribute("aria-labelledby", title);
  render(draw(dialog), dialog);
  const home = line.parentElement;
  dialog.append(line);
  document.body.append(dialog);
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      hush();
      home.append(line);
      dialog.remove();
      done(dialog);
    });
    dialog.showModal();
  });
}

/** A dialog that asks before something that cannot be undone. @returns {Promise<boolean>} */
export async function sure(question, yes) {
  const { returnValue } = await modal(
    () => html`<form method="dialog"><p>${question}</p><div class="ways"><button class="quiet" value="">${_("No, go back")}</button><button value="yes">${yes}</button></div></form>`,
  );
  return returnValue === "yes";
}
