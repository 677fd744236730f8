"""Which known payments a batch on chain has settled, and what of it was lost."""

from hypothesis import given
from hypothesis import strategies as st

from taesan.settlement import packing
from taesan.settlement.attribution import Candidate, attribute, divide
from tests.support.wallet import Wallet


def _paid(id_: int, channel: str, credited: int = 0, fired: int = 0, payee: str = "cafe") -> Candidate:
    return Candidate(id_, channel, channel, payee, credited, fired)


KNOWN = [_paid(1, "a", 5), _paid(2, "b", 3), _paid(3, "a"), _paid(4, "a", fired=4, payee="anna"), _paid(5, "b", 2)]


def _inside(count: int, claimed: dict[str, int], cafe: int, anna: int = 0) -> tuple[list[int], dict[str, int]]:
    found = attribute(KNOWN, count, claimed, {"cafe": cafe}, {"anna": anna})
    return [candidate.id for candidate in found.inside], found.unknown


def test_a_batch_of_known_payments_alone_leaves_nothing_unknown() -> None:
    assert _inside(5, {"a": 9, "b": 5}, cafe=10, anna=4) == ([1, 2, 3, 4, 5], {})
    assert _inside(3, {"a": 5, "b": 3}, cafe=8) == ([1, 2, 3], {})


def test_what_is_claimed_beyond_the_known_is_unknown() -> None:
    assert _inside(9, {"a": 12, "b": 5, "c": 7}, cafe=20, anna=4) == ([1, 2, 3, 4, 5], {"a": 3, "c": 7})


def test_a_channel_that_was_not_claimed_waits_on_with_all_that_follows() -> None:
    assert _inside(9, {"a": 9}, cafe=5, anna=4) == ([1, 3, 4], {})


def test_a_merchant_who_got_nothing_has_no_payment_inside() -> None:
    assert _inside(9, {"a": 9, "b": 5}, cafe=5, anna=4) == ([1, 3, 4], {"b": 5})


def test_a_merchant_who_got_less_by_a_lost_refund_was_paid_all_the_same() -> None:
    """Ben was given 2 back, of whatever; his entitlement tells of it."""
    found = attribute(KNOWN, 5, {"a": 9, "b": 5}, {"cafe": 8}, {"anna": 4, "ben": 2})
    assert ([candidate.id for candidate in found.inside], found.unknown) == ([1, 2, 3, 4, 5], {})
    none_left = attribute(KNOWN, 5, {"a": 9, "b": 5}, {}, {"anna": 4, "ben": 10})
    assert [candidate.id for candidate in none_left.inside] == [1, 2, 3, 4, 5]


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_no_more_is_taken_than_there_is_and_no_less_than_can_be(amount: int, lost: int, free: int, jar: int) -> None:
    from_free, from_jar = divide(amount, lost, free, jar)
    assert 0 <= from_free <= free
    assert 0 <= from_jar <= jar
    assert from_free + from_jar == min(amount, free + jar)
    if lost >= amount and free >= amount:
        assert from_jar == 0, "what lost vouchers have promised was free money"


@given(
    st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.integers(0, 2**64), st.integers(0, 2**64)), max_size=5)
)
def test_packed_claims_are_unpacked_as_they_were(rows: list[tuple[bytes, int, int]]) -> None:
    wallet = Wallet("claims")
    claims = []
    for channel, claimed, left in rows:
        signed = wallet.hot_key.unsafe_sign_hash(channel).signature
        claims.append(packing.Claim("0x" + channel.hex(), "0x" + bytes(signed).hex(), claimed + left, claimed))
    assert packing.unpacked_claims(packing.packed_claims(claims)) == claims


@given(st.integers(0, 2**96 - 1))
def test_words_are_taken_apart_as_they_were_put_together(amount: int) -> None:
    address = Wallet("word").address
    assert packing.unword(packing.word(address, amount)) == (address, amount)
