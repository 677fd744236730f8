"""Plain numbers that are told as Prometheus understands them."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from taesan.core import meters
from taesan.core.meters import Counter, Histogram
from taesan.operations.metrics import Counted


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "EVERY", [])


def _told() -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(Counted())
    text = generate_latest(registry).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_counter_is_told_for_each_of_its_labels() -> None:
    counter = Counter("answers", "Answers.", ("status",))
    assert _told() == {}
    counter.values["200",] += 2
    counter.values["404",] += 1
    assert _told() == {("answers_total", "200"): 2, ("answers_total", "404"): 1}


def test_a_counter_without_labels_is_there_from_the_start() -> None:
    counter = Counter("lost", "Lost.")
    assert _told() == {("lost_total",): 0}
    counter.values[()] += 1
    assert _told() == {("lost_total",): 1}


def test_a_histogram_counts_up_to_each_bound_and_what_lies_beyond() -> None:
    histogram = Histogram("wait_seconds", "Wait.", ("who",), bounds=(0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 1.0, 7.0):
        histogram.observe(seconds, ("anna",))
    told = _told()
    assert told == {
        ("wait_seconds_bucket", "0.1", "anna"): 2,
        ("wait_seconds_bucket", "1.0", "anna"): 4,
        ("wait_seconds_bucket", "+Inf", "anna"): 5,
        ("wait_seconds_count", "anna"): 5,
        ("wait_seconds_sum", "anna"): pytest.approx(8.65),
    }
