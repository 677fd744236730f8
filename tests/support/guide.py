"""A guide in Markdown as somebody follows it: its boxes in their order, in terminals, and what it says one sees."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

PATIENCE_S = 120
_FENCE = re.compile(r"^```([a-z]*)(?: ([a-z]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Box(NamedTuple):
    """:ivar manner: how it is run: `stays` in a terminal of its own, `repeat` until one sees what is promised; or as it is"""

    line: int
    language: str
    manner: str
    text: str


def boxes(guide: str) -> list[Box]:
    """All that is fenced."""
    found = [Box(guide.count("\n", 0, m.start()) + 1, m[1], m[2] or "", m[3]) for m in _FENCE.finditer(guide)]
    assert 2 * len(found) == len(re.findall(r"^\s*(?:```|~~~)", guide, re.MULTILINE)), "a fence that is not understood"
    return found


class Seen:
    """What the guide promises; `…` stands for anything on a line, one blank for some."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._pattern = re.compile(re.escape(_narrow(text)).replace("…", ".*?"))

    def is_all_of(self, output: str) -> bool:
        return self._pattern.fullmatch(_narrow(output)) is not None

    def is_in(self, output: str) -> bool:
        return self._pattern.search(_narrow(output)) is not None


def _narrow(text: str) -> str:
    return re.sub(r" +", " ", text).strip()


class Terminal:
    """A shell in which one box follows the other; it ends with the first command that fails.

    :param folder: where it starts; its files go into a folder beside
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder, self._environment, self._runs = folder, environment, 0
        self._notes = folder.with_name("terminals")
        self._notes.mkdir(exist_ok=True)
        self._shell = _bash(["-o", "pipefail"], folder, environment, subprocess.PIPE, subprocess.DEVNULL)

    def run(self, text: str) -> str:
        """What it has printed."""
        status, output, errors = self._run(text, "set -e; source {script} {into}; set +e; echo 0 > {status}")
        assert status == "0", f"{text}\n{output}\n{errors}"
        return output

    def try_out(self, text: str) -> str:
        """The same, but it may fail, and what it sets is forgotten."""
        status, output, errors = self._run(text, "(set -e; source {script}) {into}; echo $? > {status}")
        return output if status == "0" else f"{output}\n{errors}"

    def _run(self, text: str, how: str) -> tuple[str, str, str]:
        self._runs += 1
        script, out, err, status = (self._notes / f"{self._runs}.{end}" for end in ("sh", "out", "err", "status"))
        script.write_text(text)
        assert self._shell.stdin is not None
        line = how.format(script=script, into=f"< /dev/null > {out} 2> {err}", status=status)
        self._shell.stdin.write(f"{line}\n".encode())
        self._shell.stdin.flush()
        wait_until(lambda: (status.exists() and status.read_text()) or self._shell.poll() is not None, text)
        told = status.read_text().strip() if status.exists() else f"ended with {self._shell.returncode}"
        return told, out.read_text(), err.read_text()

    def close(self) -> None:
        _end(self._shell)


class Window:
    """A terminal of its own, for what stays up."""

    def __init__(self, text: str, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self._shell = _bash(["-e", "-c", text], folder, environment, subprocess.DEVNULL, out.fileno())

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, seen: Seen) -> None:
        wait_until(lambda: seen.is_in(self.output) or self._shell.poll() is not None, seen.text)
        assert seen.is_in(self.output), self.output

    def close(self) -> None:
        _end(self._shell)


def _bash(
    arguments: list[str], folder: Path, environment: Mapping[str, str], stdin: int, out: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["bash", "--norc", "--noprofile", *arguments],
        cwd=folder,
        env=dict(environment),
        stdin=stdin,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _end(shell: subprocess.Popen[bytes]) -> None:
    """Ctrl-C, as a person ends it: what runs in it has time to end what it has started."""
    if shell.stdin:
        shell.stdin.close()
    else:
        os.killpg(shell.pid, signal.SIGINT)
    try:
        shell.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
        raise


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
