// npm's facilitator client asks a hub. Standard input: {url, payments: [{payment, requirements}]}.
// Standard output: {supported, answers: [[verified, settled]]}; what throws is {error}.
import { text } from "node:stream/consumers";

import { HTTPFacilitatorClient } from "@x402/core/http";

const given = JSON.parse(await text(process.stdin));
const facilitator = new HTTPFacilitatorClient({ url: given.url });
const told = (asked) => asked.catch((error) => ({ error: error.message }));

const answers = [];
for (const { payment, requirements } of given.payments) {
  const verified = await told(facilitator.verify(payment, requirements));
  answers.push([verified, await told(facilitator.settle(payment, requirements))]);
}
console.log(JSON.stringify({ supported: await facilitator.getSupported(), answers }));
