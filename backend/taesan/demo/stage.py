"""The processes of a demo: a chain, a service, a worker. All of them end with it."""

import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from taesan.chain import deployment
from taesan.chain.contracts import Deployment
from taesan.chain.rpc import Node
from taesan.chain.signers import open_signer
from taesan.demo import devnet, folder
from taesan.demo.processes import Process, wait_for_http
from taesan.settings import Settings


class Stage:
    """:param settings: what the service will run with; its ports are free. :param environment: more of them for the
    children, as `TAESAN_…` variables"""

    def __init__(self, place: Path, chain: folder.ChainName, settings: Settings, environment: dict[str, str]) -> None:
        self.place, self.chain, self.settings = place, chain, settings
        self.chain_port = int(settings.rpc_url.rpartition(":")[2])
        self._environment = folder.environment(place, self.chain_port, settings.port) | environment
        self._chain_process: Process | None = None
        self._hub_processes: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A second Ctrl-C must not leave anything behind, nor spoil the last line.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.stop_hub()
        if self._chain_process:
            self._chain_process.stop()
        if kind is not KeyboardInterrupt:
            signal.signal(signal.SIGINT, before)

    def start_chain(self, chain_id: int = devnet.CHAIN_ID) -> None:
        self._chain_process = devnet.start(self.chain, self.chain_port, self.place, chain_id)
        folder.remember_chain_port(self.place, self.chain_port)

    def deploy(self) -> Deployment:
        """Puts the contracts on the new chain, where x402 clients find them, and Uniswap beside them."""
        node, signer = Node(self.settings.rpc_url), open_signer(self.settings)
        places = self.settings.artifacts_dir, self.settings.npm_dir
        deployed = deployment.deploy(node, signer, places[0], canonical=True, packages=places[1])
        deployed.save(self.settings.deployment_file)
        return deployed

    def start_hub(self) -> None:
        """Starts service and worker; returns at once."""
        for name, arguments in (("service", ["serve", "--no-with-worker"]), ("worker", ["worker"])):
            command = [sys.executable, "-m", "taesan", *arguments]
            self._hub_processes.append(Process(name, command, self.place / f"{name}.log", self._environment))

    def wait_for_hub(self) -> None:
        """Until the service answers. :raises StartFailed: it does not"""
        wait_for_http(self._hub_processes[0], f"{self.settings.public_url}/healthz")

    def kill_hub(self) -> None:
        """kill -9 for service and worker, as a power cut would."""
        for process in self._hub_processes:
            process.kill()
        self._hub_processes.clear()

    def stop_hub(self) -> None:
        for process in self._hub_processes:
            process.ask_to_stop()
        for process in self._hub_processes:
            process.wait_until_stopped()
        self._hub_processes.clear()

    def require_running(self) -> None:
        """:raises StartFailed: one of the processes has ended by itself"""
        for process in [self._chain_process, *self._hub_processes]:
            if process:
                process.require_running()
