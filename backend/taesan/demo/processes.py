"""Child processes that never outlive us: the chain, the service, the worker."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

STOP_TIMEOUT_S = 20


LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1


class DemoFailed(Exception):
    """It cannot go on; the message tells a person why and where to look."""


class StartFailed(DemoFailed):
    """A process did not come up, or went down by itself."""


class Process:
    """A child in a session of its own, so that Ctrl-C reaches us alone and we stop it in order.

    :param log: where its output goes
    """

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            self._child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                preexec_fn=_tie_to_parent,  # noqa: PLW1509  # takes no locks, so threads do not matter
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    def is_running(self) -> bool:
        return self._child.poll() is None

    def kill(self) -> None:
        """As a power cut would: no chance to tidy up."""
        self._child.kill()
        self._child.wait()

    def ask_to_stop(self) -> None:
        if self.is_running():
            self._child.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """Asks it to end, waits, insists after a while."""
        self.ask_to_stop()
        self.wait_until_stopped()

    def wait_until_stopped(self) -> None:
        """After `ask_to_stop`; insists after a while."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(STOP_TIMEOUT_S)
        if self.is_running():
            self.kill()

    def require_running(self) -> None:
        if not self.is_running():
            tail = self.log.read_text(errors="replace").strip().splitlines()[-8:]
            raise StartFailed(
                f"{self.name} ended with code {self._child.returncode}. From {self.log}:\n  " + "\n  ".join(tail)
            )


def _tie_to_parent() -> None:
    """In the child, before it starts: SIGINT works even if we were started with it ignored, as shells do for `&`; and
    on Linux the kernel ends the child if we are killed. That watches the thread that makes the child: use the main one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


# On this machine; a context of httpx's own, with all the authorities of the world, takes 30 ms at each question.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def wait_for_http(process: Process, url: str, timeout_s: float = 60) -> None:
    """Until `url` answers 200. :raises StartFailed: the process ended or took too long"""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        process.require_running()
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, timeout=2, verify=_NO_TLS).status_code == 200:
                return
        time.sleep(0.1)
    raise StartFailed(f"{process.name} does not answer at {url}; see {process.log}")


def wait_for_rpc(process: Process, url: str, timeout_s: float = 60) -> None:
    """Until the node tells its chain id. :raises StartFailed: it ended or took too long"""
    deadline = time.monotonic() + timeout_s
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    while time.monotonic() < deadline:
        process.require_running()
        with contextlib.suppress(httpx.HTTPError, ValueError):
            if "result" in httpx.post(url, json=request, timeout=2, verify=_NO_TLS).json():
                return
        time.sleep(0.1)
    raise StartFailed(f"{process.name} does not answer at {url}; see {process.log}")


def free_port(wanted: int) -> int:
    """The wanted port, or the next that is free."""
    for port in range(wanted, wanted + 50):
        if port_is_free(port):
            return port
    raise StartFailed(f"no port between {wanted} and {wanted + 49} is free")


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def find_program(name: str) -> str:
    """npm's copy beside us, or one on PATH. :raises StartFailed: neither"""
    local = Path("node_modules/.bin") / name
    if name == "anvil":  # the program itself: npm's launcher would stand between us and its signals
        binaries = sorted(Path("node_modules/@foundry-rs").glob("anvil-*/bin/anvil*"))
        if binaries:
            return str(binaries[0].absolute())
    found = str(local.absolute()) if local.exists() else shutil.which(name)
    if not found:
        raise StartFailed(f"{name} is not installed: run `make setup`")
    return found
