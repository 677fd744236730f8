"""What is asked of Uniswap's contracts, of which we keep no ABI."""

import pytest
from eth_utils.crypto import keccak

from taesan.chain.dex import call

TO = "0x" + "11" * 20


def test_a_call_is_its_signatures_hash_and_its_arguments() -> None:
    words = "00" * 12 + "11" * 20, f"{5:064x}"
    assert call("transfer(address,uint256)", TO, 5) == "0xa9059cbb" + "".join(words)


@pytest.mark.parametrize("signature", ["fee()", "observe(uint32[])", "f((address,uint24),int24)"])
def test_tuples_and_lists_stay_whole(signature: str) -> None:
    values = {"fee()": [], "observe(uint32[])": [[1, 2]], "f((address,uint24),int24)": [(TO, 3_000), -60]}[signature]
    assert call(signature, *values).startswith("0x" + keccak(text=signature)[:4].hex())
