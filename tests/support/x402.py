"""A customer and a shop that know nothing of us: both are PyPI's `x402`, its client and its facilitator."""

from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from x402 import x402ClientSync
from x402.mechanisms.evm.batch_settlement.abi import BATCH_SETTLEMENT_ABI
from x402.mechanisms.evm.batch_settlement.authorizer_signer import LocalAuthorizerSigner
from x402.mechanisms.evm.batch_settlement.client import (
    BatchSettlementEvmScheme,
    BatchSettlementEvmSchemeOptions,
    InMemoryClientChannelStorage,
)
from x402.mechanisms.evm.batch_settlement.constants import BATCH_SETTLEMENT_ADDRESS
from x402.mechanisms.evm.batch_settlement.facilitator import BatchSettlementEvmFacilitator
from x402.mechanisms.evm.batch_settlement.types import (
    ChannelConfig,
    ClaimPayload,
    EnrichedRefundPayload,
    SettlePayload,
    VoucherClaim,
    VoucherFields,
)
from x402.mechanisms.evm.signers import EthAccountSigner, FacilitatorWeb3Signer
from x402.schemas import PaymentPayload, PaymentRequired, PaymentRequirements, SettleResponse, VerifyResponse
from x402.schemas.hooks import PaymentResponseContext

from tests.support.chain import RICH_KEY, Chain

Json = dict[str, Any]
WITHDRAW_DELAY_S = 900


class Shop:
    """A resource server's part, with a facilitator of its own; it keeps no books.

    :ivar address: whom the channels pay
    """

    def __init__(self, chain: Chain, price: int) -> None:
        self.chain, self.price = chain, price
        self.address: str = Account.create().address
        self.authorizer = LocalAuthorizerSigner(Account.create())
        self.facilitator = BatchSettlementEvmFacilitator(FacilitatorWeb3Signer(RICH_KEY, chain.url), self.authorizer)

    @property
    def offer(self) -> PaymentRequirements:
        return PaymentRequirements(
            scheme="batch-settlement",
            network=self.chain.contracts.network,
            asset=self.chain.deployment.asset,
            amount=str(self.price),
            pay_to=self.address,
            max_timeout_seconds=600,
            extra={
                "receiverAuthorizer": self.authorizer.address,
                "withdrawDelay": WITHDRAW_DELAY_S,
                "name": self.chain.read("asset", "name"),
                "version": self.chain.read("asset", "version"),
            },
        )

    def verify(self, payment: PaymentPayload) -> VerifyResponse:
        return self.facilitator.verify(payment, self.offer)

    def settle(self, payment: PaymentPayload | Json) -> SettleResponse:
        """:param payment: what a customer has sent, or an order of the shop's own"""
        if isinstance(payment, dict):
            payment = PaymentPayload(payload=payment, accepted=self.offer)
        return self.facilitator.settle(payment, self.offer)

    # --------------------------------------------------------- orders of its own

    def claim(self, *claims: VoucherClaim) -> SettleResponse:
        return self.settle(ClaimPayload(claims=list(claims)).to_dict())

    def sweep(self) -> SettleResponse:
        """x402's `settle`: what was claimed goes to the shop."""
        return self.settle(SettlePayload(receiver=self.address, token=self.offer.asset).to_dict())

    def refund(self, payment: PaymentPayload, amount: int, nonce: int, *claims: VoucherClaim) -> SettleResponse:
        order = EnrichedRefundPayload(
            channel_config=ChannelConfig.from_dict(payment.payload["channelConfig"]),
            voucher=VoucherFields.from_dict(payment.payload["voucher"]),
            amount=str(amount),
            refund_nonce=str(nonce),
            claims=list(claims),
        )
        return self.settle(order.to_dict())


def claim_of(payment: PaymentPayload, total: int | None = None) -> VoucherClaim:
    """The claim of a payment's voucher. :param total: the channel's cumulative claim, all that was signed if left out"""
    signed = payment.payload["voucher"]
    return VoucherClaim(
        channel=ChannelConfig.from_dict(payment.payload["channelConfig"]),
        max_claimable_amount=signed["maxClaimableAmount"],
        signature=signed["signature"],
        total_claimed=str(signed["maxClaimableAmount"] if total is None else total),
    )


class Customer:
    """A wallet with test dollars, a hot key that signs vouchers, and the SDK's client."""

    def __init__(self, chain: Chain, dollars: int, *, any_asset: bool = True) -> None:
        self.chain = chain
        self.wallet: LocalAccount = Account.create()
        self.hot_key: LocalAccount = Account.create()
        self.storage = InMemoryClientChannelStorage()
        options = BatchSettlementEvmSchemeOptions(storage=self.storage, voucher_signer=EthAccountSigner(self.hot_key))
        scheme = BatchSettlementEvmScheme(EthAccountSigner(self.wallet), options)
        self.client = x402ClientSync().register(chain.contracts.network, scheme)
        if any_asset:
            self.client.set_spend_controls({"allowed_assets": True})
        chain.give_dollars(self.wallet.address, dollars)

    def pay(self, shop: Shop) -> PaymentPayload:
        """What the customer answers to a 402."""
        payment = self.client.create_payment_payload(PaymentRequired(accepts=[shop.offer]))
        assert isinstance(payment, PaymentPayload)
        return payment

    def hear(self, payment: PaymentPayload, answer: SettleResponse, charged: int) -> None:
        """The shop's answer to a payment, as its server would send it: the charge is its own to name."""
        answer.extra = (answer.extra or {}) | {"chargedAmount": str(charged)}
        self.client.handle_payment_response(PaymentResponseContext(payment, payment.accepted, answer))

    def call(self, function: str, *arguments: Any) -> Any:
        """A transaction of the wallet's own, with the SDK's ABI; returns the receipt."""
        contract = self.chain.web3.eth.contract(address=BATCH_SETTLEMENT_ADDRESS, abi=BATCH_SETTLEMENT_ABI)  # type: ignore[arg-type]
        return self.chain.send_to(self.wallet, contract, function, *arguments)
