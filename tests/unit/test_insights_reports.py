"""A month's report: the same figures in all its forms and both languages, whatever a merchant calls itself."""

import ast
import csv
import html
import re
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from taesan.core.i18n import translations
from taesan.insights import documents, pdf, report
from taesan.insights.audit_models import (
    Amounts,
    AssetAudit,
    Became,
    Converted,
    Counted,
    Day,
    MonthAudit,
    Moved,
    Place,
    Places,
    Span,
)
from taesan.insights.budgets import BudgetPublic
from taesan.insights.documents import Document, Writer, plain
from taesan.settings import Settings
from tests.support.korean import assert_told_in_korean
from tests.support.source import calls, modules

TOKEN = "eip155:31337/erc20:0x5FbDB2315678afecb367f032d93F642f64180aa3"
BEFORE = {"left_out_before": 4, "left_out_year_before": 0}
NOTHING = {"left_out_before": 0, "left_out_year_before": 0}
HOSTILE = [
    "<script>alert(1)</script>",
    "</td><b>R&B &amp; Soul</b>",
    "=HYPERLINK(1)",
    "long" * 50,
    "\u202eevil\u202c",
    "قهوة",
    "카페 먼지",
    "{zone} %s",
    "Bo\u0308ll, Łódź & Co",
]


def _place(name: str, net: int, before: int = 0, year_before: int = 0) -> Place:
    return Place(
        key=name.casefold()[:200],
        name=name,
        count=3,
        count_before=2,
        count_year_before=0,
        spent=net + 1,
        refunded=1,
        net=net,
        before=before,
        year_before=year_before,
        change=net - before,
    )


def _counted(count: int, amount: int, before: int = 0) -> dict[str, int]:
    told = {"count": count, "count_before": 4, "count_year_before": 0}
    return told | {"amount": amount, "before": before, "year_before": 0}


def _budget(**told: Any) -> BudgetPublic:
    scope = "merchant" if told["key"] else "all"
    return BudgetPublic(id="bud_1", scope=scope, asset="KRW", exponent=0, count=1, other_assets=[], alerts=[], **told)  # type: ignore[arg-type]


def audit_of(names: list[str], **changes: Any) -> MonthAudit:
    merchants = Places(
        items=[_place(name, 1_000_000 - n, 5 * n) for n, name in enumerate(names)], left_out=2, left_out_net=9, **BEFORE
    )
    categories = Places(items=[_place("", 12_345_678)], left_out=0, left_out_net=0, **NOTHING)
    spent = Moved(kind="spent", **_counted(31, 12_345_678, 1_000_000))
    days = [
        Day(day="2026-11-05", spent=12_000_001, refunded=0, gathered=7),
        Day(day="2026-11-26", spent=345_677, refunded=0, gathered=0),
    ]
    dollars = AssetAudit(asset=TOKEN, exponent=6, moved=[spent], merchants=merchants, categories=categories, days=days)
    won = spent.model_copy(update={"amount": 4_500})
    empty = Places(items=[], left_out=0, left_out_net=0, **NOTHING)
    became = Became(
        asset=TOKEN,
        exponent=6,
        fired=Counted(**_counted(2, 2_500_000, 1_750_000)),
        returned=Counted(**_counted(0, 0)),
        converted=[Converted(kind="savings", state="done", **_counted(1, 1_230_000))],
        promised=Counted(**_counted(1, 50_000)),
        taken_back=Amounts(amount=0, before=0, year_before=0),
        waiting=50_000,
        held=0,
        in_jars=340_000,
        points_earned=Amounts(amount=1_301, before=1_299, year_before=7),
        points=12,
        points_lapsing=5,
    )
    told: dict[str, Any] = {
        "person": "per_1",
        "month": "2026-11",
        "zone": "Asia/Seoul",
        "days": Span(since="2026-11-01", until="2026-12-01"),
        "before": Span(since="2026-10-01", until="2026-11-01"),
        "year_before": Span(since="2025-11-01", until="2025-12-01"),
        "is_over": True,
        "complete": True,
        "made_at": "2026-12-01T00:00:00Z",
        "assets": [
            dollars,
            AssetAudit(asset="KRW", exponent=0, moved=[won], merchants=empty, categories=empty, days=[]),
        ],
        "assets_left_out": 0,
        "became": became,
        "budgets": [
            _budget(key="", amount=10_000, spent=4_500, pace=13_500),
            _budget(key="café dust", amount=4_000, spent=4_500, pace=13_500),
            _budget(key="books", amount=4_000, spent=0, pace=None),
        ],
    }
    return MonthAudit(**told | changes)


