"""Whoever takes part in the year has signed something that makes sense, and all together have tried everything."""

from taesan.demo.year import calendar, people
from taesan.demo.year.people import Places
from taesan.jars.grammar import parse
from taesan.jars.signed import KINDS

AT = Places(
    payer="0x" + "11" * 20, person="0x" + "22" * 20, ether="0x" + "33" * 20, shop="mer_6f0c2a9b1d3e4f5061728394"
)
TERMS = [terms for of_kind in people.KINDS.values() for terms in of_kind(AT)]


def test_no_destination_source_filter_or_trigger_is_left_out_of_the_year() -> None:
    words = [parse(terms.gather, terms.fires, terms.only) for terms in TERMS]
    gather, fires = [w.gather for w in words], [w.fires for w in words]
    assert {destination.kind for terms in TERMS for destination in terms.destinations} == set(KINDS)
    assert all(any(getattr(g, name) for g in gather) for name in ("step", "share", "fixed", "per_day", "per_month"))
    assert any(g.times > 1 for g in gather)
    assert {inflow for g in gather for inflow in g.inflows} == {"cashback", "top-ups"}
    assert all(any(getattr(f, name) for f in fires) for name in ("count", "value", "day_of_month", "on_request"))
    assert any(f.weekday is not None for f in fires)
    assert any(w.only.merchants for w in words)
    assert any(w.only.categories for w in words)


def test_shares_make_a_whole_and_only_what_moves_has_a_daily_limit() -> None:
    for terms in TERMS:
        assert sum(destination.share for destination in terms.destinations) == 10_000
        assert (terms.per_day > 0) == any(destination.kind != "wallet" for destination in terms.destinations)


def test_rules_fire_by_date_on_days_on_which_the_story_lets_the_hub_work() -> None:
    for terms in TERMS:
        fires = parse(terms.gather, terms.fires, terms.only).fires
        assert fires.weekday is None or fires.weekday in calendar.RULES_FIRE_ON
        assert fires.day_of_month is None or fires.day_of_month in calendar.RULES_FIRE_THE
