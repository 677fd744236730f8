"""The database: gone, cut off, locked, full. And hubs that are started where they do not belong."""

import resource
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from taesan.chain.deployment import deploy
from taesan.chain.rpc import Node
from taesan.chain.signers import KeySigner
from taesan.demo.processes import Process, find_program, wait_for_rpc
from tests.chaos.registry import fault
from tests.chaos.world import World
from tests.support.chain import ARTIFACTS, CHAIN_ID, RICH_KEY, free_port
from tests.support.commands import run

LOCKED_S, CUTS, REFUSALS = 4, 10, 5
ROOM_BYTES = 2_000_000  # for what the hub has to say about it


@fault("PostgreSQL is stopped in mid-step and started again", times=3, database="postgresql")
def stop_postgres(world: World) -> None:
    assert world.postgres is not None
    world.struck()
    world.postgres.crash()
    time.sleep(1)
    world.postgres.start()


@fault("connections to PostgreSQL are cut", times=3, database="postgresql")
def cut_connections(world: World) -> None:
    world.struck()
    for _ in range(CUTS):
        world.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        time.sleep(0.1)


@fault("somebody else locks the SQLite file for seconds", times=2)
def lock_sqlite(world: World) -> None:
    other = sqlite3.connect(_file(world), isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    world.struck()
    time.sleep(LOCKED_S)
    other.execute("ROLLBACK")
    other.close()


@fault("the disk is full (SQLite)", times=2)
def fill_disk(world: World) -> None:
    """No file of the hub's may grow any more: what cannot be stored is not accepted."""
    # SQLite writes over a journal that is all in the database: that needs no room, so it is made to begin a new one.
    world.wait_until(lambda: _journal_is_empty(world), "a journal that begins anew")
    before = world.traffic.told.get(503, 0)
    full = (world.folder / "service.log").stat().st_size + ROOM_BYTES
    world.struck()
    for pid in world.hub.pids():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    world.wait_until(lambda: world.traffic.told.get(503, 0) >= before + REFUSALS, "payments that are answered 503")
    accepted = len(world.traffic.accepted)
    time.sleep(1)
    assert len(world.traffic.accepted) == accepted, "payments are accepted with no room to store them"
    for pid in world.hub.pids():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _file(world: World) -> Path:
    return world.folder / "taesan.db"


def _journal_is_empty(world: World) -> bool:
    other = sqlite3.connect(_file(world))
    (is_busy, *_) = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    return not is_busy


# ------------------------------------------------------------ where it does not belong


@fault("started against another chain")
def wrong_chain(world: World) -> None:
    with _Elsewhere(world, CHAIN_ID + 1) as elsewhere:
        says = f"is on chain {CHAIN_ID + 1}, the deployment file names chain {CHAIN_ID}"
        _refuses_to_start(world, {"TAESAN_RPC_URL": elsewhere.url}, says)


@fault("started against a wiped chain")
def wiped_chain(world: World) -> None:
    with _Elsewhere(world, CHAIN_ID) as elsewhere:
        says = "was the chain wiped? Deploy again with `taesan deploy` and start with a new database"
        _refuses_to_start(world, {"TAESAN_RPC_URL": elsewhere.url}, says)


@fault("started against a wiped chain with the contracts deployed anew")
def wiped_chain_deployed_anew(world: World) -> None:
    """At the very same addresses."""
    with _Elsewhere(world, CHAIN_ID) as elsewhere:
        node = Node(elsewhere.url)
        again = deploy(node, KeySigner(world.stage.settings.operator_key), ARTIFACTS, canonical=True)
        assert again.settlement == world.chain.deployment.settlement
        says = "this database belongs to another chain or other contracts (genesis_hash: "
        _refuses_to_start(world, {"TAESAN_RPC_URL": elsewhere.url}, says)


@fault("started with contracts that were deployed once more")
def redeployed(world: World) -> None:
    deployment = deploy(Node(world.chain.url), KeySigner(SecretStr(RICH_KEY)), ARTIFACTS)
    file = world.folder / "redeployed.json"
    deployment.save(file)
    says = f"settlement: {world.chain.deployment.settlement} here, {deployment.settlement} there"
    _refuses_to_start(world, {"TAESAN_DEPLOYMENT_FILE": str(file)}, says)


def _refuses_to_start(world: World, changed: Mapping[str, str], says: str) -> None:
    """Service and worker, with a word for a person; and nothing is written."""
    world.hub.stop()
    world.struck()
    before = world.rows("SELECT * FROM chain_binding"), world.rows("SELECT * FROM signer_account")
    for command in ("serve", "worker"):
        code, output = run(command, environment=world.hub.environment | changed)
        assert code == 2, f"`taesan {command}` ends with {code}: {output[-500:]}"
        assert says in output, f"`taesan {command}` says {output[-500:]}"
        assert "Traceback" not in output
    after = world.rows("SELECT * FROM chain_binding"), world.rows("SELECT * FROM signer_account")
    assert before == after, "a hub that refuses to start has written"
    world.hub.start()


class _Elsewhere:
    """Another chain, with nothing on it."""

    def __init__(self, world: World, chain_id: int) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [find_program("anvil"), f"--port={port}", f"--chain-id={chain_id}", "--silent"]
        self._process = Process("another chain", command, world.folder / "elsewhere.log")

    def __enter__(self) -> "_Elsewhere":
        wait_for_rpc(self._process, self.url)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
