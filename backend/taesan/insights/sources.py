"""What each of the hub's own records says that moved: payments, what was given back of them, and what gateways report. Pure."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from babel.numbers import get_currency_precision

from taesan.core.days import day_of
from taesan.insights.merchants import normalised
from taesan.insights.movements import MAX_TOLD, Kind, Movement, Source

_merchant = lru_cache(10_000)(normalised)  # a page has few names, each many times


class Asset(NamedTuple):
    id: str
    exponent: int

    @classmethod
    def of_currency(cls, code: str) -> "Asset":
        return cls(code, get_currency_precision(code))


class Place(NamedTuple):
    """Where money went. :ivar name: "" if nobody knows; of another person, the address"""

    name: str = ""
    category: str = ""
    is_person: bool = False


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Bought:
    """What was bought elsewhere, of which only the round-up has come."""

    value: int
    currency: str
    place: Place


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment. :ivar to: None: into the jar. :ivar bought: None also if that was a payment here itself
    :ivar in_tokens: with gift tokens, and not with the reserve asset
    """

    id: str
    amount: int
    at: datetime
    wallet: str
    to: Place | None
    rounds_up: Place = NOWHERE
    bought: Bought | None = None
    in_tokens: bool = False


@dataclass(frozen=True, slots=True)
class GivenBack:
    """A refund, or (`is_reward`) what campaigns had promised. :ivar in_tokens: so was what it gives back"""

    id: str
    amount: int
    at: datetime
    wallet: str
    place: Place
    is_reward: bool
    in_tokens: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """A gateway's payment as it is now. :ivar gathered: drawn for its customer. :ivar returned: of that, to the gateway"""

    id: str
    value: int
    currency: str
    paid_at: datetime
    wallet: str
    place: Place
    gathered: int
    drawn_at: datetime | None
    returned: int
    refunded_at: datetime | None


class Maker:
    """Makes movements of one person's records. :param asset: the hub's reserve asset. :param gift: its gift token"""

    def __init__(self, zone: ZoneInfo, asset: Asset, gift: Asset) -> None:
        self._zone, self._asset, self._gift = zone, asset, gift

    def of_payment(self, paid: Paid) -> list[Movement]:
        if paid.to is not None:
            asset = self._gift if paid.in_tokens else self._asset
            return [self._line(paid, "hub", "spent", paid.at, paid.to, asset, paid.amount)]
        found = [self._line(paid, "hub", "gathered", paid.at, paid.rounds_up, self._asset, paid.amount)]
        if paid.bought is not None and 0 < paid.bought.value <= MAX_TOLD:
            currency = Asset.of_currency(paid.bought.currency)
            found.append(self._line(paid, "hub", "spent", paid.at, paid.bought.place, currency, paid.bought.value))
        return found

    def of_refund(self, row: GivenBack) -> list[Movement]:
        if not row.amount:
            return []  # all of it was taken off for a reward that had been paid out
        kind: Kind = "rewarded" if row.is_reward else "refunded"
        asset = self._gift if row.in_tokens else self._asset
        return [self._line(row, "hub", kind, row.at, row.place, asset, row.amount)]

    def of_report(self, row: Reported) -> list[Movement]:
        """All that has become of it by now: the same report again, later, has more."""
        currency = Asset.of_currency(row.currency)
        value = row.value if row.value <= MAX_TOLD else 0
        told: list[tuple[Kind, datetime | None, Asset, int]] = [
            ("spent", row.paid_at, currency, value),
            ("refunded", row.refunded_at, currency, value),
            ("gathered", row.drawn_at, self._asset, row.gathered),
            ("ungathered", row.refunded_at, self._asset, row.returned),
        ]
        return [
            self._line(row, "gateway", kind, at, row.place, asset, amount)
            for kind, at, asset, amount in told
            if at is not None and amount
        ]

    def _line(
        self,
        row: Paid | GivenBack | Reported,
        source: Source,
        kind: Kind,
        at: datetime,
        place: Place,
        asset: Asset,
        amount: int,
    ) -> Movement:
        return Movement(
            key=row.id,
            source=source,
            kind=kind,
            at=at,
            day=day_of(at, self._zone),
            merchant=place.name if place.is_person else _merchant(place.name),
            name=place.name,
            category=place.category,
            asset=asset.id,
            exponent=asset.exponent,
            amount=amount,
            wallet=row.wallet,
        )
