"""Runs a server beside the load, and tells what it did and what it cost."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from taesan.demo.processes import Process, wait_for_http
from tests.bench.load import Load

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """:ivar cpu_us_per_payment: the servers' own with their children, on all cores, without the load's"""

    name: str
    payments: int
    elapsed_s: float
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_payment: float

    @property
    def rate_per_core(self) -> float:
        """Payments a second of processor time."""
        return 1e6 / self.cpu_us_per_payment

    @classmethod
    def of(cls, name: str, run: dict[str, Any]) -> "Measured":
        """:param run: as the load tells it, with the servers' `cpu_s`"""
        cpu_us = run["cpu_s"] * 1e6 / run["payments"]
        return cls(name, run["payments"], run["elapsed_s"], run["rate"], run["p50_ms"], run["p99_ms"], cpu_us)


@contextmanager
def server(
    module: str, arguments: Sequence[str], folder: Path, port: int, health: str = "/health"
) -> Iterator[Process]:
    """:param health: what answers when it is ready"""
    process = Process(module, [sys.executable, "-m", module, *arguments], folder / f"{port}.log")
    try:
        wait_for_http(process, f"http://127.0.0.1:{port}{health}")
        yield process
    finally:
        process.stop()


def drive(load: Load, servers: Sequence[Process], success: int) -> dict[str, Any]:
    """Has the load sent; returns what it tells, but `cpu_s` is the servers'. Each answer must have the status `success`."""
    command = [sys.executable, "-m", "tests.bench.load", json.dumps(asdict(load))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin
        assert child.stdout
        try:
            assert child.stdout.readline() == "ready\n"
            before = _cpu_s(servers)
            child.stdin.write("go\n")
            child.stdin.flush()
            run: dict[str, Any] = json.loads(child.stdout.readline())
        except BaseException:
            child.kill()
            raise
    requests = load.payments // (load.bulk or 1)
    assert run["statuses"] == {str(success): requests}, (run["statuses"], servers[0].log.read_text()[-2000:])
    return run | {"cpu_s": _cpu_s(servers) - before}


def _cpu_s(servers: Iterable[Process]) -> float:
    """What the processes and all below them have worked, in user and system mode."""
    stats: dict[int, tuple[int, float]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            stats[int(entry.name)] = (int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS_PER_S)
    ours = {process.pid for process in servers}
    while more := {pid for pid, (parent, _) in stats.items() if parent in ours} - ours:
        ours |= more
    return sum(cpu_s for pid, (_, cpu_s) in stats.items() if pid in ours)
