"""Whether a text says nothing that another does not: what a language model makes of our words is told only then. Pure.

Each of its numbers has to be one of ours, of the same kind (an amount, a share, days, …). What cannot be checked is refused: numbers in
other scripts or in units of ten thousand, words for numbers that we have not used, signs, fractions, links.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from decimal import Decimal

MOST_CHARACTERS = 400

_NUMBER = re.compile(r"[0-9](?:[0-9.,]*[0-9])?")
_PLAIN = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?")
_MONEY_BEFORE = re.compile(r"(?:[$₩€£¥]|\b[A-Z]{3}) ?$")
_WRONG_BEFORE = re.compile(r"(?:[A-Za-z]|[-−–+/'’^~*×.,:]|[0-9][ _])$")
_WRONG_AFTER = re.compile(r"(?:[A-Za-z/'’^*×_]| ?[만천백십억조]| ?(?:cents?|센트|전|grand|k)\b)", re.IGNORECASE)
_KINDS = (
    ("share", re.compile(r" ?(?:%|percent\b|퍼센트|프로)")),
    ("money", re.compile(r" ?(?:원|달러|유로|엔|won\b|dollars?\b|euros?\b|[A-Z]{3}\b)")),
    ("days", re.compile(r"[ -]?(?:일|days?\b)")),
    ("months", re.compile(r"[ -]?(?:개?월|달|months?\b)")),
    ("years", re.compile(r"[ -]?(?:년|years?\b)")),
    ("times", re.compile(r"[ -]?(?:건|번|회|times\b|payments\b|purchases\b)")),
)
_LINK = re.compile(r"://|\bwww\.|[a-z0-9-]\.[a-z]{2,}|[@<>\[\]{}`\\]", re.IGNORECASE)
_ENGLISH = re.compile(
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty|seventy|eighty"
    r"|ninety|hundreds?|thousands?|millions?|billions?|dozens?|half|halve[sd]?|thirds?|quarters?|double[sd]?|triple[sd]?|once|twice|thrice)\b",
    re.IGNORECASE,
)
_KOREAN = re.compile(
    r"(?!이번)[일이삼사오육칠팔구영공십백천만억조]+ ?(?:원|달러|유로|엔|퍼센트|프로|센트|번|건|회|일|개?월|년|주|배)"
    r"|(?:하나|둘|셋|넷|한|두|세|네|다섯|여섯|일곱|여덟|아홉|열|스물|스무|서른|마흔|쉰|예순|일흔|여든|아흔|백|천|몇)"
    r" ?(?:번|건|개|달|배|곳|가지|잔|차례|해|주|시간)|절반|반값|갑절|곱절"
)


def fault(text: str, own: str, names: Collection[str] = ()) -> str | None:
    """Why `text` may not stand for our own words; None: it may.

    :param names: of merchants and the like: digits in them are no figures
    """
    return next(_faults(text, _without(text, names), _without(own, names)), None)


def _faults(whole: str, text: str, own: str) -> Iterator[str]:
    if not whole or len(whole) > MOST_CHARACTERS:
        yield "is empty or too long"
    if any(unicodedata.category(character)[0] == "C" for character in text):
        yield "has a character that is not seen"
    if any(not c.isascii() and unicodedata.numeric(c, None) is not None for c in text):
        yield "has a number in another script"
    if _LINK.search(text):
        yield "has something like a link"
    if any(not _said(words, text) <= _said(words, own) for words in (_ENGLISH, _KOREAN)):
        yield "has a number in words"
    try:
        if not set(_numbers(text)) <= set(_numbers(own)):
            yield "has a number that is none of ours"
    except ValueError as error:
        yield str(error)


def _without(text: str, names: Collection[str]) -> str:
    """What is a name's own, and not only a number or a letter."""
    for name in sorted(
        (name for name in names if len(name) > 1 and any(map(str.isalpha, name))), key=len, reverse=True
    ):
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", " … ", text)
    return text


def _said(words: re.Pattern[str], text: str) -> set[str]:
    return {match[0].replace(" ", "").lower() for match in words.finditer(text)}


def _numbers(text: str) -> Iterator[tuple[Decimal, str]]:
    """With what each is a number of. :raises ValueError: one that is not understood"""
    for match in _NUMBER.finditer(text):
        before, after = text[: match.start()], text[match.end() :]
        is_money = _MONEY_BEFORE.search(before) is not None
        if not is_money and _WRONG_BEFORE.search(before):
            raise ValueError("has a number that is part of something else")
        if is_money and re.search(r"[-−–+]\s?\S{1,3} ?$", before):
            raise ValueError("has a number with a sign")
        if not _PLAIN.fullmatch(match[0]) or _WRONG_AFTER.match(after):
            raise ValueError("has a number in a notation that is not ours")
        kind = next((name for name, unit in _KINDS if unit.match(after)), "")
        if is_money and kind not in ("", "money"):
            raise ValueError("has an amount of something else")
        yield Decimal(match[0].replace(",", "")), "money" if is_money else kind
