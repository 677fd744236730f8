"""Who uses the hub: they keep what they were answered, and ask again when they were not."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode

from taesan.payments.messages import Outcome, Refusal, Submission
from tests.simulation.moments import Violation
from tests.support.wallet import Json, Wallet, channel_id, config_tuple, raw

UNANSWERED, ACCEPTED, REFUSED = "unanswered", "accepted", "refused"


@functools.cache
def wallet(name: str) -> Wallet:
    return Wallet(name)


@functools.cache
def _voucher(name: str, channel: str, cumulative: int, domain: tuple[tuple[str, Any], ...]) -> str:
    return wallet(name).voucher({"voucher_domain": dict(domain)}, channel, cumulative)


@dataclass
class Request:
    """A payment that was sent, once or more often, with one key. :ivar body: the first answer"""

    payer: "Payer"
    submission: Submission
    flaw: str = "none"
    state: str = UNANSWERED
    body: bytes = b""

    @property
    def key(self) -> tuple[str, str]:
        return self.submission.channel_id, self.submission.idempotency_key

    def answered(self, result: Outcome | Refusal) -> None:
        """:raises Violation: by what was answered before, or by what is wrong with it, it cannot be that"""
        if isinstance(result, Refusal):
            if self.state == ACCEPTED:
                raise Violation(f"{self.submission.idempotency_key} was accepted and is now refused: {result.title}")
            if result.status >= 500 and result.type != "chain-view-too-old":
                if result.status != 503:
                    raise Violation(f"{self.submission.idempotency_key} was answered with {result.type}")
                return  # unknown: the same key will tell
            self.state = REFUSED
            return
        if self.flaw in ("forged", "stale", "overdrawn"):
            raise Violation(f"a payment was accepted though it was {self.flaw}")
        if self.state == ACCEPTED and self.body != result.body:
            raise Violation(f"{self.submission.idempotency_key} has two answers")
        self.state, self.body = ACCEPTED, result.body
        if self.submission.channel_id == self.payer.channel:
            self.payer.charged = max(self.payer.charged, self.submission.cumulative)


@dataclass
class Payer:
    """:ivar charged: by what has been accepted. :ivar sequence: of channels and keys and salts
    :ivar announced: when a withdrawal was, seconds since 1970"""

    number: int
    facts: Json
    generation: int = 0
    charged: int = 0
    sequence: int = 0
    announced: int | None = None

    @property
    def name(self) -> str:
        return f"payer {self.number}"

    @property
    def wallet(self) -> Wallet:
        return wallet(self.name)

    @property
    def address(self) -> str:
        return self.wallet.address

    @functools.cached_property
    def _configs(self) -> dict[int, tuple[Json, str]]:
        return {}

    @property
    def config(self) -> Json:
        return self._channel()[0]

    @property
    def channel(self) -> str:
        return self._channel()[1]

    def _channel(self) -> tuple[Json, str]:
        if self.generation not in self._configs:
            salt = f"0x{self.number:032x}{self.generation:032x}"
            config = self.wallet.channel_config(self.facts, salt=salt)
            self._configs[self.generation] = config, channel_id(self.facts, config)
        return self._configs[self.generation]

    def open_new(self) -> None:
        """The old one takes no payments any more."""
        self.generation, self.charged, self.announced = self.generation + 1, 0, None

    def next(self) -> int:
        self.sequence += 1
        return self.sequence

    def salt(self) -> str:
        return f"0x{self.number:032x}{self.next():032x}"

    def voucher(self, cumulative: int) -> str:
        domain = tuple(sorted(self.facts["voucher_domain"].items()))
        return _voucher(self.name, self.channel, cumulative, domain)

    def payment(self, amount: int, merchant_id: str | None, flaw: str = "none", ahead: int = 0) -> Request:
        """:param ahead: what payments before it in the same request will add up to"""
        if flaw == "overdrawn":
            amount = 10**9
        cumulative = max(self.charged, 1) if flaw == "stale" else self.charged + ahead + amount
        signature = self.voucher(cumulative + (1 if flaw == "forged" else 0))
        key = f"{self.name.replace(' ', '-')}-{self.next()}"
        return Request(self, Submission(key, self.channel, amount, cumulative, signature, merchant_id), flaw)

    def deposit_call(self, signed: Json) -> tuple[Any, ...]:
        """How anyone brings a signed deposit to the chain: `PaymentChannels.deposit`'s arguments."""
        authorization = signed["authorization"]
        values = [int(authorization[name]) for name in ("valid_after", "valid_before")]
        values += [int(authorization["salt"], 16), raw(authorization["signature"])]
        data = encode(["uint256", "uint256", "uint256", "bytes"], values)
        return config_tuple(self.config), int(signed["amount"]), self.facts["collector"], data


@dataclass
class Order:
    """A deposit, redemption or payout that was sent with a key, and can be sent again.

    :ivar send: asks the service; raises what it raises. :ivar answer: the first one, None as long as there was none
    """

    what: str
    send: Callable[[], Any]
    answer: bytes | None = None
    was_refused: bool = False

    def answered(self, body: bytes) -> None:
        if self.answer is not None and self.answer != body:
            raise Violation(f"a {self.what} has two answers: {self.answer!r} and {body!r}")
        self.answer, self.was_refused = body, False
