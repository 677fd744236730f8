"""The words of a rule: one way to say each thing, read back as they are printed; and what a wallet signs of them."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from taesan.core.crypto import Domain
from taesan.jars import signed
from taesan.jars.grammar import (
    STEPS,
    Fires,
    Gather,
    Money,
    NotARule,
    Only,
    parse_fires,
    parse_gather,
    parse_only,
)
from tests.support.wallet import RULE_TYPES, Wallet

CURRENCY = st.sampled_from(sorted(STEPS))


@st.composite
def gathers(draw: st.DrawFn, currency: str) -> Gather:
    """Any that a rule may have, but what gateways convert."""
    money = st.builds(Money, st.integers(1, 10**9), st.just(currency))
    gather = Gather(
        step=draw(st.one_of(st.none(), st.builds(Money, st.sampled_from(STEPS[currency]), st.just(currency)))),
        share=draw(st.one_of(st.none(), st.integers(1, 10_000))),
        fixed=draw(st.one_of(st.none(), money)),
        inflows=draw(st.sampled_from([(), ("cashback",), ("top-ups",), ("cashback", "top-ups")])),
        per_day=draw(st.one_of(st.none(), money)),
        per_month=draw(st.one_of(st.none(), money)),
    )
    times = draw(st.integers(1, 10)) if gather.step else 1
    if not (gather.of_purchases or gather.inflows):
        return Gather(inflows=("top-ups",), per_day=gather.per_day, per_month=gather.per_month)
    most_times = draw(st.one_of(st.none(), st.integers(times + 1, 10))) if gather.step and times < 10 else None
    return replace(gather, times=times, most_times=most_times)


@st.composite
def times_to_fire(draw: st.DrawFn, currency: str) -> Fires:
    count = draw(st.one_of(st.none(), st.integers(1, 200)))
    value = draw(st.one_of(st.none(), st.builds(Money, st.integers(1, 10**6), st.just(currency))))
    weekday, day = draw(
        st.one_of(
            st.just((None, None)),
            st.tuples(st.integers(0, 6), st.none()),
            st.tuples(st.none(), st.integers(1, 31)),
        )
    )
    zone = draw(st.sampled_from(["Asia/Seoul", "America/New_York", "UTC"])) if (weekday, day) != (None, None) else "UTC"
    never = count is None and value is None and weekday is None and day is None
    return Fires(count, value, weekday, day, zone, on_request=never or draw(st.booleans()))


ONLY = st.builds(
    Only,
    st.lists(st.from_regex(r"mer_[0-9a-f]{24}", fullmatch=True), max_size=3, unique=True).map(tuple),
    st.lists(
        st.from_regex(r"[a-zA-Z가-힣]([a-z0-9가-힣-]{0,10}[a-z0-9])?", fullmatch=True), max_size=3, unique=True
    ).map(tuple),
)


@given(CURRENCY.flatmap(gathers), CURRENCY.flatmap(times_to_fire), ONLY)
def test_what_is_printed_is_read_back(gather: Gather, fires: Fires, only: Only) -> None:
    assert parse_gather(str(gather)) == gather
    assert parse_fires(str(fires)) == fires
    assert parse_only(str(only)) == only


@pytest.mark.parametrize(
    ("text", "gather"),
    [
        ("round up to 500 KRW x2", Gather(step=Money(500, "KRW"), times=2)),
        ("round up to 0.50 USD", Gather(step=Money(50, "USD"))),
        ("round up to 1 USD x10, at most 5 USD a day", Gather(Money(100, "USD"), 10, per_day=Money(500, "USD"))),
        ("round up to 500 KRW x1 to x3 by tier", Gather(step=Money(500, "KRW"), most_times=3)),
        ("round up to 1 USD x2 to x10 by tier", Gather(step=Money(100, "USD"), times=2, most_times=10)),
        ("fixed 100 KRW", Gather(fixed=Money(100, "KRW"))),
        ("3.5% of the price", Gather(share=350)),
        ("0.05% of the price, cashback", Gather(share=5, inflows=("cashback",))),
        ("gateway", Gather(inflows=("gateway",))),
    ],
)
def test_how_a_source_is_said(text: str, gather: Gather) -> None:
    assert parse_gather(text) == gather
    assert str(gather) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "everything",
        "round up to 300 KRW",
        "round up to 0.25 USD",
        "round up to 1.00 USD",
        "round up to 500 KRW x1",
        "round up to 500 KRW x11",
        "round up to 500 KRW to x3 by tier",
        "round up to 500 KRW x3 to x3 by tier",
        "round up to 500 KRW x2 to x11 by tier",
        "round up to 500 KRW x2 by tier",
        "round up to 500 KRW x02",
        "round up to 0.5 USD",
        "round up to 500.0 KRW",
        "round up to 1 EUR",
        "fixed 0 KRW",
        "fixed 00100 KRW",
        "fixed 100 KRW, fixed 200 KRW",
        "fixed 100 KRW, at most 5 USD a day",
        "fixed 100 KRW, round up to 100 KRW",
        "3.50% of the price",
        "0% of the price",
        "100.01% of the price",
        "at most 5 USD a day",
        "at most 5 USD a month, fixed 1 USD",
        "fixed 1 USD, at most 5 USD a week",
        "gateway, cashback",
        "fixed 1 USD,cashback",
        "fixed 1 USD ",
        "fixed ١ USD",
        "cashback" + ", cashback" * 50,
    ],
)
def test_what_is_not_said_so_is_no_source(text: str) -> None:
    with pytest.raises(NotARule):
        parse_gather(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "every 0 payments",
        "every 100001 payments",
        "every payment",
        "every 0 USD",
        "weekly on Monday at Asia/Seoul",
        "weekly on monday at Seoul",
        "weekly on monday",
        "monthly on day 0 at UTC",
        "monthly on day 32 at UTC",
        "weekly on monday at UTC, monthly on day 1 at UTC",
        "when I say so, every 100 payments",
        "when i say so",
    ],
)
def test_what_is_not_said_so_is_no_time_to_fire(text: str) -> None:
    with pytest.raises(NotARule):
        parse_fires(text)


@pytest.mark.parametrize(
    "text",
    [
        "coffee",
        "merchant coffee",
        "category -",
        "category a, category a",
        "category a  b",
        "category  a",
        "category a,b",
        "category a_",
        "category " + "a" * 33,
        "category cafe\u0301",
        "category a\u202eb",
    ],
)
def test_what_is_not_said_so_names_no_purchases(text: str) -> None:
    with pytest.raises(NotARule):
        parse_only(text)


ADDRESS = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
DESTINATIONS = st.lists(
    st.builds(
        signed.Destination,
        st.sampled_from(signed.KINDS),
        st.integers(1, 10_000),
        ADDRESS,
        ADDRESS,
        st.integers(0, 10_000),
    ),
    min_size=1,
    max_size=4,
).map(tuple)
RULES = st.builds(
    signed.Rule,
    ADDRESS,
    st.integers(0, 2**64 - 1),
    CURRENCY.flatmap(gathers).map(str),
    CURRENCY.flatmap(times_to_fire).map(str),
    ONLY.map(str),
    DESTINATIONS,
    st.integers(0, 2**96 - 1),
    st.integers(0, 2**64 - 1),
)


@given(RULES)
def test_a_wallet_hashes_a_rule_as_we_do(rule: signed.Rule) -> None:
    """By `eth-account`, from types written out anew."""
    keys = [field["name"] for field in RULE_TYPES["Rule"]]
    message = dict(zip(keys, rule.as_tuple(), strict=True))
    parts = [field["name"] for field in RULE_TYPES["Destination"]]
    message["destinations"] = [dict(zip(parts, d, strict=True)) for d in rule.as_tuple()[5]]  # type: ignore[call-overload]
    contract = Wallet("standing orders").address
    domain = {"name": "Taesan StandingOrders", "version": "1", "chainId": 31337, "verifyingContract": contract}
    theirs = _hash_eip191_message(encode_typed_data(domain, RULE_TYPES, message))
    assert signed.digest(Domain("Taesan StandingOrders", "1", 31337, contract), rule) == theirs


@pytest.mark.parametrize("name", ["커피", "Coffee", "coffee & tea", "café", "식품/음료", "7-Eleven", "a"])
def test_a_shop_names_its_categories_in_its_own_words(name: str) -> None:
    assert parse_only(f"category {name}").categories == (name,)


@pytest.mark.parametrize(
    ("parse", "text", "right"),
    [
        (parse_gather, "Round up to 1 USD", "`round up to 1 USD`"),
        (parse_fires, "weekly on monday", "`weekly on monday at Asia/Seoul`"),
        (parse_only, "coffee", "`category coffee`"),
        (parse_only, "category a, category a", "said twice"),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(parse: Callable[[str], object], text: str, right: str) -> None:
    with pytest.raises(NotARule, match=re.escape(right)):
        parse(text)
