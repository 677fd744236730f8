"""The `taesan` command as a person runs it, and Node scripts: processes of their own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from taesan.cli import app
from tests.support.chain import ROOT


def run(*arguments: str, environment: Mapping[str, str] | None = None, timeout_s: float = 120) -> tuple[int, str]:
    """(exit code, all that it printed)."""
    done = subprocess.run(
        [sys.executable, "-m", "taesan", *arguments],
        cwd=ROOT,
        env=_environment(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return done.returncode, done.stdout


def run_here(*arguments: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """The same in this process, which is quicker."""
    done = CliRunner().invoke(app, arguments, env={**environment, "COLUMNS": "300"})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def run_node(script: str, given: Any) -> Any:
    """What a script beside this file prints, as JSON, for JSON on its standard input."""
    node = shutil.which("node")
    assert node, "Node is not installed"
    done = subprocess.run(
        [node, str(ROOT / "tests" / "support" / script)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


class Running:
    """A command that goes on until it is stopped."""

    def __init__(self, *arguments: str, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as out:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "taesan", *arguments],
                cwd=ROOT,
                env=_environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_until(self, condition: Callable[[], object], timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert self._child.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def interrupt(self, number: int = signal.SIGINT, timeout_s: float = 20) -> int:
        """Ctrl-C; the exit code."""
        self._child.send_signal(number)
        return self._child.wait(timeout_s)

    def kill(self) -> None:
        """A power cut."""
        self._child.kill()
        self._child.wait()


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TAESAN_")}
    return inherited | {"COLUMNS": "200"} | dict(more or {})
