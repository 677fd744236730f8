"""Advice: what is said, on which figures, by which rule, and when nothing is."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from taesan.insights import advice_words
from taesan.insights.advice import Cost, Facts, Kept, Offer, Unit, advise, last_full_month
from taesan.insights.advice_words import TITLES, title, values
from taesan.insights.hidden import Standing
from taesan.jars.grammar import Words, parse
from taesan.jars.rehearsal import Bought, Rehearsal, rehearse
from tests.support.korean import assert_told_in_korean

WON = Unit("KRW", 0)
MONTH, TODAY = date(2026, 10, 1), date(2026, 11, 26)
CAFE, BAKERY, KIOSK = "mer_cafe", "mer_bakery", "mer_kiosk"
NAMES = {CAFE: "Café Dust", BAKERY: "빵집"}


def _facts(bought: list[tuple[Bought, bool]] | None = None, **more: object) -> Facts:
    taken = bought or []

    def rehearsed(words: Words) -> Rehearsal:
        start, end = datetime(2026, 9, 30, 15, tzinfo=UTC), datetime(2026, 10, 31, 15, tzinfo=UTC)
        return rehearse(words, [one for one, _ in taken], 0, start, end, 10**9, {})

    facts = Facts(TODAY, MONTH, "Asia/Seoul", "KRW", WON, taken, rehearsed, NAMES)
    return replace(facts, **more)  # type: ignore[arg-type]


def _bought(
    merchant: str, prices: list[int], category: str | None = None, *, gathered: bool = False
) -> list[tuple[Bought, bool]]:
    at = datetime(2026, 10, 2, 3, tzinfo=UTC)
    return [(Bought(at + timedelta(hours=n), price, merchant, category), gathered) for n, price in enumerate(prices)]


def _codes(facts: Facts) -> list[str]:
    return [advice.code for advice in advise(facts)]


# ------------------------------------------------------------------- rules


def test_rounding_up_is_advised_with_what_it_would_have_brought_and_its_rule() -> None:
    (advice,) = advise(_facts(_bought(CAFE, [3_800, 4_100, 3_700, 3_100, 3_900])))
    told = (
        "Round up to ₩500 at Café Dust: about ₩1,400 a month, by your 5 payments there in October 2026, ₩18,600 in all."
    )
    assert title(advice, "en", {}) == told
    korean = (
        "Café Dust: 500원 단위로 올림해 보세요. 2026년 10월 결제 5건(모두 18,600원) 기준으로 한 달에 1,400원쯤 모여요."
    )
    assert title(advice, "ko", {}) == korean
    assert values(advice) == {
        "merchant": "Café Dust", "step": "500", "month": "2026-10", "count": "5", "spent": "18600", "gathered": "1400",
        "asset": "KRW", "exponent": "0",
    }  # fmt: skip
    assert advice.rule is not None
    words = [str(part) for part in advice.rule]
    assert words == ["round up to 500 KRW", "monthly on day 1 at Asia/Seoul", "merchant mer_cafe"]
    assert parse(*words) == advice.rule


def test_no_rule_gathers_more_than_a_tenth_of_what_its_purchases_cost() -> None:
    dear = _bought(CAFE, [4_800, 5_300, 4_700, 6_100, 4_900])
    cheap = _bought(KIOSK, [110] * 6)  # up to the next hundred is most of it
    middle = _bought(BAKERY, [1_950] * 5)
    found = {advice.values["merchant"]: advice for advice in advise(_facts(dear + cheap + middle))}
    assert set(found) == {"Café Dust", "빵집"}
    for advice in found.values():
        assert advice.rule is not None
        assert int(str(advice.values["gathered"])) * 10 <= int(str(advice.values["spent"]))
    assert str(found["빵집"].rule and found["빵집"].rule.gather) == "round up to 1000 KRW"


@pytest.mark.parametrize(
    "facts",
    [
        _facts(_bought(CAFE, [4_800] * 4)),
        _facts(_bought(CAFE, [4_800] * 5, gathered=True)),
        _facts(_bought(CAFE, [4_800] * 5), rehearse=None),
        _facts(_bought(CAFE, [5_000] * 5)),
        _facts(_bought("bought at a kiosk", [4_800] * 5)),
        _facts(
            _bought(CAFE, [4_800] * 5),
            rules=[Kept("rul_1", parse("fixed 100 KRW", "every 5 payments", "merchant mer_cafe"), 0, MONTH)],
        ),
    ],
    ids=["too few", "gathered already", "no rules here", "nothing to round", "no filter says it", "a rule takes them"],
)
def test_no_rounding_up_without_a_habit_that_gathers_nothing(facts: Facts) -> None:
    assert _codes(facts) == []


def test_no_purchase_is_in_two_pieces_of_advice() -> None:
    coffee = _bought(CAFE, [4_800] * 5, "coffee") + _bought(BAKERY, [3_900] * 3, "coffee")
    (advice,) = advise(_facts(coffee))
    assert (advice.code, advice.values["category"], advice.values["count"]) == ("round-up-category", "coffee", 8)
    assert advice.values["gathered"] == 5 * 200 + 3 * 100
    (alone,) = advise(_facts(_bought(CAFE, [4_800] * 5, "coffee")))
    assert alone.code == "round-up-merchant"


def test_a_part_of_what_is_spent_less_is_put_aside() -> None:
    bought = _bought(KIOSK, [5_000] * 10)
    (advice,) = advise(_facts(bought, spent=(50_000, 60_000)))
    assert (advice.code, advice.values["less"], advice.values["fixed"]) == ("save-what-fell", 10_000, 500)
    assert (advice.values["gathered"], str(advice.rule and advice.rule.gather)) == (5_000, "fixed 500 KRW")
    assert _codes(_facts(bought, spent=(55_000, 60_000))) == []
    assert _codes(_facts(bought, spent=(60_000, 50_000))) == []
    assert _codes(_facts(bought[:4], spent=(50_000, 60_000))) == []
    assert _codes(_facts(_bought(KIOSK, [5_000] * 10, gathered=True), spent=(50_000, 60_000))) == []
    own = [Kept("rul_1", parse("fixed 100 KRW", "every 5 payments", "category x"), 0, MONTH)]
    assert _codes(_facts(bought, spent=(50_000, 60_000), rules=own)) == []


def test_a_jar_that_nothing_comes_out_of_is_to_fire_on_a_date_too() -> None:
    words = parse("round up to 500 KRW", "every 1000 payments", "merchant mer_cafe")
    long_ago = TODAY - timedelta(days=60)
    bought = _bought(CAFE, [4_800] * 5, gathered=True)
    (advice,) = advise(_facts(bought, rules=[Kept("rul_1", words, 7_000, long_ago)]))
    assert (advice.code, advice.values["days"]) == ("idle-rule", 60)
    assert str(advice.rule and advice.rule.fires) == "every 1000 payments, monthly on day 1 at Asia/Seoul"
    much = parse("fixed 1000 KRW", "every 1000 payments", "merchant mer_cafe")
    (advice,) = advise(_facts(bought, rules=[Kept("rul_1", much, 7_000, long_ago)]))
    assert advice.rule is None
    quiet = [
        Kept("rul_1", words, 0, long_ago),
        Kept("rul_2", words, 7_000, long_ago + timedelta(days=1)),
        Kept("rul_3", parse("fixed 10 KRW", "weekly on monday at UTC", ""), 7_000, long_ago),
        Kept("rul_4", parse("gateway", "every 50000 KRW", ""), 7_000, long_ago),
    ]
    assert _codes(_facts(rules=quiet)) == []
    assert _codes(_facts(rules=[Kept("0x5a", None, 7_000, long_ago)])) == ["idle-jar"]


# ------------------------------------------------------------ standing costs


def _cost(id_: str, price: int = 9_900, **more: object) -> Cost:
    standing = Standing(id_, id_, "", "KRW", date(2026, 1, 5), date(2026, 11, 5), price, 12 * price, None, False)
    known = {name: value for name, value in more.items() if name in Standing._fields}
    return Cost(standing._replace(**known), id_.upper(), 0, **{n: v for n, v in more.items() if n not in known})  # type: ignore[arg-type]


def test_what_is_hidden_in_standing_costs_is_told_with_its_yearly_cost() -> None:
    (advice,) = advise(_facts(costs=[_cost("film", was=7_900)]))
    assert title(advice, "en", {}) == "FILM costs ₩9,900 now and was ₩7,900 before: ₩24,000 more a year."
    assert title(advice, "ko", {}) == "FILM 요금이 올랐어요(7,900원 → 9,900원). 1년이면 24,000원 더 나가요."
    (advice,) = advise(_facts(costs=[_cost("film", trial=(date(2025, 12, 5), 100))]))
    told = "FILM began with ₩100 on December 5, 2025 and costs ₩9,900 since January 5, 2026: ₩118,800 a year. Do you still use it?"
    assert title(advice, "en", {}) == told
    twice = [_cost("tunes", 2_000, category="music"), _cost("songs", 3_000, category="music")]
    (advice,) = advise(_facts(costs=twice))
    assert (advice.code, advice.values["name"], advice.values["yearly"]) == ("alike-twice", "SONGS", 24_000)
    same = [_cost("a", merchant="film"), _cost("b", 5_000, merchant="film")]
    (advice,) = advise(_facts(costs=same))
    assert (advice.code, advice.values["second"], advice.values["yearly"]) == ("paid-twice", 5_000, 60_000)


def test_what_is_over_fell_or_was_confirmed_is_not_told() -> None:
    trial = (date(2025, 12, 5), 100)
    costs = [
        _cost("a", was=7_900, is_over=True),
        _cost("b", was=10_900),
        _cost("c", trial=trial, is_confirmed=True),
        _cost("d", merchant="x", is_confirmed=True),
        _cost("e", merchant="x", is_confirmed=True),
    ]
    assert _codes(_facts(costs=costs)) == []


def test_cashback_is_told_where_she_pays_elsewhere() -> None:
    offer = Offer("cam_1", "Café Dust", 550, 6, 30_000, WON)
    (advice,) = advise(_facts(offers=[offer]))
    assert title(advice, "en", {}).endswith("Paid over this hub, 5.5% comes back: ₩1,650 of that.")
    assert _codes(_facts(offers=[offer._replace(times=4)])) == []


def test_one_of_each_kind_comes_before_the_second_of_any() -> None:
    costs = [_cost("a", was=7_900), _cost("b", 20_000, was=10_000), _cost("c", trial=(date(2025, 12, 5), 100))]
    facts = _facts(_bought(CAFE, [4_800] * 5) + _bought(BAKERY, [4_900] * 5), costs=costs)
    codes = ["round-up-merchant", "price-rose", "trial-went-on", "round-up-merchant", "price-rose"]
    assert _codes(facts) == codes
    assert [advice.values.get("name") for advice in advise(facts)][1] == "B"
    assert advise(facts) == advise(replace(facts, costs=costs[::-1], bought=facts.bought[::-1]))


# ------------------------------------------------------------------- words


def test_each_title_has_its_korean_which_names_the_same_values() -> None:
    titles = set(TITLES.values())
    assert_told_in_korean(titles)
    with (Path(advice_words.__file__).parent / "locale" / "ko.po").open("rb") as file:
        catalogue = {str(message.id) for message in read_po(file, locale="ko") if message.id}
    assert titles <= catalogue


def test_the_last_full_month_and_the_one_before() -> None:
    assert last_full_month(TODAY) == (date(2026, 10, 1), date(2026, 9, 1))
    assert last_full_month(date(2026, 2, 1)) == (date(2026, 1, 1), date(2025, 12, 1))
    assert last_full_month(date(2026, 1, 31)) == (date(2025, 12, 1), date(2025, 11, 1))
