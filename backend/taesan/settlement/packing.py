"""The compact forms in which a batch goes on chain, and how much of it one transaction takes. Pure.

Source of the forms: `IPaymentChannels.claimPacked` and `IGiftSettlement.settle`; of the costs: `make bench-gas`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from taesan.core.values import bytes_of, hex_of

WORD_AMOUNT_BITS = 96
MAX_GAS = 2**24 * 9 // 10  # EIP-7825 allows a transaction's limit 2^24; an estimate wants some margin
MAX_BYTES = 126_000  # pools take transactions of 128 KiB
UNLIMITED = 2**96 - 1
FIXED_GAS, FIXED_BYTES = 110_000, 1_000


@dataclass(frozen=True, eq=False)  # kinds, not numbers: two may cost the same
class Cost:
    """What one more of a kind takes of a transaction, at most: first-time slots, eight-byte amounts."""

    gas: int
    bytes: int


CLAIM = Cost(gas=10_500, bytes=112)
MINT = Cost(gas=25_000, bytes=32)
CREDIT = Cost(gas=23_000, bytes=32)


class Room:
    """What is left in the transaction that a batch will be.

    :param value: how much a batch may newly owe, minor units
    """

    def __init__(self, value: int = UNLIMITED) -> None:
        self._value = value
        self._gas = MAX_GAS - FIXED_GAS
        self._bytes = MAX_BYTES - FIXED_BYTES

    def take(self, *costs: Cost, value: int = 0) -> bool:
        """Takes them all if all fit."""
        gas, size = sum(c.gas for c in costs), sum(c.bytes for c in costs)
        if gas > self._gas or size > self._bytes or value > self._value:
            return False
        self._value -= value
        self._gas -= gas
        self._bytes -= size
        return True


class Inside:
    """Who is in a batch already: each channel is claimed once, each account minted to once."""

    def __init__(self) -> None:
        self._inside: dict[Cost, set[str]] = defaultdict(set)

    def new(self, wanted: Mapping[Cost, str]) -> dict[Cost, str]:
        """What of this costs something."""
        return {cost: who for cost, who in wanted.items() if who not in self._inside[cost]}

    def add(self, new: Mapping[Cost, str]) -> None:
        for cost, who in new.items():
            self._inside[cost].add(who)

    def count(self, cost: Cost) -> int:
        return len(self._inside[cost])


@dataclass(frozen=True)
class Claim:
    """A voucher and how far it is claimed: cumulative amounts in minor units, the signature of 65 bytes as 0x-hex."""

    channel_id: str
    signature: str
    max_claimable: int
    total_claimed: int


def packed_claims(claims: Iterable[Claim]) -> bytes:
    """`claimPacked`'s argument; empty if there are none.

    :raises OverflowError: an amount has more than 128 bits, or more is claimed than signed
    """
    claims = list(claims)
    if not claims:
        return b""
    width = max(1, *(-(-claim.max_claimable.bit_length() // 8) for claim in claims))
    if width > 16:
        raise OverflowError(f"an amount of {width} bytes; 16 are the most")
    entries = (
        bytes_of(claim.channel_id)
        + compact_signature(bytes_of(claim.signature))
        + claim.max_claimable.to_bytes(width, "big")
        + (claim.max_claimable - claim.total_claimed).to_bytes(width, "big")
        for claim in claims
    )
    return bytes([width]) + b"".join(entries)


def unpacked_claims(packed: bytes) -> list[Claim]:
    """What `packed_claims` has packed."""
    if not packed:
        return []
    width = packed[0]
    size = 96 + 2 * width
    claims = []
    for at in range(1, len(packed), size):
        entry = packed[at : at + size]
        signed = int.from_bytes(entry[96 : 96 + width], "big")
        left = int.from_bytes(entry[96 + width :], "big")
        claims.append(Claim(hex_of(entry[:32]), hex_of(full_signature(entry[32:96])), signed, signed - left))
    return claims


def full_signature(compact: bytes) -> bytes:
    """r, s, v of 27 or 28, from ERC-2098's 64 bytes."""
    return compact[:32] + bytes([compact[32] & 0x7F]) + compact[33:64] + bytes([27 + (compact[32] >> 7)])


def compact_signature(signature: bytes) -> bytes:
    """ERC-2098: the recovery bit in the highest bit of `s`, which a low s leaves free.

    :param signature: r, s, v of 27 or 28; 65 bytes
    """
    y_parity = signature[64] - 27
    return signature[:32] + bytes([signature[32] | y_parity << 7]) + signature[33:64]


def word(address: str, amount: int) -> int:
    """An account and an amount (minor units, 96 bits) in one word.

    :raises OverflowError: the amount has more bits
    """
    if not 0 <= amount < 1 << WORD_AMOUNT_BITS:
        raise OverflowError(f"{amount} has more than {WORD_AMOUNT_BITS} bits")
    return int(address, 16) << WORD_AMOUNT_BITS | amount


def unword(word: int) -> tuple[str, int]:
    """What `word` has put together; the address in EIP-55."""
    return to_checksum_address(f"{word >> WORD_AMOUNT_BITS:040x}"), word & (1 << WORD_AMOUNT_BITS) - 1
