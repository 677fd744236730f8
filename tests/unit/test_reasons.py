"""Reasons are stored as codes and told in the reader's language."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from taesan.conversions import reasons as of_conversions
from taesan.core.reasons import MAX_VALUE, Reason, read, told, written
from taesan.jars import reasons as of_jars
from tests.support.korean import assert_told_in_korean

TABLES = {"jars": of_jars.TITLES, "conversions": of_conversions.TITLES}
PACKAGE = Path(of_jars.__file__).parents[1]


@pytest.mark.parametrize("domain", TABLES)
def test_each_title_has_its_korean_which_names_the_same_values(domain: str) -> None:
    titles = set(TABLES[domain].values())
    assert all(re.fullmatch(r"[A-Z{][\x20-\x7e]+\.", title) for title in titles)
    assert_told_in_korean(titles)
    with (PACKAGE / domain / "locale" / "ko.po").open("rb") as file:
        assert {str(message.id) for message in read_po(file, locale="ko") if message.id} == titles


def test_what_is_written_is_read_again() -> None:
    assert read(written("paused")) == Reason("paused", {})
    assert read(written("value", value=5)) == Reason("value", {"value": "5"})
    message = 'so "long" {0} 값 ' * 100
    assert read(written("market-refuses", message=message)).values == {"message": message[:MAX_VALUE]}


def test_it_is_told_with_its_values_in_the_readers_language() -> None:
    stored = of_jars.payments(100)
    english, korean = (told(stored, of_jars.TITLES, language) for language in ("en", "ko"))
    assert (english.code, english.title) == ("payments", "100 payments have come together.")
    assert (korean.code, korean.title) == ("payments", "결제 100건이 모였어요.")


@pytest.mark.parametrize(
    "stored", ["100 payments", "its payer has said so; nothing is gathered", "Error(no)", "value [1]"]
)
def test_what_was_stored_before_there_were_codes_is_told_as_it_is(stored: str) -> None:
    reason = told(stored, of_jars.TITLES, "ko")
    assert (reason.code, reason.title) == ("other", stored)


def test_a_value_cannot_name_another() -> None:
    assert told(written("market-refuses", message="{error}"), of_conversions.TITLES, "en").title == (
        "The market refuses: {error}."
    )
