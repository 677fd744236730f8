"""Phases on the terminal: a live bar while one runs, a line that stays when it is done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


def counted(number: int, plural: str) -> str:
    """`1 payer`, `2 payers`."""
    singular = {"batches": "batch"}.get(plural, plural.removesuffix("s"))
    return f"{number:,} {singular if number == 1 else plural}"


class Phase:
    """:ivar note: shown behind the bar, and behind the line that stays"""

    def __init__(self, progress: Progress, title: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total, note="")
        self.note = ""

    def advance(self, note: str | None = None, by: int = 1) -> None:
        self._progress.advance(self._task, by)
        self.say(note)

    def reach(self, completed: int, total: int, note: str | None = None) -> None:
        self._progress.update(self._task, completed=completed, total=total)
        self.say(note)

    def say(self, note: str | None) -> None:
        if note is not None:
            self.note = note
            self._progress.update(self._task, note=escape(note))


@contextmanager
def phase(console: Console, title: str, total: int | None = None) -> Iterator[Phase]:
    """:param total: how many steps, if that is known"""
    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        *([MofNCompleteColumn()] if total else []),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    ]
    started = time.perf_counter()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        running = Phase(progress, title, total)
        yield running
    seconds = time.perf_counter() - started
    note = f"[dim] · {escape(running.note)}[/]" if running.note else ""
    console.print(f"[green]✓[/] {title}{note} [dim]({seconds:.1f} s)[/]", highlight=False)
