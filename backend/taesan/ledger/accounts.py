"""The chart of accounts: every account's name, in one place. Pure.

Assets of the hub (debit-normal): `escrow`, what the channels contract holds for our channels; `reserve`, what the
settlement contract holds (and `shortfall`, which should stay empty). All else is owed to somebody or is the surplus over it (credit-normal).
"""

from dataclasses import dataclass
from typing import NamedTuple

DEBIT, CREDIT = 1, -1
DEBIT_KINDS = frozenset({"escrow", "reserve", "shortfall"})


class AccountName(NamedTuple):
    """:param owner: whose account it is, if the kind has one for each owner"""

    kind: str
    side: int
    asset: str
    owner: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.owner}:{self.asset}" if self.owner else f"{self.kind}:{self.asset}"


@dataclass(frozen=True)
class Chart:
    """The accounts of one asset (CAIP-19 id)."""

    asset: str

    @property
    def escrow(self) -> AccountName:
        """Money in the channels contract, claimed or not, that has not moved to the reserve."""
        return AccountName("escrow", DEBIT, self.asset)

    @property
    def reserve(self) -> AccountName:
        """Money in the settlement contract."""
        return AccountName("reserve", DEBIT, self.asset)

    @property
    def shortfall(self) -> AccountName:
        """What left the chain though the books had promised it to somebody; zero unless something went badly wrong."""
        return AccountName("shortfall", DEBIT, self.asset)

    def channel(self, channel_id: str) -> AccountName:
        """What a payer can still spend from a channel."""
        return AccountName("channel", CREDIT, self.asset, channel_id)

    def jar(self, channel_id: str) -> AccountName:
        """What a payer has gathered in the channel's jar; still the payer's, still in escrow."""
        return AccountName("jar", CREDIT, self.asset, channel_id)

    def gathered(self, customer: str) -> AccountName:
        """Drawn from a gateway's funding for a customer of its, and not on the way to a wallet yet."""
        return AccountName("gathered", CREDIT, self.asset, customer)

    def converting(self, address: str) -> AccountName:
        """Fired out of a jar, not yet settled on chain."""
        return AccountName("converting", CREDIT, self.asset, address)

    def entitled(self, address: str) -> AccountName:
        """Settled on chain and claimable with a proof, not yet minted."""
        return AccountName("entitled", CREDIT, self.asset, address)

    def pending(self, address: str) -> AccountName:
        """Paid to a merchant (by its payout address), not yet settled on chain."""
        return AccountName("pending", CREDIT, self.asset, address)

    def credit(self, address: str) -> AccountName:
        """A merchant's credit in the settlement contract."""
        return AccountName("credit", CREDIT, self.asset, address)

    def paying_out(self, address: str) -> AccountName:
        """The part of a merchant's credit that a payout has been ordered for."""
        return AccountName("paying_out", CREDIT, self.asset, address)

    def refunding(self, address: str) -> AccountName:
        """The part of a merchant's credit that is held for refunds until new payments cover them."""
        return AccountName("refunding", CREDIT, self.asset, address)

    def budget(self, address: str) -> AccountName:
        """The part of a merchant's credit that is held for what its campaigns promise payers."""
        return AccountName("budget", CREDIT, self.asset, address)

    def cover(self, channel_id: str) -> AccountName:
        """The hub's own money, held back of its surplus for payments that a contract wallet can still take back."""
        return AccountName("cover", CREDIT, self.asset, channel_id)

    @property
    def recovered(self) -> AccountName:
        """Claimed on chain for payments that a restored database does not know, until a batch on chain tells whose it is."""
        return AccountName("recovered", CREDIT, self.asset)

    @property
    def gift_supply(self) -> AccountName:
        """Gift tokens in circulation."""
        return AccountName("gift_supply", CREDIT, self.asset)

    @property
    def surplus(self) -> AccountName:
        """What sponsors and gateways have paid into the reserve and no settlement has used."""
        return AccountName("surplus", CREDIT, self.asset)
