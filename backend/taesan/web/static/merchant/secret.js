// What is shown once and never again, with a way to take it along.

import { html, say } from "/static/lib/view.js";
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

export const secret = (title, value) => html`<div class="secret">
  <p><strong>${title}</strong></p>
  <code>${value}</code>
  ${copyButton(value)}
  <p>${_("It is shown this once. The hub keeps only what it needs to recognise it, so nobody can show it to you again: put it in a safe place now.")}</p>
</div>`;
