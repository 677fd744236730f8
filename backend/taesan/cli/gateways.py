"""`taesan gateway`: who reports payments that were made elsewhere."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from taesan.cli.talk import console, explaining, fail, open_hub
from taesan.settings import Settings

if TYPE_CHECKING:
    from sqlmodel import Session

    from taesan.gateways.models import Gateway

app = typer.Typer(no_args_is_help=True, help="Gateways, which report payments that were made elsewhere.")


@app.command("list")
def show() -> None:
    """Show each gateway's funding, and what waits for more."""
    from taesan.gateways import service

    hub = open_hub(explaining(Settings), patient=False)
    with hub.db.read() as session:
        found = [service.public(session, hub, row) for row in service.every(session)]
    hub.db.close()
    for g in found:
        console.print(f"[bold]{g.id}[/] {g.name}, {g.state}, {g.address}", soft_wrap=True, highlight=False)
        console.print(
            f"  funded {g.funded:,}, signed {g.signed:,}, drawn {g.drawn:,}; "
            f"{g.waiting_payments:,} payments of {g.waiting_amount:,} wait",
            soft_wrap=True,
        )
    if not found:
        console.print("There are no gateways.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its name, which customers see")],
    address: Annotated[str, typer.Argument(help="The wallet that funds it, 0x…")],
) -> None:
    """Make a gateway; shows the secret that it signs with, once."""
    from pydantic import ValidationError

    from taesan.gateways import service
    from taesan.gateways.models import GatewayCreate
    from taesan.identity.operators import CLI

    try:
        wanted = GatewayCreate(name=name, address=address)
    except ValidationError as error:
        fail("; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors()))
    _show_secret(lambda session, now: service.register(session, wanted, CLI, now))


@app.command()
def rotate(
    gateway_id: Annotated[str, typer.Argument(metavar="ID", help="As `taesan gateway list` shows it: gw_…")],
) -> None:
    """Give it a new secret and end the old one at once, such as when that may have been seen."""
    from taesan.core import signing_secrets
    from taesan.gateways import service
    from taesan.identity import operators

    def do(session: "Session", now: datetime) -> "Gateway":
        row = service.find(session, gateway_id)
        signing_secrets.rotate(row, 0, now)
        operators.record(session, operators.CLI, "gateway.rotated", row.id, row.name, now)
        return row

    _show_secret(do)


def _show_secret(make: Callable[["Session", datetime], "Gateway"]) -> None:
    from taesan.core.db import retried
    from taesan.core.problems import Problem

    hub = open_hub(explaining(Settings), patient=False)

    @retried
    def made() -> tuple[str, str]:
        with hub.db.write() as session:
            row = make(session, hub.clock.now())
            return row.id, row.secret

    try:
        gateway_id, secret = explaining(made)
    except Problem as problem:
        fail(f"{problem.title} {problem.detail}")
    finally:
        hub.db.close()
    console.print(f"{gateway_id}\n{secret}", highlight=False, soft_wrap=True)
