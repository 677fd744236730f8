"""Whom a payer talks to: over which wire, and whether it is still the same hub. Pure."""

from collections.abc import Mapping
from dataclasses import asdict
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from taesan.client.signing import HubFacts

MAY_CHANGE = ("receiver_authorizer", "withdraw_delay")
"""A hub may have a new key or another delay: that makes another channel, and no other money."""


class PlainHttp(Exception):
    """A key is not used over a wire that anybody may read and write on: https, or say `plain_http=True`."""


class OtherHub(Exception):
    """The hub names another chain, other contracts or another asset than when it was first met. Nothing was signed."""


def require_https(url: str, plain_http: bool) -> None:
    """:param plain_http: whether it need not be. :raises PlainHttp: it is neither https nor this machine"""
    parts = urlsplit(url)
    if parts.scheme != "https" and not plain_http and not _is_loopback(parts.hostname or ""):
        raise PlainHttp(f"{parts.scheme}://{parts.netloc}: outside this machine it has to be https")


def lasting(facts: HubFacts) -> dict[str, Any]:
    """What stays as it is for as long as a hub lives, for JSON."""
    return {name: value for name, value in asdict(facts).items() if name not in MAY_CHANGE}


def require_same(site: str, first: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """:raises OtherHub:"""
    others = [f"{name} {now[name]!r}, not {first.get(name)!r}" for name in now if now[name] != first.get(name)]
    if others:
        raise OtherHub(f"{site} is another hub than it was: {'; '.join(others)}. If that is meant: State.forget_hub")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
