"""Rules as wallets sign them, conversions as the hub sends them."""

from dataclasses import dataclass, replace
from typing import Any

from eth_account.signers.local import LocalAccount

from support import FOREVER, ZERO_ADDRESS, errors
from support.events import emitted
from support.signing import domain_of, sign, split

NO_PERMIT = (0, 0, 0, bytes(32), bytes(32))
NO_END = 2**64 - 1


def to(kind: str, recipient: Any, share: int = 10_000, token: Any = ZERO_ADDRESS, slippage: int = 100) -> tuple:
    return kind, share, str(recipient), str(token), slippage


@dataclass(frozen=True)
class Rule:
    """:ivar destinations: of `to`"""

    orders: Any
    payer: Any
    key: LocalAccount
    destinations: tuple[tuple, ...]
    id: int = 1
    gather: str = "round up to 500 KRW x2"
    fires: str = "every 100 payments"
    only: str = ""
    per_day: int = 2**96 - 1
    valid_until: int = NO_END

    def with_(self, **changes: Any) -> "Rule":
        return replace(self, **changes)

    @property
    def terms(self) -> tuple:
        words = self.gather, self.fires, self.only
        return str(self.payer), self.id, *words, list(self.destinations), self.per_day, self.valid_until

    def sign(self, domain: dict[str, Any] | None = None) -> bytes:
        names = ("kind", "share", "recipient", "token", "slippage")
        message = {
            "payer": str(self.payer),
            "id": self.id,
            "gather": self.gather,
            "fires": self.fires,
            "only": self.only,
            "destinations": [dict(zip(names, one, strict=True)) for one in self.destinations],
            "perDay": self.per_day,
            "validUntil": self.valid_until,
        }
        return sign(self.key, domain or domain_of(self.orders), "Rule", **message)

    def conversion(
        self,
        amount: int,
        number: int = 1,
        destination: int = 0,
        *,
        minimum: int = 0,
        deadline: int = NO_END,
        permit: tuple = NO_PERMIT,
        signature: bytes | None = None,
    ) -> tuple:
        """:param signature: another than that of this rule"""
        signed = self.sign() if signature is None else signature
        return self.terms, signed, permit, number, destination, amount, minimum, deadline


def permit(token: Any, owner: Any, key: LocalAccount, spender: Any, value: int, deadline: int = FOREVER) -> tuple:
    fields = {"owner": str(owner), "spender": str(spender), "value": value, "deadline": deadline}
    return value, deadline, *split(sign(key, domain_of(token), "Permit", nonce=token.nonces(owner), **fields))


def refusals(tx: Any) -> list[tuple[str, tuple[Any, ...]]]:
    """Why conversions of a transaction were not carried out: the errors' names and arguments."""
    return [errors._decode(bytes.fromhex(told["reason"][2:])) for told in emitted(tx, "NotConverted")]
