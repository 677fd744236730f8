"""The only writer of balances: double-entry, append-only, hash-chained."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlmodel import Session, col

from taesan.core import bulk
from taesan.core.clock import rfc3339
from taesan.core.db import lock_books
from taesan.core.values import canonical_json
from taesan.ledger.accounts import AccountName
from taesan.ledger.models import Account, Balance, JournalEntry, Posting

GENESIS_HASH = bytes(32)
_UNDONE = "undone:"


class Line(NamedTuple):
    """`amount` minor units; a debit if positive, a credit if negative."""

    account: AccountName
    amount: int


class Move(NamedTuple):
    """A line of an account that is known to exist, with its id."""

    account_id: int
    account: AccountName
    amount: int


class AlreadyPostedError(Exception):
    """An entry with this reference is in the books."""


class OverdrawnError(Exception):
    """A posting would take more from an account than is in it."""


def transfer(source: AccountName, target: AccountName, amount: int) -> list[Line]:
    """From one credit-normal account to another."""
    return [Line(source, amount), Line(target, -amount)]


def entry_hash(previous: bytes, ref: str, kind: str, posted_at: datetime, lines: Iterable[tuple[str, int]]) -> bytes:
    """SHA-256 over the hash before and the entry as canonical JSON; anyone can recompute it."""
    content = canonical_json([ref, kind, rfc3339(posted_at), [[name, str(amount)] for name, amount in lines]])
    return hashlib.sha256(previous + content.encode()).digest()


def post(session: Session, ref: str, kind: str, posted_at: datetime, lines: Sequence[Line]) -> int:
    """Writes one entry and moves the balances; returns the entry's id.

    :param ref: what the entry records, unique for ever, such as `payment:pay_…`
    :param lines: at least two; for each asset they sum to zero. Zero amounts are left out.
    :raises AlreadyPostedError: the reference is in the books already; nothing was written
    :raises OverdrawnError: an account would change its side; the caller's transaction must be rolled back
    """
    lines = [line for line in lines if line.amount]
    _check_balanced(ref, lines)
    if is_posted(session, ref):
        raise AlreadyPostedError(ref)
    ids = open_accounts(session, {line.account for line in lines})
    return _append(
        session, ref, kind, posted_at, [Move(ids[line.account], line.account, line.amount) for line in lines]
    )


def is_posted(session: Session, ref: str) -> bool:
    """Whether an entry with this reference is in the books, be it undone or not."""
    return session.scalar(select(col(JournalEntry.id)).where(col(JournalEntry.ref) == ref)) is not None


def is_undone(session: Session, ref: str) -> bool:
    return is_posted(session, _UNDONE + ref)


def _lines_of(session: Session, ref: str) -> list[Line]:
    rows = session.execute(
        select(col(Account.name), col(Account.kind), col(Account.side), col(Account.asset), col(Posting.amount))
        .join(Posting, col(Posting.account_id) == col(Account.id))
        .join(JournalEntry, col(JournalEntry.id) == col(Posting.entry_id))
        .where(col(JournalEntry.ref) == ref)
        .order_by(col(Posting.line))
    )
    return [
        Line(AccountName(kind, side, asset, name.removeprefix(f"{kind}:").removesuffix(asset).rstrip(":")), amount)
        for name, kind, side, asset, amount in rows
    ]


def undo(session: Session, ref: str, posted_at: datetime) -> list[Line]:
    """Posts the opposite of an entry, if it is in the books and not undone; returns what it posted.

    :raises OverdrawnError: what it had moved has gone on from there
    """
    lines = _lines_of(session, ref)
    if not lines or is_undone(session, ref):
        return []
    back = [Line(line.account, -line.amount) for line in lines]
    post(session, _UNDONE + ref, "undone by a reorganisation", posted_at, back)
    return back


def post_moves(session: Session, ref: str, kind: str, posted_at: datetime, moves: Sequence[Move]) -> int:
    """As `post`, for an entry of many lines in accounts of one asset, each in it at most once."""
    if sum(move.amount for move in moves):
        raise ValueError(f"entry {ref} does not balance")
    return _append(session, ref, kind, posted_at, moves)


def _append(session: Session, ref: str, kind: str, posted_at: datetime, moves: Sequence[Move]) -> int:
    connection = session.connection()
    deltas: dict[int, int] = defaultdict(int)
    for move in moves:
        deltas[move.account_id] += move.amount * move.account.side
    lock_books(connection)  # first, so that two writers never wait for each other's balances crosswise
    try:
        bulk.update(
            connection,
            Balance,
            "amount = balance.amount + :amount",
            ("amount", "account_id"),
            [(delta, id_) for id_, delta in deltas.items() if delta],
        )
    except (IntegrityError, DataError) as error:  # the table's own check (`Balance`)
        raise OverdrawnError(f"entry {ref} would overdraw or overflow an account") from error
    # Raw statements: this is done for each group of payments, and building a statement costs more than running it.
    last = bulk.fetch(connection, "SELECT id, hash FROM journal_entry ORDER BY id DESC LIMIT 1")
    last_id, previous = last[0] if last else (0, GENESIS_HASH)
    hash_ = entry_hash(previous, ref, kind, posted_at, [(str(move.account), move.amount) for move in moves])
    entry_id = int(last_id) + 1
    entry = (entry_id, ref, kind, bulk.timestamp(connection, posted_at), hash_)
    bulk.insert(connection, JournalEntry, ("id", "ref", "kind", "posted_at", "hash"), [entry])
    rows = [(entry_id, n, move.account_id, move.amount) for n, move in enumerate(moves)]
    bulk.insert(connection, Posting, ("entry_id", "line", "account_id", "amount"), rows)
    _turn_over(connection, kind, moves)
    return entry_id


def _turn_over(connection: Connection, kind: str, moves: Sequence[Move]) -> None:
    """Keeps the sums by kinds, so that totals need not be added up from all postings."""
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for _, account, amount in moves:
        sums[account.kind, account.asset][amount < 0] += abs(amount)
    bulk.run(
        connection,
        "INSERT INTO turnover (entry_kind, account_kind, asset, debit, credit) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (entry_kind, account_kind, asset) DO UPDATE "
        "SET debit = turnover.debit + excluded.debit, credit = turnover.credit + excluded.credit",
        [(kind, *key, debit, credit) for key, (debit, credit) in sorted(sums.items())],
    )


def balance(session: Session, account: AccountName) -> int:
    """What is in an account, on its own side: positive for an asset held or a liability owed. Zero if it is unknown."""
    found = session.scalar(
        select(col(Balance.amount))
        .join(Account, col(Account.id) == col(Balance.account_id))
        .where(col(Account.name) == str(account))
    )
    return found or 0


def balances(session: Session, kind: str, asset: str) -> dict[str, int]:
    """All accounts of a kind that are not empty, as owner → amount on the kind's own side."""
    rows = session.execute(
        select(col(Account.name), col(Balance.amount))
        .join(Balance, col(Balance.account_id) == col(Account.id))
        .where(col(Account.kind) == kind, col(Account.asset) == asset, col(Balance.amount) != 0)
    )
    return {name.removeprefix(kind + ":").removesuffix(asset).rstrip(":"): amount for name, amount in rows}


