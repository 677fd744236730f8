"""The purchases that the demo replays: CDNOW 1997-98, see `scripts/data/README.md`."""

import csv
import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from taesan.jars.accrual import round_up

DATA = Path(__file__).parents[3] / "scripts" / "data" / "cdnow.csv.gz"
DOLLAR_CENTS = 100
SMALL_BELOW_CENTS = 500


@dataclass(frozen=True)
class Purchase:
    """:ivar customer: counted from 1. :ivar cents: US cents"""

    customer: int
    day: date
    cds: int
    cents: int

    @property
    def round_up_cents(self) -> int:
        """What is missing to the next whole dollar; zero for a whole dollar amount."""
        return round_up(self.cents, DOLLAR_CENTS)

    @property
    def is_small(self) -> bool:
        """Whether the purchase itself is a micropayment. Some of the records cost nothing: there is nothing to pay then."""
        return 0 < self.cents < SMALL_BELOW_CENTS


def parse(lines: Iterable[str]) -> Iterator[Purchase]:
    """:param lines: CSV with the header `customer,date,cds,cents`"""
    for row in csv.DictReader(lines):
        yield Purchase(int(row["customer"]), date.fromisoformat(row["date"]), int(row["cds"]), int(row["cents"]))


def load(customers: int, path: Path = DATA) -> list[Purchase]:
    """All purchases of the first `customers` customers, in date order; those of a day in the file's order."""
    with gzip.open(path, "rt", encoding="ascii", newline="") as lines:
        wanted = [purchase for purchase in parse(lines) if purchase.customer <= customers]
    return sorted(wanted, key=lambda purchase: purchase.day)
