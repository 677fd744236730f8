// The sample shop that a hub on a local chain may have.

import { facts, Refused } from "/static/lib/hub.js";
import { askSigned } from "/static/lib/session.js";

/** `GET /v1/sample-shop`; null: this hub has none. */
export const sampleShop = () => askSigned("GET", "/v1/sample-shop").catch((error) => {
  if (error instanceof Refused && error.type === "no-sample-shop") return null;
  throw error;
});

let asked = null;

/** What its goods are called, by the merchant and the reference of their payments; asked once, and only where there may be such a shop. */
export const titles = () => (asked ??= learnt().catch((error) => { asked = null; throw error; }));

const learnt = async () => titlesOf((await facts()).chain_time === null ? null : await sampleShop());

/** @param {object | null} shop @returns {(merchant: string, reference: string | null) => string | null} what is no such good stays what it is */
export function titlesOf(shop) {
  const names = new Map(shop?.goods.map(({ id, title }) => [id, title]));
  return (merchant, reference) => (merchant === shop?.merchant_id && names.get(reference)) || reference;
}
