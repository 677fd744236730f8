"""What the hub's own records say that moved, and on which day."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taesan.core.days import begins_at
from taesan.insights.movements import KINDS, MAX_TEXT, MAX_TOLD, Movement, month_of, months, next_month
from taesan.insights.sources import Asset, Bought, GivenBack, Maker, Paid, Place, Reported

DOLLAR = Asset("eip155:31337/erc20:0x5FbDB2315678afecb367f032d93F642f64180aa3", 6)
AT = datetime(2026, 10, 31, 15, 30, tzinfo=UTC)
SEOUL = ZoneInfo("Asia/Seoul")
GIFT = Asset("eip155:31337/erc20:0x70997970C51812dc3A010C7d01b50e0d17dc79C8", 6)
CAFE = Place("Café Dust", "coffee")
ZONES = st.sampled_from(["UTC", "Asia/Seoul", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"]).map(ZoneInfo)
TIMES = st.integers(1_735_689_600, 1_830_297_600).map(lambda s: datetime.fromtimestamp(s, UTC))  # 2025 to 2027


def told(lines: list[Movement]) -> list[tuple[str, str, str, int]]:
    return [(line.kind, line.merchant, line.asset, line.amount) for line in lines]


def movement(**changes: object) -> Movement:
    (line,) = Maker(SEOUL, DOLLAR, GIFT).of_payment(Paid("pay_1", 5, AT, "0xa", CAFE))
    return Movement(**{name: getattr(line, name) for name in Movement.__slots__} | changes)


def test_a_payment_is_dated_in_the_persons_own_zone() -> None:
    paid = Paid("pay_1", 5, AT, "0xa", CAFE)
    for zone, day in ((SEOUL, date(2026, 11, 1)), (ZoneInfo("America/New_York"), date(2026, 10, 31))):
        (line,) = Maker(zone, DOLLAR, GIFT).of_payment(paid)
        assert (line.day, line.at, line.key, line.name, line.category) == (day, AT, "pay_1", "Café Dust", "coffee")


def test_what_was_paid_in_gift_tokens_is_spent_and_given_back_in_those() -> None:
    maker = Maker(SEOUL, DOLLAR, GIFT)
    lines = maker.of_payment(Paid("red_1", 5, AT, "0xa", CAFE, in_tokens=True))
    lines += maker.of_refund(GivenBack("ref_1", 5, AT, "0xa", CAFE, is_reward=False, in_tokens=True))
    assert told(lines) == [("spent", "café dust", GIFT.id, 5), ("refunded", "café dust", GIFT.id, 5)]


def test_what_is_gathered_tells_of_the_purchase_that_it_rounds_up() -> None:
    bought = Bought(12_300, "KRW", CAFE)
    lines = Maker(SEOUL, DOLLAR, GIFT).of_payment(Paid("pay_1", 5, AT, "0xa", None, CAFE, bought))
    assert told(lines) == [("gathered", "café dust", DOLLAR.id, 5), ("spent", "café dust", "KRW", 12_300)]
    assert [line.exponent for line in lines] == [6, 0]


def test_what_nobody_can_have_bought_is_not_taken_up() -> None:
    """Sums stay 64-bit numbers, whatever a client tells."""
    bought, maker = Bought(MAX_TOLD + 1, "USD", CAFE), Maker(SEOUL, DOLLAR, GIFT)
    lines = maker.of_payment(Paid("pay_1", 5, AT, "0xa", None, CAFE, bought))
    assert [line.kind for line in lines] == ["gathered"]
    assert maker.of_report(Reported("gpay_1", MAX_TOLD + 1, "USD", AT, "0xa", CAFE, 0, AT, 0, AT)) == []


def test_a_person_is_known_by_the_address_alone() -> None:
    address = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    (line,) = Maker(SEOUL, DOLLAR, GIFT).of_payment(Paid("pay_1", 5, AT, "0xa", Place(address, is_person=True)))
    assert line.merchant == line.name == address


@pytest.mark.parametrize(("is_reward", "kind"), [(True, "rewarded"), (False, "refunded")])
def test_what_is_given_back_is_a_refund_or_a_reward(is_reward: bool, kind: str) -> None:
    maker = Maker(SEOUL, DOLLAR, GIFT)
    assert told(maker.of_refund(GivenBack("ref_1", 5, AT, "0xa", CAFE, is_reward))) == [
        (kind, "café dust", DOLLAR.id, 5)
    ]
    assert maker.of_refund(GivenBack("ref_1", 0, AT, "0xa", CAFE, is_reward)) == []


def test_a_report_tells_more_as_more_becomes_of_it() -> None:
    later = AT + timedelta(days=40)
    maker, own = Maker(SEOUL, DOLLAR, GIFT), ("gpay_1", 1177, "USD", AT, "0xa", CAFE)
    spent, gathered = ("spent", "café dust", "USD", 1177), ("gathered", "café dust", DOLLAR.id, 9)
    refunded, ungathered = ("refunded", "café dust", "USD", 1177), ("ungathered", "café dust", DOLLAR.id, 4)
    assert told(maker.of_report(Reported(*own, 9, None, 0, None))) == [spent]
    assert told(maker.of_report(Reported(*own, 9, AT, 0, None))) == [spent, gathered]
    assert told(maker.of_report(Reported(*own, 0, AT, 0, None))) == [spent]  # all of it has paid back what was owed
    assert told(maker.of_report(Reported(*own, 9, None, 0, later))) == [spent, refunded]
    lines = maker.of_report(Reported(*own, 9, AT, 4, later))
    assert told(lines) == [spent, refunded, gathered, ungathered]
    assert {line.kind: line.day for line in lines}["ungathered"] == date(2026, 12, 11)


@pytest.mark.parametrize("changes", [{"amount": 0}, {"amount": -1}, {"name": "x" * (MAX_TEXT + 1)}])
def test_what_is_no_movement_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"moves something|more than"):
        movement(**changes)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 800))
def test_months_are_those_that_the_days_are_in(since: date, days: int) -> None:
    until = since + timedelta(days)
    assert list(months(since, until)) == sorted({month_of(since + timedelta(n)) for n in range(days)})
    assert next_month(since) > since >= month_of(since)
    assert month_of(next_month(since)) == next_month(since)


@given(st.lists(st.tuples(TIMES, st.integers(1, 10**9)), max_size=20), ZONES, TIMES)
def test_a_month_is_what_was_paid_between_its_own_midnights(
    payments: list[tuple[datetime, int]], zone: ZoneInfo, now: datetime
) -> None:
    """Not a unit falls between two months, wherever the clocks are put forward or back."""
    maker, first = Maker(zone, DOLLAR, GIFT), month_of(now.astimezone(zone).date())
    lines = [maker.of_payment(Paid(f"pay_{n}", amount, at, "0xa", None))[0] for n, (at, amount) in enumerate(payments)]
    start, end = begins_at(first, zone), begins_at(next_month(first), zone)
    assert sum(line.amount for line in lines if month_of(line.day) == first) == sum(
        amount for at, amount in payments if start <= at < end
    )
    assert {line.kind for line in lines} <= set(KINDS)
