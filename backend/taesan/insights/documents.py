"""A month's audit in a person's words: what page and PDF show alike. Pure.

Names are others' texts: what steers how text runs is taken out of them here, and markup is for whoever draws to escape.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_decimal, get_currency_name

from taesan.core.money import in_currency, in_tokens
from taesan.insights.audit_models import Amounts, AssetAudit, Counted, MonthAudit, Moved, Place, Places
from taesan.insights.budgets import BudgetPublic
from taesan.insights.movements import next_month

MOST_ROWS, MOST_GROWN, MOST_IN_BRIEF = 20, 5, 3
MAX_NAME = 60
MOST_CUT = 3  # bars
NONE = "–"  # stands where a figure is zero
_MADE_AT = {"ko": "y. M. d. aaaa h:mm"}  # CLDR's own says AM
_PERSON = re.compile("0x[0-9a-fA-F]{40}")
Say = Callable[[str], str]
"""English → the person's language."""

KINDS = {
    "spent": "Spent",
    "refunded": "Given back by merchants",
    "gathered": "Gathered in jars",
    "ungathered": "Taken out again",
    "rewarded": "Cashback paid out",
    "fee": "Fees",
}
CONVERSIONS = {
    "wallet": "Gift tokens in the wallet",
    "savings": "Savings",
    "swap": "Another token bought",
    "cash": "Cash",
    "person": "For somebody else",
    "collectible": "Collectibles",
}
STATES = {"waiting": "on its way", "sent": "on its way", "done": "done", "held": "held back", "kept": "kept as it is"}


