"""The compact forms in which batches travel: words of an account and an amount, and blobs of packed claims."""

from typing import Any, NamedTuple

AMOUNT_BITS = 96

JUNK = b"junk".ljust(64, b"\0") + bytes([27])
"""A signature that recovers nobody: its s is 0."""


def word(account: Any, amount: int) -> int:
    """An account (160 bits) and an amount (96 bits) in one word: a credit, or an entitlement."""
    assert 0 <= amount < 2**AMOUNT_BITS
    return int(str(account), 16) << AMOUNT_BITS | amount


class Entry(NamedTuple):
    """One channel's packed claim: of what is signed, all but `kept` is claimed."""

    channel_id: bytes
    signature: bytes  # 65 bytes: r, s, v
    signed: int
    kept: int = 0

    def pack(self, width: int) -> bytes:
        return b"".join(
            [self.channel_id, compact(self.signature), self.signed.to_bytes(width), self.kept.to_bytes(width)]
        )


def pack(*entries: Entry, width: int = 16) -> bytes:
    """What `claimPacked` takes. :param width: how many bytes an amount takes"""
    return bytes([width]) + b"".join(entry.pack(width) for entry in entries)


def compact(signature: bytes) -> bytes:
    """ERC-2098: the parity stands in the highest bit of s."""
    r, s, v = signature[:32], int.from_bytes(signature[32:64]), signature[64]
    return r + (s | (v - 27) << 255).to_bytes(32)
