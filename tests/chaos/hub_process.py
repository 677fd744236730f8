"""A hub's server as its own processes, which can be killed one by one and are started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tests.support.chain import free_port

START_S = 120  # a busy machine


class HubProcess:
    """:ivar port: the same after each start"""

    def __init__(self, database_url: str, log: Path, **settings: object) -> None:
        self._url, self._log = database_url, log
        self._environment = os.environ | {f"TAESAN_{name.upper()}": str(value) for name, value in settings.items()}
        self.port = free_port()
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.bench.server", self._url, str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self._environment)
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"the server has ended: {self._log.read_text()[-2_000:]}")
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError(f"no answer in {START_S} s: {self._log.read_text()[-2_000:]}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    # ------------------------------------------------------------ its processes

    def pids(self) -> dict[str, list[int]]:
        """`server`, `intake`, `verifier` → process ids; what is just being started is missing."""
        front = self._process.pid
        intakes = [pid for pid in children(front) if b"spawn_main" in command_of(pid)]
        return {"server": [front], "intake": intakes, "verifier": [pid for i in intakes for pid in children(i)]}

    def kill(self, role: str) -> bool:
        """SIGKILL; the server itself is started again, the others it starts by itself. False if there is none just now."""
        pids = self.pids()[role]
        if not pids:
            return False
        os.kill(pids[0], signal.SIGKILL)
        if role == "server":
            self._process.wait()
            self.start()
        return True

    def memory_mb(self) -> dict[str, float]:
        """Role → what its processes hold of main memory that they share with nobody."""
        return {role: sum(map(_private_mb, pids)) for role, pids in self.pids().items()}


def children(pid: int) -> list[int]:
    try:
        return [int(n) for t in Path(f"/proc/{pid}/task").iterdir() for n in (t / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _private_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024
