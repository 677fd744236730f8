// Hands the reader a file of what the hub gives to whoever is signed in.

import { askSigned } from "/static/lib/session.js";

export const fetchText = async (path) => (await askSigned("GET", path, { as: "file" })).text();

export function save(text, name, type = "text/csv") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}
