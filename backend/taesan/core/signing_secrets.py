"""Secrets of Standard Webhooks, for both directions: made, replaced, and which of them are good now. Pure."""

import base64
import secrets
from datetime import datetime, timedelta
from typing import Protocol

PREFIX, BYTES = "whsec_", 32


class Signs(Protocol):
    """A row with a secret, and the one before it for a while."""

    secret: str
    previous_secret: str | None
    previous_secret_until: datetime | None


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def rotate(row: Signs, overlap_s: int, now: datetime) -> None:
    """A new secret; the old one is good, too, until the overlap ends."""
    row.previous_secret = row.secret if overlap_s else None
    row.previous_secret_until = now + timedelta(seconds=overlap_s) if overlap_s else None
    row.secret = new_secret()


def good(row: Signs, now: datetime) -> list[str]:
    """Newest first."""
    if row.previous_secret is None or row.previous_secret_until is None or row.previous_secret_until <= now:
        return [row.secret]
    return [row.secret, row.previous_secret]
