"""The `taesan` command."""

import contextlib
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from taesan import cli_keystore
from taesan.demo.devnet import ChainName
from taesan.settings import Settings

if TYPE_CHECKING:
    from taesan.backup import Contents

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="A self-hosted micropayment hub."
)
quarantine_app = typer.Typer(
    no_args_is_help=True, help="Channels that were set aside when the contract refused a batch."
)
app.add_typer(quarantine_app, name="quarantine")
console = Console()
T = TypeVar("T")
RETRY_S = 2
SECONDS_IN = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MAX_WARP_S = 366 * 86_400
app.add_typer(cli_keystore.app, name="keystore")


def main() -> None:
    app()


@app.command()
def deploy(
    asset: Annotated[
        str | None, typer.Option(help="An existing ERC-20 with ERC-3009; default: a new test dollar")
    ] = None,
    admin: Annotated[
        str | None,
        typer.Option(help="Who gives and takes roles and lifts a pause; must not be the operator outside local"),
    ] = None,
    batch_limit: Annotated[
        int | None, typer.Option(min=1, help="What a settlement may newly owe, in the asset's minor units")
    ] = None,
    day_limit: Annotated[int | None, typer.Option(min=1, help="The same for all settlements of a day (UTC)")] = None,
) -> None:
    """Deploy the contracts to the chain at TAESAN_RPC_URL and write the deployment file."""
    from taesan.chain.deployment import NO_LIMIT
    from taesan.chain.deployment import deploy as deploy_contracts
    from taesan.chain.nodes import connect
    from taesan.chain.rpc import NodeUnavailable
    from taesan.chain.signers import open_signer

    settings = _explaining(Settings)
    signer = _explaining(lambda: open_signer(settings))
    if settings.environment != "local" and admin in (None, signer.address):
        _fail("name an --admin that is not the operator: who steals the operator's key should not get the roles too")
    if settings.environment != "local" and (batch_limit is None or day_limit is None):
        _fail("name a --batch-limit and a --day-limit: they bound what a stolen operator's key can do before you pause")
    limits = (batch_limit or NO_LIMIT, day_limit or NO_LIMIT)
    try:
        deployment = _explaining(
            lambda: deploy_contracts(connect(settings.rpc_url), signer, settings.artifacts_dir, asset, admin, limits)
        )
    except NodeUnavailable as error:
        _fail(f"{error}. Is the chain running? Start one with `taesan devnet`.")
    deployment.save(settings.deployment_file)
    table = Table("contract", "address", title=f"deployed on chain {deployment.chain_id}")
    for role in ("asset", "channels", "collector", "settlement", "gift_token"):
        table.add_row(role, getattr(deployment, role))
    console.print(table)
    console.print(f"written to {settings.deployment_file}")


@app.command()
def serve(
    with_worker: Annotated[bool, typer.Option(help="Run the background worker in this process too")] = True,
) -> None:
    """Serve the API and the page; waits for the node if it is down."""
    import uvicorn

    from taesan.app import create_app
    from taesan.core.garbage import calm_collector
    from taesan.core.server import BoundedHttp
    from taesan.operations.sight import set_up_sight
    from taesan.payments.lanes import ProcessLanes
    from taesan.work import build_worker

    settings = _explaining(Settings)
    _explaining(lambda: set_up_sight(settings, "taesan"))
    hub = _open_hub(settings)
    worker = build_worker(hub)
    thread = threading.Thread(target=worker.run, name="worker")
    if with_worker:
        thread.start()
    config = uvicorn.Config(
        create_app(hub, ProcessLanes(hub)),
        host=settings.host,
        port=settings.port,
        http=BoundedHttp,
        ws="none",
        limit_concurrency=settings.connections_max,
        server_header=False,
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    # Uvicorn would raise the signal once more when it is done, and we would not get to the lines below.
    server.capture_signals = contextlib.nullcontext  # type: ignore[assignment]
    calm_collector()
    try:
        server.run()
    finally:
        worker.stopping.set()
        if with_worker:
            thread.join()
        hub.db.close()


@app.command()
def worker() -> None:
    """Run the background worker alone: relays, batches, settlement, the books."""
    from taesan.operations.sight import set_up_sight
    from taesan.work import build_worker

    settings = _explaining(Settings)
    _explaining(lambda: set_up_sight(settings, "taesan-worker"))
    hub = _open_hub(settings)
    background = build_worker(hub)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: background.stopping.set())
    background.run()
    hub.db.close()


