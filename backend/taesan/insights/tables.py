"""CSV: records with the line in which each begins, and what separates their cells. Pure."""

import csv
import hashlib
import re
from typing import NamedTuple

from taesan.core.reasons import written
from taesan.core.values import canonical_json
from taesan.insights.lines import MAX_FIELD, MAX_LINES, Fault, Unreadable

SEPARATORS = ",;\t|"
MAX_CELLS = 60
MAX_PREAMBLE = 40  # records before the headings


class Record(NamedTuple):
    line: int
    cells: list[str]

    @property
    def is_blank(self) -> bool:
        return not any(self.cells)


def separators_in(text: str) -> list[str]:
    """The likeliest first: what stands between quotations separates nothing."""
    bare = re.sub(r'"[^"\n]*"', "", text)
    return sorted(filter(text.count, SEPARATORS), key=lambda s: (-bare.count(s), -text.count(s)))


def records(text: str, separator: str) -> list[Record]:
    """Without blank ones; no more than show that there are too many.

    :raises Unreadable: quotes that do not end, or more than anybody's statement has
    """
    reader = csv.reader((line + "\n" for line in text.split("\n")), delimiter=separator, strict=True)
    found: list[Record] = []
    begin = 1
    try:
        for cells in reader:
            _check(begin, cells)
            record = Record(begin, [cell.strip() for cell in cells])
            begin = reader.line_num + 1
            if not record.is_blank:
                found.append(record)
            if len(found) > MAX_LINES + MAX_PREAMBLE:
                break
    except csv.Error as error:
        if "field limit" in str(error):  # the library's own, far above ours
            raise _too_long(begin) from None
        raise Unreadable(Fault(begin, "open-quotation")) from None
    return found


def _check(line: int, cells: list[str]) -> None:
    if len(cells) > MAX_CELLS:
        raise Unreadable(Fault(line, written("too-many-columns", most=MAX_CELLS)))
    if any(len(cell) > MAX_FIELD for cell in cells):
        raise _too_long(line)


def _too_long(line: int) -> Unreadable:
    return Unreadable(Fault(line, written("field-too-long", most=MAX_FIELD)))


def heading(cell: str) -> str:
    """A column's name as it is compared: banks change capitals, spaces and units in brackets, not words."""
    bare = re.sub(r"\((원|₩|krw|usd|eur|\$|€|단위:? ?원)\)", "", cell.lower())
    return " ".join(bare.replace("\ufeff", "").split())


def fingerprint(headings: list[str]) -> str:
    """What a remembered mapping is found by."""
    names = [heading(cell) for cell in headings]
    return hashlib.sha256(canonical_json(names).encode()).hexdigest()[:32]
