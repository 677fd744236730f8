"""A demo's folder: chain state, database, deployment, logs. Everything to look at it again."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from taesan.demo.processes import DemoFailed
from taesan.settings import DEV_OPERATOR_KEY, Settings

ChainName = Literal["anvil", "ganache"]
DEFAULT = Path("var/demo")
CHAIN_PORT, PORT = 8545, 8000
WITHDRAW_DELAY_S = 900
"""The least that x402 knows, so that a withdrawal can be tried out."""
SAMPLE_SHOP = "0xba53AEe06c4Cc6513Ff01Dd3335A6A6F5952D966"
"""The wallet of `demo.sample_shop`: everybody has its key."""
_OURS = (
    "anvil.json",
    "chain-port",
    "deployment.json",
    "taesan.db",
    "taesan.db-shm",
    "taesan.db-wal",
    "anvil.log",
    "ganache.log",
    "service.log",
    "wallets.db",
    "wallets.db-shm",
    "wallets.db-wal",
    "worker.log",
)


class FolderInUse(DemoFailed):
    """Another process works in the folder."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder for us alone; let go by the system if we are killed.

    :raises FolderInUse: somebody else has it
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise FolderInUse(
                f"process {lock.read().strip() or '?'} is at work in {folder}: end it with Ctrl-C, or choose another --folder"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def wipe(folder: Path) -> None:
    """Removes what an earlier run left here; whatever else is in the folder stays.

    :raises DemoFailed: there is a database that no run of ours has made
    """
    if (folder / "taesan.db").exists() and not (folder / "chain-port").exists():
        raise DemoFailed(f"{folder} holds a hub's database that is no demo's: choose another --folder")
    for name in _OURS:
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "ganache", ignore_errors=True)


def environment(folder: Path, chain_port: int, port: int) -> dict[str, str]:
    """The settings of a service that lives in this folder, as environment variables."""
    return {
        "TAESAN_ENVIRONMENT": "local",
        "TAESAN_OPERATOR_KEY": DEV_OPERATOR_KEY,
        "TAESAN_DATABASE_URL": f"sqlite:///{folder / 'taesan.db'}",
        "TAESAN_RPC_URL": f"http://127.0.0.1:{chain_port}",
        "TAESAN_DEPLOYMENT_FILE": str(folder / "deployment.json"),
        "TAESAN_WITHDRAW_DELAY_S": str(WITHDRAW_DELAY_S),
        "TAESAN_SAMPLE_SHOP": SAMPLE_SHOP,
        "TAESAN_HOST": "127.0.0.1",
        "TAESAN_PORT": str(port),
        "TAESAN_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }


def settings(folder: Path, chain_port: int, port: int = PORT) -> Settings:
    """The same as settings; what the folder does not decide still comes from the environment."""
    wanted: dict[str, Any] = environment(folder, chain_port, port)
    return Settings(**{name.removeprefix("TAESAN_").lower(): value for name, value in wanted.items()})


def remember_chain_port(folder: Path, port: int) -> None:
    (folder / "chain-port").write_text(f"{port}\n")


def chain_port(folder: Path) -> int:
    """Where the folder's chain runs, or ran last."""
    remembered = folder / "chain-port"
    return int(remembered.read_text()) if remembered.exists() else CHAIN_PORT
