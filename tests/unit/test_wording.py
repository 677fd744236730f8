"""A model's words are told only if they say nothing that ours do not."""

import re
from datetime import date

import pytest

from taesan.insights.advice import Advice, Unit
from taesan.insights.advice_words import TITLES, title
from taesan.insights.wording import fault

OWN = "Round up to ₩500 at GS25: about ₩12,300 a month, by your 14 payments there in October 2026, ₩98,000 in all."
KOREAN = "GS25: 500원 단위로 올림해 보세요. 2026년 10월 결제 14건(모두 98,000원) 기준으로 한 달에 12,300원쯤 모입니다."


@pytest.mark.parametrize(
    "text",
    [
        "You went to GS25 14 times in October 2026 and left ₩98,000 there; rounding up to ₩500 would make about ₩12,300 a month.",
        "Rounding up to KRW 500 at GS25 makes 12,300 won a month.",
        "Small change adds up: try it at GS25.",
    ],
)
def test_the_same_numbers_in_other_words_are_told(text: str) -> None:
    assert fault(text, OWN, {"GS25"}) is None


def test_a_name_hides_no_number() -> None:
    assert fault("You would gather h4lf of ₩500.", OWN, {"GS25", "4"}) is not None
    assert fault("You would gather half a thousand.", OWN, {"GS25", "h", "us"}) is not None
    assert fault("GS251 took ₩500.", OWN, {"GS25"}) is not None


def test_korean_too() -> None:
    told = (
        "GS25에서 10월에만 14번, 모두 98,000원을 쓰셨네요. 이번 달부터 500원 단위로 올리면 한 달에 12,300원쯤 모여요."
    )
    assert fault(told, KOREAN, {"GS25"}) is None


@pytest.mark.parametrize(
    "text",
    [
        "You would gather ₩12,400 a month.",
        "You would gather ₩12,300 a month, ₩147,600 a year.",
        "Save 14% at GS25.",
        "Save ₩14 at GS25.",
        "You would gather ₩12.300 a month.",
        "You would gather 12 300 won a month.",
        "You would gather 12'300 won a month.",
        "You would gather ₩12,300,000 a month.",
        "You would gather ₩12.3k a month.",
        "You would gather 500k.",
        "You would gather 12,300e2 won.",
        "You would lose -₩500 a month.",
        "It is 500/14 of it.",
        "It is 14:500.",
        "GS25 took 25.",
        "That is 500 cents.",
        "That is 500 days.",
        "You would gather one million won.",
        "You would gather twice as much.",
        "You would gather half of it.",
        "You would gather ₩１２,３００ a month.",
        "You would gather ₩١٢ a month.",
        "You would gather ½ of it.",
        "You would gather 500² won.",
        "You would gather Ⅻ won.",
        "You would gather 1\u200b4 won.",
        "You would gather 五百 won.",
        "",
        "x" * 401,
    ],
)
def test_what_is_invented_or_cannot_be_checked_is_refused(text: str) -> None:
    assert fault(text, OWN, {"GS25"}) is not None


@pytest.mark.parametrize(
    "text",
    [
        "한 달에 1만 2,300원쯤 모여요.",
        "한 달에 500 만원쯤 모여요.",
        "한 달에 만 이천삼백 원쯤 모여요.",
        "한 달에 백만원이 모여요.",
        "1년이면 147,600원이에요.",
        "500일이면 돼요.",
        "두 배로 모여요.",
        "절반이 남아요.",
        "열네 번 가셨네요.",
        "한 번에 12,300원이 모여요.",
        "14퍼센트가 모여요.",
    ],
)
def test_korean_numbers_that_are_not_ours_are_refused(text: str) -> None:
    assert fault(text, KOREAN, {"GS25"}) is not None


@pytest.mark.parametrize(
    "text",
    [
        "See https://evil.example for more.",
        "See www.evil for more.",
        "See evil.example.",
        "Write to me@evil.",
        "<b>Save</b>",
        "[Save](x)",
    ],
)
def test_links_and_markup_are_refused(text: str) -> None:
    assert fault(text, OWN) == "has something like a link"


@pytest.mark.parametrize("code", TITLES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_our_own_words_pass(code: str, language: str) -> None:
    values: dict[str, int | str | date] = dict.fromkeys(re.findall(r"{(\w+)}", TITLES[code]), 12345)
    values |= {name: date(2026, 10, 5) for name in ("month", "day", "since") if name in values}
    values |= {name: "7-Eleven.com №5" for name in ("merchant", "name", "other", "category") if name in values}
    if "rate" in values:
        values["rate"] = "5.5"
    for unit in (Unit("KRW", 0), Unit("USD", 2), Unit("EUR", 2), Unit("USD", 8)):
        told = title(Advice(code, "x", unit, values), language, {})
        assert fault(told, told, {"7-Eleven.com №5"}) is None, told
