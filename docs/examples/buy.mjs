import { toClientEvmSigner } from "@x402/evm";
import { BatchSettlementEvmScheme } from "@x402/evm/batch-settlement/client";
import { wrapFetchWithPayment, x402Client } from "@x402/fetch";
import { createPublicClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const chain = createPublicClient({ transport: http(process.env.RPC) });
const wallet = toClientEvmSigner(privateKeyToAccount(process.env.WALLET_KEY), chain);
const client = new x402Client().register("eip155:*", new BatchSettlementEvmScheme(wallet));
const answer = await wrapFetchWithPayment(fetch, client)(process.argv[2]);
console.log(answer.status, await answer.text());
