"""A document on paper: A4, in typefaces that lie here. Needs no network and no browser.

Nanum Gothic has Korean and plain Latin letters; for others there is Vera, which comes with ReportLab. What neither has is shown as
a box: the page and the CSV have all of a name.
"""

# mypy: disable-error-code="import-untyped, misc"

import unicodedata
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer
from reportlab.platypus import Table as Grid

from taesan.insights.documents import Chart, Document, Section, Table

MARGIN = 18 * mm
WIDTH = A4[0] - 2 * MARGIN
BARS_HEIGHT = 22 * mm
INK, SOFT, LINE, PINE, PAPER = (HexColor(f"#{c}") for c in ("14201d", "50605b", "d9e1dd", "14624f", "ffffff"))
PADDING = 6  # of a page's frame, which ReportLab adds to the margin
ROW, LEAST_ROWS = 16, 6  # points; what of a table stands on one page at least
BOX = "□"
_FONTS = {"Nanum": "400Regular/NanumGothic_400Regular.ttf", "Nanum bold": "700Bold/NanumGothic_700Bold.ttf"}
_BESIDE = {"Nanum": ("Vera", "Vera.ttf"), "Nanum bold": ("Vera bold", "VeraBd.ttf")}  # by ReportLab's own path


class FontsMissing(Exception):
    """The typeface is not where it should be."""


@cache
def _use_fonts(npm_dir: Path) -> None:
    for name, path in _FONTS.items():
        file = npm_dir / "@expo-google-fonts" / "nanum-gothic" / path
        if not file.is_file():
            raise FontsMissing(f"there is no {file}: run `make setup`, or set TAESAN_NPM_DIR")
        pdfmetrics.registerFont(TTFont(name, str(file)))
        pdfmetrics.registerFont(TTFont(*_BESIDE[name]))


def _style(size: float, *, bold: bool = False, **more: object) -> ParagraphStyle:
    """Breaks a line anywhere, as names may have no spaces."""
    font = "Nanum bold" if bold else "Nanum"
    settings = {"textColor": INK, "wordWrap": "CJK"} | more
    return ParagraphStyle("", fontName=font, fontSize=size, leading=size * 1.5, **settings)


SUMMARY = _style(10.5, spaceAfter=4)
TITLE, HEADING = _style(18, bold=True, spaceAfter=6), _style(12, bold=True, spaceBefore=12, spaceAfter=4)
CAPTION, TEXT, NOTE = _style(9, bold=True, spaceBefore=6), _style(9), _style(8, textColor=SOFT)
CELL, FIGURE = _style(8), _style(8, alignment=TA_RIGHT)
HEAD, HEAD_FIGURE = _style(8, textColor=SOFT), _style(8, textColor=SOFT, alignment=TA_RIGHT)


def _paragraph(text: str, style: ParagraphStyle) -> Paragraph:
    """Whatever the text is, it is text: nothing in it is markup."""
    marked = []
    for font, run in groupby(_letters(unicodedata.normalize("NFC", text), style.fontName), key=itemgetter(0)):
        told = escape("".join(letter for _, letter in run))
        marked.append(told if font == style.fontName else f'<font name="{font}">{told}</font>')
    return Paragraph("".join(marked), style)


def _letters(text: str, font: str) -> Iterator[tuple[str, str]]:
    """Each with the typeface that has it; without its accents, if none has it with them."""
    beside = _BESIDE[font][0]
    for letter in text:
        plain = unicodedata.normalize("NFKD", letter)[0]
        found = ((name, shown) for shown in (letter, plain) for name in (font, beside) if _has(name, shown))
        yield next(found, (font, BOX))


def _has(font: str, letter: str) -> bool:
    return ord(letter) in pdfmetrics.getFont(font).face.charToGlyph


