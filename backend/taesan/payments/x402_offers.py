"""What of an x402 payment can be said without the database: that it is for this hub, and on this hub's terms."""

from collections.abc import Sequence
from dataclasses import dataclass

from taesan.channels import service
from taesan.channels.models import ChannelConfig, DepositCreate, Erc3009Authorization
from taesan.hub import Hub
from taesan.payments import x402_wire as wire
from taesan.payments.messages import Submission
from taesan.payments.x402_wire import FacilitatorRequest, NotAccepted


@dataclass(frozen=True)
class Offered:
    """A payment whose form and terms are the hub's. :ivar is_named: by its client, so that its key is no voucher's digest"""

    config: ChannelConfig
    voucher: wire.WireVoucher
    submission: Submission
    deposit: DepositCreate | None
    is_named: bool
    timeout_s: int


@dataclass(frozen=True)
class AskedBack:
    """A payer wants what is free. :ivar voucher: over what was charged: it agrees to that. :ivar amount: None: all"""

    config: ChannelConfig
    voucher: wire.WireVoucher
    amount: int | None
    timeout_s: int


def read(hub: Hub, request: FacilitatorRequest) -> Offered | AskedBack:
    """A payment, or a refund, that is for this hub and for what was asked.

    :raises NotAccepted: its form, its terms or the merchant's are others
    """
    asked_for, payload = request.payment_requirements, request.payment_payload
    if request.x402_version != wire.VERSION or payload.x402_version != wire.VERSION:
        raise NotAccepted("invalid_x402_version", f"This facilitator speaks version {wire.VERSION}.")
    if not asked_for.scheme == payload.accepted.scheme == wire.SCHEME:
        raise NotAccepted(wire.reason("scheme"), f"This facilitator settles {wire.SCHEME}.")
    if not asked_for.network == payload.accepted.network == hub.contracts.network:
        raise NotAccepted(wire.reason("network_mismatch"), f"This hub is on {hub.contracts.network}.")
    asked = wire.read_requirements(asked_for)
    payment = wire.read_payment(payload.payload)
    config = payment.channel_config.config()
    _require_our_terms(hub, asked, config)
    if service.id_of(hub, config) != payment.voucher.channel_id:
        raise NotAccepted(wire.reason("channel_id_mismatch"), "The channel's id is not its configuration's.")
    if payment.type == "refund":
        return AskedBack(config, payment.voucher, payment.amount, asked.max_timeout_seconds)
    name = wire.payment_identifier(payload.extensions)
    submission = Submission(
        name or wire.key_of_voucher(payment.voucher),
        payment.voucher.channel_id,
        asked.amount,
        payment.voucher.max_claimable_amount,
        payment.voucher.signature,
        asked.extra.merchant_id,
        reference=asked.extra.reference,
    )
    is_named, timeout_s = name is not None, asked.max_timeout_seconds
    return Offered(config, payment.voucher, submission, _deposit_of(payment), is_named, timeout_s)


def _require_our_terms(hub: Hub, asked: wire.Asked, config: ChannelConfig) -> None:
    """That the merchant asks for what is this hub's to settle, and that the channel is one of those."""
    deployment, operator = hub.contracts.deployment, hub.signer.address
    wanted: Sequence[tuple[str, str, str, str]] = (
        ("receiver_mismatch", deployment.settlement, asked.pay_to, config.receiver),
        ("token_mismatch", deployment.asset, asked.asset, config.token),
        ("receiver_authorizer_mismatch", operator, asked.extra.receiver_authorizer, config.receiver_authorizer),
    )
    for name, ours, the_merchants, the_channels in wanted:
        if not ours == the_merchants == the_channels:
            raise NotAccepted(wire.reason(name), f"It must be {ours}.")
    if asked.extra.withdraw_delay not in (None, config.withdraw_delay):
        raise NotAccepted(wire.reason("withdraw_delay_mismatch"), f"{asked.extra.withdraw_delay} s were offered.")
    if config.withdraw_delay < hub.settings.withdraw_delay_s:
        least = hub.settings.withdraw_delay_s
        raise NotAccepted(wire.reason("withdraw_delay_out_of_range"), f"At least {least} s, as /supported tells.")
    if not 0 < asked.amount <= hub.settings.max_payment:
        raise NotAccepted("invalid_payment_requirements", f"amount: 1 to {hub.settings.max_payment}")


def _deposit_of(payment: wire.WirePayment) -> DepositCreate | None:
    if payment.deposit is None:
        return None
    signed = payment.deposit.authorization.erc3009_authorization
    # Without reading it again: it has been, and amounts come as text only once.
    authorization = Erc3009Authorization.model_construct(**signed.model_dump())
    return DepositCreate.model_construct(amount=payment.deposit.amount, authorization=authorization)


def supported(hub: Hub) -> wire.SupportedKind:
    """All that a merchant needs to make an offer, beside its own id and price."""
    deployment, asset, operator = hub.contracts.deployment, hub.asset, hub.signer.address
    extra = {
        "receiverAuthorizer": operator,
        "withdrawDelay": hub.settings.withdraw_delay_s,
        "name": asset.name,
        "version": asset.version,
        "assetTransferMethod": "eip3009",
        "payTo": deployment.settlement,
        "asset": deployment.asset,
        "decimals": asset.exponent,
        "minDeposit": str(hub.settings.least_relayed),
        "maxAmount": str(hub.settings.max_payment),
    }
    return wire.SupportedKind(scheme=wire.SCHEME, network=hub.contracts.network, extra=extra)
