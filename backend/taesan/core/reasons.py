"""Why something was done, or was not: stored as a stable code with its values, told with a title in the reader's language. Pure but for the
catalogues.

A domain has a table of its codes' titles, English sentences with the values' names in braces; `locale/` beside it has the others.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import Field as ShapeField

from taesan.core.i18n import translate
from taesan.core.values import Shape

MAX_VALUE = 200  # characters
AS_TOLD = "other"
"""The code of what has none: its title is what was told."""


class Reason(NamedTuple):
    code: str
    values: dict[str, str]


class ReasonPublic(Shape):
    code: str = ShapeField(description="Stable", examples=["price-moved"])
    title: str = ShapeField(description="In the language of `Accept-Language`: English or Korean")
    values: dict[str, str] = ShapeField(
        description="What the title names; amounts in minor units", examples=[{"received": "98", "minimum": "99"}]
    )


def written(code: str, **values: object) -> str:
    """As it is stored."""
    if not values:
        return code
    return f"{code} {json.dumps({name: str(value)[:MAX_VALUE] for name, value in values.items()}, ensure_ascii=False)}"


def read(stored: str) -> Reason:
    """:param stored: as `written` gives it; what does not is its own code"""
    code, _, rest = stored.partition(" ")
    try:
        values = json.loads(rest) if rest else {}
    except ValueError:
        return Reason(stored, {})
    return Reason(code, values) if isinstance(values, dict) else Reason(stored, {})


def told(stored: str, titles: Mapping[str, str], language: str) -> ReasonPublic:
    """:param titles: code → English. What has no code there is told as it is"""
    reason = read(stored)
    if reason.code not in titles:
        return ReasonPublic(code=AS_TOLD, title=stored, values={})
    title = translate(titles[reason.code], language).format_map(reason.values)
    return ReasonPublic(code=reason.code, title=title, values=reason.values)
