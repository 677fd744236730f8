"""Multicall3 (https://github.com/mds1/multicall3): many calls in one, each with an end of its own. Pure.

It stands at one address on nearly every chain, belongs to nobody and keeps nothing.
"""

from collections.abc import Sequence

from eth_abi.abi import decode, encode

from taesan.core.crypto import keccak
from taesan.core.values import hex_of

ADDRESS = "0xcA11bde05977b3631167028862bE2a173976CA11"
_AGGREGATE3 = keccak(b"aggregate3((address,bool,bytes)[])")[:4]


def together(calls: Sequence[tuple[str, bytes]], *, may_fail: bool) -> str:
    """The call data, 0x-hex. :param calls: (contract, call data). :param may_fail: one that fails is no matter to the others"""
    data = encode(["(address,bool,bytes)[]"], [[(to, may_fail, call) for to, call in calls]])
    return hex_of(_AGGREGATE3 + data)


def results(data: bytes) -> list[tuple[bool, bytes]]:
    """What each call has answered, and whether it has not failed."""
    (found,) = decode(["(bool,bytes)[]"], data)
    return [(bool(is_done), bytes(answer)) for is_done, answer in found]
