"""Which column of a CSV means what, guessed from the headings and the values; a person looks at it before anything is imported. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, Literal, TypeVar, get_args

from taesan.core.reasons import written
from taesan.insights.bank_words import is_cancelled, says_cancelled
from taesan.insights.figures import CURRENCIES, DecimalSign, Order, clock, exponent_of, minor_units, moment
from taesan.insights.mappings import MAX_HEADING, MOST_NAMES, Mapping
from taesan.insights.tables import MAX_PREAMBLE, Record, heading

T = TypeVar("T")

_HEADINGS: dict[str, tuple[str, ...]] = {
    "date": (
        "transaction date", "trans. date", "trans date", "date", "posting date", "posted date", "post date",
        "booking date", "started date", "completed date", "buchungstag", "buchungsdatum", "buchung", "datum", "fecha", "date de l'opération", "data",
        "거래일시", "거래일자", "거래일", "이용일시", "이용일자", "이용일", "승인일시", "승인일자", "승인일", "사용일자", "일시", "일자", "날짜",
        "利用日", "ご利用日", "取引日", "日付",
    ),
    "time": ("time", "거래시간", "거래시각", "이용시간", "승인시간", "승인시각", "시간"),
    "amount": (
        "amount", "transaction amount", "betrag", "umsatz", "importe", "montant", "importo", "bedrag",
        "이용금액", "승인금액", "사용금액", "결제금액", "거래금액", "국내이용금액", "금액",
        "利用金額", "ご利用金額", "入出金", "金額",
    ),
    "debit": (
        "debit", "debit amount", "withdrawal", "withdrawals", "paid out", "money out", "soll", "débit",
        "출금액", "출금금액", "출금", "찾으신금액", "지급금액",
    ),
    "credit": (
        "credit", "credit amount", "deposit", "deposits", "paid in", "money in", "haben", "crédit",
        "입금액", "입금금액", "입금", "맡기신금액",
    ),
    "fee": ("fee", "fees"),
    "names": (
        "merchant", "merchant name", "payee", "partner name", "counterparty", "description", "name", "beguenstigter/zahlungspflichtiger",
        "begünstigter/zahlungspflichtiger", "auftraggeber/empfänger", "empfänger", "gegenpartei", "concepto", "libellé",
        "verwendungszweck", "buchungstext", "payment reference", "memo",
        "가맹점명", "이용가맹점", "이용하신곳", "가맹점", "사용처", "거래내용", "내용", "보낸분/받는분", "받는분", "기재내용", "의뢰인/수취인", "적요",
        "利用店名・商品名", "利用店名", "ご利用店名", "入出金内容", "摘要",
    ),
    "type": (
        "거래구분", "거래유형", "거래종류", "적요", "구분", "type", "transaction type", "buchungstext", "umsatzart",
    ),
    "category": ("category", "kategorie", "categoría", "catégorie", "업종", "업종명", "가맹점업종", "분류", "카테고리"),
    "currency": ("currency", "währung", "waehrung", "divisa", "devise", "통화", "통화코드"),
    "reference": ("transaction id", "reference number", "reference", "승인번호", "거래번호"),
    "balance": ("balance", "running bal.", "running balance", "saldo", "solde", "잔액", "거래후잔액", "取引後残高", "残高"),
    "status": (
        "취소여부", "취소구분", "취소", "취소상태", "매출상태", "승인상태", "거래상태", "결제상태", "처리상태", "상태",
        "승인구분", "매출구분", "이용구분", "status", "state", "info",
    ),
}  # fmt: skip
_KOREAN = re.compile("[가-힣]")
_JAPANESE = re.compile("[\u3041-\u30fa\u4e00-\u9fff]")
_ACCOUNT = re.compile("iban|konto|account|계좌|잔액|口座|残高", re.IGNORECASE)

NO_HEADINGS, NO_AMOUNT = "no-heading-line", "no-amount-column"
MISSING = {"date": "no-date-column", "names": "no-name-column"}
"""What is asked if no column has it."""


def headings_at(records: Sequence[Record]) -> int | None:
    """Which record has the headings, if they are of those that are known: the first with a date, an amount and a name."""
    for index, record in enumerate(records[:MAX_PREAMBLE]):
        found = _found(record.cells)
        if "date" in found and "names" in found and ("amount" in found or "debit" in found):
            return index
    return None


def likely_headings_at(records: Sequence[Record]) -> int | None:
    """As well as can be told of headings that are not known, or not all: the first record with most that are, and most cells filled."""
    filled = [(len(_found(r.cells)), sum(map(bool, r.cells))) for r in records[:MAX_PREAMBLE]]
    wide = [one for one in filled if one[1] >= 3]
    return filled.index(max(wide)) if wide else None


def guess(headings: list[str], rows: Sequence[Record], separator: str) -> Mapping | None:
    """What the columns seem to be; None if that cannot be told. A person looks at it before anything is imported."""
    told = draft(headings, rows, separator)
    return Mapping.model_validate(told) if _is_whole(told) else None


def draft(headings: list[str], rows: Sequence[Record], separator: str) -> dict[str, Any]:
    """As much of a mapping as can be told; what it needs, and nothing tells, is None or empty."""
    found = _found(headings)

    def values(kind: str) -> list[str]:
        return _values(headings, rows, found[kind][0]) if kind in found else []

    is_account = "debit" in found
    spent = values("debit" if is_account else "amount")
    amounts = spent + values("credit")
    currency = next((c for c in values("currency") if c in CURRENCIES), _currency(headings, found, separator))
    decimal = _decimal(amounts, currency, separator)
    negative = sum(_sign(a, currency, decimal) for a in spent)
    columns: dict[str, Any] = {
        kind: of[0] for kind, of in found.items() if kind not in ("names", "amount", "debit", "credit", "currency")
    }
    columns["status"] = _status(headings, found, rows)
    if "time" in found and not all(_reads(clock, text) for text in values("time")):
        del columns["time"]
    money = ("debit", "credit") if is_account else ("amount",)
    columns |= {kind: found[kind][0] for kind in money if kind in found}
    return {
        "date": None,
        "date_order": _first_that_reads(values("date"), _orders(headings, separator), moment),
        "amount": None,
        "names": found.get("names", [])[:MOST_NAMES],
        # What comes into an account is a salary rather than a refund.
        "incoming": "skipped"
        if is_account or any(map(_ACCOUNT.search, headings)) or "balance" in found
        else "refunded",
        "spending": "negative" if negative > 0 else "positive",
        "decimal": decimal,
        "currency": currency,
        "currency_column": found["currency"][0] if "currency" in found else None,
        "cancelled": _cancellations(headings, found, columns["status"], rows),
    } | columns


def questions(headings: list[str], rows: Sequence[Record], told: dict[str, Any]) -> list[str]:
    """What only the person can say, as reasons. :param told: the draft"""
    if any(_day(text, order) for text in headings for order in get_args(Order)):
        return [NO_HEADINGS]
    asked = [code for kind, code in MISSING.items() if not told[kind]]
    if not told["amount"] and "debit" not in told:
        asked.append(NO_AMOUNT)
    either = _either_way(_values(headings, rows, told["date"])) if told["date"] else None
    return [*asked, either] if either else asked


def _either_way(dates: list[str]) -> str | None:
    """That days and months may be the other way round, if nothing in the file tells. With points the day is first; months may have names."""
    read = {order: [day for text in dates if (day := _day(text, order))] for order in ("mdy", "dmy")}
    is_settled = any(len(days) < len(dates) for days in read.values())
    if is_settled or any(re.search(r"[.a-z]", text, re.IGNORECASE) for text in dates):
        return None
    for text, first, second in zip(dates, read["mdy"], read["dmy"], strict=True):
        if first != second:
            return written("dates-either-way", value=text, first=first.isoformat(), second=second.isoformat())
    return None


def _day(text: str, order: Order) -> date | None:
    try:
        return moment(text, order)[0]
    except ValueError:
        return None


def _is_whole(told: dict[str, Any]) -> bool:
    return bool(told["date"] and told["names"] and (told["amount"] or "debit" in told))


def _values(headings: list[str], rows: Sequence[Record], column: str) -> list[str]:
    index = headings.index(column)
    return [row.cells[index] for row in rows if len(row.cells) > index and row.cells[index]]


def _found(headings: Iterable[str]) -> dict[str, list[str]]:
    """Kind of column → the headings that are of it, the likeliest first."""
    known = {_bare(cell): cell for cell in reversed(list(headings)) if len(cell) <= MAX_HEADING and cell}
    return {
        kind: found for kind, words in _HEADINGS.items() if (found := [known[word] for word in words if word in known])
    }


def _bare(cell: str) -> str:
    """A heading without its unit; in Korean and Japanese without spaces, which each bank sets as it likes."""
    name = re.sub(r" ?\((円|[a-z]{3})\)$", "", heading(cell))
    return name.replace(" ", "") if _KOREAN.search(name) or _JAPANESE.search(name) else name


def _currency(headings: list[str], found: dict[str, list[str]], separator: str) -> str:
    text = " ".join(headings)
    for column in (*found.get("amount", []), *found.get("debit", [])):
        if (unit := re.search(r"\(([A-Z]{3})\)", column)) and unit[1] in CURRENCIES:
            return unit[1]
    if _KOREAN.search(text):
        return "KRW"
    if _JAPANESE.search(text):
        return "JPY"
    return "EUR" if separator == ";" or "€" in text else "USD"


def _decimal(amounts: list[str], currency: str, separator: str) -> DecimalSign:
    """The one by which all amounts are amounts; of two such, the one that goes with the separator."""
    likely: tuple[DecimalSign, ...] = (",", ".") if separator == ";" else (".", ",")
    return _first_that_reads(amounts, likely, lambda t, d: minor_units(t, exponent_of(currency), d))


def _orders(headings: list[str], separator: str) -> tuple[Order, ...]:
    if _KOREAN.search("".join(headings)) or _JAPANESE.search("".join(headings)):
        return "ymd", "mdy", "dmy"
    return ("dmy", "ymd", "mdy") if separator == ";" else ("mdy", "ymd", "dmy")


def _first_that_reads(texts: list[str], choices: tuple[T, ...], read: Callable[[str, T], object]) -> T:
    """The choice by which most of the texts can be read."""
    return max(choices, key=lambda choice: sum(_reads(lambda t: read(t, choice), text) for text in texts))


def _reads(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _sign(text: str, currency: str, decimal: DecimalSign) -> int:
    """1 for less than nothing, -1 for more."""
    try:
        amount = minor_units(text, exponent_of(currency), decimal)
    except ValueError:
        return 0
    return (amount < 0) - (amount > 0)


def _status(headings: list[str], found: dict[str, list[str]], rows: Sequence[Record]) -> str | None:
    """The column that says of a line that it was cancelled, whatever it is called; else one that is called so."""
    known = found.get("status", [])
    others = {of[0] for kind, of in found.items() if kind not in ("status", "type", "category")}
    for column in (*known, *(h for h in headings if h and len(h) <= MAX_HEADING and h not in {*known, *others})):
        index, says = headings.index(column), is_cancelled if column in known else says_cancelled
        if any(says(row.cells[index]) for row in rows if len(row.cells) > index):
            return column
    return known[0] if known else None


def _cancellations(
    headings: list[str], found: dict[str, list[str]], status: str | None, rows: Sequence[Record]
) -> Literal["refunded", "skipped"]:
    """Each cancelled line with the purchase that it takes back somewhere else is a line of its own."""
    if status is None or not found.keys() >= {"amount", "names"}:
        return "refunded"
    told, amount, name = (headings.index(column) for column in (status, found["amount"][0], found["names"][0]))
    full = [row.cells for row in rows if len(row.cells) > max(told, amount, name)]
    bought = {(cells[amount], cells[name]) for cells in full if not is_cancelled(cells[told])}
    back = [(cells[amount].lstrip("-"), cells[name]) for cells in full if is_cancelled(cells[told])]
    return "refunded" if all(purchase in bought for purchase in back) else "skipped"
