"""The year's tables as a page of the documentation."""

from collections.abc import Iterable
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from taesan.demo.progress import counted


def document(tables: Iterable[Table], customers: int, months: int, *, is_sound: bool, elapsed_s: float) -> str:
    """Markdown. :param tables: with a title each"""
    verdict = "finds no difference" if is_sound else "**finds differences**"
    shown = "\n\n".join(f"## {table.title}\n\n{_rows(table)}" for table in tables)
    return f"""# What a year's small change became

{counted(customers, "customers")} of CDNOW buy through {counted(months, "months")} what they bought from January 1997 on, on a clock of their own, from shops of a real hub with a
chain of its own (anvil, Uniswap's published contracts). Most have signed rules for what gathers; shops give cashback, people
give presents, ether's price moves. Every figure is the books' and the chain's, held against each other; the audit at the end {verdict}.

{shown}

Written by `make bench-year` on {datetime.now(UTC):%Y-%m-%d}, in {elapsed_s / 60:.1f} minutes.
"""


def _rows(table: Table) -> str:
    headings = [_plain(str(column.header)) for column in table.columns]
    sides = ["---:" if column.justify == "right" else "---" for column in table.columns]
    rows = zip(*(column.cells for column in table.columns), strict=True)
    lines = [headings, sides, *([_plain(str(cell)) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(markup: str) -> str:
    return Text.from_markup(markup).plain.replace("|", "/")
