"""The only writer of balances: double-entry, append-only, hash-chained."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, insert, select, update
from sqlmodel import Session, col

from taesan.core.clock import rfc3339
from taesan.core.values import MAX_AMOUNT, canonical_json
from taesan.ledger.accounts import AccountName
from taesan.ledger.models import Account, JournalEntry, Posting

GENESIS_HASH = bytes(32)


class Line(NamedTuple):
    """`amount` minor units; a debit if positive, a credit if negative."""

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
    if session.scalar(select(col(JournalEntry.id)).where(col(JournalEntry.ref) == ref)) is not None:
        raise AlreadyPostedError(ref)
    ids = _account_ids(session, {line.account for line in lines})
    previous = session.scalar(select(col(JournalEntry.hash)).order_by(col(JournalEntry.id).desc()).limit(1))
    hash_ = entry_hash(
        previous or GENESIS_HASH, ref, kind, posted_at, [(str(line.account), line.amount) for line in lines]
    )
    entry_id = session.execute(
        insert(JournalEntry).values(ref=ref, kind=kind, posted_at=posted_at, hash=hash_)
    ).inserted_primary_key[0]  # type: ignore[attr-defined]
    session.execute(
        insert(Posting),
        [
            {"entry_id": entry_id, "line": n, "account_id": ids[line.account], "amount": line.amount}
            for n, line in enumerate(lines)
        ],
    )
    _move_balances(session, lines, ids)
    return int(entry_id)


def balance(session: Session, account: AccountName) -> int:
    """What is in an account, on its own side: positive for an asset held or a liability owed. Zero if it is unknown."""
    found = session.scalar(select(col(Account.balance)).where(col(Account.name) == str(account)))
    return (found or 0) * account.side


def balances(session: Session, kind: str, asset: str) -> dict[str, int]:
    """All accounts of a kind that are not empty, as owner → amount on the kind's own side."""
    rows = session.execute(
        select(col(Account.name), col(Account.balance) * col(Account.side)).where(
            col(Account.kind) == kind, col(Account.asset) == asset, col(Account.balance) != 0
        )
    )
    return {name.removeprefix(kind + ":").removesuffix(asset).rstrip(":"): amount for name, amount in rows}


def _check_balanced(ref: str, lines: Sequence[Line]) -> None:
    sums: dict[str, int] = defaultdict(int)
    for line in lines:
        sums[line.account.asset] += line.amount
    if len(lines) < 2 or any(sums.values()):
        raise ValueError(f"entry {ref} does not balance: {dict(sums)}")


def _account_ids(session: Session, accounts: set[AccountName]) -> dict[AccountName, int]:
    by_name = {str(account): account for account in accounts}

    def find() -> dict[AccountName, int]:
        rows = session.execute(select(col(Account.name), col(Account.id)).where(col(Account.name).in_(by_name)))
        return {by_name[name]: id_ for name, id_ in rows}

    found = find()
    missing = [
        {"name": name, "kind": a.kind, "asset": a.asset, "side": a.side, "balance": 0}
        for name, a in by_name.items()
        if a not in found
    ]
    if missing:
        session.execute(insert(Account), missing)
        found = find()
    return found


def _move_balances(session: Session, lines: Sequence[Line], ids: dict[AccountName, int]) -> None:
    deltas: dict[AccountName, int] = defaultdict(int)
    for line in lines:
        deltas[line.account] += line.amount
    table = Account.__table__  # type: ignore[attr-defined]
    # In id order, so that two writers on a database with row locks never wait for each other.
    moves = [
        {"account": ids[a], "delta": delta}
        for a, delta in sorted(deltas.items(), key=lambda item: ids[item[0]])
        if delta
    ]
    if not moves:  # from an account to itself
        return
    session.connection().execute(
        update(table).where(table.c.id == bindparam("account")).values(balance=table.c.balance + bindparam("delta")),
        moves,
    )
    after = session.execute(
        select(table.c.name, table.c.balance * table.c.side).where(table.c.id.in_([m["account"] for m in moves]))
    )
    for name, amount in after:
        if not 0 <= amount <= MAX_AMOUNT:
            raise OverdrawnError(f"{name} would hold {amount}")
