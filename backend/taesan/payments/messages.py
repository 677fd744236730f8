"""What goes into the intake and what comes out of it; both cross to its process as MessagePack."""

from typing import Any

import msgspec
from msgspec import Struct

from taesan.core.problems import Problem


class Submission(Struct, array_like=True):
    """A payment that somebody asks to have accepted; its form has been checked. Amounts in minor units.

    :ivar cumulative: the voucher's `maxClaimableAmount`. :ivar signature: 0x-hex
    :ivar merchant_id: who is paid; None: the channel's own jar, or a `person`, by address
    :ivar by_contract: the payer, a contract wallet, was asked on chain and says that it signed; only `wallets` sets this
    :ivar invoice_id: which invoice is paid: its merchant is then who is paid, and its id the reference
    :ivar rule_id: the signed rule that gathers it, if it goes to the jar by one
    """

    idempotency_key: str
    channel_id: str
    amount: int
    cumulative: int
    signature: str
    merchant_id: str | None = None
    purchase_value: int | None = None
    purchase_currency: str | None = None
    reference: str | None = None
    by_contract: bool = False
    invoice_id: str | None = None
    rule_id: str | None = None
    purchase_merchant: str | None = None
    purchase_category: str | None = None
    person: str | None = None

    def as_sent(self) -> "Submission":
        """Without what the hub itself has found out about it."""
        if self.invoice_id is None:
            return msgspec.structs.replace(self, by_contract=False)
        return msgspec.structs.replace(self, by_contract=False, merchant_id=None, reference=None)


class Outcome(Struct, array_like=True, tag_field="kind", tag="accepted"):
    """:ivar body: what the client is answered: `PaymentAccepted` as JSON. :ivar replayed: it was accepted before"""

    body: bytes
    replayed: bool = False


class Refusal(Struct, array_like=True, tag_field="kind", tag="refused"):
    """A `Problem`, taken apart.

    :ivar payer_may_know: the signature is nobody's key's, but the payer signs this channel and may be a contract
    """

    type: str
    status: int
    title: str
    detail: str
    headers: dict[str, str]
    extra: dict[str, Any]
    payer_may_know: bool = False

    @classmethod
    def of(cls, problem: Problem) -> "Refusal":
        return cls(problem.type, problem.status, problem.title, problem.detail, problem.headers, problem.extra)

    def problem(self) -> Problem:
        return Problem(self.type, self.status, self.title, self.detail, headers=self.headers, **self.extra)


Result = Outcome | Refusal
