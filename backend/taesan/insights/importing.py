"""Statements become movements: a file at a time, all of it or nothing, and each line once however many files have it."""

import hashlib
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.core import bulk
from taesan.core.ids import new_id
from taesan.core.problems import Problem
from taesan.core.values import canonical_json
from taesan.insights import doubles, exclusions, ofx, statements, texts
from taesan.insights.duplicates import KINDS, Pair
from taesan.insights.import_models import StatementImport, StatementLine, StatementMapping
from taesan.insights.lines import Contents, Fault, Line, Unreadable
from taesan.insights.mappings import Mapping
from taesan.insights.merchants import normalised
from taesan.insights.models import MovementRow

MOST_IMPORTS, MOST_LINES = 1_000, 200_000  # of a person


@dataclass(frozen=True, slots=True)
class File:
    """As it was read. :ivar contents: None: its columns are not known. :ivar faults: why its lines cannot be read, if so
    :ivar draft: what could be guessed where that is no mapping. :ivar questions: what only the person can say of it, as reasons
    :ivar merchants: name → `merchants.normalised`"""

    format: Literal["ofx", "csv"]
    digest: str
    contents: Contents | None
    fingerprint: str | None = None
    headings: tuple[str, ...] = ()
    mapping: Mapping | None = None
    is_confirmed: bool = True
    faults: tuple[Fault, ...] = ()
    draft: Dict[str, Any] | None = None
    questions: tuple[str, ...] = ()
    merchants: Dict[str, str] = field(default_factory=dict)


def read(content: bytes, account: str, known: Dict[str, Mapping]) -> File:
    """:param account: what the person calls it. :param known: mappings that the person has set, by their fingerprints
    :raises Unreadable: it is no statement"""
    texts.check_file(content)
    if ofx.is_ofx(content):
        contents = ofx.read(content)
        return File("ofx", _digest(content, account, None), contents, merchants=_merchants(contents))
    table = statements.table(content, known.__contains__)
    mapping = known.get(table.fingerprint) or statements.guess(table)
    draft, questions = ({}, []) if table.fingerprint in known else statements.draft(table)
    read_, faults = None, tuple[Fault, ...]()
    if mapping is not None:
        try:
            read_ = statements.read(table, mapping, account)
        except Unreadable as error:
            faults = error.faults
    return File(
        "csv",
        _digest(content, account, mapping),
        read_,
        table.fingerprint,
        tuple(table.headings),
        mapping,
        table.fingerprint in known,
        faults,
        draft if mapping is None else None,
        tuple(questions),
        _merchants(read_) if read_ else {},
    )


def _merchants(contents: Contents) -> dict[str, str]:
    """Before anything is stored: it takes longer than that, and others wait to store."""
    return {name: normalised(name) for name in {line.name for line in contents.lines}}


def _digest(content: bytes, account: str, mapping: Mapping | None) -> str:
    told = canonical_json([account, mapping.model_dump() if mapping else None])
    return hashlib.sha256(hashlib.sha256(content).digest() + told.encode()).hexdigest()


# ------------------------------------------------------------------- storing


def store(
    session: Session, owner: int, zone: ZoneInfo, file: File, name: str, account: str, now: datetime
) -> tuple[StatementImport, bool]:
    """The import, and whether it is new: the same file again changes nothing.

    :raises Unreadable: a line cannot be read
    :raises Problem: `mapping-unconfirmed`, `too-many-imports`
    """
    if file.mapping is not None or not file.is_confirmed:
        _check_mapping(session, owner, file)
    if file.contents is None:
        raise Unreadable(*file.faults)
    same = (col(StatementImport.owner) == owner, col(StatementImport.digest) == file.digest)
    known = session.scalars(select(StatementImport).where(*same)).first()
    if known is not None:
        return known, False
    lines = file.contents.lines
    _check_room(session, owner, len(lines))
    doubles.started(session)
    new = unknown(session, owner, lines)
    days = [line.day for line in lines]
    row = StatementImport(
        public_id=new_id("imp"),
        owner=owner,
        format=file.format,
        name=name,
        account=account,
        digest=file.digest,
        fingerprint=file.fingerprint,
        lines=len(lines),
        added=len(new),
        skipped=len(file.contents.skipped),
        first_day=min(days, default=None),
        last_day=max(days, default=None),
        imported_at=now,
    )
    session.add(row)
    session.flush()
    bulk.insert(
        session.connection(),
        StatementLine,
        ("owner", "import_id", "key"),
        [(owner, row.id, line.key) for line in lines],
    )
    _add(session, owner, zone, file, new)
    return row, True


