"""x402's scheme `exact` as it crosses HTTP: one signed transfer for one payment (ERC-3009). Pure.

Names and reasons are those of the SDKs (`x402.mechanisms.evm.constants`).
"""

from typing import Any, Literal

from pydantic import Field, ValidationError

from taesan.core.values import Address, AmountIn, Bytes32, Signature, Text
from taesan.payments.x402_wire import MAX_REFERENCE, FacilitatorRequest, NotAccepted, Wire

SCHEME = "exact"
FINAL = "final"
"""`extra.settlement`, if the merchant's answer is to wait for the chain."""


def reason(name: str) -> str:
    return f"invalid_exact_evm_{name}"


NONCE_USED = reason("nonce_already_used")
RECIPIENT, VALUE, SIGNATURE = (
    reason(f"payload_{name}") for name in ("recipient_mismatch", "authorization_value_mismatch", "signature")
)
TOO_LATE, TOO_EARLY = (reason(f"payload_authorization_valid_{when}") for when in ("before", "after"))
BALANCE, SIMULATION = reason("insufficient_balance"), reason("transaction_simulation_failed")
EXPOSURE = reason("payer_has_too_much_pending")
MERCHANTS_EXPOSURE = reason("merchant_has_too_much_pending")
FAILED = "transaction_failed"


class WireTransfer(Wire):
    payer: Address = Field(alias="from")
    to: Address
    value: AmountIn
    valid_after: AmountIn
    valid_before: AmountIn
    nonce: Bytes32


class WireExact(Wire):
    """The scheme's part of a payment."""

    authorization: WireTransfer
    signature: Signature


class _Extra(Wire):
    name: str | None = None
    version: str | None = None
    settlement: Literal["final", "gathered"] | None = None
    reference: Text | None = Field(default=None, max_length=MAX_REFERENCE)


class AskedExact(Wire):
    """The requirements' values, read."""

    amount: AmountIn
    asset: Address
    pay_to: Address
    max_timeout_seconds: int
    extra: _Extra


def read(request: FacilitatorRequest) -> tuple[AskedExact, WireExact]:
    """:raises NotAccepted: what is asked, or what was sent, is not well-formed"""
    payload = request.payment_payload.payload
    if "authorization" not in payload:
        raise NotAccepted("unsupported_payload_type", "This facilitator takes transfers signed by ERC-3009.")
    return (
        _parsed(AskedExact, request.payment_requirements.model_dump(by_alias=True), "invalid_payment_requirements"),
        _parsed(WireExact, payload, "invalid_payload"),
    )


def _parsed(shape: type[Any], value: dict[str, Any], why: str) -> Any:
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        fault = error.errors()[0]
        raise NotAccepted(why, f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"[:200]) from None
