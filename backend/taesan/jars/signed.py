"""What a payer signs for a rule (EIP-712), as `IStandingOrders` has it: her wallet shows the words that the hub computes by. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from eth_abi.abi import encode

from taesan.core.crypto import Domain, keccak

DESTINATION_TYPE = "Destination(string kind,uint16 share,address recipient,address token,uint16 slippage)"
RULE_TYPE = (
    "Rule(address payer,uint64 id,string gather,string fires,string only,Destination[] destinations,uint96 perDay,"
    "uint64 validUntil)" + DESTINATION_TYPE
)
KINDS = ("wallet", "savings", "swap", "cash", "person", "collectible")
WALLET = "wallet"
"""Gift tokens that stay where they are: the one kind for which nothing has to be moved."""
COLLECTIBLE = "collectible"
"""Of which no more than the price is moved."""

_DESTINATION_HASH, _RULE_HASH = keccak(DESTINATION_TYPE.encode()), keccak(RULE_TYPE.encode())


@dataclass(frozen=True)
class Destination:
    """:ivar share: of what fires; with `slippage` in ten-thousandths. :ivar recipient: EIP-55, as `token`"""

    kind: str
    share: int
    recipient: str
    token: str
    slippage: int


@dataclass(frozen=True)
class Rule:
    """:ivar id: the payer's own number, used once for ever. :ivar per_day: the most gift tokens, minor units, that the contract
    moves for it on a day (UTC). :ivar valid_until: Unix seconds"""

    payer: str
    id: int
    gather: str
    fires: str
    only: str
    destinations: tuple[Destination, ...]
    per_day: int
    valid_until: int

    @property
    def shares(self) -> list[int]:
        return [destination.share for destination in self.destinations]

    def as_tuple(self) -> tuple[object, ...]:
        """As the contract takes it."""
        destinations = [(d.kind, d.share, d.recipient, d.token, d.slippage) for d in self.destinations]
        return (
            self.payer,
            self.id,
            self.gather,
            self.fires,
            self.only,
            destinations,
            self.per_day,
            self.valid_until,
        )


def digest(domain: Domain, rule: Rule) -> bytes:
    """The hash that the payer signs. :param domain: of `StandingOrders`"""
    struct = encode(
        ["bytes32", "address", "uint64", "bytes32", "bytes32", "bytes32", "bytes32", "uint96", "uint64"],
        [
            _RULE_HASH,
            rule.payer,
            rule.id,
            keccak(rule.gather.encode()),
            keccak(rule.fires.encode()),
            keccak(rule.only.encode()),
            _hash_of_all(rule.destinations),
            rule.per_day,
            rule.valid_until,
        ],
    )
    return keccak(domain.prefix + keccak(struct))


def _hash_of_all(destinations: Sequence[Destination]) -> bytes:
    types = ["bytes32", "bytes32", "uint16", "address", "address", "uint16"]
    return keccak(
        b"".join(
            keccak(
                encode(types, [_DESTINATION_HASH, keccak(d.kind.encode()), d.share, d.recipient, d.token, d.slippage])
            )
            for d in destinations
        )
    )