def document_in(language: str, audit: MonthAudit) -> Document:
    return Writer(language, translations(language).gettext, {TOKEN: "TUSD"}).document(audit)


def _text(document: Document) -> str:
    """What stands in its PDF, without spaces: where lines break is its own matter."""
    reader = PdfReader(BytesIO(pdf.render(document, Settings().npm_dir)))
    return re.sub(r"\s", "", "".join(page.extract_text() for page in reader.pages))


@pytest.mark.parametrize(
    ("language", "told"),
    [
        (
            "en",
            [
                "Your small money in November 2026",
                "Café Dust",
                "12.345678 TUSD",
                "₩4,500",
                "On 2 days something was spent, most on November 5, 2026: 12.000001 TUSD. Where a bar is cut, it would be higher.",
                "You spent 12.345678 TUSD, 11.345678 TUSD more than in the month before.",
                "Savings (done)",
                "1.23 TUSD",
                "1.75 TUSD",
                "Points earned",
                "1,301",
                "1,299",
                "In the jar, not converted yet",
                "Made on Dec 1, 2026, 9:00:00",
                "2 more",
                "All spending: ₩4,500 of ₩10,000 is spent. At this pace it is ₩13,500 at the month's end.",
                "café dust: ₩4,500 is spent, more than the budget of ₩4,000.",
                "books: ₩0 of ₩4,000 is spent.",
            ],
        ),
        (
            "ko",
            [
                "2026년 11월 소액 지출 보고서",
                "Café Dust",
                "12.345678 TUSD",
                "4,500원",
                "모두 2일 동안 돈을 썼고, 가장 많이 쓴 날은 2026년 11월 5일(12.000001 TUSD)이에요. 끊어 그린 막대는 실제로 더 높아요.",
                "저축 (완료)",
                "1.23 TUSD",
                "1.75 TUSD",
                "적립된 포인트",
                "1,301",
                "저금통에 남아 있는 돈",
                "2026. 12. 1. 오전 9:00",
                "모두 12.345678 TUSD 썼어요. 지난달보다 11.345678 TUSD 늘었어요.",
                "그 밖의 2곳",
                "전체 지출: 예산 10,000원 중 4,500원 사용. 이 속도라면 월말에는 13,500원까지 써요.",
            ],
        ),
    ],
)
def test_paper_and_page_say_the_same_in_each_language(language: str, told: list[str]) -> None:
    document = document_in(language, audit_of(["Café Dust"]))
    paper, page = _text(document), re.sub(r"\s", "", html.unescape(report.as_page(document)))
    for words in told:
        assert re.sub(r"\s", "", words) in paper, words
        assert re.sub(r"\s", "", words) in page, words
    assert f'<htmllang="{language}">' in page


def test_what_grew_was_spent_and_one_day_is_one() -> None:
    """What was only given back in the month before is no growth, and a net of nothing neither."""
    audit = audit_of([])
    dollars = audit.assets[0]
    places = [_place("returned", 0, -4_500), _place("back again", 700_000, -4_500), _place("dearer", 500, 300, 100)]
    merchants = dollars.merchants.model_copy(update={"items": places})
    dollars = dollars.model_copy(update={"merchants": merchants, "days": dollars.days[:1]})
    document = document_in("en", audit.model_copy(update={"assets": [dollars]}))
    (grew,) = [section for section in document.sections if section.title == "TUSD: what grew"]
    assert grew.lines == (
        "back again: 0.70 TUSD, where nothing was spent in the month before and a year ago.",
        "dearer: 0.0002 TUSD more than in the month before, 0.0005 TUSD in all.",
    )
    chart = document.sections[0].chart
    assert chart is not None
    assert chart.alternative == "Something was spent on one day, November 5, 2026: 12.000001 TUSD."


