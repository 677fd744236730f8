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
from taesan.insights.audit_models import AssetAudit, MonthAudit, Places
from taesan.insights.cells import cell
from taesan.insights.documents import Document, Writer

Format = Literal["json", "csv", "html", "pdf"]
TEMPLATES = Path(__file__).parent / "templates"
HEAD = ("month", "asset", "exponent", "section", "key", "name", "count", "amount", "before", "year_before")


def written(audit: MonthAudit, form: Format, hub: Hub, language: str) -> bytes:
    """:raises FontsMissing: a PDF's typeface is not there"""
    if form == "json":
        return audit.model_dump_json(indent=2).encode()
    if form == "csv":
        return as_csv(audit).encode()
    document = document_of(audit, hub, language)
    if form == "html":
        return as_page(document).encode()
    from taesan.insights import pdf  # with all of ReportLab, which few processes ever need

    return pdf.render(document, hub.settings.npm_dir)


def document_of(audit: MonthAudit, hub: Hub, language: str) -> Document:
    symbols = {token.id: token.symbol for token in (hub.asset, hub.gift)}
    return Writer(language, translations(language).gettext, symbols).document(audit)


# ----------------------------------------------------------------------- CSV


def as_csv(audit: MonthAudit) -> str:
    """A line for each figure, in minor units: of all kinds, merchants and categories (their net), days, and what was gathered."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(HEAD)
    for asset in audit.assets:
        writer.writerows((audit.month, cell(asset.asset), asset.exponent, *row) for row in _rows(asset))
    if audit.assets_left_out:
        writer.writerow((audit.month, "", "", "asset", "", f"({audit.assets_left_out} more)", "", "", "", ""))
    became = audit.became
    for what in ("fired", "returned", "promised"):
        of = getattr(became, what)
        writer.writerow((audit.month, became.asset, became.exponent, "became", what, "", of.count, of.amount, "", ""))
    for row in became.converted:
        key = f"{row.kind} {row.state}"
        writer.writerow((audit.month, became.asset, became.exponent, "became", key, "", row.count, row.amount, "", ""))
    for what in ("taken_back", "waiting", "held", "in_jars"):
        amount = getattr(became, what)
        writer.writerow((audit.month, became.asset, became.exponent, "became", what, "", "", amount, "", ""))
    return text.getvalue()


def _rows(asset: AssetAudit) -> Iterator[tuple[object, ...]]:
    for moved in asset.moved:
        yield "moved", moved.kind, "", moved.count, moved.amount, moved.before, moved.year_before
    yield from _places("merchant", asset.merchants)
    yield from _places("category", asset.categories)
    for day in asset.days:
        for kind in ("spent", "refunded", "gathered"):
            if amount := getattr(day, kind):
                yield "day", day.day, kind, "", amount, "", ""


def _places(section: str, places: Places) -> Iterator[tuple[object, ...]]:
    for place in places.items:
        yield section, cell(place.key), cell(place.name), place.count, place.net, place.before, place.year_before
    if places.left_out:
        yield section, "", f"({places.left_out} more)", "", places.left_out_net, "", ""


# ---------------------------------------------------------------------- page


def as_page(document: Document) -> str:
    """Everything in one file: no script, and nothing is fetched from anywhere."""
    html: str = _environment().get_template("report.html").render(document=document, css=Markup(css()), policy=policy())  # noqa: S704
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
