"""What a payer must not forget, in one SQLite file: its channels, and what it was about to pay.

A payment is an intent before it is sent: its voucher and its key are on the disk. Whatever happens then, the same intent is
sent again until the hub has answered it, so nothing is paid twice, and nothing else is paid meanwhile. A merchant that never
answers holds up nothing: the hub is asked, and what it was not paid is given up.
"""

import json
import os
import secrets
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_DAY_MS = 24 * 3_600 * 1_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS hub (site TEXT PRIMARY KEY, facts TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS hot_key (payer TEXT PRIMARY KEY, secret TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS channel (
    id TEXT PRIMARY KEY, config TEXT NOT NULL, charged INTEGER NOT NULL CHECK (charged >= 0)
) STRICT;
CREATE TABLE IF NOT EXISTS intent (
    number INTEGER PRIMARY KEY,
    channel TEXT NOT NULL REFERENCES channel,
    kind TEXT NOT NULL CHECK (kind IN ('deposit', 'payment', 'x402', 'adopted')),
    key TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    cumulative INTEGER,
    request TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'refused')),
    answer TEXT,
    at_ms INTEGER NOT NULL,
    UNIQUE (channel, key)
) STRICT;
CREATE TABLE IF NOT EXISTS way_back (nonce TEXT PRIMARY KEY, transfer TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_pending ON intent (channel) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS spent_lately ON intent (at_ms) WHERE kind <> 'deposit' AND state <> 'refused';
"""


class OverLimit(Exception):
    """A payment that the payer's own limits forbid. Nothing was signed."""


class KeyReused(Exception):
    """The key names another payment. Nothing was signed."""


class Busy(Exception):
    """Another payment of this channel has no answer yet: resolve it first."""


@dataclass(frozen=True)
class Limits:
    """What is paid, and deposited, at most, minor units; None: as much as there is. A day is the last 24 hours, over all
    channels. Deposits count when they are signed, refused ones too: who has the signature may still use it."""

    per_payment: int | None = None
    per_day: int | None = None
    deposits_per_day: int | None = None


@dataclass(frozen=True)
class Intent:
    """:ivar request: what is sent, ready to be sent again. :ivar cumulative: the voucher's; None for a deposit
    :ivar answer: the hub's, if there is one"""

    number: int
    channel: str
    kind: str
    key: str
    amount: int
    cumulative: int | None
    request: dict[str, Any]
    state: str
    answer: dict[str, Any] | None


class State:
    """:param path: of the file, which only its owner may read, as a hot key may be in it; `:memory:` forgets all
    :raises OSError: it is a link, or somebody else's"""

    def __init__(self, path: Path | str) -> None:
        if str(path) != ":memory:":
            _keep_to_owner(Path(path))
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def _rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

    # -------------------------------------------------------- hubs, channels

    def first_facts(self, site: str, facts: dict[str, Any]) -> dict[str, Any]:
        """What this hub said of itself when it was first met; `facts`, if that is now. What nobody asked for then counts from now on."""
        with self._write() as db:
            db.execute("INSERT OR IGNORE INTO hub VALUES (?, ?)", (site, json.dumps(facts)))
            (kept,) = db.execute("SELECT facts FROM hub WHERE site = ?", (site,)).fetchone()
            first: dict[str, Any] = facts | json.loads(kept)
            if first.keys() != json.loads(kept).keys():
                db.execute("UPDATE hub SET facts = ? WHERE site = ?", (json.dumps(first), site))
        return first

    def forget_hub(self, site: str) -> None:
        """The next time it is met as if for the first time; its channels are kept. :param site: without a slash at its end"""
        with self._write() as db:
            db.execute("DELETE FROM hub WHERE site = ?", (site,))

    def hot_key(self, payer: str) -> str:
        """The secret of this payer's hot key, 0x-hex; made at first use."""
        with self._write() as db:
            db.execute("INSERT OR IGNORE INTO hot_key VALUES (?, ?)", (payer, "0x" + secrets.token_hex(32)))
            (secret,) = db.execute("SELECT secret FROM hot_key WHERE payer = ?", (payer,)).fetchone()
        return str(secret)

    def add_channel(self, channel: str, config: dict[str, Any]) -> None:
        """Nothing, if it is there."""
        with self._write() as db:
            db.execute("INSERT OR IGNORE INTO channel VALUES (?, ?, 0)", (channel, json.dumps(config)))

    def charged(self, channel: str) -> int | None:
        """What the channel has paid in all, minor units; None: no such channel."""
        rows = self._rows("SELECT charged FROM channel WHERE id = ?", channel)
        return int(rows[0]["charged"]) if rows else None

    def adopt(self, channel: str, charged: int, now_ms: int) -> None:
        """The hub has proved that it was paid so much: by another copy of this state, or by what it had refused. It counts
        as spent now, so that nobody gets around the limits this way."""
        with self._write() as db:
            (before,) = db.execute("SELECT charged FROM channel WHERE id = ?", (channel,)).fetchone()
            if charged > before:
                db.execute("UPDATE channel SET charged = ? WHERE id = ?", (charged, channel))
                db.execute(
                    "INSERT INTO intent (channel, kind, key, amount, cumulative, request, state, at_ms) "
                    "VALUES (?, 'adopted', ?, ?, ?, '{}', 'done', ?)",
                    (channel, f"adopted {charged}", charged - before, charged, now_ms),
                )

    # ------------------------------------------------------------------- gifts

    def keep_way_back(self, transfer: dict[str, Any]) -> None:
        """What takes a gift link's tokens back after its end, kept before the gift is made."""
        with self._write() as db:
            db.execute("INSERT INTO way_back VALUES (?, ?)", (transfer["nonce"], json.dumps(transfer)))

    def ways_back(self) -> list[dict[str, Any]]:
        """Of all gift links, in the order in which they were made."""
        return [json.loads(row["transfer"]) for row in self._rows("SELECT transfer FROM way_back ORDER BY rowid")]

    # ----------------------------------------------------------------- intents

    def pending(self, channel: str) -> Intent | None:
        """What was begun and has no answer."""
        rows = self._rows("SELECT * FROM intent WHERE channel = ? AND state = 'pending'", channel)
        return _intent(rows[0]) if rows else None

    def find(self, channel: str, key: str) -> Intent | None:
        rows = self._rows("SELECT * FROM intent WHERE channel = ? AND key = ?", channel, key)
        return _intent(rows[0]) if rows else None

    def signed_before(self, intent: Intent) -> int:
        """The highest voucher that was signed before this one, whatever became of it, minor units."""
        most = "SELECT coalesce(max(cumulative), 0) AS most FROM intent WHERE channel = ? AND number < ?"
        return int(self._rows(most, intent.channel, intent.number)[0]["most"])

    def intend(
        self,
        channel: str,
        kind: str,
        key: str,
        amount: int,
        request: dict[str, Any],
        cumulative: int | None,
        limits: Limits,
        now_ms: int,
    ) -> Intent:
        """Remembers what is about to be sent.

        :param cumulative: has to continue what the channel has paid
        :raises OverLimit: :raises KeyReused: :raises Busy: another intent waits, or has been done meanwhile
        """
        with self._write() as db:
            if db.execute("SELECT 1 FROM intent WHERE channel = ? AND key = ?", (channel, key)).fetchone():
                raise KeyReused(f"{key!r} has named another payment")
            if db.execute("SELECT 1 FROM intent WHERE channel = ? AND state = 'pending'", (channel,)).fetchone():
                raise Busy
            (charged,) = db.execute("SELECT charged FROM channel WHERE id = ?", (channel,)).fetchone()
            if cumulative is not None:
                if cumulative != charged + amount:
                    raise Busy  # another process has paid since we have looked
                _check(db, amount, limits, now_ms)
            elif limits.deposits_per_day is not None:
                _check_deposit(db, amount, limits.deposits_per_day, now_ms)
            values = (channel, kind, key, amount, cumulative, json.dumps(request), now_ms)
            number = db.execute(
                "INSERT INTO intent (channel, kind, key, amount, cumulative, request, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            ).lastrowid
            assert number is not None
        return Intent(number, channel, kind, key, amount, cumulative, request, "pending", None)

    def done(self, intent: Intent, answer: dict[str, Any]) -> None:
        """It was accepted: the channel has paid so much in all."""
        with self._write() as db:
            db.execute(
                "UPDATE intent SET state = 'done', answer = ? WHERE number = ?", (json.dumps(answer), intent.number)
            )
            if intent.cumulative is not None:
                db.execute(
                    "UPDATE channel SET charged = max(charged, ?) WHERE id = ?", (intent.cumulative, intent.channel)
                )

    def refused(self, intent: Intent, answer: dict[str, Any]) -> None:
        """It was refused, for good: its key may be used again."""
        with self._write() as db:
            db.execute(
                "UPDATE intent SET state = 'refused', answer = ?, key = key || '#' || number WHERE number = ?",
                (json.dumps(answer), intent.number),
            )

    def spent(self, now_ms: int) -> int:
        """In the last 24 hours, with what has no answer yet, minor units."""
        with self._lock:
            return _spent(self._db, now_ms)


def _keep_to_owner(path: Path) -> None:
    """Makes the file; one that was there, and what SQLite keeps beside it, is closed to all others."""
    # What is there is not opened: when it is closed again, SQLite's locks of this process would be gone.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        with suppress(FileNotFoundError):
            mode = file.lstat().st_mode
            if not stat.S_ISREG(mode):
                raise OSError(f"{file} is to hold keys: it has to be a file, no link and nothing else")
            if stat.S_IMODE(mode) & 0o077:
                file.chmod(0o600)


def _check(db: sqlite3.Connection, amount: int, limits: Limits, now_ms: int) -> None:
    if limits.per_payment is not None and amount > limits.per_payment:
        raise OverLimit(f"{amount} minor units, but at most {limits.per_payment} are paid at once")
    if limits.per_day is not None:
        spent = _spent(db, now_ms)
        if spent + amount > limits.per_day:
            raise OverLimit(f"{amount} minor units, but {spent} of {limits.per_day} were spent in the last 24 hours")


def _check_deposit(db: sqlite3.Connection, amount: int, per_day: int, now_ms: int) -> None:
    lately = "SELECT coalesce(sum(amount), 0) FROM intent WHERE kind = 'deposit' AND at_ms > ?"
    (signed,) = db.execute(lately, (now_ms - _DAY_MS,)).fetchone()
    if signed + amount > per_day:
        raise OverLimit(f"{amount} minor units, but {signed} of {per_day} were deposited in the last 24 hours")


def _spent(db: sqlite3.Connection, now_ms: int) -> int:
    lately = "SELECT coalesce(sum(amount), 0) FROM intent WHERE kind <> 'deposit' AND state <> 'refused' AND at_ms > ?"
    (spent,) = db.execute(lately, (now_ms - _DAY_MS,)).fetchone()
    return int(spent)


def _intent(row: sqlite3.Row) -> Intent:
    answer = json.loads(row["answer"]) if row["answer"] else None
    return Intent(
        row["number"],
        row["channel"],
        row["kind"],
        row["key"],
        row["amount"],
        row["cumulative"],
        json.loads(row["request"]),
        row["state"],
        answer,
    )
