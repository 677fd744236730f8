"""However money gathers, fires and is given back, it ends up whole, and where its owner wanted it."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from taesan.jars.splits import WHOLE, parts, totals


@st.composite
def shares(draw: st.DrawFn) -> list[int]:
    """Ten-thousandths of one whole, of one to six."""
    cuts = draw(st.lists(st.one_of(st.integers(1, WHOLE - 1), st.integers(1, 19).map(lambda n: 500 * n)), max_size=5))
    edges = sorted({0, WHOLE, *cuts})
    return [high - low for low, high in itertools.pairwise(edges)]


@given(shares(), st.integers(0, 10**15))
def test_totals_add_up_and_are_never_a_unit_away_from_their_shares(of: list[int], fired: int) -> None:
    got = totals(fired, of)
    assert sum(got) == fired
    for amount, share in zip(got, of, strict=True):
        assert abs(amount * WHOLE - fired * share) < WHOLE


@given(shares(), st.lists(st.integers(1, 30_000), max_size=12), st.randoms(use_true_random=False))
def test_the_order_and_the_sizes_of_firings_do_not_show(of: list[int], firings: list[int], random: object) -> None:
    def all_of(amounts: list[int]) -> list[int]:
        fired, sums = 0, [0] * len(of)
        for amount in amounts:
            split = parts(fired, amount, of)
            assert sum(split) == amount
            assert min(split) >= 0
            fired, sums = fired + amount, [a + b for a, b in zip(sums, split, strict=True)]
        return sums

    shuffled = list(firings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert all_of(firings) == all_of(shuffled) == all_of([sum(firings)])