def unknown(session: Session, owner: int, lines: Sequence[Line]) -> list[Line]:
    """Those that no file before has had."""
    known = _stored(session, owner, lines)
    return [line for line in lines if line.key not in known]


def look(session: Session, owner: int, file: File, new: Sequence[Line]) -> tuple[dict[str, int], list[Pair]]:
    """Of lines that are not stored: by their keys the movements that they seem to be; and pairs of what is stored, if there are."""
    keys = dict(enumerate((line.key for line in new), start=doubles.UNSTORED))
    pairs = doubles.look(
        session,
        owner,
        [
            doubles.known(
                id_, "statement", line.kind, line.key, line.currency, line.amount, line.day, file.merchants[line.name]
            )
            for id_, line in zip(keys, new, strict=True)
        ],
    )
    same = {keys[pair.duplicate]: pair.original for pair in pairs if pair.duplicate in keys}
    return same, [pair for pair in pairs if pair.duplicate not in keys]


def _add(session: Session, owner: int, zone: ZoneInfo, file: File, new: Sequence[Line]) -> None:
    connection = session.connection()
    is_sqlite = bulk.is_sqlite(connection)
    same, others = look(session, owner, file, new)
    rows = [
        (
            owner,
            line.key,
            "statement",
            line.kind,
            bulk.timestamp(connection, _at(line, zone)),
            line.day.isoformat() if is_sqlite else line.day,
            file.merchants[line.name],
            line.name,
            line.category,
            line.currency,
            line.exponent,
            line.amount,
            same.get(line.key),
        )
        for line in new
    ]
    columns = (
        "owner", "key", "source", "kind", "at", "day", "merchant", "name", "category", "asset", "exponent", "amount",
        "duplicate_of",
    )  # fmt: skip
    bulk.insert(connection, MovementRow, columns, rows)
    doubles.mark(session, owner, others)
    exclusions.exclude_again(session, owner, [f"statement/{line.kind}/{line.key}" for line in new])


def _stored(session: Session, owner: int, lines: Sequence[Line]) -> set[str]:
    """The keys of those that are."""
    if not lines:
        return set()
    query = select(col(MovementRow.key)).where(
        col(MovementRow.owner) == owner,
        col(MovementRow.source) == "statement",
        col(MovementRow.kind).in_(KINDS),
        col(MovementRow.key).in_([line.key for line in lines]),
    )
    return set(session.scalars(query))


def _at(line: Line, zone: ZoneInfo) -> datetime:
    """The bank's clock is the person's, if it does not say another. Without a time it is noon, which is that day in most zones."""
    at = datetime.combine(line.day, line.at or time(12))
    return (
        (at - line.offset).replace(tzinfo=UTC) if line.offset is not None else at.replace(tzinfo=zone).astimezone(UTC)
    )


def _check_room(session: Session, owner: int, lines: int) -> None:
    query = select(func.count(), func.sum(StatementImport.lines)).where(col(StatementImport.owner) == owner)
    count, before = session.execute(query).one()
    if count >= MOST_IMPORTS or (before or 0) + lines > MOST_LINES:
        raise Problem(
            "too-many-imports",
            409,
            "More statements are imported than one person may have.",
            f"At most {MOST_IMPORTS} files with {MOST_LINES} lines; remove some that are no longer needed.",
        )


def _check_mapping(session: Session, owner: int, file: File) -> None:
    """It is what the person has confirmed, also if that has changed since the file was read. :raises Problem: else"""
    of_file = (col(StatementMapping.owner) == owner, col(StatementMapping.fingerprint) == file.fingerprint)
    known = session.scalars(select(col(StatementMapping.mapping)).where(*of_file)).first()
    if known is not None and Mapping.model_validate(known) == file.mapping:
        return
    path = f"/v1/insights/statement-mappings/{file.fingerprint}"
    raise Problem(
        "mapping-unconfirmed",
        409,
        "What the columns of this file mean has to be confirmed first.",
        f"Look at `mapping`, put it right, and PUT it to {path}."
        if file.mapping
        else f"Fill in what is empty in `draft`, by `headings`, and PUT it to {path}; the preview's `questions` tell what is missing.",
        fingerprint=file.fingerprint,
        headings=list(file.headings),
        mapping=file.mapping.model_dump() if file.mapping else None,
        draft=file.draft,
    )
