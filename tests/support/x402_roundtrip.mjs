// A customer and a shop that know nothing of us: both are npm's @x402/evm, its client and its facilitator.
//
// Standard input: {rpcUrl, network, asset, name, version, price, facilitatorKey, payerKey}; the payer has the asset.
// Standard output: {shop, payer, channelId, steps}: what each step was answered, in order.
import { text } from "node:stream/consumers";

import { x402Client } from "@x402/core/client";
import { toFacilitatorEvmSigner } from "@x402/evm";
import { BatchSettlementEvmScheme as ClientScheme, signVoucher } from "@x402/evm/batch-settlement/client";
import { BatchSettlementEvmScheme as FacilitatorScheme } from "@x402/evm/batch-settlement/facilitator";
import { createWalletClient, http, publicActions } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { foundry } from "viem/chains";

const given = JSON.parse(await text(process.stdin));
const someone = () => privateKeyToAccount(generatePrivateKey());
const [authorizer, shop, hotKey, stranger] = [someone(), someone(), someone(), someone()];
const payer = privateKeyToAccount(given.payerKey);
const steps = {};

// ------------------------------------------------------------------- the shop

const wallet = createWalletClient({
  account: privateKeyToAccount(given.facilitatorKey),
  chain: foundry,
  transport: http(given.rpcUrl),
  pollingInterval: 50,
}).extend(publicActions);
const facilitator = new FacilitatorScheme(
  toFacilitatorEvmSigner({ ...wallet, address: wallet.account.address }),
  authorizer,
);
const offer = {
  scheme: "batch-settlement",
  network: given.network,
  asset: given.asset,
  amount: given.price,
  payTo: shop.address,
  maxTimeoutSeconds: 600,
  extra: { receiverAuthorizer: authorizer.address, withdrawDelay: 900, name: given.name, version: given.version },
};
const verify = (payment) => facilitator.verify(payment, offer);
const settle = (payment) => facilitator.settle(payment, offer);
const order = (payload) => settle({ x402Version: 2, payload, accepted: offer });
const sweep = () => order({ type: "settle", receiver: shop.address, token: given.asset });
const claimOf = ({ payload: { channelConfig, voucher } }, totalClaimed = voucher.maxClaimableAmount) => ({
  voucher: { channel: channelConfig, maxClaimableAmount: voucher.maxClaimableAmount },
  signature: voucher.signature,
  totalClaimed,
});
const claim = (...claims) => order({ type: "claim", claims });
const refund = ({ payload: { channelConfig, voucher } }, amount, refundNonce, ...claims) =>
  order({ type: "refund", channelConfig, voucher, amount, refundNonce, claims });

// --------------------------------------------------------------- the customer

const required = { x402Version: 2, resource: { url: "http://shop.test/" }, accepts: [offer] };
const newClient = () => new x402Client().register(given.network, new ClientScheme(payer, { voucherSigner: hotKey }));
const client = newClient().setSpendControls({ allowedAssets: true });
const pay = () => client.createPaymentPayload(required);
// The shop's answer, as its server would send it: the charge is its own to name.
const hear = (paymentPayload, answer) =>
  client.handlePaymentResponse({
    paymentPayload,
    requirements: offer,
    settleResponse: { ...answer, extra: { ...answer.extra, chargedAmount: given.price } },
  });
const withVoucher = async (payment, key, amount) => ({
  ...payment,
  payload: {
    ...payment.payload,
    voucher: await signVoucher(key, payment.payload.voucher.channelId, amount, given.network),
  },
});

// -------------------------------------------------------------------- the way

steps.refusedByDefault = await newClient()
  .createPaymentPayload(required)
  .then(
    () => "",
    (error) => error.message,
  );
const first = await pay();
steps.depositVerified = await verify(first);
steps.deposit = await settle(first);
await hear(first, steps.deposit);
steps.depositAgain = await settle(first);

const second = await pay();
steps.voucher = await verify(second);
await hear(second, { success: true, transaction: "", network: given.network });
steps.aboveTheBalance = await verify(await withVoucher(second, hotKey, steps.deposit.amount + "0"));
steps.byAStranger = await verify(await withVoucher(second, stranger, second.payload.voucher.maxClaimableAmount));
const tooMuch = (BigInt(second.payload.voucher.maxClaimableAmount) + 1n).toString();
steps.claimAboveTheVoucher = await claim(claimOf(second, tooMuch));

steps.claim = await claim(claimOf(second));
steps.alreadyClaimed = await verify(second);
steps.sweep = await sweep();
steps.sweepAgain = await sweep();

const third = await pay();
await hear(third, { success: true, transaction: "", network: given.network });
steps.refund = await refund(third, given.price, "0", claimOf(third)); // claim and refund in one multicall
steps.refundAgain = await refund(third, given.price, "0");
steps.refundAll = await refund(third, steps.deposit.amount, "1");
steps.refundNothing = await refund(third, given.price, "2");

const { channelId } = first.payload.voucher;
const types = [first, second, third].map((payment) => payment.payload.type);
console.log(JSON.stringify({ shop: shop.address, payer: payer.address, channelId, types, steps }));
