"""Local chains: the replay, a chain to develop against, its clock."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

from taesan.cli.talk import console, explaining, fail
from taesan.demo.folder import ChainName
from taesan.settings import Settings

SECONDS_IN = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_WARP_S = 366 * 86_400


def demo(
    scenario: Annotated[
        Literal["replay", "year"],
        typer.Option(
            help="replay: purchases one after the other, at full speed; year: 18 months with signed rules, on a clock of their own"
        ),
    ] = "replay",
    customers: Annotated[int, typer.Option(min=1, max=23_570, help="How many customers of CDNOW take part")] = 200,
    months: Annotated[int, typer.Option(min=1, max=18, help="Of the year scenario")] = 18,
    chain: Annotated[ChainName, typer.Option(help="Which local chain; the year's is anvil")] = "anvil",
    leave: Annotated[bool, typer.Option("--exit", help="End after the table instead of staying up")] = False,
    kill_midway: Annotated[
        bool, typer.Option("--kill-midway", help="replay alone: kill -9 the hub in the middle and start it again")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The page's; default: 8000, or the next that is free")
    ] = None,
    chain_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: 8545, or the next that is free")
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="For chain, database and logs; an earlier run's are removed. `make year` has var/year")
    ] = Path("var/demo"),
    write: Annotated[Path | None, typer.Option(help="Write the year's tables to this file, as Markdown")] = None,
) -> None:
    """Replay real purchases against a hub and a chain of their own, and look at the result."""
    from taesan.demo.progress import counted

    if scenario == "year":
        raise typer.Exit(_year(customers, months, chain, leave, kill_midway, port, chain_port, folder, write))
    if write is not None:
        raise typer.BadParameter("only the year is written to a page")
    bought = f"what {counted(customers, 'customers')} bought in 1997-98"
    console.print(
        f"[bold]Taesan[/] replays {bought},\nas payments to a hub and a chain in {folder}.\n", highlight=False
    )
    from taesan.demo.run import Options, run

    options = Options(customers, chain, leave, chain_port, port, folder, kill_midway)
    raise typer.Exit(explaining(lambda: run(options, console)))


def _year(
    customers: int,
    months: int,
    chain: ChainName,
    leave: bool,
    kill_midway: bool,
    port: int | None,
    chain_port: int | None,
    folder: Path,
    page: Path | None,
) -> int:
    from taesan.demo.progress import counted
    from taesan.demo.year.run import Options, run

    if chain != "anvil" or kill_midway:
        raise typer.BadParameter("the year is for anvil, whose clock it moves, and for one process")
    who = f"{counted(customers, 'customers')} through {counted(months, 'months')} from January 1997"
    console.print(f"[bold]Taesan[/] takes {who}, with a hub and a chain in {folder}\n", highlight=False)
    return explaining(lambda: run(Options(customers, months, leave, chain_port, port, folder, page), console))


def devnet(
    chain: Annotated[ChainName, typer.Option(help="Which local chain")] = "anvil",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: 8545, or the next that is free")] = None,
    folder: Annotated[Path, typer.Option(help="Keeps the chain between runs")] = Path("var/devnet"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the chain that is kept there")] = False,
    as_base_sepolia: Annotated[
        bool,
        typer.Option(
            "--as-base-sepolia",
            help="With that chain's id and its dollar's address: x402 clients pay there as they are, spend controls and all",
        ),
    ] = False,
    with_hub: Annotated[bool, typer.Option("--with-hub", help="Run a hub on it, too")] = False,
    hub_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The hub's; default: 8000, or the next that is free")
    ] = None,
) -> None:
    """Run a local chain with the contracts on it, to develop against; with --with-hub a hub as well."""
    from taesan.chain.local import CLIENTS_CHAIN_ID
    from taesan.demo.devnet import CHAIN_ID
    from taesan.demo.playground import Options, run

    chain_id = CLIENTS_CHAIN_ID if as_base_sepolia else CHAIN_ID
    options = Options(chain, port, folder, fresh, chain_id, with_hub, hub_port)
    explaining(lambda: run(options, console))


def duration_s(text: str) -> int:
    """Such as 90s, 15m, 2h, 3d. :raises BadParameter: it is none"""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if not match:
        raise typer.BadParameter(f"{text!r} is not a duration such as 90s, 15m, 2h or 3d")
    seconds = int(match[1]) * SECONDS_IN[match[2]]
    if not 0 < seconds <= MAX_WARP_S:
        raise typer.BadParameter(f"{text!r} is not between 1s and {MAX_WARP_S // 86_400}d")
    return seconds


def warp(
    duration: Annotated[int, typer.Argument(parser=duration_s, metavar="DURATION", help="Such as 90s, 15m, 2h, 3d")],
) -> None:
    """Move the clock of the local chain at TAESAN_RPC_URL forward, such as past a withdraw delay.

    Gifts, reminders, rules' dates and conversions of a hub on it follow a second later, and `taesan.client` signs by it. Sign-in, invoices and
    rules' caps stay with the wall clock. There is no way back but `taesan devnet --fresh`."""
    from taesan.chain import local
    from taesan.chain.nodes import connect
    from taesan.chain.rpc import NodeUnavailable
    from taesan.core.clock import rfc3339

    settings = explaining(Settings)
    try:
        now = explaining(lambda: local.warp(connect(settings.rpc_url, settings.rpc_timeout_s), duration))
    except NodeUnavailable as error:
        fail(f"{error}. Is the chain running? Start one with `taesan devnet`.")
    console.print(f"The chain's time is {rfc3339(now)}.", highlight=False)
