"""The texts of the pages' scripts: found in their source, told in the reader's language."""

import gzip
import json
import re
from functools import cache

from taesan.core.i18n import translate
from taesan.web.files import STATIC

_LITERAL = r'"((?:[^"\\]|\\.)*)"'
_ONE = re.compile(rf"\b_\(\s*{_LITERAL}")
_MANY = re.compile(rf"\bcount\(\s*{_LITERAL},\s*{_LITERAL}")
ANY_CALL = re.compile(r"(?<![\w.])(?<!function )(?:_|count)\(")
FOUND_CALL = re.compile(rf"(?<![\w.])(?:_\(\s*{_LITERAL}|count\(\s*{_LITERAL},\s*{_LITERAL})")


def texts_in(source: str) -> list[str]:
    """Of each `_("…")` and `count("…", "…", …)`, as `lib/words.js` has them."""
    found = [match[1] for match in _ONE.finditer(source)]
    found += [text for match in _MANY.finditer(source) for text in match.groups()]
    return [json.loads(f'"{text}"') for text in found]


@cache
def script(language: str) -> str:
    """A module with all of them: English → the language's."""
    texts = sorted({text for path in STATIC.rglob("*.js") for text in texts_in(path.read_text("utf-8"))})
    told = {text: translate(text, language) for text in texts}
    return f"export default {json.dumps(told, ensure_ascii=False, indent=0)};\n"


@cache
def packed(language: str) -> bytes:
    """The same, by gzip: it is by far the largest of what a first visit fetches."""
    return gzip.compress(script(language).encode(), mtime=0)