@dataclass(frozen=True, slots=True)
class Table:
    """The first column is text, the others are figures."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def main(self) -> int:
        """The column that one looks for."""
        return min(2, len(self.head) - 1)


@dataclass(frozen=True, slots=True)
class Bar:
    """:ivar height: in thousandths of what there is. :ivar is_cut: it would be higher"""

    label: str
    value: str
    height: int
    is_cut: bool = False

    @property
    def is_marked(self) -> bool:
        """Whether its label is shown: the first of the month, and each fifth."""
        return self.label == "1" or int(self.label) % 5 == 0


@dataclass(frozen=True, slots=True)
class Chart:
    """:ivar alternative: what it shows, in words. :ivar bars: one for each day of the month"""

    title: str
    alternative: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    lines: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    chart: Chart | None = None


@dataclass(frozen=True, slots=True)
class Document:
    language: str
    title: str
    summary: tuple[str, ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]


def plain(text: str) -> str:
    """A name on one line, without control characters and what turns the direction of text around, and not too long."""
    kept = "".join(
        " " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf")
    )
    kept = " ".join(kept.split())
    return kept if len(kept) <= MAX_NAME else kept[: MAX_NAME - 1] + "…"


def _growth(place: Place) -> int:
    """Of what was spent there: that less was given back than in the month before is none."""
    return place.net - max(0, place.before) if place.net > 0 else 0


def _top(amounts: Iterable[int]) -> int:
    """What the height of a chart stands for: one that leaves something to see of the others, if a few are far above them."""
    highest = sorted(amounts, reverse=True)
    cut = max((n for n in range(1, MOST_CUT + 1) if n < len(highest) and highest[n - 1] > 3 * highest[n]), default=0)
    return highest[cut] * 4 // 3 if cut and highest[cut] else highest[0]


class Writer:
    """:param symbols: of tokens, by their asset ids"""

    def __init__(self, language: str, say: Say, symbols: Mapping[str, str]) -> None:
        self._language, self._say, self._symbols = language, say, symbols

    # ---------------------------------------------------------------- figures

    def money(self, amount: int, asset: str, exponent: int) -> str:
        """To the last minor unit."""
        if ":" not in asset and asset not in self._symbols:
            return in_currency(amount, exponent, asset, self._language)
        return in_tokens(amount, exponent, self._symbols.get(asset, plain(asset)), self._language)

    def _money_of(self, amount: int, of: AssetAudit) -> str:
        return self.money(amount, of.asset, of.exponent)

    def _figure(self, amount: int, of: AssetAudit) -> str:
        return self._money_of(amount, of) if amount else NONE

    def _often(self, count: int) -> str:
        return self._count(count) if count else NONE

    def _signed(self, amount: int, of: AssetAudit) -> str:
        if not amount:
            return NONE
        return ("+" if amount > 0 else "") + self.money(amount, of.asset, of.exponent)

    def _count(self, count: int) -> str:
        return str(format_decimal(count, locale=self._language))

    def _day(self, day: str) -> str:
        return str(format_date(date.fromisoformat(day), "long", locale=self._language))

    def _asset(self, asset: str) -> str:
        if asset in self._symbols or ":" in asset:
            return self._symbols.get(asset, plain(asset))
        return str(get_currency_name(asset, locale=self._language))

    # --------------------------------------------------------------- document

    def document(self, audit: MonthAudit) -> Document:
        say, first = self._say, date.fromisoformat(audit.days.since)
        made_at = datetime.fromisoformat(audit.made_at).astimezone(ZoneInfo(audit.zone))
        notes = [
            say("Days begin at midnight in {zone}. Made on {at}.").format(
                zone=audit.zone,
                at=format_datetime(made_at, _MADE_AT.get(self._language, "medium"), locale=self._language),
            )
        ]
        if not audit.is_over:
            told = say("The month is not over: it is compared with as many days of the others.")
            notes.append(told)
        if not audit.complete:
            notes.append(say("What there was before is still being read: figures may grow."))
        if audit.assets_left_out:
            told = say("{count} more currencies and tokens, of which less moved, are left out.")
            notes.append(told.format(count=self._count(audit.assets_left_out)))
        sections = [section for asset in audit.assets for section in self._of_asset(asset, first)]
        if not sections:
            sections = [Section(say("Nothing moved in this month."))]
        return Document(
            self._language,
            self.title(audit),
            tuple(self._summary(asset) for asset in audit.assets if asset.merchants.items),
            tuple(notes),
            (*sections, *self._budgets(audit), *self._became(audit)),
        )

    def _summary(self, asset: AssetAudit) -> str:
        """The month in one look."""
        say, moved = self._say, {one.kind: one for one in asset.moved}
        spent, refunded = moved.get("spent"), moved.get("refunded")
        net = (spent.amount if spent else 0) - (refunded.amount if refunded else 0)
        before = (spent.before if spent else 0) - (refunded.before if refunded else 0)
        told = "You spent {net}, as much as in the month before."
        if before <= 0:
            told = "You spent {net}."
        elif net > before:
            told = "You spent {net}, {change} more than in the month before."
        elif net < before:
            told = "You spent {net}, {change} less than in the month before."
        amounts = {"net": net, "change": abs(net - before)}
        texts = [say(told).format(**{name: self._money_of(n, asset) for name, n in amounts.items()})]
        most = asset.merchants.items[0]
        if len(asset.merchants.items) > 1 and most.key and most.net > 0:
            told = "Most went to {name}: {net}."
            texts.append(say(told).format(name=self._name(most), net=self._money_of(most.net, asset)))
        if "gathered" in moved and moved["gathered"].amount:
            told = "{gathered} was gathered."
            texts.append(say(told).format(gathered=self._money_of(moved["gathered"].amount, asset)))
        return " ".join(texts)

    def title(self, audit: MonthAudit) -> str:
        month = format_skeleton("yMMMM", date.fromisoformat(audit.days.since), locale=self._language)
        return self._say("Your small money in {month}").format(month=month)

    def brief(self, audit: MonthAudit) -> Iterator[str]:
        """What moved, in a line for each kind, and what of it became gift tokens: no merchant's name is in it."""
        say, became = self._say, audit.became
        for asset in audit.assets[:MOST_IN_BRIEF]:
            for moved in asset.moved:
                amount, before = (self.money(n, asset.asset, asset.exponent) for n in (moved.amount, moved.before))
                kind, count = say(KINDS[moved.kind]), self._count(moved.count)
                told = say("{kind}: {amount} ({count} times; the month before: {before})")
                yield told.format(kind=kind, amount=amount, count=count, before=before)
        if not audit.assets:
            yield say("Nothing moved in this month.")
        for label, gathered in (
            ("Became gift tokens", became.fired.amount),
            ("In the jar, not converted yet", became.in_jars),
        ):
            yield f"{say(label)}: {self.money(gathered, became.asset, became.exponent)}"

    def _of_asset(self, asset: AssetAudit, first: date) -> Iterator[Section]:
        say, name = self._say, self._asset(asset.asset)
        head = self._compared_head()
        rows = tuple(self._moved(moved, asset) for moved in asset.moved)
        yield Section(name, tables=(Table(say("What moved"), head, rows),), chart=self._chart(asset, first))
        if asset.merchants.items:
            tables = [self._places(say("By merchant"), say("Where"), asset.merchants, asset)]
            if any(place.key for place in asset.categories.items):
                tables.append(self._places(say("By category"), say("Category"), asset.categories, asset))
            yield Section(f"{name}: {say('where it went')}", tables=tuple(tables))
        if grown := [place for place in asset.merchants.items if place.key and _growth(place) > 0]:
            grown = sorted(grown, key=lambda place: (-_growth(place), place.key))[:MOST_GROWN]
            yield Section(f"{name}: {say('what grew')}", lines=tuple(self._grown(place, asset) for place in grown))

    def _compared_head(self) -> tuple[str, ...]:
        say = self._say
        return say("What"), say("How often"), say("Amount"), say("Month before"), say("A year ago")

    def _moved(self, moved: Moved, of: AssetAudit) -> tuple[str, ...]:
        amounts = (self._figure(n, of) for n in (moved.amount, moved.before, moved.year_before))
        return (self._say(KINDS[moved.kind]), self._often(moved.count), *amounts)

    def _places(self, title: str, where: str, places: Places, of: AssetAudit) -> Table:
        """Those of the month; of what was paid elsewhere before, one line."""
        say = self._say
        head = (where, say("How often"), say("Net"), say("Month before"), say("Change"))
        now = [place for place in places.items if place.count or place.net]
        gone = [place for place in places.items if not place.count and not place.net and place.before]
        shown, others = now[:MOST_ROWS], now[MOST_ROWS:]
        rows = [
            (
                self._name(place),
                self._often(place.count),
                *(self._figure(n, of) for n in (place.net, place.before)),
                self._signed(place.change, of),
            )
            for place in shown
        ]
        if others or places.left_out:
            count = len(others) + places.left_out
            rest = sum(place.net for place in others) + places.left_out_net
            before = sum(place.before for place in others) + places.left_out_before
            label = say("{count} more").format(count=self._count(count))
            amounts = (self._figure(n, of) for n in (rest, before))
            rows.append((label, "", *amounts, self._signed(rest - before, of)))
        if gone:
            before = sum(place.before for place in gone)
            label = say("Only in the month before ({count})").format(count=self._count(len(gone)))
            rows.append((label, NONE, NONE, self._figure(before, of), self._signed(-before, of)))
        return Table(title, head, tuple(rows))

    def _name(self, place: Place) -> str:
        if _PERSON.fullmatch(place.name):
            return self._say("A person ({address})").format(address=f"{place.name[:6]}…{place.name[-4:]}")
        return plain(place.name) or self._say("unknown")

    def _grown(self, place: Place, of: AssetAudit) -> str:
        told = "{name}: {change} more than in the month before, {net} in all."
        if place.before <= 0 and place.year_before <= 0:
            told = "{name}: {net}, where nothing was spent in the month before and a year ago."
        change, net = (self.money(n, of.asset, of.exponent) for n in (_growth(place), place.net))
        return self._say(told).format(name=self._name(place), change=change, net=net)

    def _chart(self, asset: AssetAudit, first: date) -> Chart | None:
        """Of what was spent each day."""
        of_days = {date.fromisoformat(day.day).day: day for day in asset.days if day.spent}
        if not of_days:
            return None
        most = max(of_days.values(), key=lambda day: (day.spent, day.day))
        top, bars = _top(day.spent for day in of_days.values()), []
        for number in range(1, (next_month(first) - first).days + 1):
            spent = of_days[number].spent if number in of_days else 0
            value = self.money(spent, asset.asset, asset.exponent)
            bars.append(Bar(str(number), value, min(1_000, spent * 1_000 // top), is_cut=spent > top))
        told = "Something was spent on one day, {day}: {amount}."
        if len(of_days) > 1:
            told = "On {count} days something was spent, most on {day}: {amount}."
        alternative = self._say(told).format(
            count=self._count(len(of_days)),
            day=self._day(most.day),
            amount=self.money(most.spent, asset.asset, asset.exponent),
        )
        if most.spent > top:
            alternative += " " + self._say("Where a bar is cut, it would be higher.")
        return Chart(self._say("Spent each day"), alternative, tuple(bars))

    def _budgets(self, audit: MonthAudit) -> Iterator[Section]:
        if audit.budgets:
            yield Section(self._say("Budgets"), lines=tuple(self._budget(budget) for budget in audit.budgets))

    def _budget(self, budget: BudgetPublic) -> str:
        spent, limit, forecast = (
            self.money(n, budget.asset, budget.exponent) for n in (budget.spent, budget.amount, budget.pace or 0)
        )
        told = "{name}: {spent} of {limit} is spent."
        if budget.spent > budget.amount:
            told = "{name}: {spent} is spent, more than the budget of {limit}."
        elif budget.pace is not None:
            told = "{name}: {spent} of {limit} is spent. At this pace it is {forecast} at the month's end."
        name = plain(budget.key) or self._say("All spending")
        return self._say(told).format(name=name, spent=spent, limit=limit, forecast=forecast)

    # ------------------------------------------------------------------ became

    def _became(self, audit: MonthAudit) -> Iterator[Section]:
        """What there is of it."""
        say, became = self._say, audit.became

        def money(amount: int) -> str:
            return self.money(amount, became.asset, became.exponent)

        def row(label: str, of: Amounts, told: Callable[[int], str] = money) -> Iterator[tuple[str, ...]]:
            amounts = (of.amount, of.before, of.year_before)
            if any(amounts):
                often = self._often(of.count) if isinstance(of, Counted) else ""
                yield (label, often, *(told(n) if n else NONE for n in amounts))

        in_month = [
            *row(say("Became gift tokens"), became.fired),
            *row(say("Given back out of the jar"), became.returned),
            *(
                r
                for c in became.converted
                for r in row(f"{say(CONVERSIONS.get(c.kind, c.kind))} ({say(STATES[c.state])})", c)
            ),
            *row(say("Cashback promised"), became.promised),
            *row(say("Cashback taken back by refunds"), became.taken_back),
            *row(say("Points earned"), became.points_earned, self._count),
        ]
        by_now = [
            (say("In the jar, not converted yet"), money(became.in_jars) if became.in_jars else ""),
            (say("Gift tokens held back"), money(became.held) if became.held else ""),
            (say("Cashback that is not paid out yet"), money(became.waiting) if became.waiting else ""),
            (say("Points"), self._count(became.points) if became.points else ""),
            (
                say("Points that lapse within 31 days"),
                self._count(became.points_lapsing) if became.points_lapsing else "",
            ),
        ]
        by_now = [(label, figure) for label, figure in by_now if figure]
        tables = (
            Table(say("In the month"), self._compared_head(), tuple(in_month)),
            Table(say("As it is now"), (say("What"), say("Amount")), tuple(by_now)),
        )
        if in_month or by_now:
            kept = tuple(table for table in tables if table.rows)
            yield Section(say("What was gathered, and what it became"), tables=kept)
