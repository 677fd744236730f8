"""Backup and restore of the database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from taesan.cli.talk import console, explaining, fail, progress_bar
from taesan.settings import Settings

if TYPE_CHECKING:
    from taesan.backup import Contents


def backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes; must not be there yet")],
) -> None:
    """Copy the SQLite database to a file, checked, while the hub runs."""
    from taesan.backup import back_up

    settings = explaining(Settings)
    with progress_bar("copying") as progress:
        contents = explaining(lambda: back_up(settings.database_url, file, progress))
    _show_contents(f"{file}", contents)


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

    settings, now = explaining(Settings), SystemClock().now()
    if file is not None and mark:
        fail("name a FILE to restore, or --mark what was restored by other means, not both")
    if file is None and not mark:
        fail("name the FILE to restore, or --mark a database that was restored by other means")
    if file is None:
        contents, aside = explaining(lambda: mark_restored(settings.database_url, now)), None
    else:
        from_ = file
        deployment = explaining(lambda: Deployment.load(settings.deployment_file))
        with progress_bar("restoring") as progress:
            contents, aside = explaining(
                lambda: restore_file(from_, settings.database_url, deployment, now, progress, replace=replace)
            )
    _show_contents("the restored database", contents)
    if aside is not None:
        console.print(f"The database that was there is kept as {aside}.", soft_wrap=True)
    console.print(
        "Start the hub: it catches up with its chain, then it accepts payments. `taesan audit` tells what is lost."
    )


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
