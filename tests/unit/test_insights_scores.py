"""The bench of docs/benchmarks/insights.md on a smaller set: are standing costs still found, and months' ends still forecast?"""

import pytest

from tests.bench.insights_cdnow import AFTER_DAYS, SIMPLE, asked, pools
from tests.bench.insights_peers import Found, day_of_month, most_common_gap
from tests.bench.insights_scores import ours, score, told_by
from tests.bench.insights_streams import HELD_OUT, TUNED_ON, Noise, make


@pytest.mark.parametrize(("noise", "seed"), [(TUNED_ON, 6), (HELD_OUT, 106)])
def test_standing_costs_are_found_and_others_are_not(noise: Noise, seed: int) -> None:
    made = make(seed, noise, merchants=90)
    mine = score(made, told_by(ours, made))
    assert mine.there > 40
    assert min(mine.precision, mine.recall) >= 0.9
    for simple in (most_common_gap, day_of_month):
        its = score(made, told_by(lambda paid, _, rule=simple: rule(paid), made), cadence_counts=False)
        assert its.precision < mine.precision - 0.1


def test_the_score_notices_what_is_told_wrongly_twice_or_not_at_all() -> None:
    made = make(6, merchants=30)
    truth = {truth.merchant: truth for truth in made.standing}
    nothing: dict[int, list[Found]] = {merchant: [] for merchant in made.paid}
    assert (score(made, nothing).precision, score(made, nothing).recall) == (1, 0)
    right = {m: [Found(truth[m].cadence, tuple(truth[m].ids))] if m in truth else [] for m in made.paid}
    once = score(made, right)
    assert (once.precision, once.right) == (1, len(truth))
    twice = score(made, {m: told * 2 for m, told in right.items()})
    assert (twice.precision, twice.recall) == (0.5, once.recall)
    other = {m: [told._replace(cadence="other") for told in of] for m, of in right.items()}
    assert score(made, other).right == 0
    assert score(made, other, cadence_counts=False).right == once.right


def test_the_same_seed_makes_the_same_payments() -> None:
    assert make(3, merchants=20).paid == make(3, merchants=20).paid != make(4, merchants=20).paid


def test_months_ends_are_forecast_better_than_by_naive_rules() -> None:
    questions = [pair for days in pools(200, 4) for pair in asked(days)]
    assert {question.begun for question, _ in questions} == set(AFTER_DAYS)
    missed = {
        name: sum(abs(method(question) - actual) for question, actual in questions) for name, method in SIMPLE.items()
    }
    assert all(missed["ours"] * 10 < missed[name] * 9 for name in missed if name != "ours"), missed
