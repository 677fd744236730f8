"""Keeps an eye on budgets: new movements are added up as they come. It is counted exactly only if that passes a mark, or if what was added
up has changed since (`changes.py`)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select
from sqlmodel import Session, col

from taesan.core.clock import rfc3339
from taesan.core.days import day_of
from taesan.core.ids import new_id
from taesan.core.problems import Problem, not_found
from taesan.hub import Hub
from taesan.insights import persons, streams
from taesan.insights.budget_models import NOT_COUNTED, Budget, BudgetAlert, BudgetCursor
from taesan.insights.budgets import BudgetAlertPublic, BudgetPublic, BudgetTerms, standing
from taesan.insights.figures import exponent_of
from taesan.insights.merchants import category_of
from taesan.insights.models import MovementRow, Person
from taesan.insights.movements import month_of, next_month
from taesan.insights.sources import Asset

MOST_BUDGETS = 50
PAGE = 500


class _Line(NamedTuple):
    owner: int
    id: int
    day: date
    kind: str
    merchant: str
    category: str
    asset: str
    amount: int


def put(session: Session, hub: Hub, person: Person, terms: BudgetTerms, now: datetime) -> Budget:
    """:raises Problem: `unknown-asset`, `too-many-budgets`"""
    owner, today = persons.number_of(person), _today(person, now)
    if session.get(BudgetCursor, 1) is None:
        session.add(BudgetCursor(movement_id=streams.newest(session)))
    budgets, asset, key = of_person(session, owner), _asset(hub, terms.asset), terms.matched_by
    same = (terms.scope, key, asset.id)
    row = next((b for b in budgets if (b.scope, b.key, b.asset) == same), None)
    if row is None:
        if len(budgets) >= MOST_BUDGETS:
            raise Problem("too-many-budgets", 409, "There are too many budgets.", f"At most {MOST_BUDGETS} may be.")
        row = Budget(
            public_id=new_id("bud"),
            owner=owner,
            scope=terms.scope,
            key=key,
            asset=asset.id,
            exponent=asset.exponent,
            amount=terms.amount,
            month=month_of(today),
            spent=0,
            counted=0,
            created_at=now,
        )
    elif row.amount != terms.amount:
        row.amount = terms.amount
        session.execute(delete(BudgetAlert).where(*_alerts_of(row)))
    session.add(row)
    session.flush()
    _count(session, row, today)
    _warn(session, row, today, now)
    return row


def remove(session: Session, owner: int, budget_id: str) -> None:
    """:raises Problem: `not-found`"""
    row = session.scalar(select(Budget).where(col(Budget.public_id) == budget_id, col(Budget.owner) == owner))
    if row is None:
        raise not_found("The budget", budget_id)
    session.execute(delete(BudgetAlert).where(*_alerts_of(row)))
    session.delete(row)
    session.flush()


def of_person(session: Session, owner: int) -> Sequence[Budget]:
    return session.scalars(select(Budget).where(col(Budget.owner) == owner).order_by(col(Budget.id))).all()


def public(session: Session, person: Person, row: Budget, now: datetime) -> BudgetPublic:
    today = _today(person, now)
    sums = _sums(session, row, today)
    found = standing(row.amount, _net(sums, row.asset), today)
    alerts = select(BudgetAlert).where(*_alerts_of(row), col(BudgetAlert.month) == month_of(today))
    told = [
        BudgetAlertPublic(warning=a.warning, spent=a.spent, pace=a.forecast, at=rfc3339(a.at))  # type: ignore[arg-type]
        for a in session.scalars(alerts.order_by(col(BudgetAlert.id)))
    ]
    kept = {name: getattr(row, name) for name in ("scope", "key", "asset", "exponent", "amount")}
    return BudgetPublic(
        id=row.public_id,
        spent=found.spent,
        count=sum(one.times for one in sums if one.asset == row.asset),
        other_assets=sorted({one.asset for one in sums if one.kind == "spent"} - {row.asset}),
        pace=found.pace,
        alerts=told,
        **kept,
    )


def _today(person: Person, now: datetime) -> date:
    return day_of(now, persons.zone_of(person))


def _asset(hub: Hub, asset: str) -> Asset:
    for token in (hub.asset, hub.gift):
        if asset in (token.id, token.symbol):
            return Asset(token.id, token.exponent)
    try:
        return Asset(asset, exponent_of(asset))
    except ValueError:
        raise Problem(
            "unknown-asset",
            422,
            "A budget is in a currency or in a token of this hub.",
            f"Such as USD or {hub.asset.symbol} ({hub.asset.id}).",
        ) from None


# ------------------------------------------------------------------- watching


def watch_step(hub: Hub) -> bool:
    """Worker step: budgets of which something else has changed, and a page of new movements; returns whether there may be more."""
    with hub.db.read() as session:
        at = session.get(BudgetCursor, 1)
        if at is None or (streams.newest(session) <= at.movement_id and not _changed(session, most=1)):
            return False
    with hub.db.write() as session:
        at, newest = session.get_one(BudgetCursor, 1), streams.newest(session)
        last, now = min(newest, at.movement_id + PAGE), hub.clock.now()
        changed = _changed(session, most=MOST_BUDGETS)
        for budget in changed:
            _look(session, budget, (), now)
        _take(session, at.movement_id, last, now)
        at.movement_id = last
        session.add(at)
    return last < newest or len(changed) == MOST_BUDGETS


def _changed(session: Session, most: int) -> Sequence[Budget]:
    """Of nobody who is being erased."""
    changed = select(Budget).join(Person, col(Person.id) == col(Budget.owner))
    return session.scalars(changed.where(col(Budget.counted) == NOT_COUNTED).order_by(col(Budget.id)).limit(most)).all()


def _take(session: Session, after: int, last: int, now: datetime) -> None:
    columns = [col(getattr(MovementRow, name)) for name in _Line._fields]
    number = col(MovementRow.id)
    counting = (col(MovementRow.duplicate_of).is_(None), col(MovementRow.kind).in_(["spent", "refunded"]))
    of: dict[int, list[_Line]] = defaultdict(list)
    for row in session.execute(select(*columns).where(number > after, number <= last, *counting)):
        line = _Line(*row)
        of[line.owner].append(line)
    budgets = session.scalars(select(Budget).where(col(Budget.owner).in_(of))).all() if of else []
    for budget in budgets:
        _look(session, budget, of[budget.owner], now)


def _look(session: Session, budget: Budget, new: Sequence[_Line], now: datetime) -> None:
    person = session.get(Person, budget.owner)
    if person is None:  # who is being erased
        return
    today = _today(person, now)
    if budget.counted == NOT_COUNTED or budget.month != month_of(today):
        _count(session, budget, today)
    else:
        budget.spent += sum(_signed(line) for line in new if _is_of(line, budget))
        session.add(budget)
    _warn(session, budget, today, now)


def _is_of(line: _Line, budget: Budget) -> bool:
    keys = {"all": "", "merchant": line.merchant, "category": category_of(line.category)}
    is_new = line.id > budget.counted and month_of(line.day) == budget.month
    return is_new and line.asset == budget.asset and keys[budget.scope] == budget.key


def _signed(line: _Line) -> int:
    return line.amount if line.kind == "spent" else -line.amount


def _warn(session: Session, budget: Budget, today: date, now: datetime) -> None:
    """Of what was not told yet this month, after counting it exactly: days and duplicates may have become others since."""
    if not standing(budget.amount, budget.spent, today).warnings:
        return
    of_month = (*_alerts_of(budget), col(BudgetAlert.month) == budget.month)
    told = set(session.scalars(select(col(BudgetAlert.warning)).where(*of_month)))
    if standing(budget.amount, budget.spent, today).warnings <= told:
        return
    _count(session, budget, today)
    found = standing(budget.amount, budget.spent, today)
    for warning in sorted(found.warnings - told):
        assert budget.id is not None
        alert = BudgetAlert(
            owner=budget.owner,
            budget_id=budget.id,
            month=budget.month,
            warning=warning,
            spent=found.spent,
            forecast=found.pace,
            at=now,
        )
        session.add(alert)
    session.flush()


def _alerts_of(budget: Budget) -> tuple[Any, ...]:
    return col(BudgetAlert.owner) == budget.owner, col(BudgetAlert.budget_id) == budget.id


def _count(session: Session, budget: Budget, today: date) -> None:
    budget.month, budget.counted = month_of(today), streams.newest(session, budget.owner)
    budget.spent = _net(_sums(session, budget, today), budget.asset)
    session.add(budget)
    session.flush()


class _Sum(NamedTuple):
    kind: str
    asset: str
    times: int
    amount: int


def _sums(session: Session, budget: Budget, today: date) -> list[_Sum]:
    """Of what it is about, in any asset, in the month that `today` is in."""
    first, row = month_of(today), MovementRow
    where = [
        col(row.owner) == budget.owner,
        col(row.day) >= first,
        col(row.day) < next_month(first),
        col(row.duplicate_of).is_(None),
        col(row.kind).in_(["spent", "refunded"]),
    ]
    by: list[Any] = [col(row.kind), col(row.asset)]
    if budget.scope == "merchant":
        where.append(col(row.merchant) == budget.key)
    elif budget.scope == "category":
        by.append(col(row.category))  # which SQLite cannot fold but in English
    rows = session.execute(select(*by, func.count(), func.sum(row.amount)).where(*where).group_by(*by))
    return [
        _Sum(kind, asset, count, int(amount))
        for kind, asset, *category, count, amount in rows
        if not category or category_of(category[0]) == budget.key
    ]


def _net(sums: Sequence[_Sum], asset: str) -> int:
    """Spent of the asset, less what was refunded."""
    return sum(one.amount if one.kind == "spent" else -one.amount for one in sums if one.asset == asset)
