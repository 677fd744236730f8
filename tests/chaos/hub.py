"""A hub as an operator runs it: `taesan serve` and `taesan worker`, processes that can be hurt one by one."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from taesan.core.crashpoints import VARIABLE
from taesan.demo.processes import Process, wait_for_http
from tests.chaos.hub_process import children, command_of

START_S = DEATH_S = 240  # a busy machine


class Part(Process):
    """One of its two processes, with those that it has started itself."""

    def died_by_itself(self) -> bool:
        """Killed by nobody here. :raises AssertionError: it has ended, but not by kill -9"""
        code = self._child.poll()
        if code is None:
            return False
        assert code == -signal.SIGKILL, f"{self.name} ended with {code}: {self.tail()}"
        return True

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-1_500:]


class Hub:
    """:param environment: its settings, as `TAESAN_…` variables"""

    def __init__(self, folder: Path, environment: Mapping[str, str], url: str) -> None:
        self._folder, self.environment, self._url = folder, dict(environment), url
        self.service: Part | None = None
        self.workers: list[Part] = []

    def start(self, module: str = "taesan") -> None:
        """Both; returns when it answers. :param module: what Python runs"""
        service = self._begin("service", "serve", "--no-with-worker", module=module)
        self.start_worker(module=module)
        self.service = service
        wait_for_http(service, f"{self._url}/healthz", START_S)

    def start_service(self, crash_at: str = "") -> Part:
        """Returns when it answers; at once, if it may die before."""
        self.service = self._begin("service", "serve", "--no-with-worker", crash_at=crash_at)
        if not crash_at:
            wait_for_http(self.service, f"{self._url}/healthz", START_S)
        return self.service

    def start_worker(self, crash_at: str = "", module: str = "taesan") -> Part:
        """Returns at once."""
        self.workers.append(self._begin("worker", "worker", crash_at=crash_at, module=module))
        return self.workers[-1]

    def stop_worker(self) -> None:
        """In order: the lease is handed over."""
        for worker in self.workers:
            worker.ask_to_stop()
        for worker in self.workers:
            worker.wait_until_stopped()
        self.workers.clear()

    def stop_service(self) -> None:
        assert self.service is not None
        self.service.stop()
        self.service = None

    def stop(self) -> None:
        for part in self.parts():
            part.ask_to_stop()
        for part in self.parts():
            part.wait_until_stopped()
        self.service, self.workers = None, []

    def kill(self) -> None:
        """kill -9 for all at once."""
        for part in self.parts():
            part.send(signal.SIGKILL)
        for part in self.parts():
            part.kill()
        self.service, self.workers = None, []

    def wait_for_death(self, part: Part) -> None:
        """:raises AssertionError: it lives on, or ended in another way than by kill -9"""
        end = time.monotonic() + DEATH_S
        while not part.died_by_itself():
            assert time.monotonic() < end, f"{part.name} lives: the crash point is not reached. {part.tail()}"
            time.sleep(0.02)
        self.workers = [worker for worker in self.workers if worker is not part]
        self.service = None if self.service is part else self.service

    def parts(self) -> list[Part]:
        return [part for part in (self.service, *self.workers) if part is not None]

    def intake_pids(self) -> list[int]:
        """Of the service's intake; empty while it is being started."""
        assert self.service is not None
        return [pid for pid in children(self.service.pid) if b"spawn_main" in command_of(pid)]

    def verifier_pids(self) -> list[int]:
        return [pid for intake in self.intake_pids() for pid in children(intake)]

    def pids(self) -> list[int]:
        """Of all its processes."""
        return [part.pid for part in self.parts()] + self.intake_pids() + self.verifier_pids()

    def _begin(self, name: str, *arguments: str, crash_at: str = "", module: str = "taesan") -> Part:
        environment = self.environment | ({VARIABLE: crash_at} if crash_at else {})
        command = [sys.executable, "-m", module, *arguments]
        return Part(name, command, self._folder / f"{name}.log", environment)
