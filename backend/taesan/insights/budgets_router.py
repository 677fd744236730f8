"""A person's budgets over HTTP."""

from fastapi import APIRouter

from taesan.core.db import retried
from taesan.core.http import KNOWN, problem_responses
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED
from taesan.insights import budgeting, persons
from taesan.insights.budgets import BudgetList, BudgetPublic, BudgetTerms

router = APIRouter(prefix="/v1/insights/budgets", tags=["insights"], dependencies=KNOWN)


@router.get("", operation_id="listBudgets", dependencies=COUNTED, responses=problem_responses(401, 404, 429))
def list_budgets(hub: HubDep, wallet: CurrentWallet) -> BudgetList:
    """All of the person's, as they stand this month, and what was told of them."""
    now = hub.clock.now()
    with hub.db.read() as session:
        person = persons.find(session, wallet)
        rows = budgeting.of_person(session, persons.number_of(person))
        return BudgetList(items=[budgeting.public(session, person, row, now) for row in rows])


@router.put("", operation_id="setBudget", dependencies=COUNTED, responses=problem_responses(401, 404, 409, 422, 429))
@retried
def set_budget(hub: HubDep, wallet: CurrentWallet, body: BudgetTerms) -> BudgetPublic:
    """How much a month is to cost: all of it, a category, or a merchant. It is told of before it is broken: once when four fifths are
    spent, and once when the month's pace leads beyond it."""
    now = hub.clock.now()
    with hub.db.write() as session:
        person = persons.find(session, wallet)
        return budgeting.public(session, person, budgeting.put(session, hub, person, body, now), now)


@router.delete(
    "/{budget_id}",
    operation_id="removeBudget",
    status_code=204,
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 422, 429),
)
@retried
def remove_budget(hub: HubDep, wallet: CurrentWallet, budget_id: str) -> None:
    """With what was told of it."""
    with hub.db.write() as session:
        budgeting.remove(session, persons.number_of(persons.find(session, wallet)), budget_id)
