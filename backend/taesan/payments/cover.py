"""What the hub stands in for when a contract wallet pays: such a wallet can take its signature back until the chain has
claimed the voucher (docs/security.md, "Contract wallets"). Pure."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol

from taesan.core.problems import Problem


class Coverable(Protocol):
    """A channel's state as far as its cover depends on it.

    :ivar secured: how much of `charged` cannot be taken back; None: the channel's key signs, not a contract
    """

    channel_id: str
    charged: int
    secured: int | None


@dataclass(slots=True)
class Cover:
    """The hub's surplus, part of which is held back for each payment that a wallet can take back.

    :ivar free: what is left of it, minor units. :ivar most: for one channel. :ivar held: channel → what was held for it now
    """

    free: int
    most: int
    held: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def check(self, channel: Coverable, amount: int, *, to_merchant: bool) -> None:
        """Whether the amount of a payment that a contract wallet has signed can be held; changes nothing.

        :raises Problem: `contract-wallet-jar`, `signed-by-key-before`, `contract-wallet-limit`, `no-cover`
        """
        if not to_merchant:
            raise Problem(
                "contract-wallet-jar",
                422,
                "A channel that a contract wallet signs pays merchants only.",
                "For a jar, open a channel with a hot key as its payerAuthorizer.",
            )
        if channel.secured is None and channel.charged:
            raise Problem(
                "signed-by-key-before",
                409,
                "This channel's earlier vouchers were signed by the payer's key.",
                "Go on signing with the key, or open another channel.",
            )
        at_stake = channel.charged - (channel.secured or 0) + amount
        if at_stake > self.most:
            raise Problem(
                "contract-wallet-limit",
                409,
                "Too much of this contract wallet's payments is not claimed on the chain yet.",
                f"At most {self.most} minor units may wait; with this payment it would be {at_stake}.",
                headers={"retry-after": "60"},
            )
        if amount > self.free:
            raise Problem(
                "no-cover",
                503,
                "The hub cannot stand in for a contract wallet's payment at the moment.",
                "Its surplus is held for others' until they are claimed; a channel with a hot key needs none.",
                headers={"retry-after": "60"},
            )

    def hold(self, channel: Coverable, amount: int) -> None:
        """Holds it, after `check`. The first such payment makes the channel a wallet's for ever."""
        channel.secured = channel.secured or 0
        self.free -= amount
        self.held[channel.channel_id] += amount
