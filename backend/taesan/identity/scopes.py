"""What an API key may do. Pure."""

from collections.abc import Collection
from typing import Literal, get_args

Scope = Literal[
    "account:read",
    "payments:read",
    "redemptions:read",
    "redemptions:write",
    "payouts:read",
    "payouts:write",
    "invoices:read",
    "invoices:write",
    "refunds:read",
    "refunds:write",
    "loyalty:read",
    "loyalty:write",
    "insights:read",
    "webhooks:read",
    "webhooks:write",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)


def allows(granted: Collection[str] | None, wanted: Scope) -> bool:
    """Who may write may read. :param granted: None: all, those to come too"""
    if granted is None or wanted in granted:
        return True
    subject, _, access = wanted.partition(":")
    return access == "read" and f"{subject}:write" in granted
