"""A local chain that keeps its state in a folder, so that what happened on it can be audited later."""

from pathlib import Path
from typing import Literal

from taesan.demo.processes import Process, StartFailed, find_program, port_is_free, wait_for_rpc

ChainName = Literal["anvil", "ganache"]
CHAIN_ID = 31337
MNEMONIC = "test test test test test test test test test test test junk"
BLOCK_TIME_S = 1
ACCOUNTS = 10


def start(chain: ChainName, port: int, folder: Path) -> Process:
    """Starts anvil or Ganache with the well-known development accounts and a block a second; goes on from the folder's
    state if there is one. Anvil mines each transaction at once besides; Ganache has no such mode.

    :raises StartFailed: it is not installed, the port is taken, or it does not come up
    """
    if not port_is_free(port):
        raise StartFailed(f"port {port} is taken: stop what uses it, or choose another port for the chain")
    folder.mkdir(parents=True, exist_ok=True)
    process = Process(chain, _command(chain, port, folder), folder / f"{chain}.log")
    try:
        wait_for_rpc(process, f"http://127.0.0.1:{port}")
    except BaseException:
        process.stop()
        raise
    return process


def saved_chain(folder: Path) -> ChainName | None:
    """Which chain has left its state in the folder."""
    if (folder / "anvil.json").exists():
        return "anvil"
    return "ganache" if (folder / "ganache").is_dir() else None


def _command(chain: ChainName, port: int, folder: Path) -> list[str]:
    if chain == "anvil":
        return [
            find_program("anvil"),
            f"--port={port}",
            f"--chain-id={CHAIN_ID}",
            f"--mnemonic={MNEMONIC}",
            f"--block-time={BLOCK_TIME_S}",
            "--mixed-mining",
            f"--accounts={ACCOUNTS}",
            f"--state={folder / 'anvil.json'}",
            "--preserve-historical-states",
            "--silent",
        ]
    return [
        find_program("ganache"),
        f"--server.port={port}",
        f"--chain.chainId={CHAIN_ID}",
        "--chain.hardfork=shanghai",
        f"--wallet.mnemonic={MNEMONIC}",
        f"--wallet.totalAccounts={ACCOUNTS}",
        "--wallet.defaultBalance=10000",
        f"--miner.blockTime={BLOCK_TIME_S}",
        f"--database.dbPath={folder / 'ganache'}",
        "--logging.quiet=true",
    ]
