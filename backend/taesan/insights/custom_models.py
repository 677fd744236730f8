"""What a merchant is told of its custom."""

from pydantic import Field as ShapeField

from taesan.core.values import AmountOut, Shape


class CustomSums(Shape):
    payers: int
    payments: int
    amount: AmountOut


class CustomAround(Shape):
    """Null: one to four payers."""

    before: CustomSums | None
    after: CustomSums | None


class RepeatPublic(Shape):
    """In ten-thousandths of the month's payers. Null: one to four."""

    returning: int | None = ShapeField(description="Have paid in the months before, as far as is looked at")
    again: int | None = ShapeField(description="Have paid on two days of the month or more")


class CohortMonth(Shape):
    month: str
    payers: int | None = ShapeField(
        description="Of the cohort, that paid in the month; null: one to four, or what would tell of such"
    )


class CohortPublic(Shape):
    first: str = ShapeField(
        description="The month in which its payers were first seen; several, if one alone has fewer than five"
    )
    last: str
    or_before: bool = ShapeField(description="The first of the months that are looked at: they may have come earlier")
    payers: int
    active: list[CohortMonth]


class CampaignEffect(Shape):
    """What was paid in as many weeks before and after its start. That it was the campaign, nobody can tell: who is rewarded has paid after
    the start, and seasons, prices and other shops are at work too."""

    id: str
    name: str
    starts_at: str
    spent: AmountOut = ShapeField(description="What it has promised in all")
    weeks: int = ShapeField(description="Before and after, at most four; 0: nothing to compare")
    all: CustomAround | None
    rewarded: CustomAround | None = ShapeField(
        description="Null, as `others`, if of these or those one to four have paid"
    )
    others: CustomAround | None


class TierCustom(Shape):
    """Of those who have these tiers now and paid in the month: `before` is the month before, `after` the month."""

    levels: list[int] = ShapeField(description="0: no tier; several, if one alone has fewer than five payers")
    paid: CustomAround


class CustomForecast(Shape):
    """Of what payments bring until the month's end, as for persons."""

    so_far: AmountOut
    expected: AmountOut = ShapeField(description="What is still to come")
    total: AmountOut
    low: AmountOut | None = ShapeField(
        description="In one case of ten it is less; null: too little is known for a range"
    )
    high: AmountOut | None = ShapeField(description="In one case of ten it is more")


class MerchantInsights(Shape):
    """Of payments over channels, before refunds; amounts in minor units of `asset`. No payer is named, and but
    for totals no figure is of fewer than five."""

    month: str
    time_zone: str = ShapeField(description="The account's")
    since: str = ShapeField(description="The first month that is looked at")
    complete: bool = ShapeField(description="False: there are more payments than are looked at, so fewer months are")
    asset: str
    exponent: int
    paid: CustomSums
    repeat: RepeatPublic | None = ShapeField(description="Null: fewer than five have paid")
    cohorts: list[CohortPublic]
    campaigns: list[CampaignEffect] = ShapeField(description="The newest ten that ran in the month")
    tiers: list[TierCustom] = ShapeField(description="Empty without members that have one")
    forecast: CustomForecast | None = ShapeField(description="Null: the month is over, or too little is known")
