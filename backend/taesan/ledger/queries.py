"""Reading the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.ledger.accounts import CREDIT, DEBIT, DEBIT_KINDS
from taesan.ledger.models import Account, JournalEntry, Posting, Turnover

MAX_LINES = 5_000
"""Of a page: an entry of the intake may have two thousand."""


@dataclass(frozen=True)
class Entry:
    """:ivar lines: (account's name, amount), debits positive"""

    id: int
    ref: str
    kind: str
    posted_at: datetime
    hash: bytes
    lines: Sequence[tuple[str, int]]


def entries_after(session: Session, after: int, limit: int, with_lines: bool) -> list[Entry]:
    """The entries that follow entry number `after`, oldest first; with their lines fewer than `limit` if these are many."""
    entries: list[Entry] = []
    line_count = 0
    for row in session.scalars(
        select(JournalEntry).where(col(JournalEntry.id) > after).order_by(col(JournalEntry.id)).limit(limit)
    ):
        lines = _lines(session, row.id or 0) if with_lines else []
        line_count += len(lines)
        if entries and line_count > MAX_LINES:
            break
        entries.append(Entry(row.id or 0, row.ref, row.kind, row.posted_at, row.hash, lines))
    return entries


def _lines(session: Session, entry_id: int) -> list[tuple[str, int]]:
    rows = session.execute(
        select(col(Account.name), col(Posting.amount))
        .join(Posting, col(Posting.account_id) == col(Account.id))
        .where(col(Posting.entry_id) == entry_id)
        .order_by(col(Posting.line))
    )
    return [(name, amount) for name, amount in rows]


def is_entry_after(session: Session, after: int) -> bool:
    return session.scalar(select(col(JournalEntry.id)).where(col(JournalEntry.id) > after).limit(1)) is not None


def totals(session: Session) -> dict[tuple[str, str], int]:
    """The trial balance: (kind of account, asset) → amount on the kind's own side. From `turnover`, however many accounts."""
    rows = session.execute(
        select(col(Turnover.account_kind), col(Turnover.asset), func.sum(Turnover.debit - col(Turnover.credit)))
        .group_by(col(Turnover.account_kind), col(Turnover.asset))
        .order_by(col(Turnover.account_kind))
    )
    return {(kind, asset): int(amount) * (DEBIT if kind in DEBIT_KINDS else CREDIT) for kind, asset, amount in rows}


def is_balanced(session: Session) -> bool:
    """Whether debits and credits of each asset are alike."""
    off = select(col(Turnover.asset)).group_by(col(Turnover.asset))
    return session.scalar(off.having(func.sum(Turnover.debit) != func.sum(Turnover.credit)).limit(1)) is None


def turnovers(session: Session, asset: str) -> dict[tuple[str, str], tuple[int, int]]:
    """(kind of entry, kind of account) → (debits, credits) of all time."""
    rows = session.scalars(select(Turnover).where(col(Turnover.asset) == asset))
    return {(row.entry_kind, row.account_kind): (row.debit, row.credit) for row in rows}
