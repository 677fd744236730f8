"""x402 v2 as it crosses HTTP: what a facilitator is asked and answers, for the scheme `batch-settlement`. Pure.

Names, forms and reasons are those of the SDKs (PyPI `x402`, npm `@x402/evm`); `tests/x402` has both read and write them.
Fields that we do not know are somebody's extension: they are let be.
"""

import hashlib
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from taesan.channels.models import ChannelConfig
from taesan.core.values import Address, AmountIn, Bytes32, Signature, Text

VERSION = 2
SCHEME = "batch-settlement"
PAYMENT_IDENTIFIER = "payment-identifier"
MAX_MERCHANT_ID, MAX_REFERENCE = 80, 64  # characters
_NOT_ZERO = set("123456789abcdefABCDEF")
_IDENTIFIER = re.compile(r"[a-zA-Z0-9_-]{16,128}")


def reason(name: str) -> str:
    """As both SDKs spell why a payment of this scheme is refused."""
    return f"invalid_batch_settlement_evm_{name}"


AMOUNT_MISMATCH = reason("cumulative_amount_mismatch")
ACCEPTED_BEFORE = "This payment was accepted before: it buys nothing more."
PENDING = "settlement_pending"
_REASONS = {
    "channel-not-open": "channel_not_open",
    "insufficient-deposit": reason("cumulative_exceeds_balance"),
    "invalid-deposit": reason("deposit_simulation_failed"),
    "amount-too-small": reason("deposit_below_min_deposit"),
    "invalid-signature": reason("voucher_signature"),
    "unknown-channel": reason("channel_not_found"),
    "voucher-out-of-sequence": AMOUNT_MISMATCH,
    "nothing-to-refund": reason("refund_no_balance"),
    "withdraw-delay-too-short": reason("withdraw_delay_out_of_range"),
}


def reason_of(problem_type: str) -> str:
    """What a problem of ours is called in x402."""
    return _REASONS.get(problem_type, problem_type.replace("-", "_"))


class NotAccepted(Exception):
    """Why a payment is refused, in x402's words: the client can do something about it, and nothing was broadcast or booked.

    :ivar extra: the state to go on from, if that is what the client lacks
    """

    def __init__(self, reason: str, message: str = "", extra: dict[str, Any] | None = None) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason, self.message, self.extra = reason, message, extra


class Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


# ------------------------------------------------------------------- asked


class Requirements(Wire):
    """What the merchant asks for. `extra.merchantId` names who is credited; `extra.reference`, the merchant's own, is part
    of what a payment is for: the same voucher for another reference is another payment."""

    scheme: str
    network: str
    asset: str
    amount: str
    pay_to: str
    max_timeout_seconds: int = Field(default=0, ge=0, strict=True)
    extra: dict[str, Any] = Field(default_factory=dict)


class PaymentPayload(Wire):
    """What the client has sent; `accepted` is the offer that it chose."""

    x402_version: int = Field(default=VERSION, alias="x402Version", strict=True)
    payload: dict[str, Any]
    accepted: Requirements
    extensions: dict[str, Any] | None = None


class FacilitatorRequest(Wire):
    x402_version: int = Field(alias="x402Version", strict=True)
    payment_payload: PaymentPayload
    payment_requirements: Requirements


class WireConfig(Wire):
    payer: Address
    payer_authorizer: Address
    receiver: Address
    receiver_authorizer: Address
    token: Address
    withdraw_delay: int = Field(ge=900, le=2_592_000)
    salt: Bytes32

    def config(self) -> ChannelConfig:
        return ChannelConfig(**self.model_dump())


class WireVoucher(Wire):
    channel_id: Bytes32
    max_claimable_amount: AmountIn
    signature: Signature


class WireAuthorization(Wire):
    valid_after: AmountIn
    valid_before: AmountIn
    salt: Bytes32
    signature: Signature


class _Authorizations(Wire):
    erc3009_authorization: WireAuthorization = Field(alias="erc3009Authorization")


class WireDeposit(Wire):
    amount: AmountIn
    authorization: _Authorizations


