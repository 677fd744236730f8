// Code that does each step of one payment, to be run as it is. Pure.

import { callData } from "/static/lib/abi.js";

export const TONGUES = ["curl", "python", "javascript"];

/**
 * @param {{hub: string, id: string, settlement: string, batch: number | null}} what
 * @param {string} tongue one of `TONGUES`
 * @returns {Record<string, string>} step → code; what needs a batch is not there before there is one
 */
export const snippets = (what, tongue) => {
  const { batch, ...early } = WRITERS[tongue](what, what.batch === null ? "" : callData("batches(uint64)", what.batch));
  const { proof, ...rest } = early;
  return what.batch === null ? rest : { ...rest, batch, proof };
};

const asked = (settlement, data) => JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_call", params: [{ to: settlement, data }, "latest"] });

const curl = ({ hub, id, settlement, batch }, data) => ({
  voucher: `curl -sf ${hub}/v1/payments/${id}/record -H "Authorization: Bearer $TOKEN"`,
  accepted: `curl -sf ${hub}/v1/payments/${id}`,
  booked: `curl -sf ${hub}/v1/payments/${id}/record -H "Authorization: Bearer $TOKEN"`,
  batch: `curl -sf ${hub}/v1/batches/${batch}`,
  proof: `curl -sf ${hub}/v1/payments/${id}/proof
# The root of the batch, of a node of your choice:
curl -sf "$NODE" -H 'content-type: application/json' -d '${asked(settlement, data)}'`,
});

const PRIVATE = `headers={"Authorization": f"Bearer {os.environ['TOKEN']}"}`;

const python = ({ hub, id, settlement, batch }, data) => ({
  voucher: `import os, httpx
from eth_account import Account
from eth_account.messages import encode_typed_data

hub, payment = "${hub}", "${id}"
record = httpx.get(f"{hub}/v1/payments/{payment}/record", ${PRIVATE}).raise_for_status().json()
voucher, domain = record["voucher"], httpx.get(f"{hub}/v1/hub").json()["voucher_domain"]
types = {"Voucher": [{"name": "channelId", "type": "bytes32"}, {"name": "maxClaimableAmount", "type": "uint128"}]}
message = {"channelId": voucher["channel_id"], "maxClaimableAmount": int(voucher["max_claimable_amount"])}
signer = Account.recover_message(encode_typed_data(domain, types, message), signature=voucher["signature"])
print("signed by", signer, "as the hub says:", signer == voucher["signer"])`,
  accepted: `import httpx

print(httpx.get("${hub}/v1/payments/${id}").raise_for_status().json())`,
  booked: `import os, httpx

record = httpx.get("${hub}/v1/payments/${id}/record", ${PRIVATE}).raise_for_status().json()
print(record["entry"], *record["lines"], sep="\\n")
print("balanced:", sum(int(line["amount"]) for line in record["lines"]) == 0)`,
  batch: `import httpx

print(httpx.get("${hub}/v1/batches/${batch}").raise_for_status().json())`,
  proof: `import os, httpx
from eth_utils import keccak

hub, payment = "${hub}", "${id}"
proof = httpx.get(f"{hub}/v1/payments/{payment}/proof").raise_for_status().json()
leaf = proof["leaf"]
raw = lambda text: bytes.fromhex(text[2:])
word = lambda number: int(number).to_bytes(32, "big")
content = keccak(text=payment) + raw(leaf["channel_id"]) + word(leaf["amount"]) + word(leaf["cumulative"])
node = keccak(keccak(content + raw(leaf["payee"]).rjust(32, b"\\0")))
for sibling in map(raw, proof["proof"]):
    node = keccak(min(node, sibling) + max(node, sibling))
call = {"to": "${settlement}", "data": "${data}"}
asked = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [call, "latest"]}
root = httpx.post(os.environ["NODE"], json=asked).json()["result"]
print("proved:", "0x" + node.hex() == root)`,
});

const javascript = ({ hub, id, settlement, batch }, data) => ({
  voucher: `const hub = "${hub}";
const token = globalThis.Deno?.env.get("TOKEN") ?? JSON.parse(localStorage.getItem("taesan.session")).token;
const record = await (await fetch(hub + "/v1/payments/${id}/record", { headers: { authorization: "Bearer " + token } })).json();
const { voucher_domain: domain } = await (await fetch(hub + "/v1/hub")).json();
const { digest } = await import(hub + "/static/lib/typed.js");
const { signerOf } = await import(hub + "/static/signing.js");
const types = { Voucher: [{ name: "channelId", type: "bytes32" }, { name: "maxClaimableAmount", type: "uint128" }] };
const message = { channelId: record.voucher.channel_id, maxClaimableAmount: record.voucher.max_claimable_amount };
const signer = signerOf(digest({ domain, primaryType: "Voucher", types, message }), record.voucher.signature);
console.log("signed by", signer, "as the hub says:", signer === record.voucher.signer);`,
  accepted: `console.log(await (await fetch("${hub}/v1/payments/${id}")).json());`,
  booked: `const token = globalThis.Deno?.env.get("TOKEN") ?? JSON.parse(localStorage.getItem("taesan.session")).token;
const record = await (await fetch("${hub}/v1/payments/${id}/record", { headers: { authorization: "Bearer " + token } })).json();
console.log(record.entry, ...record.lines);
console.log("balanced:", record.lines.reduce((sum, line) => sum + BigInt(line.amount), 0n) === 0n);`,
  batch: `console.log(await (await fetch("${hub}/v1/batches/${batch}")).json());`,
  proof: `const hub = "${hub}";
const { climb } = await import(hub + "/static/proof.js");
const { computed } = climb("${id}", await (await fetch(hub + "/v1/payments/${id}/proof")).json());
const call = { to: "${settlement}", data: "${data}" };
const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_call", params: [call, "latest"] });
const ask = async (node) => (await (await fetch(node, { method: "POST", headers: { "content-type": "application/json" }, body })).json()).result;
// In this page's console no other host can be asked (its CSP): there the hub asks its own node.
const node = globalThis.Deno?.env.get("NODE");
const root = node ? await ask(node) : (await (await fetch(hub + "/v1/batches/${batch}/root")).json()).root;
console.log("proved:", computed === root);`,
});

const WRITERS = { curl, python, javascript };
