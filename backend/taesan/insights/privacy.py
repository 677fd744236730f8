"""All that is kept of a person here: given to the person, and removed.

Payments, refunds and the books are not: they stay as they are, by the wallets' addresses, whose person nobody knows any more
(docs/security.md, "What insights keep").
"""

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, delete, select
from sqlmodel import Session, SQLModel

from taesan.core.clock import rfc3339
from taesan.core.db import Database
from taesan.insights.advice_models import AdviceDismissed
from taesan.insights.budget_models import Budget, BudgetAlert
from taesan.insights.import_models import DuplicateVerdict, StatementImport, StatementLine, StatementMapping
from taesan.insights.models import Filling, MovementRow, Person, PersonWallet
from taesan.insights.recurring_models import Recurring, RecurringDue
from taesan.insights.schedule_models import ReportMail, ReportSchedule

PERSONAL: tuple[type[SQLModel], ...] = (
    PersonWallet,
    Filling,
    RecurringDue,
    Recurring,
    AdviceDismissed,
    MovementRow,
    StatementLine,  # before the imports that they are of
    StatementImport,
    StatementMapping,
    DuplicateVerdict,
    Budget,
    BudgetAlert,
    ReportSchedule,
    ReportMail,
)
"""Every table with an `owner`; each with an index that begins with that."""
NOT_TOLD = {"owner", "secret", "token", "code_hash"}
PAGE = 500


def export(db: Database, person: Person) -> Iterator[str]:
    """As lines of JSON: the person, then all rows of each table. In pages, so that a slow reader holds up nothing."""
    yield _line("person", person)
    for table in PERSONAL:
        key = _key(table)
        after: Any = None
        while True:
            of_person = select(table).where(_owner(table) == person.id)
            if after is not None:
                of_person = of_person.where(key > after)
            with db.read() as session:
                rows = session.scalars(of_person.order_by(key).limit(PAGE)).all()
            yield from (_line(_name(table), row) for row in rows)
            if len(rows) < PAGE:
                break
            after = getattr(rows[-1], key.name)


def remove(session: Session, owner: int, most: int) -> bool:
    """So many rows at most, of one table; returns whether there were none left."""
    for table in PERSONAL:
        key = _key(table)
        found = session.scalars(select(key).where(_owner(table) == owner).limit(most)).all()
        if found:
            session.execute(delete(table).where(key.in_(found)))
            return False
    return True


def _name(table: type[SQLModel]) -> str:
    return str(table.__tablename__)


def _owner(table: type[SQLModel]) -> Any:
    return _columns(table)["owner"]


def _key(table: type[SQLModel]) -> Any:
    (key,) = table.__table__.primary_key  # type: ignore[attr-defined]
    return key


def _columns(table: type[SQLModel]) -> Any:
    return table.__table__.columns  # type: ignore[attr-defined]


def _line(name: str, row: Any) -> str:
    told = {c.name: _told(c.type, getattr(row, c.name)) for c in _columns(type(row)) if c.name not in NOT_TOLD}
    return json.dumps({"table": name, **told}, ensure_ascii=False) + "\n"


def _told(type_: object, value: Any) -> Any:
    """As the API tells it: amounts and numbers of 64 bits as strings."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(type_, BigInteger) and value is not None else value
