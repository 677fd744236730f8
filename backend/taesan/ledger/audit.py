"""Recomputes the books from their entries and tells every difference. Reads only."""

from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.ledger.models import Account, Balance, JournalEntry, Posting, Turnover
from taesan.ledger.posting import GENESIS_HASH, entry_hash


@dataclass
class Report:
    """What was counted and what did not agree; sound when `differences` is empty."""

    counted: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def check(self, what: str, expected: object, found: object) -> None:
        if expected != found:
            self.differences.append(f"{what}: expected {expected}, found {found}")


def audit_books(session: Session, report: Report) -> None:
    """Entries balance for each asset, the hash chain is whole, balances equal their postings, no account is overdrawn."""
    accounts = {a.id: a for a in session.scalars(select(Account))}
    balances = {b.account_id: b.amount for b in session.scalars(select(Balance))}
    recomputed: dict[int, int] = defaultdict(int)
    turned: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    previous, entries, postings = GENESIS_HASH, 0, 0
    for entry, all_lines in _entries(session):
        lines = [line for line in all_lines if line.account_id in accounts]
        report.check(f"accounts of entry {entry.id} ({entry.ref}) that are known", len(all_lines), len(lines))
        sums: dict[str, int] = defaultdict(int)
        for line in lines:
            sums[accounts[line.account_id].asset] += line.amount
            recomputed[line.account_id] += line.amount
            account = accounts[line.account_id]
            turned[entry.kind, account.kind, account.asset][line.amount < 0] += abs(line.amount)
        for asset, total in sums.items():
            report.check(f"entry {entry.id} ({entry.ref}) sums in {asset}", 0, total)
        named = [(accounts[line.account_id].name, line.amount) for line in lines]
        expected = entry_hash(previous, entry.ref, entry.kind, entry.posted_at, named)
        report.check(f"hash of entry {entry.id} ({entry.ref})", expected.hex(), entry.hash.hex())
        previous, entries, postings = entry.hash, entries + 1, postings + len(all_lines)
    for account in accounts.values():
        assert account.id is not None
        amount = balances.pop(account.id, 0)
        report.check(f"balance of {account.name}", recomputed[account.id] * account.side, amount)
        if amount < 0:
            report.differences.append(f"{account.name} is overdrawn: {amount}")
    report.check("balances without an account", {}, balances)
    kept = {(t.entry_kind, t.account_kind, t.asset): [t.debit, t.credit] for t in session.scalars(select(Turnover))}
    report.check("turnover by kinds", dict(turned), kept)
    report.check("postings without an entry", postings, session.scalar(select(func.count()).select_from(Posting)))
    report.counted |= {"journal entries": entries, "postings": postings, "accounts": len(accounts)}


def _entries(session: Session):  # type: ignore[no-untyped-def]
    """Each entry with its lines, in order, without holding all in memory."""
    lines = session.execute(
        select(col(JournalEntry.id), Posting)
        .join(Posting, col(Posting.entry_id) == col(JournalEntry.id))
        .order_by(col(Posting.entry_id), col(Posting.line))
        .execution_options(yield_per=5_000)
    )
    by_entry = iter(lines)
    pending = next(by_entry, None)
    for entry in session.scalars(
        select(JournalEntry).order_by(col(JournalEntry.id)).execution_options(yield_per=5_000)
    ):
        mine = []
        while pending is not None and pending[0] == entry.id:
            mine.append(pending[1])
            pending = next(by_entry, None)
        yield entry, mine
