// The console's door: whose wallet has no merchant account opens one here, and is shown its first API key once.

import { behindSignIn } from "/static/lib/gate.js";
import { Refused } from "/static/lib/hub.js";
import { askSigned } from "/static/lib/session.js";
import { html, nothing, once, part, render } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { secret } from "/static/merchant/secret.js";

const byId = (id) => document.getElementById(id);

/** The signed-in wallet's merchant; null if it has none. */
export async function ownMerchant() {
  try {
    return await askSigned("GET", "/v1/merchants/me");
  } catch (error) {
    if (error instanceof Refused && error.type === "not-a-merchant") return null;
    throw error;
  }
}

/** @returns {Promise<object | null>} with its first API key; null: the wallet has an account already */
async function make(name) {
  try {
    return await askSigned("POST", "/v1/merchants", { body: { name } });
  } catch (error) {
    if (error instanceof Refused && error.type === "merchant-exists") return null;
    throw error;
  }
}

/** Its days are those of where it was opened. */
const keepZone = () => askSigned("PUT", "/v1/account/settings", { body: { time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone } });

/** @param {(merchant: {id: string, name: string, address: string}) => void} start draws what is behind the door */
export function behindAccount(start) {
  let isOpen = false;

  async function load() {
    const merchant = await ownMerchant();
    if (merchant) enter(merchant);
    return merchant;
  }

  function enter(merchant) {
    if (isOpen) return; // who signs in again finds all as it was, and what she has typed
    isOpen = true;
    byId("opening").hidden = true;
    render(nothing, byId("opening")); // a key that was shown there is gone from the page
    byId("console").hidden = false;
    start(merchant);
  }

  const opening = (merchant) => merchant ? nothing : html`
    <h1>${_("Open a merchant account")}</h1>
    <p>${_("It costs nothing. What customers pay you is yours, and is paid out to the wallet that you are signed in with.")}</p>
    <form @submit=${once(async (_event, form) => {
      const made = await make(new FormData(form).get("name").trim());
      if (!made) return load(); // begun before, and its answer was lost: further keys are made behind the door
      await keepZone().catch(() => {}); // without it days are UTC's, until they are set
      render(opened(made), byId("opening"));
    })}>
      <p class="field"><label for="shop">${_("Your shop's name, as customers see it")}</label><input id="shop" name="name" maxlength="80" required autocomplete="organization" /></p>
      <button>${_("Open the account")}</button>
    </form>`;

  const opened = (made) => html`
    <h1>${_("%(name)s is open", { name: made.name })}</h1>
    ${secret(_("Your API key"), made.api_key)}
    <p class="hint">${_("It is for your own server or website, and may do everything. This console and the till do not need it: you are signed in.")}</p>
    <button @click=${() => enter(made)}>${_("I have kept it, go on")}</button>`;

  behindSignIn(_("Your sales, your customers and your payouts are behind it."), () => part(byId("opening"), load, opening));
}
