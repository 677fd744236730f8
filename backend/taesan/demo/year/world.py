"""A hub in this process, on a chain whose time is the story's: nothing happens between two lines, and nobody waits."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import uvicorn

from taesan.app import create_app
from taesan.chain import deployment, sender
from taesan.chain.contracts import Contracts
from taesan.chain.rpc import Node
from taesan.chain.signers import open_signer
from taesan.core.clock import FixedClock
from taesan.demo import devnet, folder
from taesan.demo.processes import DemoFailed, Process
from taesan.hub import Hub, open_hub
from taesan.settings import Settings
from taesan.work import build_worker

DAY_S = 86_400
PAUSE = timedelta(seconds=20)
"""Until what waits for others to share a transaction with has waited long enough."""
TICKS_MOST = 60
NODE_PATIENCE_S = 60
LARGEST_PAYMENT = 100 * 10**6
"""A whole basket of CDs is paid, not cents alone."""


def settings_of(place: Path, chain_port: int, port: int) -> Settings:
    """The hub's: it settles every other week."""
    usual = folder.settings(place, chain_port, port)
    return usual.model_copy(
        update={
            "batch_interval_s": 13.5 * DAY_S,
            "withdraw_delay_s": 30 * DAY_S,
            "session_hours": 24 * 31,
            "max_payment": LARGEST_PAYMENT,
            "channel_exposure": 100 * LARGEST_PAYMENT,
            "reward_min": 10**5,
            "log_level": "error",
        }
    )


class World:
    """:param begins: when the story does. :ivar clock: the hub's and everybody's"""

    def __init__(self, place: Path, settings: Settings, begins: datetime) -> None:
        self.place, self.settings = place, settings
        self.clock = FixedClock(begins)
        self._chain: Process | None = None
        self._at_rest: datetime | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._chain:
            self._chain.stop()

    def start_chain(self) -> None:
        """With the contracts on it, and Uniswap."""
        port = int(self.settings.rpc_url.rpartition(":")[2])
        self._chain = devnet.start("anvil", port, self.place, first_day=self.clock.now())
        folder.remember_chain_port(self.place, port)
        self.node = Node(self.settings.rpc_url, NODE_PATIENCE_S)
        self.node.request("anvil_setBlockTimestampInterval", 1)
        self._signer = open_signer(self.settings)
        places = self.settings.artifacts_dir, self.settings.npm_dir
        deployed = deployment.deploy(self.node, self._signer, places[0], canonical=True, packages=places[1])
        deployed.save(self.settings.deployment_file)
        self.contracts = Contracts(deployed, self.settings.artifacts_dir)

    def as_admin(self, role: str, function: str, *arguments: Any) -> None:
        """A call by the operator's key: before the hub is open, which counts that key's nonces afterwards."""
        to, data = getattr(self.contracts.deployment, role), self.contracts.encode(role, function, *arguments)
        sender.send_and_wait(self.node, self._signer, to, data, deployment.CEILING_WEI)

    def read(self, role: str, function: str, *arguments: Any) -> int:
        """A number that a contract tells now."""
        to, data = getattr(self.contracts.deployment, role), self.contracts.encode(role, function, *arguments)
        return int.from_bytes(self.node.call(to, data), "big")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Opens the hub, as a service and its worker do."""
        self.hub: Hub = open_hub(self.settings, self.clock, self.node)
        try:
            self.app = create_app(self.hub)
            self._worker = build_worker(self.hub)
            transport = httpx.ASGITransport(app=self.app)
            async with (
                self.app.router.lifespan_context(self.app),
                httpx.AsyncClient(transport=transport, base_url=self.settings.public_url, timeout=None) as self.http,
            ):
                yield
        finally:
            self.hub.db.close()

    # ------------------------------------------------------------------- time

    def now(self) -> datetime:
        return self.clock.now()

    def until(self, at: datetime) -> None:
        """It is so late now, for the chain too, and the worker has looked around once."""
        self.move_to(at)
        self._worker.tick()

    def move_to(self, at: datetime) -> None:
        """It is so late now, for the chain too."""
        self.clock.at = max(self.clock.at, at)
        newest = int(self.node.head()["timestamp"])
        self.node.request("evm_setNextBlockTimestamp", max(int(self.clock.at.timestamp()), newest + 1))
        self.node.request("evm_mine")

    def later(self, at: datetime) -> None:
        """The same for the clock alone: the chain hears of it with the next transaction that somebody sends."""
        self.clock.at = max(self.clock.at, at)

    def rest(self) -> None:
        """Settles, unless that was done just now."""
        if self.clock.at != self._at_rest:
            self.settle()

    def settle(self) -> None:
        """Whatever has been sent is mined, gets deep enough and is booked, until nothing moves any more. A block a second.

        :raises DemoFailed: it does not come to rest
        """
        depth = self.settings.depth
        self.clock.at += PAUSE
        for _ in range(TICKS_MOST):
            self.node.request("anvil_mine", hex(depth))
            self.clock.at += timedelta(seconds=depth + 1)
            if not self._worker.tick():
                self._at_rest = self.clock.at
                return
        raise DemoFailed("the hub does not come to rest")

    async def run_on(self, server: uvicorn.Server) -> None:
        """Serves the app; hub and chain go on by themselves, a second each second, until the server ends."""
        began, at = time.monotonic(), self.clock.at
        self.node.request("evm_setIntervalMining", 1)
        serving = asyncio.create_task(server.serve())
        while not serving.done():
            self.clock.at = at + timedelta(seconds=time.monotonic() - began)
            await asyncio.to_thread(self._worker.tick)
            await asyncio.wait([serving], timeout=self.settings.worker_tick_s)
        await serving
