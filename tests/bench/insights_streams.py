"""Made-up payments with what is true about them: standing costs with all that goes wrong with them, and shops that only look regular.

A merchant's payments are made of one stream or several. Each payment knows the stream that it came from.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple

from taesan.insights.cadence import Calendar

FIRST, LAST = date(2023, 1, 1), date(2026, 6, 30)
COUNTRIES = ("KR", "US", "DE", None)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Noise:
    """How often what happens.

    :ivar late: a charge comes one to eight days late. :ivar skipped: it does not come. :ivar changes: its price changes once
    :ivar month_ends: of monthly ones, due on the 29th to 31st. :ivar shared: of merchants, with something beside it
    :ivar spread: of the gaps at shops that only look regular, against the others' noise
    """

    late: float
    skipped: float
    changes: float
    month_ends: float
    shared: float
    spread: float = 1.0


TUNED_ON = Noise(late=0.06, skipped=0.05, changes=0.25, month_ends=0.25, shared=0.3)
HELD_OUT = Noise(late=0.10, skipped=0.08, changes=0.35, month_ends=0.35, shared=0.4, spread=0.8)


class Paid(NamedTuple):
    id: int
    name: str
    day: date
    amount: int
    stream: int


@dataclass
class Truth:
    """:ivar cadence: "" if there is none. :ivar kind: how it was made"""

    id: int
    merchant: int
    kind: str
    cadence: str
    ids: list[int] = field(default_factory=list)
    changed: bool = False


@dataclass
class Set:
    """:ivar country: by which each merchant's payments are moved off holidays, and may be judged"""

    paid: dict[int, list[Paid]] = field(default_factory=dict)
    country: dict[int, str | None] = field(default_factory=dict)
    truths: list[Truth] = field(default_factory=list)

    @property
    def standing(self) -> list[Truth]:
        """Those that there is something to find of."""
        return [truth for truth in self.truths if truth.cadence and len(truth.ids) >= 3]


Made = list[tuple[date, int]]


