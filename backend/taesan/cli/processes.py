"""The hub's own processes, and the deployment they need."""

import contextlib
import signal
import threading
from typing import Annotated

import typer
from rich.table import Table

from taesan.cli.talk import console, explaining, fail, open_hub
from taesan.settings import Settings


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
    dex_factory: Annotated[
        str | None,
        typer.Option(help="Uniswap v3's factory there, for rules that buy something; the admin then lists pools"),
    ] = None,
    dex_quoter: Annotated[str | None, typer.Option(help="Its QuoterV2")] = None,
) -> None:
    """Deploy the contracts to the chain at TAESAN_RPC_URL and write the deployment file."""
    from taesan.chain.deployment import NO_LIMIT
    from taesan.chain.deployment import deploy as deploy_contracts
    from taesan.chain.dex import Dex
    from taesan.chain.nodes import connect
    from taesan.chain.rpc import NodeUnavailable
    from taesan.chain.signers import open_signer

    settings = explaining(Settings)
    signer = explaining(lambda: open_signer(settings))
    if settings.environment != "local" and admin in (None, signer.address):
        fail("name an --admin that is not the operator: who steals the operator's key should not get the roles too")
    if settings.environment != "local" and (batch_limit is None or day_limit is None):
        fail("name a --batch-limit and a --day-limit: they bound what a stolen operator's key can do before you pause")
    if (dex_factory is None) != (dex_quoter is None):
        fail("--dex-factory and --dex-quoter go together")
    exchange = Dex(dex_factory, dex_quoter) if dex_factory and dex_quoter else None
    limits = (batch_limit or NO_LIMIT, day_limit or NO_LIMIT)
    places = connect(settings.rpc_url), signer, settings.artifacts_dir
    try:
        deployment = explaining(lambda: deploy_contracts(*places, asset, admin, limits, exchange=exchange))
    except NodeUnavailable as error:
        fail(f"{error}. Is the chain running? Start one with `taesan devnet`.")
    deployment.save(settings.deployment_file)
    table = Table("contract", "address", title=f"deployed on chain {deployment.chain_id}")
    for role, address in deployment.addresses.items():
        table.add_row(role, address)
    console.print(table)
    console.print(f"written to {settings.deployment_file}")


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
    from taesan.work import Background

    settings = explaining(Settings)
    explaining(lambda: set_up_sight(settings, "taesan"))
    hub = open_hub(settings)
    background = Background(hub)
    thread = threading.Thread(target=background.run, name="worker")
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
        background.stop()
        if with_worker:
            thread.join()
        hub.db.close()


def worker() -> None:
    """Run the background worker alone: relays, batches, settlement, the books, webhooks."""
    from taesan.operations.metrics import serve_worker
    from taesan.operations.sight import set_up_sight
    from taesan.work import Background

    settings = explaining(Settings)
    explaining(lambda: set_up_sight(settings, "taesan-worker"))
    hub = open_hub(settings)
    background = Background(hub)
    if settings.worker_metrics_port:
        serve_worker(settings.worker_metrics_port)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: background.stop())
    background.run()
    hub.db.close()
