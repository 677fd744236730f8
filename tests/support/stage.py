"""A hub on a real chain, worked by hand: nothing moves between two lines of a test."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from eth_abi.abi import encode
from eth_account import Account
from fastapi.testclient import TestClient
from sqlalchemy import inspect, text

from taesan.app import create_app
from taesan.auditing import audit
from taesan.chain import alarms
from taesan.chain.rpc import Node
from taesan.core import restoration
from taesan.core.clock import FixedClock
from taesan.core.worker import LEASE_S
from taesan.hub import Hub, open_hub
from taesan.ledger.audit import Report
from taesan.settings import Settings
from taesan.work import build_worker
from tests.support import databases
from tests.support.chain import ARTIFACTS, Chain
from tests.support.template import Template
from tests.support.thrift import client_of
from tests.support.wallet import Json, Wallet, channel_id, config_tuple, raw

OPERATOR_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
DOLLAR = 1_000_000
CENT = 10_000
DEPTH = 2
_keys = itertools.count()


def key() -> Json:
    """Headers with a new Idempotency-Key."""
    return {"Idempotency-Key": f"key-{next(_keys)}"}


class Stage:
    """:param database_url: default: a new one. :param template: whose copy it is. :ivar clock: stands still until `later` moves it. :ivar worker: works when `tick` tells it to."""

    def __init__(
        self, chain: Chain, folder: Path, database_url: str = "", template: Template | None = None, **settings: Any
    ) -> None:
        self.chain, self.folder = chain, folder
        self.clock = FixedClock(datetime.now(UTC))
        self.settings = Settings(
            **{
                "database_url": database_url or databases.here().migrated(folder),
                "rpc_url": chain.url,
                "deployment_file": chain.save_deployment(folder),
                "artifacts_dir": ARTIFACTS,
                "confirmation_depth_blocks": DEPTH,
                **settings,
            }
        )
        if template and template.is_of(chain.head(), settings):
            self._work_on(template.opened(self.settings, self.clock))
        else:
            self.open()

    @property
    def environment(self) -> dict[str, str]:
        """As the `taesan` command reads it."""
        return {
            "TAESAN_DATABASE_URL": self.settings.database_url,
            "TAESAN_RPC_URL": self.settings.rpc_url,
            "TAESAN_DEPLOYMENT_FILE": str(self.settings.deployment_file),
            "TAESAN_CONFIRMATION_DEPTH_BLOCKS": str(DEPTH),
        }

    # ---------------------------------------------------- the service's life

    def open(self, node: Node | None = None) -> None:
        """Starts the service on the stage's database."""
        self._work_on(open_hub(self.settings, self.clock, node))

    def _work_on(self, hub: Hub) -> None:
        self.hub = hub
        self.worker = build_worker(hub)
        self._client: TestClient | None = None

    @property
    def client(self) -> TestClient:
        """The app, made when it is first needed."""
        if self._client is None:
            self._client = client_of(create_app(self.hub), raise_server_exceptions=False)
        return self._client

    @cached_property
    def facts(self) -> Json:
        return dict(self.get("/v1/hub"))

    def restart(self, node: Node | None = None) -> None:
        """The service dies without a word and is started again, after its lease has run out."""
        self.hub.db.close()
        self.later(LEASE_S + 1)
        self.open(node)

    def close(self) -> None:
        self.hub.db.close()

    def as_template(self) -> Template:
        """To be copied, instead of being made again for each test; it is closed."""
        self.close()
        return Template(self.settings.database_url, self.hub, self.chain.head())

    @contextlib.contextmanager
    def node_away(self) -> Iterator[None]:
        """The service asks where nobody answers."""
        provider: Any = self.hub.node.web3.provider
        provider.endpoint_uri = "http://127.0.0.1:1"
        try:
            yield
        finally:
            provider.endpoint_uri = self.chain.url

    # ------------------------------------------------------------------- time

    def later(self, seconds: float) -> None:
        self.clock.at += timedelta(seconds=seconds)

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.worker.tick()

    def confirm(self) -> None:
        """Whatever has been sent is mined, gets deep enough, and is booked, until nothing moves any more."""
        self.tick()
        for _ in range(10):
            self.chain.mine(DEPTH)
            if not self.worker.tick():
                return
        raise AssertionError("the worker does not come to rest")

    def settle(self) -> None:
        """A batch interval passes and all that waits is settled and booked."""
        self.later(self.settings.batch_interval_s + 1)
        self.confirm()

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever is stored meanwhile is gone afterwards."""
        url = self.settings.database_url
        self.hub.db.close()
        kept = databases.here().copy(url, self.folder)
        try:
            yield
        finally:
            self.hub.db.close()
            databases.here().put_back(kept, url)

    def kept(self) -> str:
        """The URL of a copy of the database as it is now."""
        self.hub.db.close()
        return databases.here().copy(self.settings.database_url, self.folder)

    def restore(self, kept: str) -> None:
        """The service dies and is started again on a database that was put back to what its copy is."""
        self.hub.db.close()
        databases.here().put_back(databases.here().copy(kept, self.folder), self.settings.database_url)
        self.later(LEASE_S + 1)
        self.open()

    # ----------------------------------------------------------------- people

    def payer(self, deposit: int = 10 * DOLLAR, name: str | None = None) -> "Payer":
        """Somebody with an open channel. Only what a deposit needs is done for it: whole ticks would be a third of all tests' time."""
        payer = Payer(self, Wallet(name))
        payer.open_channel(deposit)
        self._do("relay deposits", "advance transactions")
        self.chain.mine(DEPTH)
        self._do("advance transactions", "read chain", "book events")
        if payer.state() != "open":  # more was on its way
            self.confirm()
        assert payer.state() == "open"
        return payer

    def _do(self, *steps: str) -> None:
        """Of a worker's tick, these alone."""
        for step in steps:
            self.worker.steps[step]()

    def stranger(self) -> "Payer":
        """Somebody with a channel that nobody has heard of."""
        return Payer(self, Wallet())

    def merchant(self, name: str = "Café Dust") -> "Merchant":
        return Merchant(self, Wallet(), name)

    def session_of(self, wallet: Wallet) -> Json:
        """Headers of a wallet that has signed in."""
        nonce = self.client.post("/v1/auth/nonces").json()["nonce"]
        answer = self.client.post("/v1/auth/sessions", json=wallet.sign_in(nonce, self.clock.now()))
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    def catch_up(self) -> None:
        """Another hub may have used the chain since this one's database was made, as if it had been restored."""
        with self.hub.db.read() as session:
            is_behind = restoration.is_reconciling(session)
        if is_behind:
            self.confirm()

    def operator(self) -> Json:
        """Headers of an operator's session: on a local hub that is the operator key's own address."""
        wallet = Wallet()
        wallet.key = Account.from_key(OPERATOR_KEY)
        return self.session_of(wallet)

    # ------------------------------------------------------------ what is there

    def get(self, path: str, **headers: str) -> Any:
        answer = self.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def audit(self) -> Report:
        return audit(self.hub)

    def row_counts(self) -> dict[str, int]:
        """Of every table."""
        with self.hub.db.read() as session:
            tables = inspect(session.connection()).get_table_names()
            return {t: session.execute(text(f"SELECT count(*) FROM {t}")).scalar_one() for t in tables}

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.hub.db.read() as session:
            return list(session.execute(text(sql), values).all())

    def write(self, sql: str, **values: Any) -> None:
        """What only a test would do to a database."""
        with self.hub.db.write() as session:
            session.execute(text(sql), values)

    def alarms(self) -> dict[str, str]:
        """Name → detail of those that are on."""
        with self.hub.db.read() as session:
            return {alarm.name: alarm.detail for alarm in alarms.alarms(session)}

    def batch_states(self) -> list[str]:
        return [state for (state,) in self.rows("SELECT state FROM batch ORDER BY id")]

    def balance(self, kind: str, owner: str = "") -> int:
        """What is in an account of the books, on its own side."""
        name = f"{kind}:{owner}:{self.hub.asset.id}" if owner else f"{kind}:{self.hub.asset.id}"
        found = self.rows(
            "SELECT amount FROM balance JOIN account ON account.id = account_id WHERE name = :name", name=name
        )
        return int(found[0][0]) if found else 0

    def gift_tokens(self, address: str) -> int:
        return int(self.chain.read("gift_token", "balanceOf", address))


