"""All that a fault can hurt: a chain, the way to it, a database, a hub of two processes, and people who pay."""

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from taesan.demo import devnet
from tests.chaos.hub import Hub
from tests.chaos.proxy import Proxy
from tests.chaos.traffic import Traffic
from tests.support import postgres
from tests.support.chain import ARTIFACTS, Chain, free_port
from tests.support.contract_payer import ContractPayer, fund
from tests.support.stage import DEPTH, DOLLAR, Stage

PAYERS = 5
BLOCK_S = 0.25
DEPOSIT, SURPLUS = 2_000 * DOLLAR, 20 * DOLLAR
PATIENCE_S = 120
TICK_S = 0.05
_MIGRATING = threading.Lock()  # Alembic keeps what it is about in a module
SETTINGS = {
    "confirmation_depth_blocks": DEPTH,
    "batch_interval_s": 0.3,
    "worker_lease_s": 1.5,
    "rpc_timeout_s": 3,
    "fee_bump_after_s": 2,
    "intake_verifiers": 1,
    "intake_cache_mib": 16,
}


class LastingChain(Chain):
    """Keeps its state when it is stopped, and mines a block now and then, when it is let."""

    def __init__(self, folder: Path) -> None:
        self._state, self._mining, self._ending = folder / "anvil.json", threading.Event(), threading.Event()
        super().__init__(folder, f"--state={self._state}")
        self._mining.set()
        self._miner = threading.Thread(target=self._mine, daemon=True)
        self._miner.start()

    def _mine(self) -> None:
        while not self._ending.wait(BLOCK_S):
            if self._mining.wait(BLOCK_S):
                with contextlib.suppress(OSError, AssertionError):  # it is just being stopped
                    self.mine()

    def restart(self, pause_s: float) -> None:
        """With all that was mined; its pool is empty then."""
        self._mining.clear()
        self.stop()
        time.sleep(pause_s)
        newest = devnet._keep_one_genesis(self._state)
        self.start(*([f"--timestamp={newest + 1}"] if newest > time.time() else []))
        self._mining.set()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is mined; transactions gather in the pool."""
        self._mining.clear()
        try:
            with self.mining_paused():
                yield
        finally:
            self._mining.set()

    def close(self) -> None:
        self._ending.set()
        self._miner.join()
        self.stop()


class World:
    """:param database: `sqlite` or `postgresql`. :param tick_s: of its worker, while it is idle
    :ivar strikes: payments in flight at each strike since the runner looked last
    """

    def __init__(self, database: str = "sqlite", seed: str = "1", tick_s: float = TICK_S) -> None:
        self._stack, self._tick_s = contextlib.ExitStack(), tick_s
        self.folder = Path(tempfile.mkdtemp(prefix="taesan-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.postgres: postgres.Server | None = None
        self.strikes: list[int] = []
        try:
            self._build(database, seed)
        except BaseException:
            self._stack.close()
            raise

    def _build(self, database: str, seed: str) -> None:
        url = f"sqlite:///{self.folder / 'taesan.db'}"
        if database != "sqlite":
            assert database == "postgresql", database
            self.postgres = self._stack.enter_context(postgres.running_server(self.folder))
            url = postgres.fresh_database(self.postgres.url)
        self.chain = LastingChain(self.folder)
        self._stack.callback(self.chain.close)
        self.proxy = Proxy(self.chain.port)
        self._stack.callback(self.proxy.close)
        with _MIGRATING:
            # Who judges is patient: a machine that is busy is no fault of the hub's.
            self.stage = Stage(self.chain, self.folder, url, **SETTINGS | {"rpc_timeout_s": 60})
        self._stack.callback(self.stage.close)
        payers, wallet, merchant = self._move_in()
        self.engine = create_engine(url, pool_pre_ping=True)
        self._stack.callback(self.engine.dispose)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.hub = Hub(self.folder, self._environment(url, port), self.url)
        self._stack.callback(self.hub.kill)
        self.hub.start()
        self.traffic = Traffic(port, payers, wallet, merchant, seed)
        self._stack.callback(self.traffic.close)

    def _move_in(self) -> tuple[list[Any], ContractPayer, Any]:
        stage = self.stage
        fund(stage, SURPLUS)
        payers = [stage.payer(DEPOSIT) for _ in range(PAYERS)]
        for payer in payers:
            self.chain.give_dollars(payer.address, DEPOSIT)
        return payers, ContractPayer(stage).open(DEPOSIT), stage.merchant()

    def _environment(self, url: str, port: int) -> dict[str, str]:
        settings = SETTINGS | {
            "worker_tick_s": self._tick_s,
            "database_url": url,
            "rpc_url": self.proxy.url,
            "deployment_file": self.stage.settings.deployment_file,
            "artifacts_dir": ARTIFACTS,
            "port": port,
            "public_url": self.url,
        }
        return {f"TAESAN_{name.upper()}": str(value) for name, value in settings.items()}

    def close(self) -> None:
        self._stack.close()

    # ----------------------------------------------------------- what is there

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(sql), values).all())

    def number(self, sql: str, **values: Any) -> int:
        return int(self.rows(sql, **values)[0][0] or 0)

    def in_flight(self) -> int:
        """Payments that are asked for or accepted, and not settled."""
        unsettled = "SELECT count(*) FROM payment WHERE batch_id IS NULL OR batch_id IN (SELECT id FROM batch WHERE state <> 'posted')"
        return self.number(unsettled) + self.traffic.outstanding

    def struck(self, in_flight: int | None = None) -> None:
        """To be told by a fault that it has come true. :param in_flight: counted before, if it cannot be now"""
        self.strikes.append(self.in_flight() if in_flight is None else in_flight)

    # ---------------------------------------------------------------- waiting

    def wait_until(self, condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
        """:raises AssertionError: it does not come true"""
        end = time.monotonic() + patience_s
        while True:
            with contextlib.suppress(SQLAlchemyError):  # the database may just be away
                if condition():
                    return
            assert time.monotonic() < end, f"not within {patience_s} s: {what}. {self._state()}"
            time.sleep(0.03)

    def settled_since(self, moment: float) -> bool:
        """Whether a payment that was sent after that moment is in a posted batch."""
        paid = self.traffic.first_after(moment)
        posted = (
            "SELECT count(*) FROM payment JOIN batch ON batch.id = batch_id WHERE public_id = :id AND state = 'posted'"
        )
        return paid is not None and self.number(posted, id=paid.id) == 1

    def wait_for_settlement(self) -> float:
        """Until a payment that is sent from now on is in a posted batch; how long that took, in seconds."""
        now = time.monotonic()
        self.wait_until(lambda: self.settled_since(now), "a new payment in a posted batch")
        return time.monotonic() - now

    def come_to_rest(self) -> None:
        """People stop, and all that they have asked for is done to the end."""
        self.traffic.stop()
        self.wait_until(lambda: not self._moving(), "everything done to its end")

    def _moving(self) -> int:
        return sum(self.number(f"SELECT count(*) FROM {sql}") for sql in MOVING.values())

    def _state(self) -> str:
        try:
            waiting = {what: n for what, sql in MOVING.items() if (n := self.number(f"SELECT count(*) FROM {sql}"))}
            errors = self.rows(
                "SELECT kind, nonce, state, last_error FROM chain_transaction WHERE last_error IS NOT NULL"
            )
            refused = self.rows("SELECT id, last_error FROM batch WHERE last_error IS NOT NULL")
            return f"waiting: {waiting}; transactions: {errors[-3:]}; batches: {refused[-3:]}"
        except SQLAlchemyError as error:
            return f"the database is away: {error}"


MOVING = {
    "payments": "payment WHERE batch_id IS NULL",
    "batches": "batch WHERE state <> 'posted'",
    "transactions": "chain_transaction WHERE state NOT IN ('confirmed', 'reverted')",
    "deposits": "deposit_relay WHERE state IN ('received', 'sent')",
    "redemptions": "redemption WHERE state IN ('received', 'sent')",
    "payouts": "payout WHERE state IN ('received', 'sent')",
    "wallets' claims": "wallet_claim WHERE state IN ('received', 'sent')",
    "events": "outbox_event WHERE handled_at IS NULL",
}
