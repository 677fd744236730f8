"""Lists, page by page. The key of a page's last row is the cursor to the next, so the last page costs what the first does."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BeforeValidator, WithJsonSchema
from pydantic import Field as ShapeField
from sqlalchemy import Select, func, select
from sqlmodel import Session

from taesan.core.values import MAX_AMOUNT, Shape

MAX_ROWS = 500
MAX_CURSOR = 32

Row = TypeVar("Row")
Item = TypeVar("Item")


def cursor_of(key: int) -> str:
    """What a client sends for the rows after this one; opaque to it."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def _key_of(cursor: object, told: str = "`next_cursor` of the page before") -> int | None:
    if cursor is None:
        return None
    try:
        if not isinstance(cursor, str) or len(cursor) > MAX_CURSOR:
            raise ValueError
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
        if not (text.isascii() and text.isdigit() and int(text) <= MAX_AMOUNT):
            raise ValueError
    except (ValueError, binascii.Error):
        raise ValueError(f"send {told}, as it is") from None
    return int(text)


Cursor = Annotated[
    int | None,
    BeforeValidator(_key_of),
    WithJsonSchema({"type": "string", "maxLength": MAX_CURSOR}),
    Query(description="`next_cursor` of the page before"),
]
"""Comes out as the key of the row before, None for the first page."""
After = Annotated[
    int | None,
    BeforeValidator(lambda cursor: _key_of(cursor, "`cursor` of the answer before")),
    WithJsonSchema({"type": "string", "maxLength": MAX_CURSOR}),
    Query(description="`cursor` of the answer before"),
]
"""The same of news, which have no pages."""
Limit = Annotated[int, Query(ge=1, le=MAX_ROWS, description="Rows of a page")]


class Page(Shape, Generic[Item]):
    items: list[Item]
    next_cursor: str | None = ShapeField(description="Send it as `cursor` for what follows; null at the end")


def newest_first(session: Session, query: Select[Any], key: Any, before: int | None, limit: int) -> Sequence[Any]:
    """A page's rows, and one more if there are more.

    :param key: the column that orders them; with what the query asks for it needs an index
    :param before: the key of the row before this page
    """
    if before is not None:
        query = query.where(key < before)
    return session.scalars(query.order_by(key.desc()).limit(limit + 1)).all()


def newest_id(session: Session, key: Any) -> int:
    """The highest of a table's keys; 0 if it is empty."""
    return session.scalar(select(func.max(key))) or 0


def page(rows: Sequence[Row], limit: int, key: Callable[[Row], int | None], shape: Callable[[Row], Item]) -> Page[Item]:
    """:param rows: as `newest_first` gives them"""
    shown = rows[:limit]
    next_cursor = cursor_of(key(shown[-1]) or 0) if len(rows) > limit else None
    return Page(items=[shape(row) for row in shown], next_cursor=next_cursor)