class _Maker:
    def __init__(self, seed: int, noise: Noise) -> None:
        self.random = random.Random(seed)
        self.noise = noise
        self.calendars = {country: Calendar(country) for country in COUNTRIES}
        self.set = Set()
        self.paid = 0

    # ------------------------------------------------------------ merchants

    def merchant(self, *streams: Callable[[Calendar], tuple[str, str, Made, bool]]) -> None:
        number = len(self.set.paid) + 1
        country = self.set.country[number] = self.random.choice(COUNTRIES)
        paid: list[tuple[date, int, int]] = []
        for make in streams:
            kind, cadence, made, changed = make(self.calendars[country])
            truth = Truth(len(self.set.truths), number, kind, cadence, changed=changed)
            self.set.truths.append(truth)
            paid += [(day, amount, truth.id) for day, amount in made]
        rows = self.set.paid[number] = []
        for day, amount, stream in sorted(paid, key=lambda row: row[0]):
            self.paid += 1
            rows.append(Paid(self.paid, self._name(number, day), day, amount, stream))
            self.set.truths[stream].ids.append(self.paid)

    def _name(self, number: int, day: date) -> str:
        """The merchant as one bank or another writes it."""
        name = "".join("bcdfglmnprst"[int(n)] + "aeiou"[int(n) % 5] for n in f"{number * 7919:06}")
        written = (
            name, name.upper(), f"SQ *{name.upper()}", f"PAYPAL *{name.upper()} {self.random.randrange(10**9)}",
            f"{name}.com", f"KCP_{name}", f"(주){name}", f"{name} {day:%Y-%m-%d}", f"{name.upper()} #{self.random.randrange(9999)}",
        )  # fmt: skip
        return self.random.choice(written)

    # ------------------------------------------------------- standing costs

    def price(self) -> int:
        return self.random.choice(
            (990, 1_100, 2_900, 4_900, 5_500, 7_900, 8_690, 9_900, 10_900, 13_500, 14_900, 17_000, 29_000, 33_000)
        )

    def dues(self, cadence: str) -> list[date]:
        """A stretch of due days; one in six is short."""
        rng = self.random
        short = rng.random() < 1 / 6
        if cadence == "yearly":
            anchor, count = FIRST - timedelta(days=rng.randrange(1, 365) + 3 * 365), rng.randint(3, 6)
            return [_on(anchor.year + n, anchor.month, anchor.day) for n in range(count)]
        if cadence == "monthly":
            count = rng.randint(3, 5) if short else rng.randint(6, 36)
            start = rng.randrange(12 * 3 + 6 - min(count, 40))
            day = rng.randint(29, 31) if rng.random() < self.noise.month_ends else rng.randint(1, 28)
            return [_on(2023 + n // 12, n % 12 + 1, day) for n in range(start, start + count)]
        step, most = {"weekly": (7, 90), "four-weekly": (28, 36), "thirty-days": (30, 36)}[cadence]
        count = rng.randint(4, 6) if short else rng.randint(8, most)
        begin = FIRST + timedelta(days=rng.randrange(max(1, (LAST - FIRST).days - count * step)))
        return [begin + timedelta(days=step * n) for n in range(count)]

    def standing(
        self, cadence: str, *, price: int = 0, foreign: bool = False
    ) -> Callable[[Calendar], tuple[str, str, Made, bool]]:
        def make(calendar: Calendar) -> tuple[str, str, Made, bool]:
            rng, dues = self.random, self.dues(cadence)
            amount = price or self.price()
            change = rng.randrange(1, len(dues)) if rng.random() < self.noise.changes and not foreign else len(dues)
            changed = amount * rng.choice((85, 105, 110, 115, 125, 150)) // 100
            rolls = rng.choice(("", "", "forward", "forward", "back"))
            made: Made = []
            rate = 1.0
            for n, due in enumerate(dues):
                rate = min(1.028, max(0.972, rate + rng.gauss(0, 0.007)))
                if rng.random() < self.noise.skipped and 0 < n < len(dues) - 1:
                    continue
                day = due
                if rolls:
                    day = calendar.moved(due)[1 if rolls == "forward" else 2]
                if rng.random() < self.noise.late:
                    day += rng.choice((1, 1, 1, 2, 2, 3, 4, 5, 8)) * DAY
                if cadence == "weekly":
                    day = min(day, due + 5 * DAY)
                cost = round(amount * rate) if foreign else changed if n >= change else amount
                made.append((day, cost))
            return (
                f"{cadence}{' foreign' if foreign else ''}",
                "monthly" if cadence == "thirty-days" else cadence,
                made,
                change < len(dues),
            )

        return make

    # ----------------------------------------------------- only look regular

    def shop(self, kind: str) -> Callable[[Calendar], tuple[str, str, Made, bool]]:
        def make(_: Calendar) -> tuple[str, str, Made, bool]:
            return kind, "", list(getattr(self, f"_{kind}")()), False

        return make

    def _stretch(self, least: int = 60, most: int = 800) -> tuple[date, date]:
        length = self.random.randint(least, most)
        begin = FIRST + timedelta(days=self.random.randrange((LAST - FIRST).days - length))
        return begin, begin + timedelta(days=length)

    def _gaps(self, mean: float, spread: float, amounts: list[int]) -> Iterator[tuple[date, int]]:
        day, end = self._stretch(int(4 * mean), int(min(1200, 40 * mean)))
        while day < end:
            yield day, self.random.choice(amounts)
            day += timedelta(days=max(1, round(self.random.gauss(mean, spread * self.noise.spread))))

    def _coffee(self) -> Iterator[tuple[date, int]]:
        rng = self.random
        day, end = self._stretch()
        often, menu = rng.uniform(0.15, 0.8), [rng.randrange(30, 70) * 100 for _ in range(rng.randint(1, 4))]
        while day < end:
            if rng.random() < (often if day.weekday() < 5 else often / 4):
                yield day, rng.choice(menu)
            day += DAY

    def _lunch(self) -> Iterator[tuple[date, int]]:
        return self._gaps(7, 2.0, [self.random.randrange(80, 150) * 100])

    def _haircut(self) -> Iterator[tuple[date, int]]:
        return self._gaps(self.random.uniform(28, 42), 7, [self.random.randrange(15, 60) * 1_000])

    def _top_up(self) -> Iterator[tuple[date, int]]:
        return self._gaps(
            mean := self.random.uniform(8, 32), mean / 3, self.random.choice(([10_000], [20_000, 30_000], [50_000]))
        )

    def _market(self) -> Iterator[tuple[date, int]]:
        rng = self.random
        day, end = self._stretch(100)
        usual, weekday = rng.randrange(20, 90) * 1_000, rng.choice((5, 5, 6, 2))
        while day < end:
            if day.weekday() == weekday and rng.random() < 0.85:
                yield day, max(1_000, round(rng.lognormvariate(0, 0.4) * usual) // 10 * 10)
            day += DAY

    def _habit(self) -> Iterator[tuple[date, int]]:
        """About once a week, most often on one weekday, at one price."""
        rng = self.random
        day, end = self._stretch(80, 500)
        weekday, price = rng.randrange(7), rng.randrange(5, 30) * 1_000
        while day < end:
            if rng.random() < (0.45 if day.weekday() == weekday else 0.09):
                yield day, price
            day += DAY

    def _payday(self) -> Iterator[tuple[date, int]]:
        """A treat within a week of each payday."""
        rng = self.random
        payday, price, count = (
            rng.choice((1, 10, 15, 25)),
            rng.choice((14_000, 15_000, 28_000, 33_000)),
            rng.randint(4, 24),
        )
        start = rng.randrange(42 - count)
        for n in range(start, start + count):
            if rng.random() < 0.85:
                yield _on(2023 + n // 12, n % 12 + 1, payday) + rng.randrange(8) * DAY, price

    def _now_and_then(self) -> Iterator[tuple[date, int]]:
        rng = self.random
        begin, end = self._stretch(200, 1_000)
        menu = [self.price() for _ in range(rng.randint(1, 3))]
        for _ in range(rng.randint(3, 14)):
            yield begin + timedelta(days=rng.randrange((end - begin).days)), rng.choice(menu)

    def _birthday(self) -> Iterator[tuple[date, int]]:
        rng = self.random
        born, price = rng.randrange(1, 360), rng.randrange(25, 60) * 1_000
        for year in range(2020, 2026):
            yield date(year, 1, 1) + timedelta(days=max(0, born + rng.randint(-9, 9))), price

    def _groceries(self) -> Iterator[tuple[date, int]]:
        usual = self.random.randrange(5, 40) * 1_000
        for day, _ in self._gaps(self.random.uniform(2, 8), 1.5, [usual]):
            yield day, max(500, round(self.random.lognormvariate(0, 0.6) * usual) // 10 * 10)


SHOPS = ("coffee", "lunch", "haircut", "top_up", "market", "habit", "payday", "now_and_then", "birthday", "groceries")
CADENCES = ("weekly", "four-weekly", "monthly", "monthly", "monthly", "monthly", "thirty-days", "yearly")


def make(seed: int, noise: Noise = TUNED_ON, merchants: int = 500) -> Set:
    """The same for the same arguments."""
    maker = _Maker(seed, noise)
    rng = maker.random
    for n in range(merchants):
        if n % 9 >= 5:
            maker.merchant(maker.shop(SHOPS[n // 9 % len(SHOPS)]))
            continue
        cadence = rng.choice(CADENCES)
        foreign = rng.random() < 0.08 and cadence != "yearly"
        first = maker.standing(cadence, foreign=foreign)
        chance = rng.random()
        if chance > noise.shared:
            maker.merchant(first)
        elif chance > noise.shared / 2:
            twice = rng.random() < 0.3
            price = maker.price()
            maker.merchant(
                maker.standing(cadence, price=price),
                maker.standing(rng.choice(CADENCES), price=price if twice else price * 3),
            )
        else:
            maker.merchant(first, maker.shop(rng.choice(("now_and_then", "groceries", "coffee"))))
    return maker.set


def _on(year: int, month: int, day: int) -> date:
    """The last day of a month that is shorter."""
    later = date(year + month // 12, month % 12 + 1, 1) - DAY
    return later.replace(day=min(day, later.day))
