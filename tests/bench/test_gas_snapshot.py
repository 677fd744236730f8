"""Gas does not creep up: what `make bench-gas` has measured last is measured again."""

import json

import pytest

from tests.bench.gas_report import SNAPSHOT, SNAPSHOT_SIZES, run, snapshot_of, targets

MOST = 1.02


@pytest.fixture(scope="module")
def measured():
    return run(SNAPSHOT_SIZES)


def test_nothing_costs_over_two_percent_more_than_in_the_snapshot(measured):
    before, now = json.loads(SNAPSHOT.read_text()), snapshot_of(measured)
    assert now.keys() == before.keys(), "run `make bench-gas` and commit the snapshot"
    dearer = {what: (before[what], gas) for what, gas in now.items() if gas > before[what] * MOST}
    assert dearer == {}


def test_every_target_is_met(measured):
    assert [what for what, *_, holds in targets(measured) if not holds] == []