@app.command()
def demo(
    customers: Annotated[int, typer.Option(min=1, max=23_570, help="How many customers of CDNOW to replay")] = 200,
    chain: Annotated[ChainName, typer.Option(help="Which local chain")] = "anvil",
    leave: Annotated[bool, typer.Option("--exit", help="End after the table instead of staying up")] = False,
    kill_midway: Annotated[
        bool, typer.Option("--kill-midway", help="kill -9 the hub in the middle of the replay and start it again")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The page's; default: 8000, or the next that is free")
    ] = None,
    chain_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Default: 8545, or the next that is free")
    ] = None,
    folder: Annotated[Path, typer.Option(help="For chain, database and logs; an earlier run's are removed")] = Path(
        "var/demo"
    ),
) -> None:
    """Replay real purchases against a hub and a chain of their own, and look at the result."""
    from taesan.demo.progress import counted

    bought = f"what {counted(customers, 'customers')} bought in 1997-98"
    console.print(f"[bold]Taesan[/] replays {bought}, as payments to a hub and a chain in {folder}\n", highlight=False)
    from taesan.demo.run import Options, run

    options = Options(customers, chain, leave, chain_port, port, folder, kill_midway)
    raise typer.Exit(_explaining(lambda: run(options, console)))


@app.command()
def devnet(
    chain: Annotated[ChainName, typer.Option(help="Which local chain")] = "anvil",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: 8545, or the next that is free")] = None,
    folder: Annotated[Path, typer.Option(help="Keeps the chain between runs")] = Path("var/devnet"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the chain that is kept there")] = False,
) -> None:
    """Run a local chain with the contracts on it, to develop against."""
    from taesan.demo.playground import run

    _explaining(lambda: run(chain, port, folder, fresh, console))


def _duration_s(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if not match:
        raise typer.BadParameter(f"{text!r} is not a duration such as 90s, 15m, 2h or 3d")
    seconds = int(match[1]) * SECONDS_IN[match[2]]
    if not 0 < seconds <= MAX_WARP_S:
        raise typer.BadParameter(f"{text!r} is not between 1s and {MAX_WARP_S // 86_400}d")
    return seconds


@app.command()
def warp(
    duration: Annotated[int, typer.Argument(parser=_duration_s, metavar="DURATION", help="Such as 90s, 15m, 2h, 3d")],
) -> None:
    """Move the clock of the local chain at TAESAN_RPC_URL forward, such as past a withdraw delay."""
    from taesan.chain import local
    from taesan.chain.nodes import connect
    from taesan.chain.rpc import NodeUnavailable
    from taesan.core.clock import rfc3339

    settings = _explaining(Settings)
    try:
        now = _explaining(lambda: local.warp(connect(settings.rpc_url, settings.rpc_timeout_s), duration))
    except NodeUnavailable as error:
        _fail(f"{error}. Is the chain running? Start one with `taesan devnet`.")
    console.print(f"The chain's time is {rfc3339(now)}.", highlight=False)


@app.command()
def audit(
    folder: Annotated[
        Path | None,
        typer.Option(help="A demo's folder: its database, and its chain started again if it is not running"),
    ] = None,
) -> None:
    """Recompute the books, check every hash, root and proof, compare with the chain; exit 1 on any difference."""
    from taesan.demo.revisit import revisited
    from taesan.ledger.audit import Report
    from taesan.settlement.audit import audit as run_audit

    def check() -> Report:
        with revisited(folder) as found:
            hub = _open_hub(found.settings, patient=False)
            try:
                found.catch_up(hub)
                return run_audit(hub)
            finally:
                hub.db.close()

    started = time.perf_counter()
    report = _explaining(check)
    table = Table("checked", "count", title="audit")
    for what, count in report.counted.items():
        table.add_row(what, f"{count:,}")
    console.print(table)
    for difference in report.differences[:50]:
        console.print(f"[red]✗[/] {difference}", soft_wrap=True)
    if report.differences:
        console.print(f"[bold red]{len(report.differences)} differences[/]")
        raise typer.Exit(1)
    console.print(f"[bold green]no differences: books = chain[/] ({time.perf_counter() - started:.1f} s)")


@app.command()
def alarms(
    clear: Annotated[str | None, typer.Option(help="Say that this one is over; most end by themselves")] = None,
) -> None:
    """What a person should know of at the moment; exit 1 if there is anything."""
    from taesan.chain import alarms as chain_alarms
    from taesan.core.clock import rfc3339
    from taesan.core.db import Database

    db = Database(Settings().database_url)

    def work() -> list[tuple[str, str, str]]:
        db.migrate()
        with db.write() as session:
            if clear is not None and not chain_alarms.clear(session, clear):
                _fail(f"there is no alarm {clear}")
            return [(a.name, rfc3339(a.since), a.detail) for a in chain_alarms.alarms(session)]

    on = _explaining(work)
    db.close()
    table = Table("alarm", "since", "what", title="alarms")
    for row in on:
        table.add_row(*row)
    console.print(table if on else "no alarms")
    raise typer.Exit(1 if on else 0)


@quarantine_app.command("list")
def quarantine_list() -> None:
    """Show what is held, and what each needs."""
    from taesan.settlement import quarantine

    hub = _open_hub(Settings(), patient=False)
    with hub.db.read() as session:
        found = [quarantine.public(session, row) for row in quarantine.held(session)]
    hub.db.close()
    for q in found:
        console.print(f"[bold]{q.id}[/] since {q.since}: {q.reason}", soft_wrap=True, highlight=False)
        console.print(
            f"  {q.payments:,} payments; not settled {q.amount:,}, of which to merchants {q.to_merchants:,}; "
            f"missing {q.missing:,}",
            soft_wrap=True,
        )
    if not found:
        console.print("Nothing is in quarantine.")


QuarantineId = Annotated[str, typer.Argument(metavar="ID", help="As `taesan quarantine list` shows it: qua_…")]


@quarantine_app.command("retry")
def quarantine_retry(quarantine_id: QuarantineId) -> None:
    """Let the channel's payments into the next batch again, such as when the deposit has come back."""
    _end_quarantine(quarantine_id, "retry")


@quarantine_app.command("refund")
def quarantine_refund(quarantine_id: QuarantineId) -> None:
    """Give the payer back what cannot be settled, pay its merchants out of the hub's surplus, close the channel."""
    _end_quarantine(quarantine_id, "refund")


def _end_quarantine(quarantine_id: str, act: Literal["retry", "refund"]) -> None:
    from taesan.core.db import retried
    from taesan.core.problems import Problem
    from taesan.identity.operators import CLI
    from taesan.settlement import quarantine

    hub = _open_hub(Settings(), patient=False)

    do = quarantine.retry if act == "retry" else quarantine.refund

    @retried
    def end() -> str:
        with hub.db.write() as session:
            return do(session, hub, quarantine_id, CLI, hub.clock.now()).state

    try:
        state = _explaining(end)
    except Problem as problem:
        _fail(f"{problem.title} {problem.detail}")
    finally:
        hub.db.close()
    console.print(f"{quarantine_id} is {state}.", highlight=False)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes; must not be there yet")],
) -> None:
    """Copy the SQLite database to a file, checked, while the hub runs."""
    from taesan.backup import back_up

    settings = Settings()
    with _progress("copying") as progress:
        contents = _explaining(lambda: back_up(settings.database_url, file, progress))
    _show_contents(f"{file}", contents)


@app.command()
def restore(
    file: Annotated[Path | None, typer.Argument(help="What `taesan backup` has written")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Keep an existing database aside, under a dated name, instead of refusing")
    ] = False,
    mark: Annotated[
        bool, typer.Option("--mark", help="Only mark the database, which was restored by other means")
    ] = False,
) -> None:
    """Make a backup the hub's database; the hub then catches up with its chain before it accepts anything."""
    from taesan.backup import mark as mark_restored
    from taesan.backup import restore as restore_file
    from taesan.chain.contracts import Deployment
    from taesan.core.clock import SystemClock

    settings, now = Settings(), SystemClock().now()
    if (file is None) != mark:
        _fail("name the FILE to restore, or --mark a database that was restored by other means")
    if file is None:
        contents, aside = _explaining(lambda: mark_restored(settings.database_url, now)), None
    else:
        from_ = file
        deployment = _explaining(lambda: Deployment.load(settings.deployment_file))
        with _progress("restoring") as progress:
            contents, aside = _explaining(
                lambda: restore_file(from_, settings.database_url, deployment, now, progress, replace=replace)
            )
    _show_contents("the restored database", contents)
    if aside is not None:
        console.print(f"The database that was there is kept as {aside}.", soft_wrap=True)
    console.print(
        "Start the hub: it catches up with its chain, then it accepts payments. `taesan audit` tells what is lost."
    )


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.progress import Progress

    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show_contents(title: str, contents: "Contents") -> None:
    from taesan.core.clock import rfc3339

    table = Table("it holds", "", title=title)
    newest = "none" if contents.newest_entry is None else f"{contents.entries:,}, of {rfc3339(contents.newest_entry)}"
    for what, value in (
        ("payments", f"{contents.payments:,}"),
        ("newest entry", newest),
        ("chain", f"{contents.chain_id}, up to block {contents.block}"),
        ("settlement", contents.settlement),
        ("schema", contents.revision),
    ):
        table.add_row(what, value)
    console.print(table)


def _open_hub(settings: Settings, *, patient: bool = True):  # type: ignore[no-untyped-def]
    """Opens the hub; while the node is down says so once and tries again."""
    from taesan.chain.rpc import NodeUnavailable
    from taesan.hub import open_hub

    told = False
    while True:
        try:
            return _explaining(lambda: open_hub(settings))
        except NodeUnavailable as error:
            if not patient:
                _fail(f"{error}. Is the chain running? Start one with `taesan devnet`.")
            if not told:
                console.print(f"{error}; trying again every {RETRY_S} s. Start a chain with `taesan devnet`.")
            told = True
            time.sleep(RETRY_S)


def _explaining(action: Callable[[], T]) -> T:
    """Turns what a person can mend into one line instead of a traceback."""
    from pydantic import ValidationError

    from taesan.backup import BackupRefused
    from taesan.chain.contracts import ArtifactsMissing
    from taesan.chain.deployment import WrongChain
    from taesan.chain.keystore import KeystoreError
    from taesan.chain.local import NotLocal
    from taesan.chain.signers import SignerUnavailable, UnsuitableKey, WrongSignature
    from taesan.core.db import UNAVAILABLE, brief
    from taesan.core.tracing import TracingUnavailable
    from taesan.demo.processes import DemoFailed

    here = (ArtifactsMissing, WrongChain, NotLocal, DemoFailed, TracingUnavailable)
    try:
        return action()
    except UNAVAILABLE as error:
        _fail(f"the database at TAESAN_DATABASE_URL cannot be used: {brief(error)}")
    except ValidationError as error:
        faults = [(".".join(map(str, e["loc"])), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
        _fail("; ".join(f"TAESAN_{name.upper()}: {told}" if name else told for name, told in faults))
    except (*here, BackupRefused, KeystoreError, UnsuitableKey, SignerUnavailable, WrongSignature) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    Console(stderr=True).print(f"[bold red]taesan:[/] {message}", soft_wrap=True)
    sys.exit(2)
