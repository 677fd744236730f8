// An invoice on a page: shows its state, and keeps it in step with the hub until it is final.

const EVERY_MS = 1_000;
const LIVE = new Set(["open", "paying"]);

/**
 * Asks for an invoice again and again, until its state is final or `stop` is called. A hub that does not answer is asked again.
 *
 * @param {string} id
 * @param {(invoice: object) => void} show called whenever the hub has answered
 * @returns {() => void} stop
 */
export function follow(id, show) {
  let timer = null;
  let stopped = false;
  async function ask() {
    let invoice = null;
    try {
      const answer = await fetch(`/v1/invoices/${encodeURIComponent(id)}`);
      if (answer.ok) invoice = await answer.json();
    } catch {
      // asked again below
    }
    if (stopped) return;
    if (invoice) show(invoice);
    if (!invoice || LIVE.has(invoice.state)) timer = setTimeout(ask, EVERY_MS);
  }
  ask();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** What of the page is shown: as the invoice's state, but a transfer that is getting deeper has words of its own. */
export function shownState({ state, transfer }) {
  return state === "paying" && transfer ? "confirming" : state;
}

/** How deep a transfer is, in an element: "1 / 12". */
export function countConfirmations(element, { transfer }) {
  if (transfer) element.textContent = `${transfer.confirmations ?? 0} / ${transfer.confirmations_needed}`;
}

/** Counts down to an RFC 3339 time in an element: 14:59. */
export function countDown(element, expires) {
  const left = Math.max(0, Math.floor((Date.parse(expires) - Date.now()) / 1_000));
  const [hours, minutes, seconds] = [Math.floor(left / 3_600), Math.floor(left / 60) % 60, left % 60];
  const two = (number) => String(number).padStart(2, "0");
  element.textContent = hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}
