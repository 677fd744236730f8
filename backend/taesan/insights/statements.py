"""A bank's or a card company's CSV, read by a mapping of its columns. Pure."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from taesan.core.reasons import written
from taesan.insights import bank_words, guessing, tables, texts
from taesan.insights import lines as kept
from taesan.insights.figures import clock, exponent_of, minor_units, moment
from taesan.insights.lines import Contents, Fault, Kind, Line, Reason, Skipped, Unreadable, shown
from taesan.insights.mappings import Mapping
from taesan.insights.tables import Record

T = TypeVar("T")

_SUM = re.compile(r"합계|총계|소계|누계|총 ?\d+ ?건|(total|sum|summe|saldo|balance)\b", re.IGNORECASE)


class Table(NamedTuple):
    """:ivar headings: of its columns, in the file's words. :ivar rows: what stands below them"""

    fingerprint: str
    headings: list[str]
    rows: list[Record]
    separator: str


def table(content: bytes, is_known: Callable[[str], bool]) -> Table:
    """A file's columns, wherever they begin.

    :param is_known: whether a mapping is remembered for these headings, by their fingerprint
    :raises Unreadable: no table can be made out
    """
    faults: list[Unreadable] = []
    likely: Table | None = None
    for text in texts.readings(content):
        is_read = False
        for separator in tables.separators_in(text):
            try:
                records = tables.records(text, separator)
            except Unreadable as error:
                if not is_read:  # by a likelier one, within whose cells this one stands
                    faults.append(error)
                continue
            is_read = True
            for index, record in enumerate(records[: tables.MAX_PREAMBLE]):
                if is_known(tables.fingerprint(record.cells)):
                    return _table(records, index, separator)
            at = guessing.headings_at(records)
            if at is not None:
                return _table(records, at, separator)
            at = guessing.likely_headings_at(records)
            if at is not None and likely is None:
                likely = _table(records, at, separator)
    if likely is None or faults:
        raise faults[0] if faults else Unreadable(Fault(1, "no-headings"))
    return likely


def _table(records: Sequence[Record], index: int, separator: str) -> Table:
    headings = records[index].cells
    while headings and not headings[-1]:
        headings = headings[:-1]
    rows = list(records[index + 1 :])
    kept.check_size([row.line for row in rows])
    return Table(tables.fingerprint(records[index].cells), headings, rows, separator)


def guess(table: Table) -> Mapping | None:
    return guessing.guess(table.headings, table.rows, table.separator)


def draft(table: Table) -> tuple[dict[str, Any], list[str]]:
    """As much of a mapping as can be told, and what only the person can say, as reasons."""
    told = guessing.draft(table.headings, table.rows, table.separator)
    return told, guessing.questions(table.headings, table.rows, told)


def read(table: Table, mapping: Mapping, label: str = "") -> Contents:
    """All lines of a file.

    :param label: the person's own name for the account, where one bank's files come from several
    :raises Unreadable: a line cannot be read, or the file has not the mapping's columns
    """
    return _Reader(table, mapping).read(kept.account_of("csv", table.fingerprint, label))


