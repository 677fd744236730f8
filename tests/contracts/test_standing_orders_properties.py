"""Whatever an operator sends, in whatever order: what is moved is what a model of the signed rules allows, to the unit."""

from dataclasses import dataclass, field

from brownie import chain
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from support import DOLLAR
from support.briefly import examples
from support.clock import DAY, now, travel_to
from support.orders import Rule, refusals, to

PER_DAY = 10 * DOLLAR + 7
SHARES = (6_000, 3_333, 667)
ROUNDING = 2
LIES = ("recipient", "share", "more a day", "kind")
ATTEMPTS = st.lists(
    st.tuples(
        st.sampled_from([1, 2]),  # the rule
        st.integers(0, 3),  # its destination, of which there are three
        st.one_of(st.integers(0, 3), st.integers(1, 12 * DOLLAR)),  # the amount
        st.integers(0, 5),  # the number
        st.sampled_from([None, None, None, *LIES]),
    ),
    min_size=1,
    max_size=4,
)


@dataclass
class Model:
    """What the rules allow, told a second time. :ivar moved: (rule, destination) → on this day"""

    cancelled: set[int] = field(default_factory=set)
    done: set[tuple[int, int]] = field(default_factory=set)
    moved: dict[tuple[int, int], int] = field(default_factory=dict)
    given: list[int] = field(default_factory=lambda: [0, 0, 0])

    def why_not(self, id_: int, index: int, amount: int, number: int, lie: str | None) -> str | None:
        if id_ in self.cancelled:
            return "StandingOrders_Cancelled"
        if lie:
            return "StandingOrders_InvalidSignature"
        if not amount:
            return "StandingOrders_ZeroAmount"
        if index >= len(SHARES):
            return "StandingOrders_UnknownDestination"
        if (id_, number) in self.done:
            return "StandingOrders_AlreadyConverted"
        of_rule = sum(moved for (other, _), moved in self.moved.items() if other == id_)
        of_destination = self.moved.get((id_, index), 0)
        if of_rule + amount > PER_DAY or of_destination + amount > PER_DAY * SHARES[index] // 10_000 + ROUNDING:
            return "StandingOrders_ExceedsDay"
        return None

    def move(self, id_: int, index: int, amount: int, number: int) -> None:
        self.done.add((id_, number))
        self.moved[id_, index] = self.moved.get((id_, index), 0) + amount
        self.given[index] += amount


def test_what_is_moved_is_what_the_rules_allow(orders, gift_token, asset, vault, keys, settler, payer, other_payer, merchant, stranger):
    destinations = (
        to("person", merchant, SHARES[0]),
        to("cash", other_payer, SHARES[1]),
        to("savings", stranger, SHARES[2]),
    )
    signed = {
        id_: Rule(orders, payer.address, keys[payer.address], destinations, id=id_, per_day=PER_DAY) for id_ in (1, 2)
    }

    def lied(one: Rule, lie: str) -> Rule:
        (kind, share, _, token, slippage), *others = one.destinations
        changed = {
            "recipient": (kind, share, stranger.address, token, slippage),
            "share": (kind, 10_000, merchant.address, token, slippage),
            "kind": ("cash", share, merchant.address, token, slippage),
        }
        if lie == "more a day":
            return one.with_(per_day=2**95)
        return one.with_(destinations=(changed[lie], *others))

    class Operator(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            chain.revert()
            travel_to((now() // DAY + 1) * DAY)
            self.model = Model()
            self.before = gift_token.balanceOf(payer), asset.balanceOf(other_payer)

        @rule(attempts=ATTEMPTS)
        def convert(self, attempts):
            sent, expected = [], []
            for id_, index, amount, number, lie in attempts:
                one = signed[id_]
                terms = lied(one, lie) if lie else one
                sent.append(terms.conversion(amount, number, index, signature=one.sign()))
                why = self.model.why_not(id_, index, amount, number, lie)
                if why is None:
                    self.model.move(id_, index, amount, number)
                else:
                    expected.append(why)
            tx = orders.convert(sent, {"from": settler})
            assert [name for name, _ in refusals(tx)] == expected

        @rule(id_=st.sampled_from([1, 2]))
        def cancel(self, id_):
            orders.cancel(id_, {"from": payer})
            self.model.cancelled.add(id_)

        @rule()
        def another_day(self):
            travel_to((now() // DAY + 1) * DAY)
            self.model.moved.clear()

        @invariant()
        def the_money_is_where_the_model_says(self):
            person, cash, savings = self.model.given
            assert gift_token.balanceOf(merchant) == person
            assert asset.balanceOf(other_payer) - self.before[1] == cash
            assert vault.convertToAssets(vault.balanceOf(stranger)) == savings
            assert self.before[0] - gift_token.balanceOf(payer) == person + cash + savings
            assert gift_token.balanceOf(orders) == asset.balanceOf(orders) == 0

    chain.snapshot()
    run_state_machine_as_test(
        Operator, settings=settings(max_examples=examples(12), stateful_step_count=12, deadline=None)
    )
