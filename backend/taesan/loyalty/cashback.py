"""What a campaign gives back of a payment. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

WHOLE = 10_000
"""Rates and multipliers are in ten-thousandths."""


class Pause(NamedTuple):
    """:ivar resumed_at: None: it still is"""

    paused_at: datetime
    resumed_at: datetime | None

    def holds(self, at: datetime) -> bool:
        return self.paused_at <= at and (self.resumed_at is None or at < self.resumed_at)


class Terms(NamedTuple):
    """:ivar rate: of the price. :ivar cap_payment: most for one payment; `cap_payer`: for one payer in all. Minor units"""

    rate: int
    starts_at: datetime
    ends_at: datetime
    category: str | None = None
    cap_payment: int | None = None
    cap_payer: int | None = None
    pauses: tuple[Pause, ...] = ()


class Offer(NamedTuple):
    """What a campaign would give. :ivar campaign_id: in the order in which campaigns were made"""

    campaign_id: int
    amount: int


def applies(terms: Terms, paid_at: datetime, category: str | None) -> bool:
    """Whether the campaign is for a payment of that time and category."""
    in_time = terms.starts_at <= paid_at < terms.ends_at and not any(pause.holds(paid_at) for pause in terms.pauses)
    return in_time and (terms.category is None or terms.category == category)


def reward(terms: Terms, price: int, multiplier: int, had: int, left: int) -> int:
    """Minor units for one payment; rounded down, and never more than the price.

    :param multiplier: the payer's, by her tier. :param had: what the campaign has given her before
    :param left: of the budget. Nobody is given a part of what was promised: who finds less gets nothing
    """
    amount = min(price, price * terms.rate * multiplier // WHOLE**2)
    if terms.cap_payment is not None:
        amount = min(amount, terms.cap_payment)
    if terms.cap_payer is not None:
        amount = min(amount, max(0, terms.cap_payer - had))
    return amount if amount <= left else 0


def best(offers: Iterable[Offer]) -> Offer | None:
    """One payment is rewarded by one campaign: by the one that gives most, of several the oldest."""
    given = [offer for offer in offers if offer.amount > 0]
    return min(given, key=lambda offer: (-offer.amount, offer.campaign_id), default=None)
