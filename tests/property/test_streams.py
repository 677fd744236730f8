"""The streams of random movements: each sum is what its lines add up to, and pages leave out and repeat none."""

import itertools
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlmodel import col

from taesan.core.db import Database
from taesan.insights import reading, streams
from taesan.insights.models import MovementRow
from taesan.insights.movements import KINDS, MAX_TOLD, Movement, Source, month_of
from taesan.insights.streams import By
from tests.support import databases
from tests.support.examples import examples

pytestmark = pytest.mark.database("sqlite", "postgresql")
FIRST = date(2026, 9, 25)
_owners = itertools.count(1)
Drawn = tuple[int, int, str, str, str, str, int]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = Database(databases.here().migrated(tmp_path_factory.mktemp("streams")))
    yield made
    made.close()


LINES = st.lists(
    st.tuples(
        st.integers(0, 70),  # days
        st.integers(0, 86_399),
        st.sampled_from(KINDS),
        st.sampled_from(get_args(Source)),
        st.sampled_from(["café dust", "blue bottle", ""]),
        st.sampled_from(["coffee", ""]),
        st.sampled_from([1, 7, MAX_TOLD]),
    ),
    max_size=30,
)


def _movement(n: int, drawn: Drawn) -> Movement:
    days, seconds, kind, source, merchant, category, amount = drawn
    day = FIRST + timedelta(days)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=seconds)
    asset, exponent = (("USD", 2), ("KRW", 0))[n % 2]
    named = {"merchant": merchant, "name": merchant.title(), "category": category}
    return Movement(f"key {n}", source, kind, at, day, **named, asset=asset, exponent=exponent, amount=amount)  # type: ignore[arg-type]


@settings(max_examples=examples(25))
@given(LINES, st.sets(st.integers(0, 29)), st.integers(0, 70), st.integers(0, 70), st.integers(1, 7))
def test_sums_and_pages_are_what_the_lines_are(
    database: Database, drawn: list[Drawn], duplicates: set[int], since: int, until: int, limit: int
) -> None:
    owner, other = next(_owners), next(_owners)
    lines = [_movement(n, line) for n, line in enumerate(drawn)]
    first, end = FIRST + timedelta(since), FIRST + timedelta(until)
    with database.write() as session:
        for _ in range(2):  # what is there already stays as it is
            reading.store(session, [(whose, line) for line in lines for whose in (owner, other)])
        keys = [f"key {n}" for n in duplicates]
        doubled = (col(MovementRow.owner) == owner, col(MovementRow.key).in_(keys))
        session.execute(update(MovementRow).where(*doubled).values(duplicate_of=1))
    counting = [line for n, line in enumerate(lines) if n not in duplicates and first <= line.day < end]
    with database.read() as session:
        by: tuple[By, ...]
        for by in ((), ("merchant",), ("category", "month"), ("day", "source")):
            expected: Counter[tuple[object, ...]] = Counter()
            for line in counting:
                told = {**{name: getattr(line, name) for name in Movement.__slots__}, "month": month_of(line.day)}
                expected[*(told[name] for name in by), line.kind, line.asset] += line.amount
            found = streams.sums(session, owner, first, end, by)
            assert {(*row.key, row.kind, row.asset): row.amount for row in found} == expected
            assert sum(row.count for row in found) == len(counting)
        seen, before = list[MovementRow](), None
        while True:
            rows = streams.page(
                session, owner, before, limit, since=None, until=end, merchant=None, category=None, source=None
            )
            seen += rows[:limit]
            if len(rows) <= limit:
                break
            before = streams.position(seen[-1])
    assert sorted(row.key for row in seen) == sorted(line.key for line in lines if line.day < end)
    assert [row.day for row in seen] == sorted((row.day for row in seen), reverse=True)
