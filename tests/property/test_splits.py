"""Money that is divided is divided exactly."""

from hypothesis import given
from hypothesis import strategies as st

from taesan.core.values import MAX_AMOUNT, split_exactly

WEIGHTS = st.lists(st.integers(0, 10**12), min_size=1, max_size=30).filter(any)


@given(st.integers(0, MAX_AMOUNT), WEIGHTS)
def test_no_unit_is_lost_or_made(total: int, weights: list[int]) -> None:
    shares = split_exactly(total, weights)
    assert sum(shares) == total
    assert all(share >= 0 for share in shares)


@given(st.integers(0, MAX_AMOUNT), WEIGHTS)
def test_each_share_is_its_proportion_to_within_one_unit(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    for share, weight in zip(split_exactly(total, weights), weights, strict=True):
        assert abs(share * whole - total * weight) < whole


@given(st.integers(0, 10**9), WEIGHTS)
def test_weight_zero_gets_nothing_and_equal_weights_differ_by_at_most_one(total: int, weights: list[int]) -> None:
    shares = split_exactly(total, weights)
    for share, weight in zip(shares, weights, strict=True):
        assert weight or share == 0
    for weight in set(weights):
        equal = [share for share, w in zip(shares, weights, strict=True) if w == weight]
        assert max(equal) - min(equal) <= 1
