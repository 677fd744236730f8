"""What insights tell of statements, in Korean too."""

import ast

from taesan.insights.texts import OTHER_FORMATS
from tests.support.korean import assert_told_in_korean
from tests.support.source import calls, modules

TOLD_BY = {"Fault", "_fault", "_taken", "Reason", "translate"}


def _told() -> set[str]:
    """Every reason that stands in the code."""
    found = {*OTHER_FORMATS.values(), "a web page"}
    for module in modules():
        if module.domain != "insights":
            continue
        for name, call in calls(module.nodes):
            if name in TOLD_BY:
                texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                found |= {text for text in texts if " " in text or name == "Reason"}
    return found


def test_each_reason_has_its_korean_with_the_same_places() -> None:
    told = _told()
    assert len(told) > 40
    assert_told_in_korean(told)
