"""What a caller of the client may want to handle, and what cannot be signed at all."""

import re
from collections.abc import Mapping
from typing import Any

from eth_utils.address import to_checksum_address

from taesan.core.values import MAX_AMOUNT
from taesan.jars.grammar import CURRENCIES, Money

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class ClientError(Exception):
    """Something that a caller may want to handle."""


class Refused(ClientError):
    """The hub, or a merchant, has refused; nothing was paid. :ivar problem: what it said"""

    def __init__(self, problem: dict[str, Any], status: int) -> None:
        said = " ".join(str(problem[name]) for name in ("title", "detail", "error") if problem.get(name))
        super().__init__(said or f"HTTP {status}")
        self.problem, self.status = problem, status

    @property
    def type(self) -> str:
        """Such as `insufficient-deposit`."""
        return str(self.problem.get("type", "")).rsplit(":", 1)[-1].rsplit("/", 1)[-1]


class Unanswered(ClientError):
    """No answer for too long: what was asked may have happened. The next call finds out first; nothing is done twice."""


class NotOurs(ClientError):
    """What a merchant asks for cannot be paid with a channel of this hub."""


class BadArgument(ClientError, ValueError):
    """What was asked for makes no sense: nothing was signed, nothing was sent."""


def require_amount(amount: int, least: int = 1) -> int:
    """:raises BadArgument: it is no number of minor units"""
    if not isinstance(amount, int) or isinstance(amount, bool) or not least <= amount <= MAX_AMOUNT:
        raise BadArgument(f"an amount is a whole number of minor units, {least} or more, and not {amount!r}")
    return amount


def require_address(address: str) -> str:
    """In mixed case, as it is signed. :raises BadArgument: it is none, or mistyped"""
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise BadArgument(f"an address is 0x and 40 hexadecimal digits, and not {address!r}")
    checked = to_checksum_address(address)
    digits = address[2:]
    if digits not in (digits.lower(), digits.upper(), checked[2:]):
        raise BadArgument(f"{address} is mistyped: its capital and small letters do not fit")
    return checked


def require_secret(secret: bytes) -> bytes:
    """:raises BadArgument: it is no key"""
    if not isinstance(secret, bytes) or len(secret) != 32 or not any(secret):
        raise BadArgument("a link's secret is 32 random bytes")
    return secret


def require_price(price: Mapping[str, Any]) -> Money:
    """Of a purchase, such as `{"value": "1177", "asset": "USD"}`. :raises BadArgument: it is none"""
    value, currency = str(price.get("value", "")), str(price.get("asset", ""))
    if currency not in CURRENCIES:
        raise BadArgument(f"rules gather of purchases in {' or '.join(CURRENCIES)}, not in {currency or 'no currency'}")
    if not (value.isascii() and value.isdigit()):
        raise BadArgument(f"a price's value is a whole number of minor units, and not {value!r}")
    exponent = CURRENCIES[currency]
    if price.get("exponent", exponent) != exponent:
        raise BadArgument(f"{currency} has {exponent} decimals, and not {price['exponent']}")
    return Money(int(value), currency)