class Payer:
    def __init__(self, stage: Stage, wallet: Wallet) -> None:
        self.stage, self.wallet = stage, wallet
        self.config = wallet.channel_config(stage.facts)
        self.id = channel_id(stage.facts, self.config)
        self.charged = 0
        self._headers: Json = {}

    @property
    def address(self) -> str:
        return self.wallet.address

    def open_channel(self, deposit: int) -> Json:
        """Has the hub relay a signed deposit of new dollars; also adds to a channel that is open."""
        self.stage.chain.give_dollars(self.address, deposit)
        return self.deposit(deposit)

    def deposit(self, amount: int) -> Json:
        body = {"config": self.config, "deposit": self.wallet.deposit(self.stage.facts, self.config, amount)}
        answer = self.stage.client.post("/v1/channels", json=body, headers=key())
        assert answer.status_code == 202, answer.text
        created: Json = answer.json()
        assert created["channel"]["id"] == self.id
        return created

    def channel(self) -> Any:
        """As its payer sees it."""
        return self.stage.get(f"/v1/channels/{self.id}", **self.headers())

    def state(self) -> str | None:
        found = self.stage.rows("SELECT state FROM channel WHERE id = :id", id=self.id)
        return str(found[0][0]) if found else None

    def headers(self) -> Json:
        """Of the payer's session, signed in at first use."""
        self._headers = self._headers or self.stage.session_of(self.wallet)
        return self._headers

    def resume(self) -> None:
        """Goes on from what the hub says that was paid, as a client does after a 409; signs in again."""
        self._headers = {}
        self.charged = int(self.channel()["charged_cumulative"])

    def payment(self, amount: int, merchant: "Merchant | None" = None, **changes: Any) -> Json:
        """The body of the next payment. :param changes: fields to replace"""
        cumulative = self.charged + amount
        to = {"type": "merchant", "merchant_id": merchant.id} if merchant else {"type": "jar"}
        return {
            "voucher": {
                "channel_id": self.id,
                "max_claimable_amount": str(cumulative),
                "signature": self.wallet.voucher(self.stage.facts, self.id, cumulative),
            },
            "amount": {"value": str(amount), "asset": self.stage.facts["asset"], "exponent": 6},
            "destination": to,
        } | changes

    def try_to_pay(self, amount: int, merchant: "Merchant | None" = None, **changes: Any) -> httpx.Response:
        answer = self.stage.client.post("/v1/payments", json=self.payment(amount, merchant, **changes), headers=key())
        if answer.status_code == 201:
            self.charged += amount
        return answer

    def pay(self, amount: int, merchant: "Merchant | None" = None, **changes: Any) -> Any:
        answer = self.try_to_pay(amount, merchant, **changes)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def invoice_payment(self, invoice: Json, **changes: Any) -> Json:
        """The body of the next payment, if it pays an invoice with its quote."""
        to = {"type": "invoice", "invoice_id": invoice["id"]}
        return self.payment(int(invoice["quote"]["value"]), destination=to) | changes

    def pay_invoice(self, invoice: Json, **changes: Any) -> httpx.Response:
        body = self.invoice_payment(invoice, **changes)
        answer = self.stage.client.post("/v1/payments", json=body, headers=key())
        if answer.status_code == 201:
            self.charged += int(body["amount"]["value"])
        return answer

    def pay_invoice_in_tokens(self, invoice: Json, **signed: Any) -> httpx.Response:
        body = self.wallet.redemption_for(self.stage.facts, invoice, **signed)
        return self.stage.client.post(f"/v1/invoices/{invoice['id']}/redemptions", json=body, headers=key())

    def set_rule(self, **rule: Any) -> httpx.Response:
        body = {"round_up_step": str(DOLLAR)} | rule
        return self.stage.client.put(f"/v1/channels/{self.id}/jar", json=body, headers=self.headers())

    def jar(self) -> Any:
        return self.stage.get(f"/v1/channels/{self.id}/jar", **self.headers())

    # ----------------------------------------------------------- signed rules

    def try_to_sign(self, gather: str, fires: str, only: str = "", **changes: Any) -> httpx.Response:
        """A rule, signed by the wallet; all of it stays in the wallet if nothing else is said. :param changes: fields of the rule"""
        body = self.wallet.rule(self.stage.facts, next(_keys), gather, fires, only, **changes)
        return self.stage.client.post(f"/v1/channels/{self.id}/rules", json=body, headers=self.headers())

    def sign_rule(self, gather: str, fires: str, only: str = "", **changes: Any) -> "Rule":
        answer = self.try_to_sign(gather, fires, only, **changes)
        assert answer.status_code == 201, answer.text
        return Rule(self, answer.json()["id"])

    # -------------------------------------------------- on chain, without the hub

    def deposit_directly(self, amount: int) -> Any:
        self.stage.chain.give_dollars(self.address, amount)
        return self.bring_deposit(amount, self.stage.facts)

    def bring_deposit(self, amount: int, facts: Json) -> Any:
        """Anyone may bring a signed deposit to the chain: here the payer does. :param facts: with the token's domain"""
        signed = self.wallet.deposit(facts, self.config, amount)["authorization"]
        data = encode(
            ["uint256", "uint256", "uint256", "bytes"],
            [
                int(signed["valid_after"]),
                int(signed["valid_before"]),
                int(signed["salt"], 16),
                raw(signed["signature"]),
            ],
        )
        config, collector = config_tuple(self.config), facts["collector"]
        return self.stage.chain.send(self.wallet.key, "channels", "deposit", config, amount, collector, data)

    def claim(self, amount: int) -> None:
        """For who has named itself the receiver's authoriser."""
        signature = raw(self.wallet.voucher(self.stage.facts, self.id, amount))
        claim = ((config_tuple(self.config), amount), signature, amount)
        self.stage.chain.send(self.wallet.key, "channels", "claim", [claim])

    def announce_withdrawal(self, amount: int) -> None:
        self.stage.chain.send(self.wallet.key, "channels", "initiateWithdraw", config_tuple(self.config), amount)

    def finish_withdrawal(self) -> None:
        self.stage.chain.wait(self.config["withdraw_delay"])
        self.stage.chain.send(self.wallet.key, "channels", "finalizeWithdraw", config_tuple(self.config))


