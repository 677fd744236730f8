// Out of a channel without the hub: by transactions of the wallet, of which this browser remembers all that they need. It asks the hub
// for nothing that it cannot do without, nor for a sign-in.

import { lastFacts } from "/static/lib/chain.js";
import { announce, carryOut, channelsToLeave, command, finish, followed, onChain } from "/static/lib/leaving.js";
import { dollars, moment, short } from "/static/lib/money.js";
import { onSession } from "/static/lib/session.js";
import { every, html, nothing, once, part, sure } from "/static/lib/view.js";
import { _, count } from "/static/lib/words.js";

const LOOK_MS = 5_000;
const TOLD = {
  pending: (hash) => _("Sent to the chain: %(hash)s", { hash }),
  done: (hash) => _("Done on the chain: %(hash)s", { hash }),
  failed: (hash) => _("The chain has refused it: %(hash)s", { hash }),
};

/** How far a transaction is. @param {{hash: string, state: string} | null} sent */
export const progressOf = (sent) => (sent ? html`<p class="hint" role="status" data-state=${sent.state}>${TOLD[sent.state](short(sent.hash))}</p>` : nothing);

/** The wait between announcing a withdrawal and fetching it. */
function span(seconds) {
  if (seconds >= 86_400) return count("%(count)s day", "%(count)s days", Math.ceil(seconds / 86_400));
  if (seconds >= 3_600) return count("%(count)s hour", "%(count)s hours", Math.ceil(seconds / 3_600));
  return count("%(count)s minute", "%(count)s minutes", Math.ceil(seconds / 60));
}

/** @param {Element} section hidden while no channel is known */
export function showAlone(section) {
  let money = null;

  async function load() {
    const channels = await channelsToLeave();
    section.hidden = channels.length === 0;
    const { asset_exponent: exponent } = channels.length ? await lastFacts() : {};
    money = (value) => dollars(value, exponent);
    return Promise.all(channels.map(withWays));
  }

  async function withWays(one) {
    const chain = await onChain(one);
    const amount = chain?.left || BigInt(one.available) + BigInt(one.in_jar);
    return { ...one, chain, sent: await followed(`withdraw.${one.id}`), announcing: await announce(one, amount), finishing: await finish(one) };
  }

  const show = (found) => found.length === 0 ? nothing : html`
    <p class="hint">${_("If the hub does not answer any more, the contract gives you all that no voucher has claimed, the jar's content too: announce it, wait %(delay)s, and fetch it. Your wallet pays the gas. While the hub is there, the steps above are quicker.", { delay: span(found[0].withdraw_delay) })}</p>
    ${found.map(withdrawalOf)}
    <p class="ways"><button class="quiet" @click=${() => save(found)}>${_("Save all this for a day without the hub")}</button></p>`;

  function withdrawalOf(one) {
    return html`<div class="way" data-channel=${one.id}>
      <h3>${_("Channel %(id)s", { id: short(one.id) })}</h3>
      ${one.chain ? stepsOf(one) : nothing} ${progressOf(one.sent)}
      <details ?open=${one.chain === null}><summary>${_("The commands")}</summary><pre tabindex="0"><code>${command(one.announcing)}\n\n${command(one.finishing)}</code></pre></details>
    </div>`;
  }

  function stepsOf(one) {
    const { left, announced, opensAt, now } = one.chain;
    const isBusy = one.sent?.state === "pending";
    const act = (call, label, isEarly, question) => html`<button class="quiet" ?disabled=${isBusy || isEarly} @click=${once(async () => {
      if (question && !(await sure(question, label))) return;
      await carryOut(`withdraw.${one.id}`, call, one.payer);
      await look();
    })}>${label}</button>`;
    const asked = _("Announce a withdrawal of %(amount)s? The channel takes no payments until it is over.", { amount: money(left) });
    return html`<p>${_("On the chain: %(amount)s that nobody has claimed.", { amount: money(left) })}</p>
      ${opensAt ? html`<p role="status">${_("Announced: %(amount)s can be fetched from %(when)s on.", { amount: money(announced), when: moment(opensAt * 1_000) })}</p>` : nothing}
      ${opensAt ? act(one.finishing, _("Fetch it"), now < opensAt) : left ? act(one.announcing, _("Announce the withdrawal"), false, asked) : nothing}`;
  }

  function save(found) {
    const lines = found.flatMap((one) => [`# ${one.payer}, ${one.id}`, command(one.announcing), command(one.finishing), ""]);
    const file = document.createElement("a");
    file.href = URL.createObjectURL(new Blob([[location.origin, "", ...lines].join("\n")], { type: "text/plain" }));
    file.download = `leave-${found[0].payer}.txt`;
    file.click();
    URL.revokeObjectURL(file.href);
  }

  const look = part(section.querySelector(".body"), load, show);
  every(LOOK_MS, look);
  onSession(look);
}
