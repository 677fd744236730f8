"""A local chain that keeps its state in a folder, so that what happened on it can be audited later."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from taesan.chain import local
from taesan.chain.rpc import Node
from taesan.demo.folder import ChainName
from taesan.demo.processes import Process, StartFailed, find_program, port_is_free, wait_for_rpc

CHAIN_ID = 31337
MNEMONIC = "test test test test test test test test test test test junk"
BLOCK_TIME_S = 1
ACCOUNTS = 10
ANVIL_STATE = "anvil.json"
SHORT_HISTORY = "--prune-history=500"
"""Of so many newest blocks anvil knows who had what. Unless told it writes that of each older one to the disk."""
RECENT_BLOCKS = 5


def start(
    chain: ChainName, port: int, folder: Path, chain_id: int = CHAIN_ID, first_day: datetime | None = None
) -> Process:
    """Starts anvil or Ganache with the well-known development accounts and a block a second; goes on from the folder's
    state if there is one. Anvil mines each transaction at once besides; Ganache has no such mode.

    :param first_day: a new anvil begins then, mines transactions alone, and its time moves when it is told to
    :raises StartFailed: it is not installed, the port is taken, or it does not come up
    """
    if not port_is_free(port):
        raise StartFailed(f"port {port} is taken: stop what uses it, or choose another port for the chain")
    folder.mkdir(parents=True, exist_ok=True)
    newest = _keep_one_genesis(folder / ANVIL_STATE) if chain == "anvil" else 0
    process = Process(chain, _command(chain, port, folder, newest, chain_id, first_day), folder / f"{chain}.log")
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for_rpc(process, url)
        if chain == "ganache":
            _keep_time(Node(url, timeout_s=60))
    except BaseException:
        process.stop()
        raise
    return process


def saved_chain(folder: Path) -> ChainName | None:
    """Which chain has left its state in the folder."""
    if (folder / ANVIL_STATE).exists():
        return "anvil"
    return "ganache" if (folder / "ganache").is_dir() else None


def _keep_one_genesis(state: Path) -> int:
    """Anvil 1.7.1 makes a new genesis block at each start and saves it beside the old ones; which of them it takes for
    block 0 the next time is chance. The oldest is the chain's own.

    Returns the newest block's time, 0 if there is none.

    :raises StartFailed: the file is damaged
    """
    if not state.exists():
        return 0
    try:
        saved = json.loads(state.read_text())
        geneses: list[Any] = []
        later: list[Any] = []
        for block in saved["blocks"]:
            (later if int(block["header"]["number"], 16) else geneses).append(block)
        oldest = min(geneses, key=_timestamp)
        newest = max(map(_timestamp, saved["blocks"]))
    except (ValueError, KeyError) as error:
        raise StartFailed(f"{state} is damaged ({error!r}): remove its folder and start anew") from error
    if len(geneses) > 1:
        saved["blocks"] = [oldest, *later]
        mended = state.with_suffix(".new")
        mended.write_text(json.dumps(saved))
        mended.replace(state)
    return newest


def _timestamp(block: Any) -> int:
    return int(block["header"]["timestamp"], 16)


def _keep_time(node: Node) -> None:
    """A Ganache that was warped starts again at the wall clock's time: puts it forward to where it was."""
    head = int(node.head()["number"])
    # Not the newest alone: it may have mined one or two at the wrong time already.
    newest = max(int(node.block(number)["timestamp"]) for number in range(max(head - RECENT_BLOCKS, 0), head + 1))
    ahead = newest - int(time.time())
    if ahead > 0:
        local.warp(node, ahead + 1)


def _command(
    chain: ChainName, port: int, folder: Path, newest: int, chain_id: int, first_day: datetime | None
) -> list[str]:
    """:param newest: the last block's time; a chain that was warped has to go on from there"""
    if chain == "anvil":
        begins = [f"--timestamp={newest + 1}"] if newest > time.time() else []
        if first_day is not None:
            begins = [f"--timestamp={int(first_day.timestamp())}"]
        return [
            find_program("anvil"),
            f"--port={port}",
            f"--chain-id={chain_id}",
            f"--mnemonic={MNEMONIC}",
            *(() if first_day else (f"--block-time={BLOCK_TIME_S}", "--mixed-mining")),
            f"--accounts={ACCOUNTS}",
            f"--state={folder / ANVIL_STATE}",
            SHORT_HISTORY,
            "--silent",
            *begins,
        ]
    return [
        find_program("ganache"),
        f"--server.port={port}",
        f"--chain.chainId={chain_id}",
        "--chain.hardfork=shanghai",
        f"--wallet.mnemonic={MNEMONIC}",
        f"--wallet.totalAccounts={ACCOUNTS}",
        "--wallet.defaultBalance=10000",
        f"--miner.blockTime={BLOCK_TIME_S}",
        f"--database.dbPath={folder / 'ganache'}",
        "--logging.quiet=true",
    ]
