"""What a gateway's funding covers, and what a refund gives back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taesan.gateways.drawing import Draw, Funding, Return, draws, give_back


@pytest.mark.parametrize(
    ("available", "signed", "drawn", "claimed", "exposure", "room"),
    [
        (100, 1_000, 0, 0, 1_000, 100),  # what is deposited
        (100, 130, 70, 70, 1_000, 60),  # what is signed
        (100, 1_000, 70, 10, 80, 20),  # what may be unclaimed
        (100, 50, 70, 70, 1_000, 0),
        (100, 1_000, 500, 0, 80, 0),
        (0, 1_000, 0, 0, 1_000, 0),
        (100, 1_000, 70, 90, 10, 30),  # more was claimed than is drawn, since a refund
    ],
)
def test_what_may_be_drawn_is_the_least_of_three(
    available: int, signed: int, drawn: int, claimed: int, exposure: int, room: int
) -> None:
    assert Funding(available, signed, drawn, claimed, exposure).room == room


def test_what_came_later_does_not_overtake_what_does_not_fit() -> None:
    assert draws([(1, 40), (2, 70), (3, 10)], {}, 100) == [Draw(40, 0)]
    assert draws([(1, 40), (2, 60), (3, 0), (3, 1)], {}, 100) == [Draw(40, 0), Draw(60, 0), Draw(0, 0)]


def test_what_a_customer_owes_is_paid_back_first_and_needs_no_funding() -> None:
    assert draws([(1, 40), (1, 40), (2, 5)], {1: 50}, 35) == [Draw(0, 40), Draw(30, 10), Draw(5, 0)]


def test_a_refund_takes_what_is_still_gathered_and_the_rest_is_owed() -> None:
    assert give_back(Draw(50, 0), 80) == Return(50, 0)
    assert give_back(Draw(50, 0), 20) == Return(20, 30)
    assert give_back(Draw(50, 0), 0) == Return(0, 50)
    assert give_back(Draw(30, 20), 80) == Return(30, 20), "the debt that it had paid back is there again"


AMOUNTS = st.integers(0, 100)


@given(
    st.lists(st.tuples(st.integers(1, 3), AMOUNTS)),
    st.dictionaries(st.integers(1, 3), AMOUNTS),
    st.integers(0, 300),
)
def test_no_more_is_drawn_than_there_is_room_for_and_as_many_as_fit(
    waiting: list[tuple[int, int]], owed: dict[int, int], room: int
) -> None:
    taken = draws(waiting, owed, room)
    drawn = sum(draw.amount for draw in taken)
    assert drawn <= room
    assert [draw.amount + draw.paid_back for draw in taken] == [amount for _, amount in waiting[: len(taken)]]
    for customer in (1, 2, 3):
        paid_back = sum(d.paid_back for (c, _), d in zip(waiting, taken, strict=False) if c == customer)
        assert paid_back <= owed.get(customer, 0)
    if len(taken) < len(waiting):
        customer, amount = waiting[len(taken)]
        left = owed.get(customer, 0) - sum(
            d.paid_back for (c, _), d in zip(waiting, taken, strict=False) if c == customer
        )
        assert amount - left > room - drawn, "the next one does not fit"
