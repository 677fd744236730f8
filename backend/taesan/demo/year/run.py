"""The year from an empty folder to its tables, and a page that stays live."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import uvicorn
from rich.console import Console

from taesan.auditing import audit
from taesan.chain.rpc import NodeUnavailable
from taesan.core.garbage import calm_collector
from taesan.core.logs import logs_of, set_up_logs
from taesan.core.server import BoundedHttp
from taesan.demo import folder
from taesan.demo.processes import DemoFailed
from taesan.demo.progress import counted, phase
from taesan.demo.run import INTERRUPTED, choose_port, interruptible
from taesan.demo.year import dealings, figures, people, table
from taesan.demo.year.page import document
from taesan.demo.year.story import OPENS, Story
from taesan.demo.year.world import World, settings_of

SEED = 1997
LOG = "service.log"


@dataclass(frozen=True)
class Options:
    """:ivar chain_port: None: 8545 or the next that is free. :ivar port: the page's; None: 8000 or the next free
    :ivar page: where the tables are written to as Markdown"""

    customers: int
    months: int
    leave: bool
    chain_port: int | None
    port: int | None
    folder: Path
    page: Path | None = None
    seed: int = SEED


@dataclass
class Outcome:
    """:ivar is_sound: the audit has found nothing, and no figure differs"""

    is_sound: bool = False


def run(options: Options, console: Console) -> int:
    """Returns the exit code: 0 only if the audit finds nothing, and no figure differs.

    :raises DemoFailed: with a message for a person
    """
    outcome = Outcome()
    with interruptible(), folder.held(options.folder):
        try:
            chain_port = choose_port(options.chain_port, folder.CHAIN_PORT, "the chain", "--chain-port", console)
            port = choose_port(options.port, folder.PORT, "the page", "--port", console)
            settings = settings_of(options.folder, chain_port, port)
            folder.wipe(options.folder)
            with (options.folder / LOG).open("w") as log, World(options.folder, settings, OPENS) as world:
                set_up_logs(logs_of(settings), log)
                calm_collector()
                asyncio.run(_perform(options, world, outcome, console))
        except KeyboardInterrupt:
            console.print(
                f"\nEnded; nothing is left running. Books and chain are kept in {options.folder}.", highlight=False
            )
            return 0 if outcome.is_sound else INTERRUPTED
        except NodeUnavailable as error:
            raise DemoFailed(f"{error}; see {options.folder / 'anvil.log'}") from error
    return 0 if outcome.is_sound else 1


async def _perform(options: Options, world: World, outcome: Outcome, console: Console) -> None:
    """Everything up to the tables, and after them the page."""
    started = time.perf_counter()
    chosen = people.choose(options.customers, options.months)
    with phase(console, "anvil starts, contracts are deployed, Uniswap among them") as bar:
        world.start_chain()
        world.as_admin("badges", "createCollectible", people.COLLECTIBLE, 0)
        world.as_admin("standing_orders", "offer", people.COLLECTIBLE, people.ARTIST, people.COLLECTIBLE_PRICE)
        bar.say(world.settings.rpc_url)
    async with world.open():
        story = Story(world, chosen, options.months, options.seed)
        await _tell(story, console)
        with phase(console, "books, proofs and chain are checked") as bar:
            found = figures.recompute(story)
            besides = dealings.recompute(story, found.report)
            found.report.differences += audit(world.hub).differences
            outcome.is_sound = not found.report.differences
            bar.say("no differences" if outcome.is_sound else "DIFFERENCES")
        console.print()
        tables = [table.became(found), table.company(found, besides)]
        for each in (*tables, table.trust(outcome.is_sound)):
            console.print(each)
            console.print()
        elapsed_s = time.perf_counter() - started
        if options.page is not None:
            written = document(
                tables, options.customers, options.months, is_sound=outcome.is_sound, elapsed_s=elapsed_s
            )
            options.page.write_text(written, encoding="utf-8")
        for difference in found.report.differences:
            console.print(f"[bold red]✗[/] {difference}", soft_wrap=True)
        console.print(f"[dim]{elapsed_s:.0f} s in all[/]", highlight=False)
        if outcome.is_sound and not options.leave:
            await _stay_up(world, console)


async def _tell(story: Story, console: Console) -> None:
    customers, months = len(story.chosen), story.months
    with phase(console, "customers open channels and sign rules", customers) as bar:
        await story.open(bar)
        bar.say(f"{counted(len(people.KINDS), 'kinds')} of them")
    days = (people.first_of(months) - people.BEGINS).days
    with phase(console, f"{counted(months, 'months')} pass", days) as bar:
        await story.live(bar)
        bar.say(f"{people.BEGINS:%B %Y} to {people.first_of(months) - timedelta(days=1):%B %Y}")
    with phase(console, "what is still under way comes to its end"):
        await story.end()


async def _stay_up(world: World, console: Console) -> None:
    """The page, at the story's time, which goes on second by second from now."""
    url = world.settings.public_url
    console.print(
        f"\nOpen [bold]{url}[/] for the page, {url}/docs for the API. Ctrl-C ends everything.", highlight=False
    )
    config = uvicorn.Config(
        world.app,
        host=world.settings.host,
        port=world.settings.port,
        http=BoundedHttp,
        ws="none",
        lifespan="off",  # it is open already
        log_config=None,
        access_log=False,
    )
    await world.run_on(uvicorn.Server(config))
