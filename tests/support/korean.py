"""What the service tells has its Korean."""

import re
from collections.abc import Iterable

from taesan.core.i18n import translate

HANGUL = re.compile(r"[가-힣]")


def assert_told_in_korean(texts: Iterable[str]) -> None:
    """Each is translated, and names the same values."""
    korean = {text: translate(text, "ko") for text in texts}
    assert [text for text, told in korean.items() if not HANGUL.search(told)] == []
    assert {text: told for text, told in korean.items() if _places(told) != _places(text)} == {}


def _places(text: str) -> list[str]:
    return sorted(re.findall(r"\{\w+\}|%\(\w+\)s", text))
