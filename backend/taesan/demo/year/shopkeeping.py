"""What shops and the hub's operator do: campaigns, tiers, refunds, payouts."""

from datetime import timedelta

from taesan.client.signing import Json, LocalKey
from taesan.core.clock import rfc3339
from taesan.demo.year.cast import Person, Shop
from taesan.demo.year.scene import Scene
from taesan.settings import DEV_OPERATOR_KEY

DOLLAR, CENT = 10**6, 10**4
CAMPAIGN = timedelta(days=120)
REFUNDS = 3  # a month
HUB_TIERS: Json = {
    "period": "month",
    "time_zone": "Asia/Seoul",
    "window": 3,
    "tiers": [
        {"name": "Pebble", "count": 2},
        {"name": "Hill", "count": 4, "cashback_multiplier": 12_500},
        {"name": "Taesan", "count": 6, "value": str(120 * DOLLAR), "cashback_multiplier": 20_000},
    ],
}
"""By what somebody does in all shops in three months; badges on chain."""
SHOP_POINTS: Json = {
    "period": "month",
    "window": 6,
    "tiers": [{"name": "Regular", "count": 3, "cashback_multiplier": 15_000}],
    "points": {"per": str(DOLLAR), "valid_days": 150, "notice_days": 14},
}
"""One shop's own."""


async def found_programmes(story: Scene) -> None:
    """The hub's tiers, and the first shop's points."""
    operator = Person("taesan demo operator", story.world, story.state, LocalKey(DEV_OPERATOR_KEY))
    await operator.as_wallet("PUT", "/v1/operator/programme", HUB_TIERS)
    await story.shops[0].ask("PUT", "/v1/programme", SHOP_POINTS)


async def start_campaigns(story: Scene) -> None:
    """Three shops promise cashback: one by the hub's tiers, one by its own, one with little to give."""
    terms: list[tuple[Shop, Json]] = [
        (story.shops[0], {"rate": 300, "share": 10, "tiers_of": "merchant"}),
        (story.shops[1], {"rate": 500, "share": 6, "tiers_of": "hub", "cap_payment": str(2 * DOLLAR)}),
        (story.shops[2], {"rate": 1_000, "share": 50, "tiers_of": "hub", "cap_payer": str(4 * DOLLAR)}),
    ]
    for shop, term in terms:
        credit = int((await shop.ask("GET", "/v1/account"))["credit"])
        budget = credit // term.pop("share")
        if budget:
            ends = rfc3339(story.world.now() + CAMPAIGN)
            body = term | {"name": f"{shop.category.title()} days", "budget": str(budget), "ends_at": ends}
            await shop.ask("POST", "/v1/campaigns", body)


async def refund(story: Scene) -> None:
    """A few payments of the last weeks are given back, whole or in part."""
    for _ in range(REFUNDS):
        shop = story.random.choice(story.shops)
        recent = [paid for paid in shop.sold[-20:] if paid not in shop.refunded]
        if recent:
            id_, amount = paid = story.random.choice(recent)
            part = min(
                story.random.choice((amount, amount // 2)), int((await shop.ask("GET", "/v1/account"))["credit"])
            )
            if part < CENT:
                continue
            shop.refunded.append(paid)
            await shop.ask("POST", "/v1/refunds", {"of": id_, "amount": str(part)})


async def pay_out(story: Scene) -> None:
    """Each shop takes half of what it has earned: refunds and campaigns need the rest."""
    for shop in story.shops:
        if half := int((await shop.ask("GET", "/v1/account"))["credit"]) // 2:
            await shop.ask("POST", "/v1/payouts", {"amount": str(half)})
