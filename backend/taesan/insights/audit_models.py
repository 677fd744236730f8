"""A month's audit as it is told: the one report that JSON, CSV, page and PDF are made of."""

from pydantic import Field as ShapeField

from taesan.core.values import AmountOut, Shape, SignedAmountOut
from taesan.insights.budgets import BudgetPublic
from taesan.insights.movements import Kind


class Span(Shape):
    """Days of the person's time zone."""

    since: str = ShapeField(description="The first day")
    until: str = ShapeField(description="The day after the last")


class Amounts(Shape):
    amount: AmountOut
    before: AmountOut = ShapeField(description="In the month before")
    year_before: AmountOut = ShapeField(description="In the same month a year ago")


class Counted(Amounts):
    count: int
    count_before: int
    count_year_before: int


class Moved(Counted):
    """All of one kind."""

    kind: Kind


class Place(Shape):
    """Where money went: a merchant, or a category. `net`: spent, less what was refunded in the same days, whenever it was spent."""

    key: str = ShapeField(description="As movements tell it; empty: nobody knows")
    name: str = ShapeField(description="As the source writes it")
    count: int = ShapeField(description="How often something was spent")
    count_before: int
    count_year_before: int
    spent: AmountOut
    refunded: AmountOut
    net: SignedAmountOut
    before: SignedAmountOut = ShapeField(description="The net of the month before")
    year_before: SignedAmountOut = ShapeField(description="The net of the same month a year ago")
    change: SignedAmountOut = ShapeField(description="What it grew by since the month before")


class Places(Shape):
    items: list[Place] = ShapeField(description="The largest net first")
    left_out: int = ShapeField(description="How many the list is too short for")
    left_out_net: SignedAmountOut = ShapeField(description="Of those together")
    left_out_before: SignedAmountOut
    left_out_year_before: SignedAmountOut


class Day(Shape):
    day: str
    spent: AmountOut
    refunded: AmountOut
    gathered: AmountOut


class AssetAudit(Shape):
    """Of one asset: currencies are never converted into each other."""

    asset: str = ShapeField(description="ISO-4217 code or CAIP-19")
    exponent: int
    moved: list[Moved]
    merchants: Places
    categories: Places
    days: list[Day] = ShapeField(description="On which something moved")


class Converted(Counted):
    """Gift tokens."""

    kind: str = ShapeField(examples=["savings"])
    state: str = ShapeField(description="waiting, sent, done, held or kept")


class Became(Shape):
    """What the person's jars have become, in the hub's asset and its gift tokens, which have the same minor units. Of the month:
    `fired`, `returned`, `converted`, `promised`, `taken_back`, `points_earned`. As it is now: all else."""

    asset: str
    exponent: int
    fired: Counted = ShapeField(description="Out of jars, to become gift tokens")
    returned: Counted = ShapeField(description="Of that, what the payer got back instead")
    converted: list[Converted] = ShapeField(description="By signed rules, by what it has become and how far it is")
    promised: Counted = ShapeField(description="Cashback for payments; what was paid out stands in `moved` as rewarded")
    taken_back: Amounts = ShapeField(description="Of that, by refunds")
    waiting: AmountOut = ShapeField(description="Cashback until it is enough to be paid out")
    held: AmountOut = ShapeField(description="Gift tokens that could not be converted yet")
    in_jars: AmountOut = ShapeField(description="Gathered, and nothing has become of it yet")
    points_earned: Amounts = ShapeField(description="By payments to merchants, whatever was refunded of them later")
    points: AmountOut
    points_lapsing: AmountOut = ShapeField(description="Within 31 days")


class MonthAudit(Shape):
    """What went where in a month, how often, against the month before and the same month a year ago, and what became of what was
    gathered. Of a month that is not over, the others count as many days."""

    person: str
    month: str = ShapeField(examples=["2026-11"])
    zone: str
    days: Span
    before: Span
    year_before: Span
    is_over: bool
    complete: bool = ShapeField(description="False: what there was before is still being read")
    made_at: str
    assets: list[AssetAudit] = ShapeField(description="The one with most movements first, at most 20")
    assets_left_out: int = ShapeField(description="How many currencies and tokens the list is too short for")
    became: Became
    budgets: list[BudgetPublic] = ShapeField(description="As they stand, in the report of the running month")
