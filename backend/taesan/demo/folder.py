"""A demo's folder: chain state, database, deployment. Everything to look at it again."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from taesan.demo import devnet
from taesan.demo.processes import port_is_free
from taesan.settings import Settings

DEFAULT = Path("var/demo")


def environment(folder: Path, chain_port: int, port: int) -> dict[str, str]:
    """The settings of a service that lives in this folder, as environment variables."""
    return {
        "TAESAN_ENVIRONMENT": "local",
        "TAESAN_DATABASE_URL": f"sqlite:///{folder / 'taesan.db'}",
        "TAESAN_RPC_URL": f"http://127.0.0.1:{chain_port}",
        "TAESAN_DEPLOYMENT_FILE": str(folder / "deployment.json"),
        "TAESAN_PORT": str(port),
        "TAESAN_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }


@contextmanager
def opened(folder: Path | None) -> Iterator[Settings]:
    """Settings of a folder, with its chain running; of the environment if there is no folder."""
    if folder is None:
        yield Settings()
        return
    settings = Settings(**_settings(folder))
    port = urlsplit(settings.rpc_url).port or 8545
    chain = devnet.saved_chain(folder)
    process = devnet.start(chain, port, folder) if chain and port_is_free(port) else None
    try:
        yield settings
    finally:
        if process:
            process.stop()


def _settings(folder: Path) -> dict[str, Any]:
    chain_port = int((folder / "chain-port").read_text()) if (folder / "chain-port").exists() else 8545
    wanted = environment(folder, chain_port, 8000)
    return {name.removeprefix("TAESAN_").lower(): value for name, value in wanted.items() if name not in os.environ}
