"""What insights tell of statements, in Korean too."""

import ast
import re

from taesan.core.i18n import translate
from taesan.insights.texts import OTHER_FORMATS
from tests.support.source import calls, modules

HANGUL = re.compile(r"[가-힣]")
TOLD_BY = {"Fault", "_fault", "_taken", "Reason", "translate"}


def _told() -> set[str]:
    """Every reason that stands in the code."""
    found = {*OTHER_FORMATS.values(), "a web page"}
    for module in modules():
        if module.domain != "insights":
            continue
        for name, call in calls(module.tree):
            if name in TOLD_BY:
                texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                found |= {text for text in texts if " " in text or name == "Reason"}
    return found


def _places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_each_reason_has_its_korean_with_the_same_places() -> None:
    told = _told()
    assert len(told) > 40
    assert {text for text in told if not HANGUL.search(translate(text, "ko"))} == set()
    assert {text for text in told if _places(translate(text, "ko")) != _places(text)} == set()
