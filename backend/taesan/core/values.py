"""The small values that every domain speaks in: amounts, addresses, hashes, ids. Pure.

What does not parse raises a `ValueError` whose type is the problem that the API tells of it (`core.http`).
"""

import json
import re
from typing import Annotated, Any

from eth_utils.address import is_checksum_formatted_address, to_checksum_address
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from taesan.core import days

MAX_AMOUNT = 2**63 - 1  # what a BIGINT column holds; 9.2e12 dollars at 6 decimals

_AMOUNT = re.compile(r"0|[1-9][0-9]{0,18}")
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_ATOM, _LABEL = r"[A-Za-z0-9_'+&=~#-]+", r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAIL = re.compile(
    rf"(?=[A-Za-z0-9_][^@]{{0,63}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])"
)
MAX_MAIL_ADDRESS = 254  # RFC 5321's path, without its brackets


def parse_amount(value: object) -> int:
    """An amount in minor units, given as a decimal string.

    Numbers are refused: a JSON number may be a float, or lose digits in a JavaScript client.
    """
    if isinstance(value, str) and _AMOUNT.fullmatch(value) and int(value) <= MAX_AMOUNT:
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[1-9][0-9]{18,}", value):
        raise PydanticCustomError("invalid-amount", "must be at most {most}", {"most": str(MAX_AMOUNT)})
    raise PydanticCustomError("invalid-amount", 'must be a string of decimal digits in minor units, such as "230000"')


def parse_address(value: str) -> str:
    """An address in EIP-55 form; a mixed-case one must have the right checksum."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        raise PydanticCustomError("invalid-address", "must be 0x and 40 hexadecimal digits")
    checksummed = to_checksum_address(value)
    if is_checksum_formatted_address(value) and value != checksummed:
        raise PydanticCustomError("invalid-address", "has a wrong EIP-55 checksum: a digit may be mistyped")
    return checksummed


def parse_hex(value: str, length: int | None = None) -> str:
    """Hexadecimal bytes in lower case, of `length` bytes if given."""
    if not _HEX.fullmatch(value):
        raise PydanticCustomError("malformed-hex", "must be 0x and an even number of hexadecimal digits")
    if length is not None and len(value) != 2 + 2 * length:
        raise PydanticCustomError("malformed-hex", "must be {length} bytes", {"length": length})
    return value.lower()


def parse_mail_address(value: str) -> str:
    """A plain `name@host.example` (RFC 5321, without quotes, comments, other scripts and numeric hosts), its host in lower case."""
    if len(value) > MAX_MAIL_ADDRESS or not _MAIL.fullmatch(value):
        raise PydanticCustomError("invalid-mail-address", "must be a plain address, such as anna@example.com")
    name, _, host = value.partition("@")
    return f"{name}@{host.lower()}"


def parse_time_zone(name: str) -> str:
    if name not in days.zones():
        raise ValueError("must be a name of the IANA time zone database, such as Asia/Seoul")
    return name


def parse_month(value: str) -> str:
    if not re.fullmatch(_MONTH, value):
        raise ValueError("must be a month, such as 2026-11")
    return value


_AMOUNT_SCHEMA = WithJsonSchema({"type": "string", "pattern": "^(0|[1-9][0-9]{0,18})$", "examples": ["230000"]})


def parse_number(value: object) -> int:
    """A number that is no amount: a decimal string, too, for it may be large."""
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value) or int(value) > MAX_AMOUNT:
        raise PydanticCustomError("invalid-number", 'must be a whole number as a string of decimal digits, such as "1"')
    return int(value)


NumberIn = Annotated[
    int, BeforeValidator(parse_number), WithJsonSchema({"type": "string", "pattern": "^(0|[1-9][0-9]{0,18})$"})
]
AmountIn = Annotated[int, BeforeValidator(parse_amount), _AMOUNT_SCHEMA]
"""An amount in minor units that comes in: a decimal string in JSON, an int in Python."""
AmountOut = Annotated[int, PlainSerializer(str, return_type=str), _AMOUNT_SCHEMA]
"""An amount in minor units that goes out: an int in Python, a decimal string in JSON."""
SignedAmountOut = Annotated[
    int,
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^-?(0|[1-9][0-9]{0,18})$", "examples": ["-230000"]}),
]

Address = Annotated[str, AfterValidator(parse_address), Field(examples=["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"])]
MailAddress = Annotated[
    str, Field(max_length=MAX_MAIL_ADDRESS, examples=["anna@example.com"]), AfterValidator(parse_mail_address)
]
Bytes32 = Annotated[str, AfterValidator(lambda v: parse_hex(v, 32)), Field(examples=["0x" + "ab" * 32])]
Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""Any text but with U+0000, which PostgreSQL cannot hold."""
_MONTH = r"^(19[7-9]|2[0-9]{2})[0-9]-(0[1-9]|1[0-2])$"
Month = Annotated[
    str, AfterValidator(parse_month), WithJsonSchema({"type": "string", "pattern": _MONTH, "examples": ["2026-11"]})
]
"""`days.first_of` makes a day of it."""
TimeZone = Annotated[Text, AfterValidator(parse_time_zone), Field(max_length=64, examples=["Asia/Seoul"])]
Signature = Annotated[str, AfterValidator(parse_hex), Field(max_length=2 + 2 * 4_096, examples=["0x" + "ab" * 65])]
"""65 bytes of a key's, or up to 4 KiB of whatever a contract wallet understands (ERC-1271)."""


class Shape(BaseModel):
    """Base of everything that crosses HTTP: unknown fields are refused, so that a typing error is told, not lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Money(Shape):
    """An amount with its asset; the exponent is optional and checked if given, so that cents are never taken for wons."""

    value: AmountIn
    asset: str = Field(description="CAIP-19 id or ISO 4217 code", max_length=120, examples=["USD"])
    exponent: int | None = Field(default=None, ge=0, le=36, description="How many decimals the minor unit has")


def bytes_of(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x"))


def hex_of(value: bytes) -> str:
    return "0x" + value.hex()


def split_exactly(total: int, weights: list[int]) -> list[int]:
    """Splits `total` in proportion to `weights` without losing a unit: largest remainders first, then first come."""
    whole = sum(weights)
    if whole <= 0 or any(w < 0 for w in weights):
        raise ValueError("weights must be non-negative and not all zero")
    shares = [total * w // whole for w in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return shares


def canonical_json(value: Any) -> str:
    """One text for one value: what fingerprints and hashes are made of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
