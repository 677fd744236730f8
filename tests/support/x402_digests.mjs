// Cases on standard input (tests/support/digests.py) → the ids and digests that @x402/evm computes for them.
import { text } from "node:stream/consumers";

import { BATCH_SETTLEMENT_ADDRESS, BATCH_SETTLEMENT_DOMAIN, claimBatchTypes, refundTypes } from "@x402/evm";
import { computeChannelId, signVoucher } from "@x402/evm/batch-settlement/client";
import { hashTypedData } from "viem";

// Given to the SDK as a signer: its signature is the digest that it was asked to sign.
const digestTaker = { address: "0x" + "0".repeat(40), signTypedData: async (typed) => hashTypedData(typed) };

async function answer({ chainId, config, channelId, maxClaimableAmount, refund, claims }) {
  const voucher = await signVoucher(digestTaker, channelId, maxClaimableAmount, `eip155:${chainId}`);
  // The SDK keeps the functions that sign these two to itself, and exports their types and domain.
  const domain = { ...BATCH_SETTLEMENT_DOMAIN, chainId, verifyingContract: BATCH_SETTLEMENT_ADDRESS };
  const entries = claims.map((claim) => ({
    channelId: computeChannelId(claim.voucher.channel, chainId),
    maxClaimableAmount: BigInt(claim.voucher.maxClaimableAmount),
    totalClaimed: BigInt(claim.totalClaimed),
  }));
  return {
    channel: computeChannelId(config, chainId),
    voucher: voucher.signature,
    refund: hashTypedData({
      domain,
      types: refundTypes,
      primaryType: "Refund",
      message: { channelId, nonce: BigInt(refund.nonce), amount: BigInt(refund.amount) },
    }),
    claims: hashTypedData({
      domain,
      types: claimBatchTypes,
      primaryType: "ClaimBatch",
      message: { claims: entries },
    }),
  };
}

const cases = JSON.parse(await text(process.stdin));
console.log(JSON.stringify(await Promise.all(cases.map(answer))));
