"""What is decided before anything is signed."""

import pytest

from taesan.chain.rpc import Fees, Node
from taesan.chain.sender import MAX_CALL_DATA_BYTES, Prepared, TooLarge, prepare


class Eager(Node):
    """Would take anything, for 125 gas."""

    def __init__(self) -> None:
        """Nowhere."""

    def gas_limit(self, sender: str, to: str, data: str) -> int:
        return 125

    def fees(self, ceiling_wei: int) -> Fees:
        return Fees(ceiling_wei, 1)


def _data(size: int) -> str:
    return "0x" + "ab" * size


def test_a_call_is_priced_before_it_is_signed() -> None:
    assert prepare(Eager(), "0x1", "0x2", _data(4), 7) == Prepared("0x2", _data(4), 125, Fees(7, 1))


def test_what_no_pool_takes_is_refused_before_a_nonce_is_spent() -> None:
    prepare(Eager(), "0x1", "0x2", _data(MAX_CALL_DATA_BYTES - 1), 7)
    assert MAX_CALL_DATA_BYTES < 128 * 1_024
    with pytest.raises(TooLarge, match="bytes of call data"):
        prepare(Eager(), "0x1", "0x2", _data(MAX_CALL_DATA_BYTES + 1), 7)