class Rule:
    """A signed rule of a payer's channel."""

    def __init__(self, payer: Payer, id_: str) -> None:
        self.payer, self.id, self.path = payer, id_, f"/v1/channels/{payer.id}/rules/{id_}"

    def shown(self) -> Any:
        return self.payer.stage.get(self.path, **self.payer.headers())

    def ask(self, what: str) -> httpx.Response:
        """pause, resume, cancel or fire."""
        return self.payer.stage.client.post(f"{self.path}/{what}", headers=self.payer.headers())

    def history(self) -> list[tuple[str, str]]:
        """(kind, the reason's code with its values), the oldest first."""
        notes = self.payer.stage.get(f"{self.path}/history", **self.payer.headers())["items"]
        return [
            (note["kind"], " ".join([note["reason"]["code"], *note["reason"]["values"].values()]))
            for note in notes[::-1]
        ]

    def pay(self, amount: int, cents: int | None = None, **purchase: str) -> Any:
        """Into the jar by this rule. :param cents: what was bought, if anything was"""
        return self.payer.pay(amount, **self.payment(cents, **purchase))

    def try_to_pay(self, amount: int, cents: int | None = None, **purchase: str) -> httpx.Response:
        return self.payer.try_to_pay(amount, **self.payment(cents, **purchase))

    def payment(self, cents: int | None = None, **purchase: str) -> Json:
        """What its payments say."""
        to = {"destination": {"type": "jar", "rule_id": self.id}}
        bought = {"value": str(cents), "asset": self.payer.stage.settings.asset_currency} | purchase
        return to if cents is None else to | {"purchase": bought}


