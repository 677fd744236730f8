"""Reading `/metrics` as Prometheus does."""

from collections.abc import Mapping

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def samples(client: TestClient, **headers: str) -> list[Sample]:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]


def value(told: list[Sample], name: str, **labels: str) -> float:
    """The one sample with this name and these labels; 0 if there is none yet."""
    found = [sample.value for sample in told if sample.name == name and sample.labels == labels]
    assert len(found) < 2, f"{name} {labels} is told twice"
    return found[0] if found else 0


def by_label(told: list[Sample], name: str, label: str) -> Mapping[str, float]:
    return {sample.labels[label]: sample.value for sample in told if sample.name == name}