class Bars(Flowable):
    """A bar for each day, and under it, every few days, which it is. What would be higher than there is place has a gap."""

    def __init__(self, chart: Chart) -> None:
        super().__init__()
        self.chart, self.width, self.height = chart, WIDTH, BARS_HEIGHT + 4 * mm

    def draw(self) -> None:
        step = self.width / len(self.chart.bars)
        self.canv.setStrokeColor(LINE)
        self.canv.line(0, 4 * mm, self.width, 4 * mm)
        self.canv.setFont("Nanum", 6)
        for n, bar in enumerate(self.chart.bars):
            self.canv.setFillColor(PINE)
            if bar.height:
                self.canv.rect(
                    n * step + 1, 4 * mm, step - 2, max(0.5, BARS_HEIGHT * bar.height / 1_000), stroke=0, fill=1
                )
            if bar.is_cut:
                self.canv.setFillColor(PAPER)
                self.canv.rect(n * step, BARS_HEIGHT, step, 1 * mm, stroke=0, fill=1)
            if bar.is_marked:
                self.canv.setFillColor(SOFT)
                self.canv.drawCentredString((n + 0.5) * step, 1 * mm, bar.label)


def render(document: Document, npm_dir: Path) -> bytes:
    """:raises FontsMissing: the typeface is not there"""
    _use_fonts(npm_dir)
    story: list[Flowable] = [_paragraph(document.title, TITLE)]
    story += [_paragraph(line, SUMMARY) for line in document.summary]
    story += [_paragraph(note, NOTE) for note in document.notes]
    for section in document.sections:
        story += _section(section)
    made = BytesIO()
    template = SimpleDocTemplate(
        made,
        pagesize=A4,
        leftMargin=MARGIN - PADDING,
        rightMargin=MARGIN - PADDING,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=document.title,
        lang=document.language,
        author="Taesan",
    )
    template.build(story, onFirstPage=_number, onLaterPages=_number)
    return made.getvalue()


def _number(canvas, template) -> None:  # type: ignore[no-untyped-def]
    canvas.setFont("Nanum", 7)
    canvas.setFillColor(SOFT)
    canvas.drawRightString(A4[0] - MARGIN, MARGIN / 2, str(template.page))


def _section(section: Section) -> list[Flowable]:
    found: list[Flowable] = [CondPageBreak(_least(section)), _paragraph(section.title, HEADING)]
    found += [_paragraph(line, TEXT) for line in section.lines]
    if section.chart is not None:
        chart = section.chart
        caption, alternative = _paragraph(chart.title, CAPTION), _paragraph(chart.alternative, NOTE)
        found.append(KeepTogether([caption, Bars(chart), alternative]))
    for table in section.tables:
        found += [
            CondPageBreak(_least_of(table)),
            _paragraph(table.title, CAPTION),
            Spacer(0, 2),
            _grid(table),
            Spacer(0, 4),
        ]
    return found


def _least(section: Section) -> float:
    """How high what a heading must not be parted from is."""
    height: float = ROW * (2 + len(section.lines))
    if section.chart is not None:
        return height + float(BARS_HEIGHT) + 3 * ROW
    return height + (_least_of(section.tables[0]) if section.tables else 0)


def _least_of(table: Table) -> float:
    return ROW * (1.0 + min(LEAST_ROWS, len(table.rows) + 1))


def _grid(table: Table) -> Flowable:
    """Figures to the right, a head that comes again on each page."""
    head = [_paragraph(text, HEAD if n == 0 else HEAD_FIGURE) for n, text in enumerate(table.head)]
    rows = [[_paragraph(text, CELL if n == 0 else FIGURE) for n, text in enumerate(row)] for row in table.rows]
    first = WIDTH * 0.36
    widths = [first, *[(WIDTH - first) / (len(table.head) - 1)] * (len(table.head) - 1)]
    style = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (0, -1), 0),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
        ("NOSPLIT", (0, max(1, len(rows) - 2)), (-1, -1)),  # no row goes to another page alone
    ]
    return Grid([head, *rows], colWidths=widths, repeatRows=1, style=style)