class Merchant:
    def __init__(self, stage: Stage, wallet: Wallet, name: str) -> None:
        self.stage, self.wallet = stage, wallet
        answer = stage.client.post("/v1/merchants", json={"name": name}, headers=stage.session_of(wallet))
        assert answer.status_code == 201, answer.text
        self.id: str = answer.json()["id"]
        self.headers = {"Authorization": f"Bearer {answer.json()['api_key']}"}

    @property
    def address(self) -> str:
        return self.wallet.address

    def account(self) -> Any:
        return self.stage.get("/v1/account", **self.headers)

    def redeem(self, holder: Wallet, amount: int, **signed: Any) -> httpx.Response:
        body = holder.redemption(self.stage.facts, self.address, amount, **signed)
        return self.stage.client.post("/v1/redemptions", json=body, headers=self.headers | key())

    def try_invoice(self, value: int, asset: str = "USD", **more: Any) -> httpx.Response:
        body = {"amount": {"value": str(value), "asset": asset}, "description": "Coffee"} | more
        return self.stage.client.post("/v1/invoices", json=body, headers=self.headers | key())

    def invoice(self, value: int = 100, asset: str = "USD", **more: Any) -> Json:
        answer = self.try_invoice(value, asset, **more)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    def record(self, invoice: Json) -> Any:
        return self.stage.get(f"/v1/invoices/{invoice['id']}/record", **self.headers)

    def refund(self, of: str, amount: int | None = None) -> httpx.Response:
        body = {"of": of} | ({} if amount is None else {"amount": str(amount)})
        return self.stage.client.post("/v1/refunds", json=body, headers=self.headers | key())

    def order_payout(self, amount: int | None = None) -> httpx.Response:
        body = {} if amount is None else {"amount": str(amount)}
        return self.stage.client.post("/v1/payouts", json=body, headers=self.headers | key())


StageFactory = Callable[..., Stage]
