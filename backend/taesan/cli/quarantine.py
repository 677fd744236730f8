"""`taesan quarantine`: what was set aside, and its end."""

from typing import Annotated, Literal

import typer

from taesan.cli.talk import console, explaining, fail, open_hub
from taesan.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Channels that were set aside when the contract refused a batch.")


@app.command("list")
def show() -> None:
    """Show what is held, and what each needs."""
    from taesan.settlement import quarantine

    hub = open_hub(explaining(Settings), patient=False)
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


@app.command()
def retry(quarantine_id: QuarantineId) -> None:
    """Let the channel's payments into the next batch again, such as when the deposit has come back."""
    _end(quarantine_id, "retry")


@app.command()
def refund(quarantine_id: QuarantineId) -> None:
    """Give the payer back what cannot be settled, pay its merchants out of the hub's surplus, close the channel."""
    _end(quarantine_id, "refund")


def _end(quarantine_id: str, act: Literal["retry", "refund"]) -> None:
    from taesan.core.db import retried
    from taesan.core.problems import Problem
    from taesan.identity.operators import CLI
    from taesan.settlement import quarantine

    hub = open_hub(explaining(Settings), patient=False)

    do = quarantine.retry if act == "retry" else quarantine.refund

    @retried
    def end() -> str:
        with hub.db.write() as session:
            return do(session, hub, quarantine_id, CLI, hub.clock.now()).state

    try:
        state = explaining(end)
    except Problem as problem:
        fail(f"{problem.title} {problem.detail}")
    finally:
        hub.db.close()
    console.print(f"{quarantine_id} is {state}.", highlight=False)