def _check_balanced(ref: str, lines: Sequence[Line]) -> None:
    sums: dict[str, int] = defaultdict(int)
    for line in lines:
        sums[line.account.asset] += line.amount
    if len(lines) < 2 or any(sums.values()):
        raise ValueError(f"entry {ref} does not balance: {dict(sums)}")


def open_accounts(session: Session, accounts: Iterable[AccountName]) -> dict[AccountName, int]:
    """The accounts' ids; what does not exist yet is opened, empty."""
    by_name = {str(account): account for account in accounts}

    def find() -> dict[AccountName, int]:
        rows = bulk.select_in(session.connection(), "SELECT name, id FROM account WHERE name IN (:values)", by_name)
        return {by_name[name]: id_ for name, id_ in rows}

    found = find()
    missing = [
        {"name": name, "kind": a.kind, "asset": a.asset, "side": a.side}
        for name, a in by_name.items()
        if a not in found
    ]
    if missing:
        # Another process may open the same one at the same time.
        bulk.insert_missing(session.connection(), Account, sorted(missing, key=lambda row: str(row["name"])))
        found = find()
        empty = [{"account_id": found[by_name[str(row["name"])]], "amount": 0} for row in missing]
        bulk.insert_missing(session.connection(), Balance, empty)
    return found
