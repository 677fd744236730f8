"""Texts in the caller's language: gettext catalogues read with Babel, English in the code, Korean beside it."""

from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel.core import negotiate_locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

LANGUAGES = ("en", "ko")
_PACKAGE = Path(__file__).parents[1]


def language_of(accept_language: str | None) -> str:
    """The best of our languages for an `Accept-Language` header; English if none fits."""
    wanted: list[tuple[float, str]] = []
    for part in (accept_language or "").split(","):
        tag, _, parameter = part.partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if quality > 0:  # zero means "not this one"
            wanted.append((-quality, tag.strip().replace("-", "_")))
    tags = [tag for _, tag in sorted(wanted, key=lambda w: w[0])]
    return (negotiate_locale(tags, LANGUAGES) or "en").lower()


@lru_cache
def translations(language: str) -> Translations:
    """The catalogue of all `locale/<language>.po` files in the package."""
    merged = Catalog(locale=language, charset="utf-8")
    for path in sorted(_PACKAGE.glob(f"*/locale/{language}.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                if message.id and message.string:
                    merged[message.id] = message
    compiled = BytesIO()
    write_mo(compiled, merged)
    compiled.seek(0)
    return Translations(compiled)


def translate(message: str, language: str) -> str:
    return translations(language).gettext(message)
