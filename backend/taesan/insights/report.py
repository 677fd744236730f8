"""One month's audit as a file: JSON, CSV, a page that needs nothing else, or a PDF."""

import base64
import csv
import hashlib
from collections.abc import Iterator
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from taesan.core.i18n import translations
from taesan.hub import Hub
from taesan.insights.audit_models import Amounts, AssetAudit, Became, Counted, MonthAudit, Places
from taesan.insights.cells import cell
from taesan.insights.documents import NONE, Document, Writer

Format = Literal["json", "csv", "html", "pdf"]
TEMPLATES = Path(__file__).parent / "templates"
NOTHING = ("",) * 6
HEAD = (
    "month", "asset", "exponent", "section", "key", "name", "count", "amount", "before", "year_before", "count_before", "count_year_before",
    "decimal_amount",
)  # fmt: skip


def written(audit: MonthAudit, form: Format, hub: Hub, language: str) -> bytes:
    """:raises FontsMissing: a PDF's typeface is not there"""
    if form == "json":
        return audit.model_dump_json(indent=2).encode()
    if form == "csv":
        return as_csv(audit).encode("utf-8-sig")  # by whose mark spreadsheets know it
    document = document_of(audit, hub, language)
    if form == "html":
        return as_page(document).encode()
    from taesan.insights import pdf  # with all of ReportLab, which few processes ever need

    return pdf.render(document, hub.settings.npm_dir)


def document_of(audit: MonthAudit, hub: Hub, language: str) -> Document:
    return writer_in(language, hub).document(audit)


def writer_in(language: str, hub: Hub) -> Writer:
    symbols = {token.id: token.symbol for token in (hub.asset, hub.gift)}
    return Writer(language, translations(language).gettext, symbols)


# ----------------------------------------------------------------------- CSV


def as_csv(audit: MonthAudit) -> str:
    """A line for each figure, in minor units, and the month's in whole ones too: of all kinds, merchants and categories (their net), days, what was gathered; and points."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(HEAD)
    for asset in audit.assets:
        of = (cell(asset.asset), asset.exponent)
        writer.writerows((audit.month, *of, *row, _decimal(row[4], asset.exponent)) for row in _rows(asset))
    if audit.assets_left_out:
        writer.writerow((audit.month, "", "", "asset", "", f"({audit.assets_left_out} more)", *NOTHING, ""))
    writer.writerows((audit.month, *row, _decimal(row[6], row[1])) for row in _became(audit.became))
    return text.getvalue()


def _rows(asset: AssetAudit) -> Iterator[tuple[object, ...]]:
    for moved in asset.moved:
        yield "moved", moved.kind, "", *_figures(moved)
    yield from _places("merchant", asset.merchants)
    yield from _places("category", asset.categories)
    for day in asset.days:
        for kind in ("spent", "refunded", "gathered"):
            if amount := getattr(day, kind):
                yield "day", day.day, kind, *_figure(amount)


def _places(section: str, places: Places) -> Iterator[tuple[object, ...]]:
    for place in places.items:
        counts = (place.count_before, place.count_year_before)
        nets = (place.net, place.before, place.year_before)
        yield section, cell(place.key), cell(place.name), place.count, *nets, *counts
    if places.left_out:
        nets = (places.left_out_net, places.left_out_before, places.left_out_year_before)
        yield section, "", f"({places.left_out} more)", "", *nets, "", ""


def _became(became: Became) -> Iterator[tuple[object, ...]]:
    """Points are of no asset."""
    of = (became.asset, became.exponent, "became")
    for what in ("fired", "returned", "promised", "taken_back"):
        yield *of, what, "", *_figures(getattr(became, what))
    for row in became.converted:
        yield *of, f"{row.kind} {row.state}", "", *_figures(row)
    for what in ("waiting", "held", "in_jars"):
        yield *of, what, "", *_figure(getattr(became, what))
    yield "", "", "points", "earned", "", *_figures(became.points_earned)
    yield "", "", "points", "left", "", *_figure(became.points)
    yield "", "", "points", "lapsing", "", *_figure(became.points_lapsing)


def _decimal(amount: object, exponent: object) -> str:
    """For a spreadsheet; points have no decimals."""
    value, places = int(str(amount)), int(str(exponent or 0))
    whole, part = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole}" + (f".{part:0{places}d}" if places else "")


def _figures(of: Amounts) -> tuple[object, ...]:
    if isinstance(of, Counted):
        return of.count, of.amount, of.before, of.year_before, of.count_before, of.count_year_before
    return "", of.amount, of.before, of.year_before, "", ""


def _figure(amount: int) -> tuple[object, ...]:
    """That is compared with nothing."""
    return "", amount, *NOTHING[2:]


# ---------------------------------------------------------------------- page


def as_page(document: Document) -> str:
    """Everything in one file: no script, and nothing is fetched from anywhere."""
    style = Markup(css())  # noqa: S704
    html: str = (
        _environment().get_template("report.html").render(document=document, nothing=NONE, css=style, policy=policy())
    )
    return html


def policy() -> str:
    """Content-Security-Policy: nothing but the page's own style."""
    digest = base64.b64encode(hashlib.sha256(css().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def css() -> str:
    return (TEMPLATES / "report.css").read_text()


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
