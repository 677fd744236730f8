"""Crash points: named where they are reached, deadly only if a test says so, refused outside local."""

import ast
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from taesan.core.crashpoints import POINTS, VARIABLE, Target, parse
from taesan.settings import Settings
from tests.chaos import of_node, of_processes  # noqa: F401  # they register their faults
from tests.chaos.registry import FAULTS
from tests.support.source import PACKAGE, calls, modules


def test_every_point_is_reached_in_one_place_and_none_is_unlisted() -> None:
    reached = Counter(
        call.args[0].value if isinstance(call.args[0], ast.Constant) else module.at(call)
        for module in modules()
        if "reach" in module.imported_from("taesan.core.crashpoints")
        for name, call in calls(module.nodes)
        if name == "reach"
    )
    assert reached == dict.fromkeys(POINTS, 1)


def test_make_chaos_kills_at_every_point() -> None:
    points = [parse(fault.detail).point for fault in FAULTS if fault.name.startswith("kill -9 at a point of")]
    assert set(points) == set(POINTS)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("freeze.before_commit", Target("freeze.before_commit", "", 1)),
        ("freeze.before_commit:2", Target("freeze.before_commit", "", 2)),
        ("outbox.after_commit@gift_token.Minted:3", Target("outbox.after_commit", "gift_token.Minted", 3)),
    ],
)
def test_what_the_variable_says(chosen: str, expected: Target) -> None:
    assert parse(chosen) == expected


@pytest.mark.parametrize("chosen", ["nowhere", "freeze.before_commit:x", "@batch", ":1"])
def test_what_it_cannot_say(chosen: str) -> None:
    with pytest.raises(ValueError, match=r"none of|invalid literal"):
        parse(chosen)


def test_outside_local_it_is_refused() -> None:
    keystore: dict[str, Any] = {"operator_keystore": "key.json", "operator_keystore_password_file": "password"}
    with pytest.raises(ValidationError, match="for tests alone"):
        Settings(environment="production", crash_at=POINTS[0], **keystore)
    with pytest.raises(ValidationError, match="none of"):
        Settings(crash_at="nowhere")
    assert Settings(crash_at=POINTS[0]).crash_at


@pytest.mark.parametrize(
    ("chosen", "code", "said"),
    [
        ("", 0, "123"),
        ("sign.before_commit", -signal.SIGKILL, ""),
        ("sign.before_commit:2", -signal.SIGKILL, "1"),
        ("sign.before_commit@batch", -signal.SIGKILL, "1"),
        ("sign.before_commit:3", 0, "123"),
        ("sign.after_commit", 0, "123"),
    ],
)
def test_a_process_dies_there_and_nowhere_else(chosen: str, code: int, said: str) -> None:
    script = """
from taesan.core.crashpoints import reach
reach("sign.before_commit", "deposits")
print(1, end="", flush=True)
reach("sign.before_commit", "batch")
print(2, end="", flush=True)
reach("freeze.after_commit", "batch")
print(3, end="", flush=True)
"""
    environment = os.environ | {VARIABLE: chosen, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, said), done.stderr
