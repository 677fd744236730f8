// npm's @x402/fetch as a process of its own: pays for what its standard input names, tells what it got.
//
// Standard input: {keys: [wallet, hot key], network, rpc, urls, exact?: bool, refund?: url}; with `exact` it knows that scheme
// alone. Standard output: [{status, body, receipt}], and at last what the refund was answered.
import { text } from "node:stream/consumers";

import { x402Client } from "@x402/core/client";
import { toClientEvmSigner } from "@x402/evm";
import { BatchSettlementEvmScheme } from "@x402/evm/batch-settlement/client";
import { ExactEvmScheme } from "@x402/evm/exact/client";
import { decodePaymentResponseHeader, wrapFetchWithPayment } from "@x402/fetch";
import { createPublicClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const given = JSON.parse(await text(process.stdin));
const [wallet, hotKey] = given.keys.map((key) => privateKeyToAccount(key));
const reader = createPublicClient({ transport: http(given.rpc) });
const scheme = new BatchSettlementEvmScheme(toClientEvmSigner(wallet, reader), { voucherSigner: hotKey });
const client = new x402Client().register(given.network, given.exact ? new ExactEvmScheme(wallet) : scheme);
const pay = wrapFetchWithPayment(fetch, client);

const answers = [];
for (const url of given.urls) {
  const answer = await pay(url);
  const header = answer.headers.get("PAYMENT-RESPONSE");
  const receipt = header ? decodePaymentResponseHeader(header) : null;
  answers.push({ status: answer.status, body: await answer.text(), receipt });
}
if (given.refund) answers.push(await scheme.refund(given.refund));
console.log(JSON.stringify(answers));