class _Reader:
    def __init__(self, table: Table, mapping: Mapping) -> None:
        self._table, self._mapping = table, mapping
        at = {heading: index for index, heading in reversed(list(enumerate(table.headings)))}
        missing = [column for column in mapping.columns() if column not in at]
        if missing:
            raise Unreadable(Fault(1, written("no-column", name=shown(missing[0]))))
        self._at = at

    def read(self, account: str) -> Contents:
        found: list[Line] = []
        skipped: list[Skipped] = []
        faults: list[Fault] = []
        for row in self._table.rows:
            try:
                read = self._lines(row)
            except Unreadable as error:
                faults += error.faults
                continue
            for line in read:
                if isinstance(line, Skipped):
                    skipped.append(line)
                else:
                    found.append(line)
        if faults:
            raise Unreadable(*faults)
        return Contents(kept.identified(account, found), skipped)

    def _lines(self, row: Record) -> list[Line | Skipped]:
        """What the row tells of, and perhaps a fee beside it."""
        mapping = self._mapping
        if self._is_note(row):
            return [Skipped(row.line, kept.NOTE)]
        if len(row.cells) <= max(self._at[column] for column in mapping.columns()):
            raise Unreadable(Fault(row.line, "cut-off"))
        if bank_words.counts_not(self._cell(row, mapping.status)):  # such a row may have no date yet
            return [Skipped(row.line, kept.UNBOOKED)]
        currency = self._cell(row, mapping.currency_column).upper() or mapping.currency
        exponent = self._taken(row, currency, exponent_of, "no-currency")
        day, at = self._taken(row, self._cell(row, mapping.date), lambda t: moment(t, mapping.date_order), "no-date")
        if mapping.time:
            at = self._taken(row, self._cell(row, mapping.time), clock, "no-time") or at
        amount, is_reversal = self._amount(row, exponent, currency)
        names = [kept.cleaned(text) for column in mapping.names if (text := self._cell(row, column))]
        name = names[0] if names else ""
        told = (self._cell(row, mapping.reference), self._cell(row, mapping.balance))
        category = kept.cleaned(self._cell(row, mapping.category))

        def line(kind: Kind, amount: int) -> Line:
            identity = (day.isoformat(), at.isoformat() if at else "", kind, str(amount), currency, name, *told)
            return Line(row.line, day, kind, name, currency, exponent, abs(amount), at, None, category, identity)

        kind = self._kind(amount, names, row) if not is_reversal else "refunded"
        fee = abs(self._units(row, mapping.fee, exponent, currency))
        found = Skipped(row.line, kind) if isinstance(kind, Reason) else line(kind, amount)
        return [found, line("fee", fee)] if fee and self._is_paid(kind, row) else [found]

    def _is_paid(self, kind: Kind | Reason, row: Record) -> bool:
        """Whether a fee beside it was: of what was cancelled it was not, and what the person skips is skipped with it."""
        is_skipped = isinstance(kind, Reason) and kind.startswith(kept.SKIP_WORD)
        return not is_skipped and not bank_words.is_cancelled(self._cell(row, self._mapping.status))

    def _amount(self, row: Record, exponent: int, currency: str) -> tuple[int, bool]:
        """Above zero: spent; and whether it takes back what an account has paid, for which it has no other column."""
        mapping = self._mapping

        def units(column: str | None) -> int:
            return self._units(row, column, exponent, currency)

        sign = 1 if mapping.spending == "positive" else -1
        if mapping.amount is None:
            debit, credit = sign * units(mapping.debit), units(mapping.credit)
            if debit and credit:
                raise Unreadable(Fault(row.line, "two-amounts"))
            return debit or -abs(credit), debit < 0
        if not self._cell(row, mapping.amount):
            raise Unreadable(Fault(row.line, written("missing", name=shown(mapping.amount))))
        return sign * units(mapping.amount), False

    def _units(self, row: Record, column: str | None, exponent: int, currency: str) -> int:
        text = self._cell(row, column)
        if text in ("", "-"):
            return 0

        def exactly(text: str) -> int:
            return minor_units(text, exponent, self._mapping.decimal)

        return self._taken(row, text, exactly, "no-amount", currency=currency)

    def _kind(self, amount: int, names: Sequence[str], row: Record) -> Kind | Reason:
        """What it is, or why it counts for nothing."""
        status, type_ = self._cell(row, self._mapping.status), self._cell(row, self._mapping.type)
        if amount == 0:
            return kept.NOTHING
        if (reason := self._moved_only(amount, names, type_)) is not None:
            return reason
        if bank_words.is_cancelled(status):
            return "refunded" if self._mapping.cancelled == "refunded" else kept.CANCELLED
        if amount > 0:
            return "spent"
        return "refunded" if self._mapping.incoming == "refunded" else kept.INCOMING

    def _moved_only(self, amount: int, names: Sequence[str], type_: str) -> Reason | None:
        """Why money that has moved was not spent, by the words of the bank or of the person."""
        word = bank_words.word_in((*names, type_), self._mapping.skip_words)
        if word is not None:
            return Reason(written(kept.SKIP_WORD, value=word))
        if bank_words.is_bill(names[0] if names else "", is_paid=amount > 0):
            return kept.CARD_BILL
        if amount < 0 or self._mapping.incoming == "refunded":  # of a card
            return None
        if bank_words.is_issuers_bill(names, type_):
            return kept.CARD_BILL
        return kept.TRANSFER if bank_words.is_own_transfer(names, type_) else None

    def _is_note(self, row: Record) -> bool:
        """What stands below or between the lines: a sum, or a sentence in one cell. A line that is cut off begins with a date."""
        filled = [cell for cell in row.cells if cell]
        date = self._cell(row, self._mapping.date)
        if _SUM.match(date) or (not date and _SUM.match(filled[0])):
            return True
        return len(filled) == 1 and not re.match(r"\d", filled[0])

    def _cell(self, row: Record, column: str | None) -> str:
        index = self._at[column] if column else len(row.cells)
        return row.cells[index] if index < len(row.cells) else ""

    def _taken(self, row: Record, text: str, read: Callable[[str], T], code: str, **more: str) -> T:
        try:
            return read(text)
        except ValueError:
            raise Unreadable(Fault(row.line, written(code, value=shown(text), **more))) from None