def _told_of(places: list[Place], days: list[Day] | None = None, language: str = "en") -> Document:
    """A month in tokens alone, of which nothing was gathered."""
    audit = audit_of([])
    dollars, nothing = audit.assets[0], Counted(**_counted(0, 0))
    merchants = dollars.merchants.model_copy(update={"items": places, "left_out": 0})
    dollars = dollars.model_copy(update={"merchants": merchants, "days": days or dollars.days})
    became = audit.became.model_copy(
        update={
            name: nothing if isinstance(value, Counted) else Amounts(amount=0, before=0, year_before=0)
            for name, value in audit.became
            if isinstance(value, Amounts)
        }
        | {"converted": [], "waiting": 0, "in_jars": 0, "points": 0, "points_lapsing": 0}
    )
    return document_in(language, audit.model_copy(update={"assets": [dollars], "became": became, "budgets": []}))


def test_a_month_is_told_in_one_look_and_without_its_zeros() -> None:
    """What was paid elsewhere in the month before is one line; of what nothing has become, none."""
    person = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    gone = [_place(f"gone {n}", 0, 50).model_copy(update={"count": 0}) for n in range(12)]
    document = _told_of([_place("Café", 9_000_000), _place(person, 500_000, 500_000), *gone])
    assert document.summary == (
        "You spent 12.345678 TUSD, 11.345678 TUSD more than in the month before. Most went to Café: 9.00 TUSD.",
    )
    assert [section.title for section in document.sections] == ["TUSD", "TUSD: where it went", "TUSD: what grew"]
    (by_merchant,) = document.sections[1].tables  # nobody has named a category
    assert by_merchant.rows == (
        ("Café", "3", "9.00 TUSD", "–", "+9.00 TUSD"),
        ("A person (0x7099…79C8)", "3", "0.50 TUSD", "0.50 TUSD", "–"),
        ("Only in the month before (12)", "–", "–", "0.0006 TUSD", "-0.0006 TUSD"),
    )
    assert "다른사람(0x7099…79C8)" in _text(_told_of([_place(person, 5)], language="ko"))


def test_one_large_purchase_leaves_something_to_see_of_the_others() -> None:
    def heights(*amounts: int) -> list[tuple[int, bool]]:
        days = [
            Day(day=f"2026-11-{n:02d}", spent=amount, refunded=0, gathered=0) for n, amount in enumerate(amounts, 1)
        ]
        chart = _told_of([], days).sections[0].chart
        assert chart is not None
        assert [bar.label for bar in chart.bars if bar.is_marked] == ["1", "5", "10", "15", "20", "25", "30"]
        assert ("is cut" in chart.alternative) == any(bar.is_cut for bar in chart.bars)
        return [(bar.height, bar.is_cut) for bar in chart.bars[: len(amounts)]]

    assert heights(500_000, 3_000, 1_500) == [(1_000, True), (750, False), (375, False)]
    assert heights(900, 300, 100) == [(1_000, False), (333, False), (111, False)]
    assert heights(90_000, 80_000, 100, 100) == [(1_000, True), (1_000, True), (751, False), (751, False)]
    assert heights(7) == [(1_000, False)]


@pytest.mark.parametrize("rows", range(1, 60, 3))
def test_no_heading_stands_alone_at_a_pages_end_and_no_row_at_its_beginning(rows: int) -> None:
    first = documents.Table("First", ("What", "Amount"), tuple((f"row {n}", "1") for n in range(rows)))
    second = documents.Table("Caption", ("Head", "Amount"), tuple((f"cell {n}", "1") for n in range(8)))
    sections = (documents.Section("One", tables=(first,)), documents.Section("Heading", tables=(second,)))
    document = Document("en", "Title", (), (), sections)
    pages = [page.extract_text() for page in PdfReader(BytesIO(pdf.render(document, Settings().npm_dir))).pages]
    (heading,) = [page for page in pages if "Heading" in page]
    assert {"Caption", "cell 3"} <= set(heading.split("\n")), pages
    for page in pages[1:]:
        assert sum(line.startswith(("row", "cell")) for line in page.split("\n")) != 1, pages


def test_a_month_in_more_currencies_than_are_told_says_so() -> None:
    audit = audit_of([], assets_left_out=7)
    assert "7 more currencies and tokens, of which less moved, are left out." in document_in("en", audit).notes
    assert "거래가 더 적은 통화와 토큰 7종은 뺐어요." in document_in("ko", audit).notes
    assert "(7 more)" in report.as_csv(audit)
    assert "more" not in report.as_csv(audit_of([]).model_copy(update={"assets": []}))


