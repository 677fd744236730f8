"""A batch that the chain has settled and the database does not know: what it was, and which known payments were in it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from taesan.core.values import hex_of
from taesan.settlement import packing

WALLETS = "contract wallets"
"""Stands for all channels that claim before their batch: the call tells only what they paid together."""


@dataclass(frozen=True)
class Settled:
    """A call of `settle`. Amounts in minor units.

    :ivar credits: merchant → what it was credited. :ivar mints: account → its cumulative entitlement
    """

    batch_id: int
    root: str
    payment_count: int
    entitled: int
    credits: dict[str, int]
    claims: list[packing.Claim]
    mints: dict[str, int]

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "Settled":
        """:param arguments: as the chain tells them, by name"""
        batch = arguments["batch"]
        credited: dict[str, int] = {}
        for address, amount in map(packing.unword, batch["credits"]):
            credited[address] = credited.get(address, 0) + amount
        return cls(
            batch["id"],
            hex_of(batch["root"]),
            batch["paymentCount"],
            batch["entitled"],
            credited,
            packing.unpacked_claims(arguments["packedClaims"]),
            dict(map(packing.unword, arguments["mints"])),
        )

    @property
    def credited(self) -> int:
        return sum(self.credits.values())


@dataclass(frozen=True)
class Candidate:
    """A payment that waits for a batch, or a firing without one.

    :ivar firing: the firing's id, if it is one; then `id` is that of the payment which it comes after
    :ivar purse: the channel that pays, or `WALLETS`. :ivar credited: what its payee, a merchant, gets. :ivar fired: what left
        the jar with it, for its payee
    """

    id: int
    channel_id: str
    purse: str
    payee: str
    credited: int
    fired: int
    firing: int | None = None


@dataclass(frozen=True)
class Attribution:
    """:ivar inside: the known payments of the batch, and firings without one. :ivar unknown: purse → what else it has paid, to whomever"""

    inside: list[Candidate]
    unknown: dict[str, int]

    @property
    def payments(self) -> list[Candidate]:
        return [candidate for candidate in self.inside if candidate.firing is None]


def attribute(
    candidates: Iterable[Candidate],
    count: int,
    claimed: Mapping[str, int],
    credited: Mapping[str, int],
    entitled: Mapping[str, int],
) -> Attribution:
    """Which of the waiting payments a batch has settled.

    A batch takes waiting payments in their order, and those of a restored database are older than those that it lost. So the
    known ones of a channel come first, as far as what the channel was claimed, and what their payees got, goes round. A merchant
    may have got less by a refund that was lost: then some account got that, and nothing known explains why.

    :param candidates: in the order of their ids, a firing right after its payment. :param count: how many payments the batch has
    :param claimed: purse → what the batch took from it. :param credited: by merchant. :param entitled: by account
    """
    left = dict(claimed)
    candidates = list(candidates)
    for_merchants, for_accounts = dict(credited), dict(entitled)
    given_back = _unexplained(candidates, entitled)
    passed_over: set[str] = set()
    inside: list[Candidate] = []
    payments = 0
    for candidate in candidates:
        is_payment = candidate.firing is None
        if candidate.channel_id in passed_over or (is_payment and payments == count):
            continue
        owed = candidate.credited + candidate.fired
        missing = max(0, candidate.credited - for_merchants.get(candidate.payee, 0))
        if (
            owed > left.get(candidate.purse, 0)
            or missing > given_back
            or candidate.fired > for_accounts.get(candidate.payee, 0)
        ):
            if is_payment:  # a firing for which there was no room in the batch held up no payment
                passed_over.add(candidate.channel_id)
            continue
        payments += is_payment
        if owed:
            left[candidate.purse] -= owed
        if candidate.credited:
            given_back -= missing
            for_merchants[candidate.payee] = for_merchants.get(candidate.payee, 0) - candidate.credited + missing
        if candidate.fired:
            for_accounts[candidate.payee] -= candidate.fired
        inside.append(candidate)
    return Attribution(inside, {purse: amount for purse, amount in left.items() if amount})


def _unexplained(candidates: Iterable[Candidate], entitled: Mapping[str, int]) -> int:
    """What accounts were entitled to beyond all that is known to have left their jars."""
    fired: dict[str, int] = {}
    for candidate in candidates:
        fired[candidate.payee] = fired.get(candidate.payee, 0) + candidate.fired
    return sum(max(0, amount - fired.get(account, 0)) for account, amount in entitled.items())


def divide(amount: int, lost_vouchers: int, free: int, gathered: int) -> tuple[int, int]:
    """Out of which of a payer's accounts an unknown claim goes: (free, jar). What vouchers unknown here have promised was
    free money; what is claimed beyond them can only have left the jar. Together they may be less than the amount.

    :param lost_vouchers: how much further the newest voucher on chain goes than the newest one here
    """
    from_jar = min(gathered, max(0, amount - lost_vouchers))
    from_free = min(free, amount - from_jar)
    return from_free, min(gathered, amount - from_free)
