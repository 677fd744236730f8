"""What stands: the audit, what a person should know of, and a person's month."""

import time
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.table import Table

from taesan.cli.talk import console, explaining, fail, open_hub
from taesan.settings import Settings


def audit(
    folder: Annotated[
        Path | None,
        typer.Option(help="A demo's folder: its database, and its chain started again if it is not running"),
    ] = None,
) -> None:
    """Recompute the books, check every hash, root and proof, compare with the chain; exit 1 on any difference."""
    from taesan.auditing import audit as run_audit
    from taesan.demo.revisit import revisited
    from taesan.ledger.audit import Report

    def check() -> Report:
        with revisited(folder) as found:
            hub = open_hub(found.settings, patient=False)
            try:
                found.catch_up(hub)
                return run_audit(hub)
            finally:
                hub.db.close()

    started = time.perf_counter()
    report = explaining(check)
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


def alarms(
    clear: Annotated[
        str | None, typer.Option(help="Say that this one is over: nonce-used-elsewhere; all others end by themselves")
    ] = None,
) -> None:
    """What a person should know of at the moment; exit 1 if there is anything."""
    from taesan.backup import require_database
    from taesan.chain import alarms as chain_alarms
    from taesan.core.clock import SystemClock, rfc3339
    from taesan.core.db import Database
    from taesan.identity import operators

    url = explaining(Settings).database_url
    explaining(lambda: require_database(url))
    db = Database(url)

    def work() -> list[tuple[str, str, str]]:
        db.migrate()
        with db.write() as session:
            if clear is not None:
                if not chain_alarms.is_on(session, clear):
                    fail(f"there is no alarm {clear}")
                if clear not in chain_alarms.STAYS:
                    fail(f"{clear} ends by itself, when its cause does")
                chain_alarms.clear(session, clear)
                operators.record(session, operators.CLI, "alarm.cleared", clear, "", SystemClock().now())
            return [(a.name, rfc3339(a.since), a.detail) for a in chain_alarms.alarms(session)]

    on = explaining(work)
    db.close()
    table = Table("alarm", "since", "what", title="alarms")
    for row in on:
        table.add_row(*row)
    console.print(table if on else "no alarms")
    raise typer.Exit(1 if on else 0)


def report(
    payer: Annotated[str, typer.Option(help="A wallet of who has asked for insights, 0x…")],
    month: Annotated[str, typer.Option(help="Such as 2026-11", metavar="YYYY-MM")],
    language: Annotated[str | None, typer.Option(help="en or ko; the person's, if left out")] = None,
    output: Annotated[
        Path | None, typer.Option(help="A .pdf, .html, .csv or .json file; taesan-YYYY-MM.pdf, if left out")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="A devnet's or demo's folder; else the settings' database")
    ] = None,
) -> None:
    """Write what went where in a person's month: as a PDF, a page, CSV or JSON."""
    from taesan.core.days import first_of
    from taesan.core.i18n import LANGUAGES
    from taesan.core.problems import Problem
    from taesan.core.values import parse_address
    from taesan.demo.revisit import revisited
    from taesan.insights import audits, persons
    from taesan.insights import report as reports
    from taesan.insights.pdf import FontsMissing

    path = output or Path(f"taesan-{month}.pdf")
    form = next((form for form in get_args(reports.Format) if path.suffix.lower() == f".{form}"), None)
    if form is None:
        fail(f"{path} has to end with .pdf, .html, .csv or .json")
    if language is not None and language not in LANGUAGES:
        fail(f"--language is one of {', '.join(LANGUAGES)}")
    try:
        wallet = parse_address(payer)
        first = first_of(month)
    except ValueError as error:
        fail(f"--payer and --month are a wallet, 0x…, and a month, such as 2026-11: {error}")

    def write() -> None:
        with revisited(folder) as found:
            hub = open_hub(found.settings, patient=False)
            try:
                with hub.db.read() as session:
                    person = persons.find(session, wallet)
                    told = audits.month_audit(session, hub, person, first, hub.clock.now())
                path.touch(mode=0o600)  # it is hers
                path.write_bytes(reports.written(told, form, hub, language or person.language))
            finally:
                hub.db.close()

    try:
        explaining(write)
    except Problem as problem:
        fail(f"{problem.title} {problem.detail}")
    except (FontsMissing, OSError) as error:
        fail(str(error))
    console.print(f"{path}", soft_wrap=True, highlight=False)