def test_a_month_of_which_not_all_is_known_says_so() -> None:
    document = document_in("en", audit_of([], is_over=False, complete=False))
    assert len(document.notes) == 3
    empty = document_in("en", audit_of([], assets=[]))
    assert [section.title for section in empty.sections] == [
        "Nothing moved in this month.",
        "Budgets",
        "What was gathered, and what it became",
    ]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_name_becomes_markup_or_a_formula_or_turns_text_around(language: str) -> None:
    document = document_in(language, audit_of(HOSTILE))
    page, paper = report.as_page(document), _text(document)
    assert "<script" not in page
    assert "<b>" not in page
    assert "\u202e" not in page
    assert "<script>alert(1)</script>" in paper
    assert "카페먼지" in paper
    assert "{zone}%s" in paper
    assert "Böll,Łódz&Co" in paper  # Vera has no ź, but a z
    assert pdf.BOX * 4 in paper  # of letters that no typeface here has
    assert max(len(plain(name)) for name in HOSTILE) == documents.MAX_NAME
    assert plain("\u202ea\r\nb\u2066\x00") == "a b"
    rows = list(csv.DictReader(StringIO(report.as_csv(audit_of(HOSTILE)))))
    assert not [value for row in rows for value in row.values() if value.startswith(("=", "@", "+", "\t"))]
    assert next(row for row in rows if "HYPERLINK" in row["name"])["name"] == "'=HYPERLINK(1)"


def test_the_page_runs_and_fetches_nothing() -> None:
    page = report.as_page(document_in("en", audit_of(["Café Dust"])))
    assert f'content="{report.policy().replace(chr(39), "&#39;")}"' in page
    assert report.policy().startswith("default-src 'none'; style-src 'sha256-")
    assert not re.search(r"<(script|link|img|iframe)|style=|\bon\w+=|https?://|url\(|@import", page)


def test_csv_has_each_figure_in_minor_units() -> None:
    rows = list(csv.DictReader(StringIO(report.as_csv(audit_of(["Café Dust"])))))
    of = {(row["asset"], row["section"], row["key"]): row for row in rows}
    assert of[TOKEN, "moved", "spent"]["amount"] == "12345678"
    decimals = [row["decimal_amount"] for row in (of[TOKEN, "moved", "spent"], of["KRW", "moved", "spent"], rows[-1])]
    assert decimals == ["12.345678", "4500", "5"]
    assert of[TOKEN, "became", "fired"]["decimal_amount"] == "2.500000"
    assert not [row for row in rows if None in row or None in row.values()], "a line has as many cells as the first"
    assert of[TOKEN, "merchant", "café dust"]["before"] == "0"
    rest = of[TOKEN, "merchant", ""]
    assert [rest[name] for name in ("amount", "before", "year_before")] == ["9", "4", "0"]
    assert (of[TOKEN, "moved", "spent"]["count"], of[TOKEN, "moved", "spent"]["count_before"]) == ("31", "4")
    assert (of[TOKEN, "became", "fired"]["amount"], of[TOKEN, "became", "fired"]["before"]) == ("2500000", "1750000")
    assert (of["", "points", "earned"]["amount"], of["", "points", "earned"]["before"]) == ("1301", "1299")
    assert of["KRW", "moved", "spent"]["amount"] == "4500"
    assert of[TOKEN, "day", "2026-11-05"]["name"] in ("spent", "gathered")
    assert of[TOKEN, "became", "savings done"]["amount"] == "1230000"


def test_without_its_typeface_there_is_no_paper(tmp_path: Path) -> None:
    with pytest.raises(pdf.FontsMissing, match="make setup"):
        pdf.render(document_in("en", audit_of([])), tmp_path)


def test_all_of_it_is_there_in_korean_with_the_same_places() -> None:
    (module,) = (m for m in modules() if m.path.as_posix() == "insights/documents.py")
    words = {*documents.KINDS.values(), *documents.CONVERSIONS.values(), *documents.STATES.values()}
    for name, call in calls(module.nodes):
        if name in ("say", "_say", "counted"):
            words |= {a.value for a in call.args if hasattr(a, "value") and isinstance(a.value, str)}
    words |= {
        node.value.value
        for node in module.nodes
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and re.search(r"\{\w+\}", str(node.value.value))
    }
    assert len(words) > 55
    assert_told_in_korean(words)
