"""A hub served over HTTP with a worker, for tests that look at it from outside (a browser, the SDK)."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from eth_account import Account

from taesan.app import create_app
from taesan.auditing import audit
from taesan.core.server import BoundedHttp
from taesan.demo import folder as demo_folder
from taesan.demo import sample_shop
from taesan.hub import open_hub
from taesan.ledger.audit import Report
from taesan.settings import Settings
from taesan.work import Background
from tests.support.chain import ARTIFACTS, CHAIN_ID, Chain, free_port
from tests.support.stage import CENT, DOLLAR, OPERATOR_KEY, key
from tests.support.wallet import Json, Wallet, channel_id

PAYERS = 3


class LiveHub:
    """Starts with a few payers, their payments, a merchant, and one posted batch that minted gift tokens.

    :param more: settings
    :ivar url: without a slash at its end. :ivar merchant_id: who is paid. :ivar merchant_headers: its API key. :ivar
    batch_id: a posted batch. :ivar payers: with their `wallet`, channel `id`, `deposit`
    """

    def __init__(self, folder: Path, chain_id: int = CHAIN_ID, **more: Any) -> None:
        self._random = random.Random(1)
        self.database = folder / "taesan.db"
        self._chain = Chain(folder, "--block-time=1", "--mixed-mining", chain_id=chain_id)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = Settings(
            database_url=f"sqlite:///{self.database}",
            rpc_url=self._chain.url,
            deployment_file=self._chain.save_deployment(folder),
            artifacts_dir=ARTIFACTS,
            port=port,
            public_url=self.url,
            confirmation_depth_blocks=1,
            batch_interval_s=0.5,
            exact_gather_s=1,
            token_gather_s=0,
            gift_least_s=1,
            worker_tick_s=0.3,
            sample_shop=demo_folder.SAMPLE_SHOP,
            **more,
        )
        self._hub = open_hub(settings)
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(self._hub),
                host="127.0.0.1",
                port=port,
                http=BoundedHttp,
                ws="none",
                log_config=None,
                access_log=False,
            )
        )
        self._serving = threading.Thread(target=self._server.run)
        self._serving.start()
        self.client = httpx.Client(base_url=self.url, timeout=30)
        try:
            with self.at_work():
                self._fill()
        except BaseException:
            self.stop()
            raise

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Its worker works meanwhile: one that goes on while nobody looks takes a third of a core from the other tests."""
        worker = Background(self._hub)
        working = threading.Thread(target=worker.run)
        working.start()
        try:
            yield
        finally:
            worker.stop()
            working.join()

    def stop(self) -> None:
        self._server.should_exit = True
        self._serving.join()
        self.client.close()
        self._hub.db.close()
        self._chain.stop()

    # ---------------------------------------------------------------- actions

    def pay_once(
        self,
        amount: int = 23 * CENT,
        *,
        to_merchant: bool = False,
        rule_id: str | None = None,
        by: dict[str, Any] | None = None,
    ) -> Json:
        """One more accepted payment by one of the payers, to a jar or to the merchant; the API's answer. :param rule_id: of the first
        payer's, who then pays to her jar by it"""
        payer = by or (self.payers[0] if rule_id else self._random.choice(self.payers))
        jar = {"type": "jar"} | ({"rule_id": rule_id} if rule_id else {})
        cumulative = payer["charged"] + amount
        body = {
            "voucher": {
                "channel_id": payer["id"],
                "max_claimable_amount": str(cumulative),
                "signature": payer["wallet"].voucher(self.facts, payer["id"], cumulative),
            },
            "amount": {"value": str(amount), "asset": self.facts["asset"], "exponent": 6},
            "destination": {"type": "merchant", "merchant_id": self.merchant_id} if to_merchant else jar,
        }
        answer = self.client.post("/v1/payments", json=body, headers=key())
        assert answer.status_code == 201, answer.text
        payer["charged"] = cumulative
        return dict(answer.json())

    def session_of(self, wallet: Wallet) -> Json:
        """Headers of a wallet that has signed in."""
        nonce = self.client.post("/v1/auth/nonces").json()["nonce"]
        here = {"domain": self.url.removeprefix("http://"), "chain_id": self._chain.chain_id}
        signed = wallet.sign_in(nonce, self._hub.clock.now(), **here)
        return {"Authorization": f"Bearer {self.client.post('/v1/auth/sessions', json=signed).json()['token']}"}

    def operator_headers(self) -> Json:
        """Of the hub's own key, which is the operator's as nobody else is named."""
        wallet = Wallet()
        wallet.key = Account.from_key(OPERATOR_KEY)
        return self.session_of(wallet)

    @property
    def chain(self) -> Chain:
        return self._chain

    @property
    def chain_url(self) -> str:
        return self._chain.url

    def newcomer(self) -> dict[str, Any]:
        """A payer with a channel of 50 dollars, who is none of those that pay by chance."""
        payer = self._open_channel(Wallet())
        _wait(lambda: self._get(f"/v1/deposits/{payer['deposit']}")["state"] == "confirmed")
        return payer

    def give_dollars(self, address: str, amount: int) -> None:
        self._chain.give_dollars(address, amount)

    def dollars(self, address: str) -> int:
        return int(self._chain.read("asset", "balanceOf", address))

    def audit(self) -> Report:
        return audit(self._hub)

    def gift_tokens(self, address: str) -> int:
        return int(self._chain.read("gift_token", "balanceOf", address))

    def overview(self) -> Json:
        return dict(self._get("/v1/overview"))

    def wait_until(self, condition: Callable[[Json], object], timeout_s: float = 60) -> Json:
        """Until the overview fulfils a condition; returns it."""
        deadline = time.monotonic() + timeout_s
        while not condition(overview := self.overview()):
            assert time.monotonic() < deadline, overview
            time.sleep(0.05)
        return overview

    # ---------------------------------------------------------------- filling

    def _fill(self) -> None:
        deadline = time.monotonic() + 30
        while not self._server.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.facts: Json = self._get("/v1/hub")
        self.merchant_id = self._open_merchant()
        sample_shop.open_at(self.url)
        self.payers: list[dict[str, Any]] = [self._open_channel(Wallet(f"live {n}")) for n in range(PAYERS)]
        for payer in self.payers:
            _wait(lambda id_=payer["deposit"]: self._get(f"/v1/deposits/{id_}")["state"] == "confirmed")
        for n in range(24):
            self.pay_once(self._random.randrange(1, 100) * CENT, to_merchant=n % 4 == 0)
        # The value trigger: a dollar's worth in one jar at least.
        self.pay_once(DOLLAR)
        self.wait_until(lambda o: o["counts"]["payments_waiting"] == 0 and o["batches"][0]["state"] == "posted")
        self.wait_until(lambda o: int(o["money"]["minted"]) > 0)
        self.batch_id = int(self.overview()["batches"][0]["id"])

    def _open_merchant(self) -> str:
        self.merchant_wallet = Wallet("live merchant")
        headers = self.session_of(self.merchant_wallet)
        made = self.client.post("/v1/merchants", json={"name": "Café Dust"}, headers=headers).json()
        self.merchant_headers = {"Authorization": f"Bearer {made['api_key']}"}
        return str(made["id"])

    def _open_channel(self, wallet: Wallet) -> dict[str, Any]:
        self._chain.give_dollars(wallet.address, 50 * DOLLAR)
        config = wallet.channel_config(self.facts)
        body = {"config": config, "deposit": wallet.deposit(self.facts, config, 50 * DOLLAR)}
        answer = self.client.post("/v1/channels", json=body, headers=key())
        assert answer.status_code == 202, answer.text
        deposit = answer.json()["deposit"]["id"]
        return {"wallet": wallet, "id": channel_id(self.facts, config), "charged": 0, "deposit": deposit}

    def _get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def _wait(condition: Callable[[], object], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
