"""The `taesan` command."""

import typer

from taesan.cli import gateways, keystore, merchant, quarantine
from taesan.cli.copies import backup, restore
from taesan.cli.inspection import alarms, audit, report
from taesan.cli.playground import demo, devnet, warp
from taesan.cli.processes import deploy, serve, worker
from taesan.core.garbage import calm_collector

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="A self-hosted micropayment hub."
)
for command in (deploy, serve, worker, demo, devnet, warp, audit, alarms, report, backup, restore):
    app.command()(command)
app.add_typer(merchant.app, name="merchant")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(gateways.app, name="gateway")
app.add_typer(keystore.app, name="keystore")


def main() -> None:
    calm_collector()
    app()
