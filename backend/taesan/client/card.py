"""A gift link as a card, to be printed, or shown on a telephone: its words, what it is worth, and its link as a QR code."""

from decimal import Decimal
from html import escape
from io import BytesIO
from typing import Any

import segno
from babel.dates import format_date
from babel.numbers import format_currency, get_currency_precision

from taesan.client.errors import BadArgument
from taesan.client.gifts import GiftLink

_WORDS = {
    "en": {
        "from": "A gift from {name}",
        "for": "A gift for you",
        "scan": "Scan it with your telephone's camera. You need no app, no wallet, and pay nothing.",
        "until": "Good until {date}. Whoever has this code can take the gift: once.",
    },
    "ko": {
        "from": "{name} 님이 보낸 선물",
        "for": "선물이 도착했어요",
        "scan": "휴대전화 카메라로 찍어 보세요. 앱도 지갑도 필요 없고, 내야 할 돈도 없어요.",
        "until": "{date}까지 받을 수 있어요. 이 코드를 가진 사람이 한 번만 받을 수 있어요.",
    },
}
LANGUAGES = tuple(_WORDS)
_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
body {{ margin: 0; padding: 1rem; background: #e6efee; color: #12201e; font: 1rem/1.6 system-ui, sans-serif; word-break: keep-all; }}
main {{ box-sizing: border-box; max-width: 24rem; margin: 0 auto; padding: 1.75rem; border-radius: 16px; background: #fff; text-align: center; }}
h1 {{ margin: 0; font-size: 1rem; }}
.worth {{ margin: 0.25rem 0; font-size: 3rem; font-weight: 700; line-height: 1.2; }}
blockquote {{ margin: 1rem 0; font-size: 1.25rem; white-space: pre-line; overflow-wrap: anywhere; }}
svg {{ width: min(100%, 15rem); height: auto; }}
small {{ color: #51625f; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p class="worth">{worth}</p>
{message}{code}
<p>{scan}</p>
<p><small>{until}</small></p>
</main>
</body>
</html>
"""


def card(link: GiftLink, language: str = "en") -> str:
    """A page of its own, as HTML, that asks nobody for anything. Whoever has it has the gift.

    :param language: one of `LANGUAGES`. :raises BadArgument: it is none
    """
    if language not in _WORDS:
        raise BadArgument(f"cards speak {' or '.join(LANGUAGES)}, not {language!r}")
    words = _WORDS[language]
    name = escape(link.sender_name)
    return _PAGE.format(
        language=language,
        title=words["from"].format(name=name) if name else words["for"],
        worth=_worth(link),
        message=f"<blockquote>{escape(link.message)}</blockquote>\n" if link.message else "",
        code=_code(link.url),
        scan=words["scan"],
        until=words["until"].format(date=format_date(link.expires_at.astimezone(), "long", locale=language)),
    )


def _worth(link: GiftLink) -> str:
    """With two decimals more than the currency has, if it takes them; in Korean with $, too, where CLDR has US$."""
    pattern = f"¤#,##0.{'0' * get_currency_precision(link.currency)}##"
    amount = Decimal(link.amount).scaleb(-link.exponent)
    return format_currency(amount, link.currency, pattern, "en", currency_digits=False)


def _code(url: str) -> str:
    picture = BytesIO()
    options: dict[str, Any] = {
        "kind": "svg",
        "xmldecl": False,
        "nl": False,
        "omitsize": True,
        "border": 4,
        "light": "white",
    }
    segno.make_qr(url, error="m").save(picture, **options)
    return picture.getvalue().decode()
