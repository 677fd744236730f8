"""What a flow asks of whoever runs it."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

T = TypeVar("T")


@dataclass(frozen=True)
class Send:
    """A request, whole: it may be sent more than once. :ivar json: its body; or `content`, if that is given"""

    method: str
    url: str
    json: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None


@dataclass(frozen=True)
class Wait:
    seconds: float


Flow = Generator[Send | Wait, httpx.Response | None, T]
"""Is given the answer to each `Send`, or None if none came."""
