"""What a campaign gives of one payment, how tiers come and go, when points lapse."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from taesan.loyalty import cashback, points, tiers
from taesan.loyalty.cashback import Offer, Terms
from taesan.loyalty.points import PointTerms
from taesan.loyalty.tiers import Ladder, Measure, Standing, Tier, Unit

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
TERMS = Terms(500, NOON, NOON + timedelta(days=1))
DOUBLE = 2 * cashback.WHOLE


def _reward(terms: Terms, price: int, *, multiplier: int = cashback.WHOLE, had: int = 0, left: int = 10**9) -> int:
    return cashback.reward(terms, price, multiplier, had, left)


def test_a_reward_is_its_rate_of_the_price_rounded_down() -> None:
    assert [_reward(TERMS, price) for price in (0, 19, 20, 39, 40, 1_000)] == [0, 0, 1, 1, 2, 50]


def test_the_payers_tier_multiplies_it_before_it_is_rounded() -> None:
    assert _reward(TERMS, 1_000, multiplier=15_000) == 75
    assert _reward(TERMS, 19, multiplier=DOUBLE) == 1


def test_nobody_gets_more_than_she_has_paid() -> None:
    assert _reward(TERMS._replace(rate=cashback.WHOLE), 1_000, multiplier=10 * cashback.WHOLE) == 1_000


def test_caps_cut_and_the_budget_refuses() -> None:
    assert _reward(TERMS._replace(cap_payment=30), 1_000) == 30
    capped = TERMS._replace(cap_payer=60)
    assert [_reward(capped, 1_000, had=had) for had in (0, 20, 60, 70)] == [50, 40, 0, 0]
    assert [_reward(TERMS, 1_000, left=left) for left in (51, 50, 49, 0)] == [50, 50, 0, 0]


@pytest.mark.parametrize(
    ("seconds", "wanted", "category", "applies"),
    [
        (-1, None, None, False),
        (0, None, None, True),
        (86_399, None, "tea", True),
        (86_400, None, None, False),
        (0, "tea", "tea", True),
        (0, "tea", "coffee", False),
        (0, "tea", None, False),
    ],
)
def test_a_campaign_is_for_its_time_and_category(
    seconds: int, wanted: str | None, category: str | None, applies: bool
) -> None:
    terms = TERMS._replace(category=wanted)
    assert cashback.applies(terms, NOON + timedelta(seconds=seconds), category) is applies


def test_one_payment_is_rewarded_once_by_what_gives_most() -> None:
    assert cashback.best([]) is None
    assert cashback.best([Offer(1, 0)]) is None
    assert cashback.best([Offer(2, 5), Offer(1, 3), Offer(3, 5), Offer(4, 0)]) == Offer(2, 5)


# ---------------------------------------------------------------------- tiers

LADDER = Ladder((Tier("bronze", count=2), Tier("silver", count=5, value=100), Tier("gold", count=5, streak=3)))


def _pay(standing: Standing, period: int, *values: int, ladder: Ladder = LADDER) -> int:
    for value in values:
        standing.pay(ladder, period, value)
    return standing.tier


def _kinds(standing: Standing) -> list[tuple[int, str, int, int]]:
    return [(c.period, c.kind, c.before, c.after) for c in standing.changes]


def test_a_tier_is_reached_with_the_payment_that_makes_it_so() -> None:
    standing = Standing(looked=10)
    assert _pay(standing, 10, 30) == 0
    assert _pay(standing, 10, 30) == 1
    assert _pay(standing, 10, 30, 9) == 1, "four payments"
    assert _pay(standing, 10, 0) == 1, "99 of 100"
    assert _pay(standing, 10, 1) == 2
    assert _kinds(standing) == [(10, "up", 0, 1), (10, "up", 1, 2)]


def test_a_step_is_lost_after_a_notice_and_only_one() -> None:
    standing = Standing(looked=10)
    _pay(standing, 10, *[50] * 5)
    standing.advance(LADDER, 11)
    assert (standing.tier, standing.noticed) == (2, None), "the period that ended carries it"
    standing.advance(LADDER, 12)
    assert (standing.tier, standing.noticed) == (2, 12)
    standing.advance(LADDER, 13)
    assert (standing.tier, standing.noticed) == (1, None)
    standing.advance(LADDER, 20)
    assert (standing.tier, standing.looked) == (0, 20)
    expected = ["up", "up", "notice", "down", "notice", "down"]
    assert [kind for _, kind, _, _ in _kinds(standing)] == expected
    assert [period for period, *_ in _kinds(standing)][2:] == [12, 13, 14, 15]


def test_looking_seldom_is_as_looking_often() -> None:
    seldom, often = Standing(looked=10), Standing(looked=10)
    for standing in (seldom, often):
        _pay(standing, 10, *[50] * 5)
    for period in range(11, 18):
        often.advance(LADDER, period)
    seldom.advance(LADDER, 17)
    assert seldom == often


def test_a_notice_is_void_when_the_tier_is_earned_again() -> None:
    standing = Standing(looked=10)
    _pay(standing, 10, 1, 1)
    standing.advance(LADDER, 12)
    assert standing.noticed == 12
    assert _pay(standing, 12, 1) == 1
    assert standing.noticed == 12
    _pay(standing, 12, 1)
    assert standing.noticed is None
    standing.advance(LADDER, 13)
    assert standing.tier == 1
    assert [kind for _, kind, _, _ in _kinds(standing)] == ["up", "notice", "kept"]


def test_a_streak_is_of_periods_in_a_row() -> None:
    ladder = Ladder((Tier("regular", streak=3),))
    standing = Standing(looked=1)
    assert [_pay(standing, period, 1, ladder=ladder) for period in (1, 2, 4, 5, 6)] == [0, 0, 0, 0, 1]
    assert tiers.progress(ladder, standing.measures, 7).streak == 3, "the seventh is not over"
    assert tiers.progress(ladder, standing.measures, 7, is_over=True).streak == 0


def test_a_window_counts_its_periods_together() -> None:
    ladder = Ladder((Tier("regular", value=100),), window=3)
    measures = {1: Measure(1, 50), 2: Measure(2, 20), 3: Measure(1, 30), 4: Measure(1, 5)}
    assert [tiers.level(ladder, measures, period) for period in (2, 3, 4, 5)] == [0, 1, 0, 0]
    done = tiers.progress(ladder, measures, 4)
    assert (done.count, done.value) == (4, 55)


def test_a_refund_takes_the_tier_that_its_payment_has_brought() -> None:
    standing = Standing(looked=10)
    _pay(standing, 10, 1, 1)
    standing.take_back(LADDER, 10, 10, 1, whole=False)
    assert standing.tier == 1, "a part of it leaves a payment"
    standing.take_back(LADDER, 10, 10, 0, whole=True)
    assert (standing.tier, standing.measures[10]) == (0, Measure(1, 1))
    assert _kinds(standing)[-1] == (10, "refunded", 1, 0)


def test_a_payment_that_comes_after_its_periods_end_is_counted_and_given_back_in_its_own() -> None:
    """Another one, by a clock that is a little ahead, has begun the next."""
    standing = Standing(looked=10)
    _pay(standing, 11, 40)
    standing.pay(LADDER, 10, 60)
    assert standing.measures == {10: Measure(1, 60), 11: Measure(1, 40)}
    standing.take_back(LADDER, 11, 10, 60, whole=True)
    assert standing.measures == {10: Measure(0, 0), 11: Measure(1, 40)}


def test_a_refund_leaves_a_tier_that_is_kept_by_grace() -> None:
    standing = Standing(looked=10)
    _pay(standing, 10, 1, 1)
    standing.advance(LADDER, 12)
    standing.take_back(LADDER, 12, 10, 1, whole=True)
    assert (standing.tier, standing.noticed) == (1, 12)
    standing.advance(LADDER, 13)
    assert standing.tier == 0


def test_a_shorter_ladder_has_no_steps_above_it() -> None:
    standing = Standing(looked=10)
    _pay(standing, 10, *[50] * 5)
    assert _pay(standing, 10, 1, ladder=Ladder(LADDER.tiers[:1])) == 1


@pytest.mark.parametrize(
    ("unit", "zone", "at", "begins", "ends"),
    [
        ("month", "UTC", "2026-11-30T23:59:59", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
        ("month", "Asia/Seoul", "2026-11-30T15:00:00", "2026-11-30T15:00:00", "2026-12-31T15:00:00"),
        ("week", "Asia/Seoul", "2026-11-29T14:59:59", "2026-11-22T15:00:00", "2026-11-29T15:00:00"),
        ("week", "America/New_York", "2026-11-02T04:59:59", "2026-10-26T04:00:00", "2026-11-02T05:00:00"),
    ],
)
def test_periods_begin_at_midnight_by_the_programmes_clock(
    unit: Unit, zone: str, at: str, begins: str, ends: str
) -> None:
    moment, first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (at, begins, ends))
    period = tiers.period_of(moment, unit, ZoneInfo(zone))
    found = [tiers.begins_at(n, unit, ZoneInfo(zone)) for n in (period, period + 1)]
    assert found == [first, last]
    assert tiers.period_of(last, unit, ZoneInfo(zone)) == period + 1


# --------------------------------------------------------------------- points


def test_points_are_whole_and_lapse_after_a_notice() -> None:
    terms = PointTerms(per=100, valid_days=30, notice_days=7)
    assert [points.earned(terms, price) for price in (99, 100, 250)] == [0, 1, 2]
    assert points.expires_at(terms, NOON) == NOON + timedelta(days=30)
    assert points.told_at(terms, NOON) == NOON + timedelta(days=23)
    assert points.told_at(terms._replace(valid_days=5), NOON) == NOON
