"""Must-show: for any rule and any purchases, refunds and firings in any order, what its destinations get and what is left add up to
what was gathered, to the last unit, in won and in dollars."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from babel.numbers import get_currency_precision
from hypothesis import given
from hypothesis import strategies as st

from taesan.core.reasons import read
from taesan.gateways.drawing import Draw, draws, give_back
from taesan.jars import accrual, sources
from taesan.jars.grammar import Fires, Gather, Money, Only, Words
from taesan.jars.rehearsal import Bought, rehearse
from taesan.jars.sources import Perks
from taesan.jars.splits import parts, totals
from tests.property.test_splits import shares
from tests.unit.test_rule_words import gathers, times_to_fire

START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=120)
MERCHANTS, CATEGORIES = ("mer_1", "mer_2", None), ("coffee", "tea", None)

PERKS = st.dictionaries(st.sampled_from([sources.HUB, "mer_1"]), st.integers(10_000, 100_000))
Story = tuple[Words, int, list[Bought], list[int], int, Perks]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A rule, the asset's exponent, purchases in their order, how the rule splits, what one payment may be, and
    what its payer's tiers do."""
    currency = draw(st.sampled_from(["KRW", "USD"]))
    exponent = draw(st.integers(get_currency_precision(currency), 9))
    gather, fires = draw(gathers(currency)), draw(times_to_fire(currency))
    only = Only(draw(st.sampled_from([(), ("mer_1",)])), draw(st.sampled_from([(), ("coffee", "tea")])))
    minutes = draw(st.lists(st.integers(0, 120 * 24 * 60 - 1), max_size=40))
    prices = st.integers(0, 10**6).map(lambda n: n * 10 ** (exponent - get_currency_precision(currency)))
    bought = [
        Bought(
            START + timedelta(minutes=minute),
            draw(prices),
            draw(st.sampled_from(MERCHANTS)),
            draw(st.sampled_from(CATEGORIES)),
        )
        for minute in sorted(minutes)
    ]
    most = draw(st.one_of(st.just(10**18), st.integers(1, 10 ** (exponent + 1))))
    return Words(gather, fires, only), exponent, bought, draw(shares()), most, draw(PERKS)


