// What is shown once and never again, with a way to take it along.

import { html, nothing, render, say } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say(_("Copied."));
  } catch {
    say(_("Your browser does not let this page copy. Mark the text and copy it yourself."), "alert");
  }
}

export const copyButton = (text) => html`<button type="button" class="quiet" @click=${() => copy(text)}>${_("Copy")}</button>`;

/** At a place of its own, where it stands whatever else of the page can be loaded, until it is kept. */
export const showSecret = (place, title, value) => render(secret(title, value, () => render(nothing, place)), place);

/** @param {(() => void) | null} done takes it off the page */
export const secret = (title, value, done = null) => html`<div class="secret">
  <p><strong>${title}</strong></p>
  <code>${value}</code>
  ${copyButton(value)}
  <p>${_("It is shown this once and never again: put it in a safe place now. If it is lost, make a new one.")}</p>
  ${done ? html`<button type="button" @click=${done}>${_("I have kept it")}</button>` : nothing}
</div>`;
