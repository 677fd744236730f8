"""Every problem speaks Korean, and callers get the language that they ask for."""

import ast
import re

import pytest
from babel.messages.pofile import read_po

from taesan.core.i18n import LANGUAGES, language_of, translate
from taesan.core.problems import Problem, not_found
from tests.support.korean import assert_told_in_korean
from tests.support.source import PACKAGE, calls, modules
from tests.support.titles import titles


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("ko", "ko"),
        ("ko-KR", "ko"),
        ("KO-kr", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("en;q=0.2, ko; q=0.8", "ko"),
        ("fr,ko;q=0.5", "ko"),
        ("fr, de", "en"),
        ("ko;q=0", "en"),
        ("ko;q=0, en;q=0.1", "en"),
        ("*", "en"),
        ("ko;q=much, en", "en"),
        (";;;,,,q=;ko", "en"),
        ("ko" + ",x" * 5_000, "ko"),
    ],
)
def test_the_best_of_our_languages_is_chosen(header: str | None, language: str) -> None:
    assert language_of(header) == language
    assert language in LANGUAGES


def test_the_scan_finds_the_titles() -> None:
    assert len(titles()) > 30
    assert not_found("The batch", "1").title in titles()


def test_each_title_is_one_english_sentence() -> None:
    assert {title: at for title, at in titles().items() if not re.fullmatch(r"[A-Z][\x20-\x7e]+\.", title)} == {}


def test_each_title_has_its_korean() -> None:
    assert_told_in_korean(titles())


def test_english_stays_as_it_is_in_the_code() -> None:
    assert all(translate(title, "en") == title for title in titles())


def test_the_catalogue_has_no_dead_or_doubtful_entries() -> None:
    with (PACKAGE / "core" / "locale" / "ko.po").open("rb") as file:
        catalogue = [message for message in read_po(file, locale="ko") if message.id]
    assert {str(m.id) for m in catalogue} == titles().keys()
    assert not [m.id for m in catalogue if m.fuzzy or not m.string]


def test_no_text_has_two_translations() -> None:
    """The catalogues are merged: of two, one would be told nowhere."""
    korean: dict[object, set[object]] = {}
    for path in PACKAGE.glob("*/locale/ko.po"):
        with path.open("rb") as file:
            for message in read_po(file, locale="ko"):
                korean.setdefault(message.id, set()).add(message.string)
    del korean[""]  # their headers
    assert {text: told for text, told in korean.items() if len(told) > 1} == {}


def test_one_type_of_problem_has_one_title() -> None:
    """A type is part of the API: its title may not depend on where it was raised."""
    by_type: dict[object, set[object]] = {}
    for module in modules():
        for name, call in calls(module.nodes):
            constant = [argument.value for argument in call.args[:3] if isinstance(argument, ast.Constant)]
            if name == "Problem" and len(constant) == 3:
                by_type.setdefault(constant[0], set()).add(constant[2])
    assert {type_: different for type_, different in by_type.items() if len(different) > 1} == {}


def test_a_problem_tells_type_title_status_detail_and_more() -> None:
    problem = Problem("insufficient-deposit", 402, "Too little.", "1 left", channel={"id": "0x"})
    assert problem.body("부족합니다.") == {
        "type": "urn:taesan:problem:insufficient-deposit",
        "title": "부족합니다.",
        "status": 402,
        "detail": "1 left",
        "channel": {"id": "0x"},
    }
