"""A statement's line that the person has taken out of all sums, as only that person can know what it was.

Such a movement is its own duplicate (`duplicate_of`), so that whatever adds up leaves it out. What was said is kept by the line's name,
as of duplicates: it outlives a file that is removed and imported again.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlmodel import Session, col

from taesan.core.problems import Problem
from taesan.insights import changes, doubles
from taesan.insights.import_models import DuplicateVerdict
from taesan.insights.models import MovementRow

_VERDICT = "excluded"


def exclude(session: Session, row: MovementRow, now: datetime) -> None:
    """:raises Problem: `not-of-a-statement`: what the hub knows itself is as the books have it"""
    if row.source != "statement":
        raise Problem("not-of-a-statement", 409, "Only a line of a statement can be left out of the sums.")
    if row.is_excluded:
        return
    row.duplicate_of = row.id
    name = doubles.reference(row)
    session.add(row)
    session.add(DuplicateVerdict(owner=row.owner, line=name, other=name, verdict=_VERDICT, said_at=now))
    session.flush()
    changes.note(session, row.owner, [row.merchant])


def include(session: Session, row: MovementRow) -> None:
    """It counts again, unless another source tells the same."""
    if not row.is_excluded:
        return
    assert row.id is not None
    row.duplicate_of = None
    session.add(row)
    name = doubles.reference(row)
    of_line = (col(DuplicateVerdict.line) == name, col(DuplicateVerdict.other) == name)
    session.execute(delete(DuplicateVerdict).where(col(DuplicateVerdict.owner) == row.owner, *of_line))
    session.flush()
    doubles.look_again(session, row.owner, [row.id])
    changes.note(session, row.owner, [row.merchant])
    session.refresh(row)


def exclude_again(session: Session, owner: int, lines: Collection[str]) -> None:
    """Of lines that were just stored, those that were left out before. :param lines: references, as many as one file may have"""
    said = select(col(DuplicateVerdict.line)).where(
        col(DuplicateVerdict.owner) == owner,
        col(DuplicateVerdict.line).in_(lines),
        col(DuplicateVerdict.verdict) == _VERDICT,
    )
    for source, kind, key in (line.split("/", 2) for line in session.scalars(said).all()):
        one = (col(MovementRow.source) == source, col(MovementRow.kind) == kind, col(MovementRow.key) == key)
        left_out = update(MovementRow).where(col(MovementRow.owner) == owner, *one)
        session.execute(left_out.values(duplicate_of=col(MovementRow.id)))
