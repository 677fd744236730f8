"""When a budget is told of: before it is broken, by what is spent and by the pace at which it is. Pure, and in whole units."""

from datetime import date
from typing import Literal, NamedTuple, Self

from pydantic import Field as ShapeField
from pydantic import model_validator

from taesan.core.values import AmountIn, AmountOut, Shape, Text
from taesan.insights.merchants import category_of, key_of
from taesan.insights.movements import month_of, next_month

Scope = Literal["all", "category", "merchant"]
BudgetWarning = Literal["near", "pace", "over"]
NEAR_PERCENT = 80
PACE_FROM = 5
"""The day of the month from which its pace says anything: before, one purchase would be the whole month's."""


class Standing(NamedTuple):
    """:ivar pace: what it comes to by the month's end, if it goes on as it has begun; None: too early to say"""

    spent: int
    pace: int | None
    warnings: frozenset[BudgetWarning]


def standing(limit: int, spent: int, today: date) -> Standing:
    """Of the month that `today` is in. :param spent: less what was refunded; may be negative"""
    spent = max(0, spent)
    days = (next_month(today) - month_of(today)).days
    pace = -(-spent * days // today.day) if today.day >= PACE_FROM else None
    if spent > limit:
        return Standing(spent, pace, frozenset({"over"}))
    warnings: set[BudgetWarning] = set()
    if spent * 100 >= limit * NEAR_PERCENT:
        warnings.add("near")
    if pace is not None and pace > limit:
        warnings.add("pace")
    return Standing(spent, pace, frozenset(warnings))


# ------------------------------------------------------------------- shapes


class BudgetTerms(Shape):
    """One for each scope, key and asset: another amount takes the place of the one before, and may be told of again."""

    scope: Scope
    key: Text = ShapeField(
        default="", max_length=200, description="The merchant or category, by any name that lists and reports show"
    )
    asset: Text = ShapeField(
        max_length=200, description="ISO-4217 code, or a token of this hub by its id or symbol", examples=["USD"]
    )
    amount: AmountIn = ShapeField(description="Minor units a month")

    @model_validator(mode="after")
    def _is_of_something(self) -> Self:
        if (self.scope == "all") != (not self.key):
            raise ValueError("key is empty for all, and names a merchant or a category else")
        if self.scope != "all" and not self.matched_by:
            raise ValueError("key has no letter or digit")
        if not self.amount:
            raise ValueError("amount must be more than zero")
        return self

    @property
    def matched_by(self) -> str:
        """What of a movement has to be the same."""
        if self.scope == "merchant":
            return key_of(self.key)
        return category_of(self.key) if self.scope == "category" else self.key


class BudgetAlertPublic(Shape):
    warning: BudgetWarning = ShapeField(
        description="near: four fifths are spent; pace: if the month goes on so, it will be broken; over: it is"
    )
    spent: AmountOut
    pace: AmountOut | None
    at: str


class BudgetPublic(Shape):
    id: str = ShapeField(examples=["bud_019ac5b2f1d06f0c2a9b1d3e4f506172"])
    scope: Scope
    key: str
    asset: str
    exponent: int
    amount: AmountOut
    spent: AmountOut = ShapeField(description="This month, less what was refunded")
    count: int = ShapeField(description="How many movements of this month `spent` is made of; 0: nothing matches yet")
    other_assets: list[str] = ShapeField(
        description="In which the same was spent this month, and which it does not count"
    )
    pace: AmountOut | None = ShapeField(
        description="What it comes to by the month's end, if it goes on as it has begun; null in its first days. No `/forecast`"
    )
    alerts: list[BudgetAlertPublic] = ShapeField(description="What was told of it this month, each once")


class BudgetList(Shape):
    items: list[BudgetPublic]
