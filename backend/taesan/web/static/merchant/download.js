// Files of which each is an answer for itself, handed over as one.

import { askSigned } from "/static/lib/session.js";

export const fetchText = async (path) => (await askSigned("GET", path, { as: "file" })).text();

export function saveText(text, name, type = "text/csv") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
