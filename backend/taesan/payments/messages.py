"""What goes into the intake and what comes out of it; both cross to its process as MessagePack."""

from typing import Any

from msgspec import Struct

from taesan.core.problems import Problem


class Submission(Struct, array_like=True):
    """A payment that somebody asks to have accepted; its form has been checked. Amounts in minor units.

    :ivar cumulative: the voucher's `maxClaimableAmount`. :ivar signature: 0x-hex
    :ivar merchant_id: who is paid; None: the channel's own jar
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


class Outcome(Struct, array_like=True, tag_field="kind", tag="accepted"):
    """:ivar body: what the client is answered: `PaymentAccepted` as JSON. :ivar replayed: it was accepted before"""

    body: bytes
    replayed: bool = False


class Refusal(Struct, array_like=True, tag_field="kind", tag="refused"):
    """A `Problem`, taken apart."""

    type: str
    status: int
    title: str
    detail: str
    headers: dict[str, str]
    extra: dict[str, Any]

    @classmethod
    def of(cls, problem: Problem) -> "Refusal":
        return cls(problem.type, problem.status, problem.title, problem.detail, problem.headers, problem.extra)

    def problem(self) -> Problem:
        return Problem(self.type, self.status, self.title, self.detail, headers=self.headers, **self.extra)


Result = Outcome | Refusal
