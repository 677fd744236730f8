"""`taesan demo`: from an empty folder to a table, and a page that stays live."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from taesan.chain.contracts import Contracts, Deployment
from taesan.chain.rpc import Node, NodeUnavailable
from taesan.demo import folder, sample_shop
from taesan.demo.client import HubClient
from taesan.demo.faucet import Faucet, TransferGas
from taesan.demo.figures import recompute
from taesan.demo.folder import ChainName
from taesan.demo.processes import DemoFailed, free_port, port_is_free
from taesan.demo.progress import phase
from taesan.demo.purchases import Purchase, load
from taesan.demo.replay import Replay
from taesan.demo.stage import Stage
from taesan.demo.table import Outcome, footnote, table

# Short, so that several batches happen while one looks on.
PACE = {"TAESAN_BATCH_INTERVAL_S": "4", "TAESAN_WORKER_TICK_S": "0.25"}
# Ganache needs seconds to simulate a large transaction, and answers nothing else meanwhile.
GANACHE_PACE = PACE | {
    "TAESAN_RPC_TIMEOUT_S": "20",
    "TAESAN_BATCH_MAX_CHANNELS": "100",
    "TAESAN_RELAY_MAX_ITEMS": "20",
}
NODE_PATIENCE_S = 60
INTERRUPTED = 130


@dataclass(frozen=True)
class Options:
    """:ivar chain_port: None: 8545 or the next that is free. :ivar port: the page's; None: 8000 or the next free"""

    customers: int
    chain: ChainName
    leave: bool
    chain_port: int | None
    port: int | None
    folder: Path
    kill_midway: bool


def run(options: Options, console: Console) -> int:
    """Returns the exit code: 0 only if all is well.

    :raises DemoFailed: with a message for a person
    """
    done = False
    with interruptible(), folder.held(options.folder):
        try:
            chain_port = choose_port(options.chain_port, folder.CHAIN_PORT, "the chain", "--chain-port", console)
            port = choose_port(options.port, folder.PORT, "the page", "--port", console)
            settings = folder.settings(options.folder, chain_port, port)
            folder.wipe(options.folder)
            pace = GANACHE_PACE if options.chain == "ganache" else PACE
            with Stage(options.folder, options.chain, settings, pace) as stage:
                done = _perform(options, stage, console)
                if done and not options.leave:
                    _stay_up(stage, console)
        except KeyboardInterrupt:
            console.print(
                f"\nEnded; nothing is left running. Books and chain are kept in {options.folder}.", highlight=False
            )
            return 0 if done else INTERRUPTED
        except NodeUnavailable as error:
            raise DemoFailed(f"{error}; see {options.folder / options.chain}.log") from error
    return 0 if done else 1


def _perform(options: Options, stage: Stage, console: Console) -> bool:
    """Everything up to the table; whether all is well."""
    started = time.perf_counter()
    purchases = load(options.customers)
    with phase(console, f"{options.chain} starts, contracts are deployed") as bar:
        stage.start_chain()
        deployment = stage.deploy()
        bar.say(stage.settings.rpc_url)
    with phase(console, "the hub starts: service and worker") as bar:
        stage.start_hub()
        stage.wait_for_hub()
        sample_shop.open_at(stage.settings.public_url)
        bar.say(f"live on {stage.settings.public_url}")
    replay, transfers = asyncio.run(_tell(options, stage, deployment, purchases, console))
    with phase(console, "books, proofs and chain are checked") as bar:
        figures, differences = recompute(stage.settings, replay.told)
        sound, report = _audit(options.folder)
        bar.say("no differences" if sound and not differences else "DIFFERENCES")
    console.print()
    outcome = Outcome(
        customers=options.customers,
        purchases=purchases,
        figures=figures,
        transfers=transfers,
        replay_s=replay.told.replay_s,
        exponent=replay.facts.asset_exponent,
        sound=sound and not differences,
        killed=options.kill_midway,
    )
    console.print(table(outcome))
    console.print(f"[dim]{footnote(outcome)}[/]", highlight=False)
    for difference in differences:
        console.print(f"[bold red]✗[/] {difference}", soft_wrap=True)
    if not sound:
        console.print(report, markup=False)
    console.print(f"[dim]{time.perf_counter() - started:.0f} s in all[/]", highlight=False)
    return outcome.sound


async def _tell(
    options: Options, stage: Stage, deployment: Deployment, purchases: list[Purchase], console: Console
) -> tuple[Replay, TransferGas]:
    faucet = Faucet(Node(stage.settings.rpc_url, NODE_PATIENCE_S), Contracts(deployment, stage.settings.artifacts_dir))
    async with HubClient(stage.settings.public_url, stage.require_running) as client:
        replay = Replay(client, stage, console)
        await replay.meet()
        await replay.open_channels(options.customers, purchases, faucet)
        await replay.pay(purchases, options.kill_midway)
        transfers = await replay.settle(faucet)
        await replay.spend()
        await replay.pay_out()
        return replay, transfers


def _audit(place: Path) -> tuple[bool, str]:
    """`taesan audit` as anybody would run it: (whether it found nothing, what it printed)."""
    command = [sys.executable, "-m", "taesan", "audit", "--folder", str(place)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode == 0, ended.stdout + ended.stderr


def _stay_up(stage: Stage, console: Console) -> None:
    url = stage.settings.public_url
    console.print(
        f"\nOpen [bold]{url}[/] for the page, {url}/docs for the API. Ctrl-C ends everything.", highlight=False
    )
    show_apps(url, console)
    console.print(
        "\nFor `.venv/bin/taesan` (alarms, quarantine list, backup …) in another terminal:\n", highlight=False
    )
    for name in ("database_url", "rpc_url", "deployment_file"):
        console.print(
            f"  export TAESAN_{name.upper()}={getattr(stage.settings, name)}", highlight=False, soft_wrap=True
        )
    while True:
        stage.require_running()
        time.sleep(1)


def show_apps(url: str, console: Console) -> None:
    """What there is to try in a browser, and as whom."""
    console.print("\nTo try, with the test wallet that each page offers:\n", highlight=False)
    for app, what in (
        ("wallet", "a payer's wallet, with a shop"),
        ("merchant", "a merchant's console, with a till"),
        ("operator", "how the hub is (operator's test wallet)"),
    ):
        console.print(f"  {url}/{app:<9} {what}", highlight=False, soft_wrap=True)


def choose_port(asked: int | None, usual: int, what: str, option: str, console: Console) -> int:
    """The port that was asked for, or else the usual one or the next that is free.

    :raises DemoFailed: the one asked for is taken
    """
    if asked is None:
        port = free_port(usual)
        if port != usual:
            console.print(f"[yellow]Port {usual} is taken by another program: {what} uses {port}.[/]", highlight=False)
        return port
    if not port_is_free(asked):
        raise DemoFailed(f"port {asked} is taken: stop the program that uses it, or choose another with {option}")
    return asked


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C, `kill` and a closed terminal all end us tidily, even if we were started with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:
    signal.raise_signal(signal.SIGINT)
