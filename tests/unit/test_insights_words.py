"""What insights tell of statements: each reason has a code, and its Korean."""

import ast
import re

from taesan.core.reasons import written
from taesan.insights import guessing, texts
from taesan.insights.imports import told
from taesan.insights.lines import Fault
from taesan.insights.reasons import TITLES
from tests.support.korean import assert_told_in_korean
from tests.support.source import calls, modules

CODE = re.compile(r"[a-z]+(-[a-z]+)*")
TOLD_BY = {"Fault", "_fault", "_taken", "Reason", "written"}


def _codes() -> set[str]:
    """Every code that stands in the code."""
    found = {*texts._OTHER_FORMATS.values(), guessing.NO_HEADINGS, guessing.NO_AMOUNT, *guessing.MISSING.values()}
    for module in modules():
        if module.domain != "insights":
            continue
        for name, call in calls(module.nodes):
            if name in TOLD_BY:
                said = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                found |= {text for text in said if CODE.fullmatch(text)}
    return found


def test_each_code_is_told_and_each_that_is_told_stands_in_the_code() -> None:
    assert _codes() == TITLES.keys()


def test_each_reason_has_its_korean_with_the_same_places() -> None:
    assert all(re.fullmatch(r"[A-Z“{<][\x20-\x7e“”]+\.", title) for title in TITLES.values())
    assert_told_in_korean([*TITLES.values(), "Line {line}: {reason}"])


def test_what_stands_in_a_file_names_no_other_value() -> None:
    fault = Fault(3, written("no-amount", value='{currency} "x"', currency="USD"))
    public = told(fault, "en")
    assert (public.line, public.reason.code) == (3, "no-amount")
    assert public.reason.values == {"value": '{currency} "x"', "currency": "USD"}
    assert public.reason.title == '“{currency} "x"” is no amount in USD.'
