"""Backup and restore of a hub's database. A restored database is marked: the hub that starts on it catches up with its chain
before it accepts anything (`settlement.reconcile`)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select, text
from sqlmodel import Session, col

from taesan.chain.contracts import Deployment
from taesan.chain.models import ChainBinding, ChainCursor
from taesan.core import restoration, snapshots
from taesan.core.db import MIGRATIONS, Database
from taesan.core.models import Lease
from taesan.ledger.audit import Report, audit_books
from taesan.ledger.models import JournalEntry
from taesan.payments.models import Payment

Progress = Callable[[int, int], None]


class BackupRefused(Exception):
    """Nothing was changed, for a reason that a person can do something about."""


@dataclass(frozen=True)
class Contents:
    """What a database holds, for a person to recognise it.

    :ivar newest_entry: number and time of the books' last entry. :ivar block: up to which the chain is in the books
    """

    revision: str
    chain_id: int | None
    settlement: str | None
    payments: int
    entries: int
    newest_entry: datetime | None
    block: int | None


def back_up(url: str, target: Path, progress: Progress) -> Contents:
    """A checked copy of the database's state of this moment, while a hub may run on it.

    :raises BackupRefused: the target is there already, the database is none, or its books do not hold
    """
    source = _sqlite_path(url)
    if target.exists():
        raise BackupRefused(f"{target} is there already, and is not overwritten")
    if not target.parent.is_dir():
        raise BackupRefused(f"there is no folder {target.parent}")
    try:
        with snapshots.written_whole(target) as part:
            snapshots.copy(source, part, progress)
            snapshots.check(part)
            contents = _inspect(part)
            if contents.revision == _revisions()[0]:
                _check_books(part)
            snapshots.close_for_good(part)
    except FileExistsError:
        raise BackupRefused(f"{target} is there already, and is not overwritten") from None
    except (snapshots.NotADatabase, OSError) as error:
        raise BackupRefused(str(error)) from error
    return contents


def restore(
    file: Path, url: str, deployment: Deployment, now: datetime, progress: Progress, *, replace: bool
) -> tuple[Contents, Path | None]:
    """Makes a backup the hub's database: checked, migrated, marked. Returns what it holds, and where the old one is.

    :param replace: keep an existing database aside instead of refusing
    :raises BackupRefused: a database is there already, is in use, or the file is not one for this hub
    """
    target = _sqlite_path(url)
    if target.exists() and not replace:
        raise BackupRefused(f"{target} is there already; --replace keeps it aside under another name")
    if not target.exists() and (left := snapshots.left_of(target)):
        raise BackupRefused(
            f"{left[0]} is of a database that is gone, and would be mixed into this one: move it away too"
        )
    aside = target.with_name(f"{target.name}.{now:%Y%m%dT%H%M%SZ}.replaced")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with snapshots.written_whole(target) as part:
            snapshots.copy(file, part, progress)
            snapshots.check(part)
            contents = _inspect(part)
            _require_same_chain(file, contents, deployment)
            _require_known_schema(file, contents)
            _prepare(part, f"{restoration.RESTORED}{file.name}", now)
            if target.exists():
                snapshots.close_for_good(target)
                snapshots.set_aside(target, aside)
    except FileExistsError:
        raise BackupRefused(f"{target} has come to be there meanwhile") from None
    except (snapshots.NotADatabase, snapshots.InUse, OSError) as error:
        raise BackupRefused(str(error)) from error
    return contents, aside if aside.exists() else None


def mark(url: str, now: datetime) -> Contents:
    """Marks a database that was restored by other means, such as PostgreSQL's.

    :raises BackupRefused: a hub works on it, or died on it less than its lease ago
    """
    require_database(url)
    db = Database(url)
    try:
        db.migrate()
        with db.write() as session:
            lease = session.scalar(select(Lease).where(col(Lease.expires_at) > now).limit(1))
            if lease is not None:
                left = (lease.expires_at - now).total_seconds()
                raise BackupRefused(
                    f"a hub works on this database, or has been killed on it: try again in {left:.0f} s"
                )
            restoration.mark(session, restoration.MARKED, now)
        with db.read() as session:
            return _contents(session)
    finally:
        db.close()


def require_database(url: str) -> None:
    """:raises BackupRefused: there is no such SQLite file; whoever opens it would make one"""
    if url.startswith("sqlite:") and not snapshots.path_of(url).exists():
        raise BackupRefused(f"there is no database at {snapshots.path_of(url)}: where does TAESAN_DATABASE_URL lead?")


def _sqlite_path(url: str) -> Path:
    if not url.startswith("sqlite:"):
        raise BackupRefused(
            "this is for SQLite; PostgreSQL has its own tools (docs/backup.md), then `taesan restore --mark`"
        )
    return snapshots.path_of(url)


def _prepare(part: Path, cause: str, now: datetime) -> None:
    db = Database(f"sqlite:///{part}")
    try:
        db.migrate()
        with db.write() as session:
            restoration.mark(session, cause, now)
    finally:
        db.close()
    _check_books(part)
    snapshots.close_for_good(part)


def _check_books(path: Path) -> None:
    """:raises BackupRefused: the chain of hashes, a sum or a balance does not hold"""
    report = Report()
    db = Database(f"sqlite:///{path}")
    try:
        with db.read() as session:
            audit_books(session, report)
    finally:
        db.close()
    if report.differences:
        raise BackupRefused(f"the books do not hold: {len(report.differences)} differences, {report.differences[0]}")


def _inspect(path: Path) -> Contents:
    db = Database(f"sqlite:///{path}")
    try:
        with db.read() as session:
            return _contents(session)
    finally:
        db.close()


def _contents(session: Session) -> Contents:
    tables = set(inspect(session.connection()).get_table_names())
    if not {"alembic_version", "chain_binding", "journal_entry", "payment"} <= tables:
        raise BackupRefused("this is no hub's database")
    # Columns, not rows: the file may be of an older schema.
    binding = session.execute(select(col(ChainBinding.chain_id), col(ChainBinding.settlement))).one_or_none()
    newest = session.execute(
        select(col(JournalEntry.id), col(JournalEntry.posted_at)).order_by(col(JournalEntry.id).desc()).limit(1)
    ).one_or_none()
    return Contents(
        revision=session.execute(text("SELECT version_num FROM alembic_version")).scalar_one(),
        chain_id=binding.chain_id if binding else None,
        settlement=binding.settlement if binding else None,
        payments=session.scalar(select(func.count()).select_from(Payment)) or 0,
        entries=newest[0] if newest else 0,
        newest_entry=newest[1] if newest else None,
        block=session.scalar(select(col(ChainCursor.block_number))),
    )


def _require_same_chain(file: Path, contents: Contents, deployment: Deployment) -> None:
    """Genesis is compared when the hub starts, as ever."""
    here = (deployment.chain_id, deployment.settlement)
    if (contents.chain_id, contents.settlement) != here:
        raise BackupRefused(
            f"{file} belongs to chain {contents.chain_id} and settlement {contents.settlement}, "
            f"the deployment file names chain {here[0]} and {here[1]}"
        )


def _require_known_schema(file: Path, contents: Contents) -> None:
    if contents.revision not in _revisions():
        raise BackupRefused(f"{file} has schema {contents.revision}, which is newer than this version of taesan knows")


def _revisions() -> list[str]:
    """All that this version knows, the newest first."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
