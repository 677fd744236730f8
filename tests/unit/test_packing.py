"""The compact forms in which a batch goes on chain."""

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from taesan.core.crypto import recover
from taesan.core.values import hex_of
from taesan.settlement import packing
from taesan.settlement.packing import CLAIM, CREDIT, MINT, Claim, Room, compact_signature, packed_claims, word

CHANNEL = "0x" + "c1" * 32
KEY = Account.create()


def _signature(digest: bytes) -> str:
    return hex_of(bytes(Account.unsafe_sign_hash(digest, KEY.key).signature))


def _claim(max_claimable: int, total_claimed: int) -> Claim:
    return Claim(CHANNEL, _signature(bytes(32)), max_claimable, total_claimed)


def test_no_claims_pack_to_nothing() -> None:
    assert packed_claims([]) == b""


@pytest.mark.parametrize(("amount", "width"), [(1, 1), (255, 1), (256, 2), (5_000_000, 3), (2**128 - 1, 16)])
def test_amounts_take_as_many_bytes_as_the_largest_needs(amount: int, width: int) -> None:
    packed = packed_claims([_claim(1, 1), _claim(amount, amount)])
    assert packed[0] == width
    assert len(packed) == 1 + 2 * (96 + 2 * width)


def test_an_entry_is_channel_signature_signed_and_kept() -> None:
    packed = packed_claims([_claim(1_000, 400)])
    assert packed == bytes([2]) + bytes.fromhex("c1" * 32) + packed[33:97] + (1_000).to_bytes(2) + (600).to_bytes(2)


@pytest.mark.parametrize("claim", [(2**128, 1), (5, 6)])
def test_what_no_voucher_allows_is_not_packed(claim: tuple[int, int]) -> None:
    with pytest.raises(OverflowError):
        packed_claims([_claim(*claim)])


@given(digest=st.binary(min_size=32, max_size=32))
def test_a_compact_signature_is_the_same_signature(digest: bytes) -> None:
    compact = compact_signature(bytes.fromhex(_signature(digest)[2:]))
    assert len(compact) == 64
    y_parity, s = compact[32] >> 7, bytes([compact[32] & 0x7F]) + compact[33:]
    assert recover(digest, compact[:32] + s + bytes([27 + y_parity])) == KEY.address


def test_a_word_is_an_address_and_an_amount() -> None:
    assert word("0x" + "ab" * 20, 7) == int("ab" * 20 + "00" * 11 + "07", 16)


@pytest.mark.parametrize("amount", [-1, 2**96])
def test_an_amount_that_does_not_fit_its_word_is_refused(amount: int) -> None:
    with pytest.raises(OverflowError):
        word("0x" + "ab" * 20, amount)


def test_a_thousand_payers_eighty_merchants_and_eighty_new_holders_fit_into_one_transaction() -> None:
    room = Room()
    assert all(room.take(CLAIM) for _ in range(1_000))
    assert all(room.take(CREDIT) for _ in range(80))
    assert all(room.take(MINT) for _ in range(80))


def test_room_ends_with_gas_and_takes_all_or_nothing() -> None:
    room = Room()
    together = 0
    while room.take(CLAIM, MINT, CREDIT):
        together += 1
    assert together == (packing.MAX_GAS - packing.FIXED_GAS) // (CLAIM.gas + MINT.gas + CREDIT.gas)
    assert room.take(CLAIM), "what did not fit has taken nothing"


def test_room_ends_with_what_a_batch_may_owe() -> None:
    room = Room(value=10)
    assert room.take(CLAIM, value=7)
    assert not room.take(CREDIT, value=4)
    assert room.take(CREDIT, value=3)
