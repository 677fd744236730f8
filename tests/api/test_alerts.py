"""The alert rules speak of what there is: metrics that the hub tells, sections of the runbook, commands that exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from taesan.cli import app
from taesan.settings import Settings
from tests.support.chain import ROOT
from tests.support.stage import DOLLAR, Stage

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
OF_PROMETHEUS = {"up"}  # told about a target, not by it


def _rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((ROOT / "docs" / "alerts.yml").read_text())
    assert document.keys() == {"groups"}
    names = [group["name"] for group in document["groups"]]
    assert len(names) == len(set(names))
    return [rule for group in document["groups"] for rule in group["rules"]]


def _metrics_of(expression: str) -> set[str]:
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", expression)
    bare = re.sub(r"\b\d\w*", "", bare)
    bare = re.sub(r"\bby\s*\([^)]*\)", "", bare)
    words = set(re.findall(r"[a-z_][a-z0-9_]*\b(?!\s*\()", bare))
    return words - {"and", "or", "unless", "on"}


def _anchors(page: str) -> set[str]:
    """As GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_reader_of_expressions_sees_the_metrics() -> None:
    assert _metrics_of('sum by (le) (rate(a_bucket{route="/v1/x"}[5m])) > 1 and min(b) < 5e16 or up{job="c"} == 0') == {
        "a_bucket",
        "b",
        "up",
    }


def test_each_rule_has_what_prometheus_and_a_person_need() -> None:
    rules = _rules()
    assert len({rule["alert"] for rule in rules}) == len(rules) > 15
    for rule in rules:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}, rule
        assert re.fullmatch(r"Taesan([A-Z][a-z]+)+", rule["alert"])
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"].keys() == {"summary", "runbook"}
        for open_, close in ("()", "{}", "[]"):
            assert rule["expr"].count(open_) == rule["expr"].count(close), rule["alert"]


def test_each_metric_in_a_rule_is_told_by_a_hub(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR, cafe)
    stage.settle()
    told = set(re.findall(r"^# TYPE (\S+)", stage.client.get("/metrics").text, re.MULTILINE))
    told |= {f"{name}_{part}" for name in told for part in ("bucket", "sum", "count")}
    for rule in _rules():
        metrics = _metrics_of(rule["expr"])
        assert metrics, rule["alert"]
        assert metrics <= told | OF_PROMETHEUS, rule["alert"]
    in_runbook = {m for m in re.findall(r"\btaesan_\w+", RUNBOOK) if m != "taesan_"}
    assert len(in_runbook) > 2
    assert in_runbook <= told


def test_each_alert_has_its_section_which_says_whom_it_wakes() -> None:
    sections = dict(re.findall(r"^### (Taesan\w+)\n\*(Page|Ticket)", RUNBOOK, re.MULTILINE))
    for rule in _rules():
        name, severity = rule["alert"], rule["labels"]["severity"]
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
        assert sections.pop(name, None) == severity.capitalize(), name
    assert not sections, "sections of alerts that are not there any more"


def test_the_runbooks_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", RUNBOOK):
        file, _, anchor = target.partition("#")
        page = (ROOT / "docs" / file).read_text() if file else RUNBOOK
        assert not anchor or anchor in _anchors(page), target


def test_the_runbooks_commands_settings_and_metrics_exist() -> None:
    for command in set(
        re.findall(r"\btaesan ([a-z]+)\b", "\n".join(re.findall(r"`[^`\n]+`|^taesan .*$", RUNBOOK, re.M)))
    ):
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0, command
    settings = {f"TAESAN_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bTAESAN_[A-Z_]+\b", RUNBOOK)) <= settings


@pytest.mark.parametrize("path", ["README.md", "docs/architecture.md"])
def test_the_runbook_is_found(path: str) -> None:
    assert "runbook.md" in Path(ROOT / path).read_text()
