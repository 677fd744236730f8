"""A merchant's server in its own process, and payers in theirs, beside a hub that works by itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from taesan.chain.local import CLIENTS_CHAIN_ID
from taesan.demo.processes import Process, wait_for_http
from tests.support.chain import ROOT, free_port
from tests.support.commands import run_node
from tests.support.live import LiveHub
from tests.support.stage import DOLLAR
from tests.support.wallet import Json, Wallet


@pytest.fixture(scope="session")
def _live_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """On a chain where clients find all that they know, their dollar too: their spend controls are left as they are."""
    hub = LiveHub(tmp_path_factory.mktemp("live"), CLIENTS_CHAIN_ID)
    yield hub
    hub.stop()


class Shop:
    """:ivar url: without a slash at its end"""

    def __init__(self, hub: LiveHub, folder: Path, module: str, *more: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", f"tests.x402.{module}", str(port), hub.url, hub.merchant_id, *more]
        self.process = Process("merchant", command, folder / "merchant.log", {"PYTHONPATH": _path()})
        wait_for_http(self.process, f"{self.url}/free")


@pytest.fixture(scope="session")
def shop(_live_hub: LiveHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(_live_hub, tmp_path_factory.mktemp("merchant"), "merchant")
    yield shop
    shop.process.stop()


@pytest.fixture(scope="session")
def patient_shop(_live_hub: LiveHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Whose answers wait until the money is on the chain."""
    shop = Shop(_live_hub, tmp_path_factory.mktemp("patient merchant"), "merchant", "wait")
    yield shop
    shop.process.stop()


@pytest.fixture(scope="session")
def sdk_shop(_live_hub: LiveHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    facts, address = _live_hub.facts, _live_hub.merchant_wallet.address
    more = (facts["network"], address, facts["asset"].rsplit(":", 1)[1])
    shop = Shop(_live_hub, tmp_path_factory.mktemp("sdk merchant"), "sdk_merchant", *more)
    yield shop
    shop.process.stop()


class Customer:
    """A wallet with dollars, which pays in processes of their own."""

    def __init__(self, hub: LiveHub, folder: Path) -> None:
        self.hub, self.wallet, self.folder = hub, Wallet(), folder
        hub.give_dollars(self.wallet.address, 5 * DOLLAR)

    def given(self, urls: Sequence[str], **more: Any) -> Json:
        keys = ["0x" + bytes(key.key).hex() for key in (self.wallet.key, self.wallet.hot_key)]
        place = {"network": self.hub.facts["network"], "rpc": self.hub.chain_url, "folder": str(self.folder)}
        return {"keys": keys, "urls": list(urls), **place, **more}

    def pay_by_python(self, urls: Sequence[str], **more: Any) -> list[Json]:
        """What PyPI's client got. :raises Killed: it died"""
        done = subprocess.run(
            [sys.executable, "-m", "tests.x402.payer"],
            input=json.dumps(self.given(urls, **more)),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=ROOT,
            env=_environment(),
        )
        if done.returncode == -signal.SIGKILL:
            raise Killed
        assert done.returncode == 0, done.stderr[-3000:]
        return list(json.loads(done.stdout))

    def pay_by_npm(self, urls: Sequence[str], **more: Any) -> list[Json]:
        return list(run_node("x402_payer.mjs", self.given(urls, **more)))

    def transfers(self) -> list[Json]:
        """What the merchant is told of this wallet's payments by `exact`, the last first."""
        answer = self.hub.client.get("/v1/direct-payments?limit=500", headers=self.hub.merchant_headers)
        return [item for item in answer.json()["items"] if item["payer"] == self.wallet.address]

    def charged(self) -> int:
        """What the hub has in its books, of all channels of this wallet."""
        channels = self.hub.client.get("/v1/channels", headers=self.hub.session_of(self.wallet)).json()["items"]
        return sum(int(channel["charged_cumulative"]) for channel in channels)


class Killed(Exception):
    pass


@pytest.fixture
def customer(live_hub: LiveHub, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Customer]:
    return lambda: Customer(live_hub, tmp_path_factory.mktemp("customer"))


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": _path()}


def _path() -> str:
    """Where this very code is: a child may not find it by itself."""
    return f"{ROOT / 'backend'}:{ROOT}"
