// The door of an app: what is behind it is shown to whoever has signed in with a wallet.

import { keep } from "/static/lib/keys.js";
import { failed, html, loading, nothing, once, part, render, say, sentence } from "/static/lib/view.js";
import { onSession, session, SignedOut, signIn, signOut } from "/static/lib/session.js";
import { OPERATOR_WALLET, TEST_WALLET, wallets } from "/static/lib/wallets.js";
import { _ } from "/static/lib/words.js";
import { short } from "/static/lib/money.js";

const byId = (id) => document.getElementById(id);

/** The accounts of a local chain are known to everyone: such as the operator's, to look at the console with. */
const otherKey = (wallet) => html`<details>
  <summary>${_("Use a key of the local chain instead")}</summary>
  <form class="line" @submit=${once(async (_event, form) => {
    if (!keep("test", new FormData(form).get("key"))) throw new Error(_("That is no key: it has 64 hexadecimal digits."));
    await signIn(wallet);
  })}>
    <label for="test-key">${_("Key")}</label>
    <input id="test-key" name="key" autocomplete="off" spellcheck="false" required />
    <button>${_("Sign in")}</button>
  </form>
</details>`;

/** The wallets to sign in with here: the operator's test wallet on her own page alone. */
async function offered() {
  const { operatorKey } = byId("sign-in").dataset;
  if (operatorKey) keep("operator", operatorKey);
  return (await wallets()).filter(({ info }) => operatorKey || info.rdns !== OPERATOR_WALLET);
}

/** What a test wallet is, beneath it. */
const trying = (wallet) => (wallet.info.rdns === OPERATOR_WALLET
  ? html`<p class="hint">${_("It has the local operator's key, which everybody knows. It opens this page; the other test wallet does not.")}</p>`
  : html`<p class="hint">${_("For trying out on this local chain: its key lies open in this browser. Never send real money to it.")}</p>${otherKey(wallet)}`);

const choices = (found, why) => html`
  <h1>${_("Sign in with your wallet")}</h1>
  <p>${why}</p>
  <ul class="wallets">
    ${found.map(
      (wallet) => html`<li>
        <button @click=${once(() => signIn(wallet))}><img src=${wallet.info.icon} alt="" width="28" height="28" /> ${wallet.info.name}</button>
        ${wallet.isTest ? trying(wallet) : nothing}
      </li>`,
    )}
  </ul>
  ${found.length ? nothing : html`<p class="hint">${_("No wallet was found in this browser. Install one, such as MetaMask or Rabby, and load this page again.")}</p>`}
  <p class="hint">${_("Signing in costs nothing and moves nothing: it only proves that the wallet is yours.")}</p>
`;

const badge = ({ address, rdns }) => html`
  ${[TEST_WALLET, OPERATOR_WALLET].includes(rdns) ? html`<span class="test">${_("Test wallet")}</span>` : nothing}
  <code title=${address}>${short(address)}</code>
  <button class="link" @click=${once(async () => {
    await signOut();
    location.reload(); // nothing of hers stays on the page
  })}>${_("Sign out")}</button>
`;

/** Shows the sign-in, or what `start` draws for who has signed in. Another wallet gets a fresh page.
 *
 * @param {string} why what one signs in for @param {(session: object) => void} start
 */
export function behindSignIn(why, start) {
  let opened = null;
  const show = (open) => {
    if (opened && open && open.address !== opened.address) return location.reload();
    byId("sign-in").hidden = open !== null;
    byId("signed").hidden = open === null;
    render(open ? badge(open) : nothing, byId("who"));
    if (!open) part(byId("sign-in"), offered, (found) => choices(found, why));
    else if (!opened) begin((opened = open));
  };
  const empty = () => [...byId("signed").querySelectorAll(".body")].filter((body) => body.childElementCount === 0);
  const waiting = () => [...byId("signed").querySelectorAll(".body")].filter((body) => body.querySelector(":scope > .skeleton"));
  const begin = async (open) => {
    for (const body of empty()) render(loading(), body); // until the page's script knows what it needs to begin
    try {
      await start(open);
    } catch (error) {
      for (const body of waiting()) render(failed(error, () => location.reload()), body);
    }
  };
  onSession(show);
  addEventListener("taesan:ended", () => say(sentence(new SignedOut()), "alert"));
  show(session());
  navigator.serviceWorker?.register("/worker.js").catch(() => {}); // without it the app needs the hub to open, no more
}

