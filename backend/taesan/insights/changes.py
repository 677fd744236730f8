"""What counts in sums changes not only by new movements: one is removed, proves to be a duplicate or none, is of another day. What was made
of sums is then made anew by the worker's next steps: standing costs at those merchants, and the person's budgets."""

from collections.abc import Collection, Iterable

from sqlalchemy import update
from sqlmodel import Session, col

from taesan.core import bulk
from taesan.insights import keeping
from taesan.insights.budget_models import NOT_COUNTED, Budget


def note(session: Session, owner: int, merchants: Iterable[str]) -> None:
    """:param merchants: of the movements that have changed"""
    keeping.note(session, owner, merchants)
    counted = (col(Budget.owner) == owner, col(Budget.counted) != NOT_COUNTED)
    session.execute(update(Budget).where(*counted).values(counted=NOT_COUNTED))


def note_those_of(session: Session, owner: int, movements: Collection[int]) -> None:
    """By their ids; those that are to be removed, before they are."""
    if not movements:
        return
    found = bulk.select_in(
        session.connection(), "SELECT DISTINCT merchant FROM movement WHERE id IN (:values)", movements
    )
    note(session, owner, [merchant for (merchant,) in found])
