"""A month of somebody's small money, made of sums alone: what went where, how often, and against which months. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple, Protocol

from taesan.insights.audit_models import AssetAudit, Day, Moved, Place, Places
from taesan.insights.movements import KINDS, Kind, next_month

MOST_PLACES = 100  # that one list has


class Total(Protocol):
    """As `streams.Sum` is."""

    @property
    def key(self) -> tuple[Any, ...]: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def asset(self) -> str: ...
    @property
    def exponent(self) -> int: ...
    @property
    def count(self) -> int: ...
    @property
    def amount(self) -> int: ...


class Days(NamedTuple):
    """:ivar end: the day after the last"""

    first: date
    end: date


class Compared(NamedTuple):
    month: Days
    before: Days
    year_before: Days


def compared(month: date, today: date) -> Compared:
    """Of a month that is not over, as many days of each.

    :param month: its first day. :raises ValueError: it has not begun
    """
    if month > today:
        raise ValueError("a month that has not begun has no audit")
    last_month = (month - timedelta(days=1)).replace(day=1)
    last_year = month.replace(year=month.year - 1)
    over = next_month(month)
    if today >= over:
        return Compared(*(Days(first, next_month(first)) for first in (month, last_month, last_year)))
    so_many = today - month + timedelta(days=1)
    return Compared(*(Days(first, min(first + so_many, next_month(first))) for first in (month, last_month, last_year)))


# ---------------------------------------------------------------- adding up


@dataclass(slots=True)
class _Went:
    """To one place, in each of the three spans."""

    counts: list[int] = field(default_factory=lambda: [0, 0, 0])
    spent: list[int] = field(default_factory=lambda: [0, 0, 0])
    refunded: list[int] = field(default_factory=lambda: [0, 0, 0])

    @property
    def net(self) -> list[int]:
        return [spent - back for spent, back in zip(self.spent, self.refunded, strict=True)]


@dataclass(slots=True)
class _Asset:
    lines: int = 0
    counts: dict[Kind, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    moved: dict[Kind, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    merchants: dict[str, _Went] = field(default_factory=lambda: defaultdict(_Went))
    categories: dict[str, _Went] = field(default_factory=lambda: defaultdict(_Went))
    days: dict[date, dict[Kind, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))


def audited(
    month: Sequence[Total], before: Sequence[Total], year_before: Sequence[Total], by_day: Sequence[Total]
) -> list[AssetAudit]:
    """:param month, before, year_before: by merchant and category. :param by_day: the month's, by day"""
    assets: dict[tuple[str, int], _Asset] = defaultdict(_Asset)
    for span, found in enumerate((month, before, year_before)):
        for total in found:
            _add(assets[total.asset, total.exponent], span, total)
    for total in by_day:
        assets[total.asset, total.exponent].days[total.key[0]][total.kind] += total.amount
    in_order = sorted(assets.items(), key=lambda item: (-item[1].lines, item[0]))
    return [_told(*key, asset) for key, asset in in_order]


def _add(asset: _Asset, span: int, total: Total) -> None:
    merchant, category = total.key
    if span == 0:
        asset.lines += total.count
    asset.counts[total.kind][span] += total.count
    asset.moved[total.kind][span] += total.amount
    if total.kind not in ("spent", "refunded"):
        return
    for went in (asset.merchants[merchant], asset.categories[category]):
        if total.kind == "refunded":
            went.refunded[span] += total.amount
        else:
            went.spent[span] += total.amount
            went.counts[span] += total.count


# ------------------------------------------------------------------- telling


def _told(asset: str, exponent: int, found: _Asset) -> AssetAudit:
    return AssetAudit(
        asset=asset,
        exponent=exponent,
        moved=[_moved(kind, found) for kind in KINDS if kind in found.moved],
        merchants=_places(found.merchants.items()),
        categories=_places(found.categories.items()),
        days=[
            Day(day=day.isoformat(), spent=of["spent"], refunded=of["refunded"], gathered=of["gathered"])
            for day, of in sorted(found.days.items())
        ],
    )


def _moved(kind: Kind, found: _Asset) -> Moved:
    return Moved(kind=kind, **amounts(found.moved[kind]), **counts(found.counts[kind]))


def amounts(of_spans: Sequence[int]) -> dict[str, int]:
    """As `Amounts` has them. :param of_spans: the month, the month before, the same month a year ago"""
    return dict(zip(("amount", "before", "year_before"), of_spans, strict=True))


def counts(of_spans: Sequence[int]) -> dict[str, int]:
    """As `Counted` has them, beside `amounts`."""
    return dict(zip(("count", "count_before", "count_year_before"), of_spans, strict=True))


def _places(found: Iterable[tuple[str, _Went]]) -> Places:
    in_order = sorted(found, key=lambda item: (-item[1].net[0], -item[1].net[1], item[0]))
    net, before, year_before = (sum(went.net[span] for _, went in in_order[MOST_PLACES:]) for span in range(3))
    return Places(
        items=[_place(key, went) for key, went in in_order[:MOST_PLACES]],
        left_out=max(0, len(in_order) - MOST_PLACES),
        left_out_net=net,
        left_out_before=before,
        left_out_year_before=year_before,
    )


def _place(key: str, went: _Went) -> Place:
    net, before, year_before = went.net
    return Place(
        key=key,
        name=key,
        **counts(went.counts),
        spent=went.spent[0],
        refunded=went.refunded[0],
        net=net,
        before=before,
        year_before=year_before,
        change=net - before,
    )


def named(audit: AssetAudit, names: dict[str, str]) -> AssetAudit:
    """With its merchants as their sources write them."""
    items = [place.model_copy(update={"name": names.get(place.key, place.key)}) for place in audit.merchants.items]
    return audit.model_copy(update={"merchants": audit.merchants.model_copy(update={"items": items})})
