"""Imports that were made, what a person has said of columns, and both as the API tells them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlmodel import Session, col

from taesan.core import reasons
from taesan.core.clock import rfc3339
from taesan.core.i18n import translate
from taesan.core.pages import newest_first
from taesan.core.problems import Problem, not_found
from taesan.insights import changes, doubles, importing
from taesan.insights.duplicates import KINDS
from taesan.insights.import_models import (
    FaultPublic,
    ImportPublic,
    LinePublic,
    MappingPublic,
    PreviewPublic,
    StatementImport,
    StatementLine,
    StatementMapping,
)
from taesan.insights.importing import File
from taesan.insights.lines import MAX_LINES, Fault, Skipped, Unreadable
from taesan.insights.mappings import Mapping
from taesan.insights.models import MovementRow
from taesan.insights.reasons import TITLES
from taesan.insights.streams import PREFIX

MOST_MAPPINGS = 100
SHOWN_LINES, SHOWN_SKIPPED, SHOWN_IMPORTS = 20, 100, 100


# ------------------------------------------------------------------- imports


def find(session: Session, owner: int, import_id: str) -> StatementImport:
    """:raises Problem: `not-found`"""
    row = session.scalars(select(StatementImport).where(col(StatementImport.public_id) == import_id)).first()
    if row is None or row.owner != owner:
        raise not_found("The import", import_id)
    return row


def imports_of(session: Session, owner: int, before: int | None, limit: int) -> Sequence[StatementImport]:
    of_person = select(StatementImport).where(col(StatementImport.owner) == owner)
    return newest_first(session, of_person, col(StatementImport.id), before, limit)


def remove(session: Session, row: StatementImport) -> None:
    """With all lines that no other file has."""
    owner, of_import = row.owner, col(StatementLine.import_id) == row.id
    keys = set(session.scalars(select(col(StatementLine.key)).where(of_import)))
    session.execute(delete(StatementLine).where(of_import))
    of_others = select(col(StatementLine.key)).where(
        col(StatementLine.owner) == owner, col(StatementLine.key).in_(keys)
    )
    alone = keys - set(session.scalars(of_others)) if keys else keys
    lines = select(col(MovementRow.id), col(MovementRow.merchant)).where(
        col(MovementRow.owner) == owner,
        col(MovementRow.source) == "statement",
        col(MovementRow.kind).in_(KINDS),
        col(MovementRow.key).in_(alone),
    )
    gone = {line.id: line.merchant for line in session.execute(lines)} if alone else {}
    session.execute(delete(MovementRow).where(col(MovementRow.id).in_(list(gone))))
    doubles.release(session, owner, gone)
    changes.note(session, owner, gone.values())
    session.delete(row)
    session.flush()


def public(row: StatementImport) -> ImportPublic:
    return ImportPublic(
        id=row.public_id,
        format=row.format,  # type: ignore[arg-type]
        name=row.name,
        account=row.account,
        lines=row.lines,
        added=row.added,
        skipped=row.skipped,
        first_day=row.first_day.isoformat() if row.first_day else None,
        last_day=row.last_day.isoformat() if row.last_day else None,
        imported_at=rfc3339(row.imported_at),
    )


def preview(session: Session, owner: int, file: File, language: str) -> PreviewPublic:
    """What importing it would do."""
    lines, skipped = file.contents or ([], [])
    new = importing.unknown(session, owner, lines)
    keys = {line.key for line in new}
    same, _ = importing.look(session, owner, file, new)
    return PreviewPublic(
        format=file.format,
        fingerprint=file.fingerprint,
        headings=list(file.headings),
        mapping=file.mapping,
        draft=dict(file.draft) if file.draft is not None else None,
        questions=[reasons.told(question, TITLES, language) for question in file.questions],
        confirmed=file.is_confirmed,
        lines=len(lines),
        added=len(new),
        duplicates=len(same),
        first_lines=[
            LinePublic(
                line=line.number,
                day=line.day.isoformat(),
                kind=line.kind,
                name=line.name,
                merchant=file.merchants[line.name],
                category=line.category,
                asset=line.currency,
                exponent=line.exponent,
                amount=line.amount,
                known=line.key not in keys,
                duplicate_of=f"{PREFIX}{same[line.key]}" if line.key in same else None,
            )
            for line in lines[:SHOWN_LINES]
        ],
        skipped=[told(fault, language) for fault in skipped[:SHOWN_SKIPPED]],
        skipped_count=len(skipped),
        faults=[told(fault, language) for fault in file.faults],
    )


def told(fault: Fault | Skipped, language: str) -> FaultPublic:
    return FaultPublic(line=fault.line, reason=reasons.told(fault.reason, TITLES, language))


def unreadable(error: Unreadable, language: str) -> Problem:
    """What is wrong with a file, line by line."""
    faults = [told(fault, language) for fault in error.faults]
    return Problem(
        "statement-unreadable",
        422,
        "The statement cannot be read; nothing of it was imported.",
        translate("Line {line}: {reason}", language).format(line=faults[0].line, reason=faults[0].reason.title),
        errors=[fault.model_dump() for fault in faults],
    )


# ------------------------------------------------------------------- mappings


def mappings_of(session: Session, owner: int) -> dict[str, Mapping]:
    """By the fingerprints of the headings that they are for."""
    return {row.fingerprint: Mapping.model_validate(row.mapping) for row in _mappings(session, owner)}


def public_mappings(session: Session, owner: int) -> list[MappingPublic]:
    return [_public_mapping(row) for row in _mappings(session, owner)]


def set_mapping(
    session: Session, owner: int, fingerprint: str, mapping: Mapping, now: datetime, *, remove_imports: bool = False
) -> MappingPublic:
    """:param remove_imports: those by another mapping go, as nothing tells how their lines would be read by this one
    :raises Problem: `mapping-in-use`, `too-many-mappings`"""
    row = _mapping(session, owner, fingerprint)
    if row is None:
        count = session.scalar(select(func.count()).where(col(StatementMapping.owner) == owner)) or 0
        if count >= MOST_MAPPINGS:
            raise Problem("too-many-mappings", 409, "Too many mappings are remembered.", f"At most {MOST_MAPPINGS}.")
        row = StatementMapping(owner=owner, fingerprint=fingerprint, mapping={}, set_at=now)
    elif Mapping.model_validate(row.mapping) != mapping:
        if remove_imports:
            _remove_imports(session, owner, fingerprint)
        _check_unused(session, owner, fingerprint)
    row.mapping, row.set_at = mapping.model_dump(), now
    session.add(row)
    session.flush()
    return _public_mapping(row)


def forget_mapping(session: Session, owner: int, fingerprint: str) -> None:
    """:raises Problem: `not-found`, `mapping-in-use`"""
    row = _mapping(session, owner, fingerprint)
    if row is None:
        raise not_found("The mapping", fingerprint)
    _check_unused(session, owner, fingerprint)
    session.delete(row)


def _check_unused(session: Session, owner: int, fingerprint: str) -> None:
    """Read another way, the lines of a file would not be known again when it comes once more."""
    used = _by_mapping(session, owner, fingerprint)
    if used:
        raise Problem(
            "mapping-in-use",
            409,
            "Files were imported by this mapping.",
            f"Set it with `remove_imports=true`, which removes the imports ({len(used)}), and import the files again. "
            f"If they have more than {MAX_LINES} lines in all, remove some one by one first.",
            imports=[public(row).model_dump() for row in used[:SHOWN_IMPORTS]],
        )


def _remove_imports(session: Session, owner: int, fingerprint: str) -> None:
    """All of them, unless that would be more than one transaction should do."""
    used = _by_mapping(session, owner, fingerprint)
    if sum(row.lines for row in used) <= MAX_LINES:
        for row in used:
            remove(session, row)


def _by_mapping(session: Session, owner: int, fingerprint: str) -> Sequence[StatementImport]:
    """The newest first."""
    of = (col(StatementImport.owner) == owner, col(StatementImport.fingerprint) == fingerprint)
    return session.scalars(select(StatementImport).where(*of).order_by(col(StatementImport.id).desc())).all()


def _mapping(session: Session, owner: int, fingerprint: str) -> StatementMapping | None:
    one = (col(StatementMapping.owner) == owner, col(StatementMapping.fingerprint) == fingerprint)
    return session.scalars(select(StatementMapping).where(*one)).first()


def _mappings(session: Session, owner: int) -> Sequence[StatementMapping]:
    of_person = select(StatementMapping).where(col(StatementMapping.owner) == owner)
    return session.scalars(of_person.order_by(col(StatementMapping.fingerprint))).all()


def _public_mapping(row: StatementMapping) -> MappingPublic:
    mapping = Mapping.model_validate(row.mapping)
    return MappingPublic(fingerprint=row.fingerprint, mapping=mapping, set_at=rfc3339(row.set_at))
