"""Reading the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.ledger.models import Account, Balance, JournalEntry, Posting, Turnover


@dataclass(frozen=True)
class Entry:
    """:ivar lines: (account's name, amount), debits positive"""

    id: int
    ref: str
    kind: str
    posted_at: datetime
    hash: bytes
    lines: Sequence[tuple[str, int]]


def entries_after(session: Session, after: int, limit: int) -> list[Entry]:
    """The entries that follow entry number `after`, oldest first."""
    rows = session.scalars(
        select(JournalEntry).where(col(JournalEntry.id) > after).order_by(col(JournalEntry.id)).limit(limit)
    ).all()
    lines: dict[int, list[tuple[str, int]]] = {row.id or 0: [] for row in rows}
    found = session.execute(
        select(col(Posting.entry_id), col(Account.name), col(Posting.amount))
        .join(Account, col(Account.id) == col(Posting.account_id))
        .where(col(Posting.entry_id).in_(lines))
        .order_by(col(Posting.entry_id), col(Posting.line))
    )
    for entry_id, name, amount in found:
        lines[entry_id].append((name, amount))
    return [Entry(row.id or 0, row.ref, row.kind, row.posted_at, row.hash, lines[row.id or 0]) for row in rows]


def totals(session: Session) -> list[tuple[str, str, int]]:
    """The trial balance as (kind, asset, amount on the kind's own side)."""
    rows = session.execute(
        select(col(Account.kind), col(Account.asset), func.sum(Balance.amount))
        .join(Balance, col(Balance.account_id) == col(Account.id))
        .group_by(col(Account.kind), col(Account.asset))
        .order_by(col(Account.kind))
    )
    return [(kind, asset, amount) for kind, asset, amount in rows]


def turnovers(session: Session, asset: str) -> dict[tuple[str, str], tuple[int, int]]:
    """(kind of entry, kind of account) → (debits, credits) of all time."""
    rows = session.scalars(select(Turnover).where(col(Turnover.asset) == asset))
    return {(row.entry_kind, row.account_kind): (row.debit, row.credit) for row in rows}
