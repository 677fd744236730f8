"""What a jar takes in, it holds or has fired; a rounded-up purchase is a whole number of steps."""

from hypothesis import example, given
from hypothesis import strategies as st

from taesan.core.values import MAX_AMOUNT
from taesan.jars.accrual import Rule, decide, rescale, round_up

AMOUNTS = st.integers(0, MAX_AMOUNT)
RULES = st.one_of(
    st.builds(Rule, st.integers(1, 20), st.none()),
    st.builds(Rule, st.none(), st.integers(1, 5_000)),
    st.builds(Rule, st.integers(1, 20), st.integers(1, 5_000)),
)


@given(RULES, st.lists(st.integers(1, 3_000), max_size=200))
@example(Rule(1, 1), [1])
def test_what_fired_and_what_is_in_the_jar_is_what_was_gathered(rule: Rule, payments: list[int]) -> None:
    gathered = fired = count = 0
    for payment in payments:
        gathered, count = gathered + payment, count + 1
        firing = decide(rule, count, gathered - fired)
        if firing is None:
            # A jar that waits has a reason to.
            assert rule.trigger_count is None or count < rule.trigger_count
            assert rule.trigger_value is None or gathered - fired < rule.trigger_value
            continue
        assert 0 < firing.amount <= gathered - fired
        by_count = rule.trigger_count is not None and count >= rule.trigger_count
        assert by_count or (rule.trigger_value and firing.amount % rule.trigger_value == 0)
        fired, count = fired + firing.amount, 0
        left = gathered - fired
        assert left == 0 if by_count else left < (rule.trigger_value or 0)
    assert 0 <= fired <= gathered


@given(AMOUNTS, st.integers(1, 10**12))
def test_rounding_up_reaches_the_next_step_and_no_further(amount: int, step: int) -> None:
    change = round_up(amount, step)
    assert 0 <= change < step
    assert (amount + change) % step == 0


@given(AMOUNTS, st.integers(0, 18), st.integers(0, 18))
def test_rescaling_there_and_back_changes_nothing(amount: int, exponent: int, to: int) -> None:
    there = rescale(amount, exponent, to)
    if there is None:
        assert amount % 10 ** (exponent - to) != 0
    else:
        assert isinstance(there, int)
        assert rescale(there, to, exponent) == amount
        assert there * 10**exponent == amount * 10**to