class WirePayment(Wire):
    """The scheme's part of a payment."""

    type: Literal["voucher", "deposit", "refund"]
    channel_config: WireConfig
    voucher: WireVoucher
    deposit: WireDeposit | None = None
    amount: AmountIn | None = Field(default=None, description="Of a refund; all that is free if left out")


class _Extra(Wire):
    """What we read of the requirements' `extra`."""

    receiver_authorizer: Address
    merchant_id: Text = Field(max_length=MAX_MERCHANT_ID, min_length=1)
    withdraw_delay: int | None = None
    reference: Text | None = Field(default=None, max_length=MAX_REFERENCE)


class Asked(Wire):
    """The requirements' values, read."""

    amount: AmountIn
    asset: Address
    pay_to: Address
    max_timeout_seconds: int
    extra: _Extra


def read_requirements(requirements: Requirements) -> Asked:
    """:raises NotAccepted: they are not well-formed, such as without a merchant"""
    try:
        return Asked.model_validate(requirements.model_dump(by_alias=True))
    except ValidationError as error:
        raise NotAccepted("invalid_payment_requirements", _first(error)) from None


def read_payment(payload: dict[str, Any]) -> WirePayment:
    """:raises NotAccepted: it is none of this scheme's payments"""
    if payload.get("type") not in ("voucher", "deposit", "refund"):
        raise NotAccepted(reason("payload_type"), "This facilitator takes `voucher`, `deposit` and `refund`.")
    try:
        payment = WirePayment.model_validate(payload)
    except ValidationError as error:
        raise NotAccepted(reason(f"{payload['type']}_payload"), _first(error)) from None
    if (payment.type == "deposit") != (payment.deposit is not None):
        raise NotAccepted(reason("deposit_payload"), "A deposit belongs to the type `deposit`.")
    return payment


def is_free_to_check(payload: dict[str, Any]) -> bool:
    """Whether no node has to be asked: it is a voucher, and whose signature it needs, a key of its own tells."""
    config = payload.get("channelConfig")
    authorizer = config.get("payerAuthorizer") if isinstance(config, dict) else None
    return payload.get("type") == "voucher" and isinstance(authorizer, str) and bool(set(authorizer[2:]) & _NOT_ZERO)


def _first(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"[:200]


def payment_identifier(extensions: dict[str, Any] | None) -> str | None:
    """What the client calls this payment, if it does.

    :raises NotAccepted: by what is no identifier
    """
    declared = (extensions or {}).get(PAYMENT_IDENTIFIER)
    info = declared.get("info") if isinstance(declared, dict) else None
    identifier = info.get("id") if isinstance(info, dict) else None
    if identifier is None:
        return None
    if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
        raise NotAccepted("invalid_payment_identifier", "16 to 128 letters, digits, hyphens and underscores")
    return identifier


def key_of_voucher(voucher: WireVoucher) -> str:
    """The idempotency key of a payment that the client has not named. No client's name looks like it."""
    named = f"{voucher.channel_id}:{voucher.max_claimable_amount}"
    return "x402:" + hashlib.sha256(named.encode()).hexdigest()


# ---------------------------------------------------------------- answered


class Verified(Wire):
    """`extra` is the channel's state; with `payment` if this very payment was accepted before."""

    is_valid: bool
    invalid_reason: str | None = None
    invalid_message: str | None = None
    payer: str | None = None
    extra: dict[str, Any] | None = None


class Settled(Wire):
    """`transaction`: the deposit's, if one was made; a voucher needs none. `extra.payment` is the hub's record of it."""

    success: bool
    error_reason: str | None = None
    error_message: str | None = None
    payer: str | None = None
    transaction: str
    network: str
    amount: str | None = None
    extra: dict[str, Any] | None = None


class SupportedKind(Wire):
    x402_version: int = Field(default=VERSION, alias="x402Version")
    scheme: str
    network: str
    extra: dict[str, Any]


class Supported(Wire):
    kinds: list[SupportedKind]
    extensions: list[str]
    signers: dict[str, list[str]]
