// Checks a payment: its leaf is made anew from what it says, climbs to a root, and that is compared with what the chain has.

import { callData } from "/static/lib/abi.js";
import { ownWallet, read } from "/static/lib/chain.js";
import { ask, facts } from "/static/lib/hub.js";
import { short } from "/static/lib/money.js";
import { html, nothing } from "/static/lib/view.js";
import { _ } from "/static/lib/words.js";
import { climb } from "/static/proof.js";

const NO_ROOT = /^0x0*$/;
const alike = (one, other) => String(one).toLowerCase() === String(other).toLowerCase();

/** Is the leaf the payment that was asked for? A proof of another one proves nothing. */
const isOf = (payment, leaf) =>
  leaf.payment_id === payment.id && alike(leaf.channel_id, payment.channel_id) && leaf.amount === payment.amount && leaf.cumulative === payment.charged_cumulative;

async function rootOnChain(batchId) {
  const { settlement } = await facts();
  const wallet = await ownWallet();
  if (!wallet) return { settlement, root: (await ask("GET", `/v1/batches/${batchId}/root`)).root, by: null };
  const told = await read(wallet, settlement, callData("batches(uint64)", batchId));
  return { settlement, root: NO_ROOT.test(told) ? null : told, by: wallet.info.name };
}

/**
 * @param {object} payment as `GET /v1/payments/{id}` tells it
 * @returns {Promise<object>} each step, and `holds`: true, false, or null while the batch is not on the chain
 */
export async function verify(payment) {
  const proof = await ask("GET", `/v1/payments/${payment.id}/proof`);
  const found = climb(payment.id, proof);
  const chain = await rootOnChain(proof.batch_id);
  const isItsLeaf = isOf(payment, proof.leaf);
  const reachesRoot = chain.root === null ? null : alike(found.computed, chain.root);
  const isFalse = !isItsLeaf || !found.holds || reachesRoot === false;
  return { payment, proof, ...found, chain, isItsLeaf, reachesRoot, holds: isFalse ? false : reachesRoot };
}

/** The commands that ask any node of one's choice. */
export const commands = (settlement, batchId) => ({
  cast: `cast call ${settlement} "batches(uint64)(bytes32)" ${batchId} --rpc-url "$NODE"`,
  curl: `curl -s "$NODE" -H 'content-type: application/json' -d '${JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "eth_call",
    params: [{ to: settlement, data: callData("batches(uint64)", batchId) }, "latest"],
  })}'`,
});

// ------------------------------------------------------------------------ shown

const VERDICTS = {
  true: () => [_("Proved"), _("This payment is in the batch whose root the chain keeps.")],
  false: () => [_("This does not hold"), _("What the hub told about this payment does not lead to what the chain keeps. Save this page and ask its operator.")],
  null: () => [_("Not on the chain yet"), _("The hub has put this payment into a batch whose transaction is still on its way. Check again in a minute.")],
};

const line = (name, value) => html`<dt>${name}</dt><dd><code>${value}</code></dd>`;
const mark = (is, yes, no) => (is === null ? nothing : html`<p class=${is ? "agrees" : "differs"}>${is ? yes : no}</p>`);

/** All of it, for people to follow. @param {object} found of `verify` */
export function shown(found) {
  const { proof, chain, leaf, steps, computed } = found;
  const [title, text] = VERDICTS[found.holds]();
  const asked = commands(chain.settlement, proof.batch_id);
  return html`<div class="proved" data-holds=${String(found.holds)}>
    <div role="status"><strong>${title}</strong><p>${text}</p></div>
    <ol class="climb">
      <li>
        <p class="rung">${_("Its leaf, made here from the payment")}</p>
        <dl>
          ${line(_("payment"), found.payment.id)} ${line(_("channel"), proof.leaf.channel_id)} ${line(_("amount"), proof.leaf.amount)}
          ${line(_("all so far"), proof.leaf.cumulative)} ${line(_("paid to"), proof.leaf.payee)}
        </dl>
        <code>${leaf}</code>
        ${mark(found.isItsLeaf, _("It is this payment."), _("It is not this payment: channel or amount are others."))}
      </li>
      ${steps.map(({ sibling, hash }) => html`<li><p class="rung">${_("Hashed with its neighbour")}</p><code class="sibling">${sibling}</code><code>${hash}</code></li>`)}
      <li>
        <p class="rung">${_("The root that this leads to")}</p>
        <code>${computed}</code>
        ${mark(found.holds === false && !alike(computed, proof.root) ? false : null, "", _("The hub names another: %(root)s", { root: proof.root }))}
      </li>
      <li>
        <p class="rung">${_("The root of batch %(batch)s on the chain", { batch: proof.batch_id })}</p>
        ${chain.root === null ? html`<p>${_("None yet.")}</p>` : html`<code>${chain.root}</code>`}
        ${mark(found.reachesRoot, _("They are the same."), _("They are not the same."))}
        <p class="hint">${chain.by === null
          ? _("This one was asked of the hub's own node, so it is the hub's word. To rely on nobody, ask a node of your choice:")
          : _("Your wallet (%(wallet)s) asked its own node for it; the hub had no part in that.", { wallet: chain.by })}</p>
        ${chain.by === null ? html`<pre tabindex="0"><code>${asked.cast}</code></pre><pre tabindex="0"><code>${asked.curl}</code></pre>` : nothing}
      </li>
    </ol>
    ${proof.transaction ? html`<p class="hint">${_("Transaction")} <code title=${proof.transaction}>${short(proof.transaction)}</code></p>` : nothing}
  </div>`;
}
