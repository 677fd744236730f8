"""Figures that are kept as they grow, so that nobody has to count the rows. The audit counts them again."""

from collections import Counter

from sqlalchemy import select, text
from sqlmodel import Session, col

from taesan.core.models import CounterRow

_ADD = text(
    "INSERT INTO counter (name, value) VALUES (:name, :value) "
    "ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value"
)


def add(session: Session, amounts: dict[str, int]) -> None:
    """Adds to counters, in the transaction of what they count. :param amounts: name → by how much it grows"""
    # By name, so that two writers on a database with row locks never wait for each other.
    rows = [{"name": name, "value": value} for name, value in sorted(amounts.items()) if value]
    if rows:
        session.execute(_ADD, rows)


def read(session: Session) -> Counter[str]:
    """All of them; what has not grown yet is 0."""
    return Counter(dict(session.execute(select(col(CounterRow.name), col(CounterRow.value))).all()))