@given(stories())
def test_destinations_and_remainder_are_what_was_gathered(story: Story) -> None:
    words, exponent, bought, of, most, perks = story
    found = rehearse(words, bought, exponent, START, END, most, perks)
    got = [0] * len(of)
    fired = 0
    for firing in found.firings:
        split = parts(fired, firing.amount, of)
        assert min(split) >= 0
        fired, got = fired + firing.amount, [a + b for a, b in zip(got, split, strict=True)]
    assert sum(got) + found.left == found.gathered
    assert got == totals(fired, of)
    assert found.payments <= found.purchases <= len(bought)
    assert found.gathered <= found.payments * most
    for cap, days in ((words.gather.per_day, 1), (words.gather.per_month, 27)):
        if cap is not None:
            capped = sources.in_units(cap, exponent) or 0
            assert found.gathered <= capped * (120 // days + 2)


@given(stories())
def test_what_waits_has_a_reason_to(story: Story) -> None:
    words, exponent, bought, _, most, perks = story
    found = rehearse(words, bought, exponent, START, END, most, perks)
    trigger = sources.trigger(words.fires, exponent)
    assert trigger.trigger_value is None or found.left < trigger.trigger_value
    if trigger.trigger_count is not None and not found.firings:
        assert found.payments < trigger.trigger_count
    assert all(firing.amount > 0 for firing in found.firings)


@given(
    st.sampled_from([(100, 0), (500, 0), (1_000, 0), (10, 2), (50, 2), (100, 2)]),
    st.integers(1, 10),
    st.integers(0, 10**7),
    st.integers(0, 4),
)
def test_a_round_up_reaches_the_next_step_so_many_times(
    step: tuple[int, int], times: int, price: int, more: int
) -> None:
    """In the asset's minor units it is what it is in the currency's."""
    value, decimals = step
    currency = "USD" if decimals else "KRW"
    exponent = decimals + more
    gather = Gather(step=Money(value, currency), times=times)
    amount = sources.of_purchase(gather, price * 10**more, exponent)
    assert amount == -price % value * times * 10**more
    assert amount % times == 0
    assert (price * 10**more + amount // times) % (value * 10**more) == 0


@given(st.integers(0, 10**9), st.one_of(st.none(), st.integers(0, 10**9)), st.integers(1, 10**9))
def test_what_is_not_gathered_is_told(amount: int, room: int | None, most: int) -> None:
    taken, why = sources.within(amount, room, most), sources.why_less(amount, room, most)
    assert taken == min([amount, most, *([] if room is None else [room])])
    assert (why is None) == (taken == amount)
    if why is not None:
        assert read(why).values == {"taken": str(taken), "amount": str(amount)}
        assert (read(why).code == "rule-cap") == (taken < most)


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 10**6), PERKS, st.sampled_from(MERCHANTS))
def test_a_tier_multiplies_what_its_payer_has_signed_that_it_may(
    times: int, more: int, price: int, perks: Perks, merchant: str | None
) -> None:
    most = min(times + more, 10)
    alone = Gather(step=Money(100, "KRW"), times=times)
    by_tier = sources.multiplier(perks, merchant)
    assert by_tier == max([10_000, *(perks[owner] for owner in (sources.HUB, merchant) if owner in perks)])
    amount = sources.of_purchase(alone, price, 0)
    assert sources.of_purchase(alone, price, 0, by_tier) == amount, "who has not signed for it gathers as ever"
    if most > times:
        found = sources.of_purchase(replace(alone, most_times=most), price, 0, by_tier)
        assert found == min(-price % 100 * most, amount * by_tier // 10_000)


# A payment that a gateway refunds is taken out of what is gathered, or, if that has fired, out of what comes next.
EVENTS = st.lists(
    st.one_of(st.integers(1, 5_000), st.just("fire"), st.tuples(st.just("refund"), st.integers(0, 30))), max_size=30
)


@given(EVENTS, shares(), st.integers(1, 3_000), st.randoms(use_true_random=False))
def test_the_order_of_refunds_and_firings_does_not_show(
    events: list[Any], of: list[int], value: int, random: Any
) -> None:
    """The same payments and refunds, with other firings between them: when all is paid back and has fired, each destination has got
    the same."""
    money = [event for event in events if event != "fire"]
    refired = list(money)
    for _ in range(random.randrange(8)):
        refired.insert(random.randrange(len(refired) + 1), "fire")
    assert _ended(events, of, value) == _ended(refired, of, None)


def _ended(events: Sequence[Any], of: list[int], value: int | None) -> list[int]:
    """What the destinations have got in the end. :param value: at which it fires by itself, too"""
    payments: dict[int, Draw] = {}
    gathered = owed = fired = paid = refunded = number = 0
    got = [0] * len(of)

    def fire(amount: int) -> None:
        nonlocal gathered, fired, got
        got = [a + b for a, b in zip(got, parts(fired, amount, of), strict=True)]
        gathered, fired = gathered - amount, fired + amount

    for event in [*events, 200_000, "fire"]:  # the last pays back whatever is owed
        if event == "fire":
            fire(gathered)
        elif isinstance(event, tuple):
            if draw := payments.pop(event[1], None):
                back = give_back(draw, gathered)
                gathered, owed = gathered - back.returned, owed + back.owed
                refunded += draw.amount + draw.paid_back
        else:
            (payments[number],) = draws([(1, event)], {1: owed}, 10**9)
            gathered, owed = gathered + payments[number].amount, owed - payments[number].paid_back
            paid, number = paid + event, number + 1
            firing = accrual.decide(accrual.Rule(None, value), number, gathered)
            if firing is not None:
                fire(firing.amount)
    assert (sum(got), owed, gathered) == (paid - refunded, 0, 0)
    return got


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6))
def test_of_the_rules_that_take_a_purchase_the_most_specific_gathers(kinds: list[tuple[bool, bool]]) -> None:
    rules = [
        (Only(("mer_1",) if merchant else (), ("tea",) if category else ()), number)
        for number, (merchant, category) in enumerate(kinds)
    ]
    for merchant in MERCHANTS:
        for category in CATEGORIES:
            chosen = sources.choose(rules, merchant, category)
            taking = [number for only, number in rules if only.takes(merchant, category)]
            assert (chosen is None) == (not taking)
            if chosen is not None:
                assert chosen == min(taking, key=lambda number: (not kinds[number][0], not kinds[number][1], number))


def test_a_date_fires_even_where_the_month_is_too_short() -> None:
    words = Words(Gather(fixed=Money(100, "KRW")), Fires(day_of_month=31, zone="Asia/Seoul"), Only())
    bought = [Bought(START + timedelta(days=day, hours=1), 1_000) for day in range(59)]
    found = rehearse(words, bought, 0, START, END, 10**9, {})
    seoul = [firing.at.astimezone(words.fires.time_zone) for firing in found.firings]
    assert [(at.month, at.day, at.hour) for at in seoul] == [(1, 31, 0), (2, 28, 0), (3, 31, 0)]
    assert found.left == 0
