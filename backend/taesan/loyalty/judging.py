"""What a payment or a refund changes: standings, points, rewards. Pure: on what was loaded for it, by the follower for a page of
payments, by the audit for all there have ever been."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from taesan.loyalty import cashback, points, tiers
from taesan.loyalty.cashback import Offer, Terms
from taesan.loyalty.points import PointTerms
from taesan.loyalty.tiers import Ladder, Standing, Unit

HUB = ""
"""Owns the programme whose tiers are badges on chain: what payers do at all merchants together."""
# Payments are looked at nearly in the order of their times: several intakes, each with a clock, may differ by so much.
SKEW = timedelta(minutes=1)


class Rules(NamedTuple):
    """A programme as it is for some payments. :ivar after: the last payment before them"""

    owner: str
    unit: Unit
    zone: ZoneInfo
    ladder: Ladder
    points: PointTerms | None
    after: int
    made_at: datetime

    def period(self, at: datetime) -> int:
        return tiers.period_of(at, self.unit, self.zone)

    def begins_at(self, period: int) -> datetime:
        return tiers.begins_at(period, self.unit, self.zone)


class Paid(NamedTuple):
    """A payment to a merchant. :ivar source: its public id"""

    id: int
    source: str
    merchant_id: str
    payer: str
    amount: int
    at: datetime
    category: str | None = None


class GivenBack(NamedTuple):
    """A refund of a payment. :ivar before: of the same payment, by earlier ones"""

    paid: Paid
    amount: int
    before: int
    at: datetime

    @property
    def left(self) -> int:
        return self.paid.amount - self.before - self.amount


@dataclass
class Running:
    """A campaign. :ivar after: the last payment before it; `until`: the last of it, if it is over"""

    id: int
    merchant_id: str
    terms: Terms
    budget: int
    tiers_of: str
    after: int
    until: int | None = None
    spent: int = 0
    rewards: int = 0


class Given(NamedTuple):
    """A reward. :ivar multiplier: the payer's, by her tier"""

    campaign_id: int
    paid: Paid
    amount: int
    multiplier: int


@dataclass
class Lot:
    """Points of one payment."""

    points: int
    left: int
    paid_at: datetime
    tell_at: datetime | None
    expires_at: datetime


Key = tuple[str, str]
"""Of a member: (owner of the programme, payer)."""


@dataclass
class Book:
    """:ivar rules: owner → its programmes, oldest first. :ivar campaigns: merchant → its own. :ivar had: (campaign, payer) → what she was
    given. :ivar lots: (member, payment's public id) → its points"""

    rules: dict[str, Sequence[Rules]] = field(default_factory=dict)
    campaigns: dict[str, Sequence[Running]] = field(default_factory=dict)
    standings: dict[Key, Standing] = field(default_factory=dict)
    had: dict[tuple[int, str], int] = field(default_factory=dict)
    lots: dict[tuple[Key, str], Lot] = field(default_factory=dict)
    given: list[Given] = field(default_factory=list)

    def rules_of(self, owner: str, after: int) -> Rules | None:
        """Those that hold for what comes after a payment."""
        return next((rules for rules in reversed(self.rules.get(owner, [])) if rules.after <= after), None)

    def pay(self, paid: Paid) -> None:
        for owner in (paid.merchant_id, HUB):
            rules = self.rules_of(owner, paid.id - 1)
            if rules is not None:
                self._count(rules, paid)
        self._reward(paid)

    def _count(self, rules: Rules, paid: Paid) -> None:
        key, period = (rules.owner, paid.payer), rules.period(paid.at)
        standing = self.standings.setdefault(key, Standing(looked=period))
        standing.pay(rules.ladder, period, paid.amount)
        if rules.points is not None and (gained := points.earned(rules.points, paid.amount)):
            told, ends = points.told_at(rules.points, paid.at), points.expires_at(rules.points, paid.at)
            self.lots[key, paid.source] = Lot(gained, gained, paid.at, told, ends)

    def _reward(self, paid: Paid) -> None:
        """First the payment is counted, so that the one that brings a tier is the first that has its perks."""
        offers, multipliers = [], {}
        for campaign in self.campaigns.get(paid.merchant_id, []):
            is_over = campaign.until is not None and paid.id > campaign.until
            if is_over or paid.id <= campaign.after or not cashback.applies(campaign.terms, paid.at, paid.category):
                continue
            multiplier = self.multiplier(HUB if campaign.tiers_of == "hub" else paid.merchant_id, paid)
            had, left = self.had.get((campaign.id, paid.payer), 0), campaign.budget - campaign.spent
            amount = cashback.reward(campaign.terms, paid.amount, multiplier, had, left)
            offers.append(Offer(campaign.id, amount))
            multipliers[campaign.id] = multiplier
        chosen = cashback.best(offers)
        if chosen is None:
            return
        campaign = next(c for c in self.campaigns[paid.merchant_id] if c.id == chosen.campaign_id)
        campaign.spent += chosen.amount
        campaign.rewards += 1
        key = (campaign.id, paid.payer)
        self.had[key] = self.had.get(key, 0) + chosen.amount
        self.given.append(Given(campaign.id, paid, chosen.amount, multipliers[campaign.id]))

    def multiplier(self, owner: str, paid: Paid) -> int:
        rules, standing = self.rules_of(owner, paid.id - 1), self.standings.get((owner, paid.payer))
        if rules is None or standing is None:
            return cashback.WHOLE
        return rules.ladder.at(min(standing.tier, len(rules.ladder.tiers))).cashback

    def give_back(self, refund: GivenBack, after: int) -> None:
        """:param after: the last payment that was looked at before"""
        paid = refund.paid
        for owner in (paid.merchant_id, HUB):
            key = (owner, paid.payer)
            rules, counted_by = self.rules_of(owner, after), self.rules_of(owner, paid.id - 1)
            if rules is None or counted_by is None or key not in self.standings:
                continue  # it was never counted
            self.standings[key].take_back(
                rules.ladder, rules.period(refund.at), rules.period(paid.at), refund.amount, whole=not refund.left
            )
            lot = self.lots.get((key, paid.source))
            if lot is not None:
                kept = lot.points * refund.left // paid.amount
                lot.left = min(lot.left, kept)

    def change(self, rules: Rules, keys: Iterable[Key]) -> None:
        """New rules: first, those members are judged by the old ones for what has ended by then."""
        before = self.rules_of(rules.owner, rules.after)
        assert before is not None
        for key in keys:
            self.standings[key].advance(before.ladder, rules.period(rules.made_at - SKEW))
