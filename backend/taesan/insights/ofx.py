"""OFX, both kinds: 1 is SGML, where the values' tags are not closed, 2 is XML. Pure.

https://financialdataexchange.org/ofx, versions 1.6 and 2.3. One small reader serves both: nothing is declared in a file, no
entity but the five of XML (and OFX 1's `&nbsp;`) is known, nothing is fetched.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import TypeVar

from taesan.core.reasons import written
from taesan.insights import lines as kept
from taesan.insights.figures import exponent_of, plain_units
from taesan.insights.lines import MAX_FIELD, Contents, Fault, Kind, Line, Reason, Skipped, Unreadable, shown
from taesan.insights.texts import decoded

T = TypeVar("T")

MAX_DEPTH = 32
MAX_TAGS = 150_000
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9._]{0,31})\s*(/?)>([^<]*(?:<!\[CDATA\[.*?\]\]>[^<]*)?)", re.DOTALL)
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_ENTITY = re.compile(r"&(amp|lt|gt|quot|apos|nbsp|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " "}
_DATE = re.compile(
    r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?(?:\.\d{1,6})?)?(?:\[([+-]?\d{1,2}(?:\.\d{1,2})?)(?::[A-Za-z0-9 ]{0,9})?\])?"
)
_BILL = re.compile(r"\b(payment|autopay|thank you)\b", re.IGNORECASE)
_VALUES = frozenset(
    {
        "ACCTID",
        "ACCTTYPE",
        "BANKID",
        "CHECKNUM",
        "CURDEF",
        "CURSYM",
        "DTAVAIL",
        "DTPOSTED",
        "DTUSER",
        "FITID",
        "MEMO",
        "NAME",
    }
    | {"REFNUM", "SIC", "TRNAMT", "TRNTYPE"}
)
_HOLDERS = frozenset(
    {
        "OFX",
        "BANKMSGSRSV1",
        "CREDITCARDMSGSRSV1",
        "STMTTRNRS",
        "CCSTMTTRNRS",
        "STMTRS",
        "CCSTMTRS",
        "BANKTRANLIST",
        "STMTTRN",
    }
)
_CHARSETS = {"1252": "cp1252", "949": "cp949", "ISO-8859-1": "iso-8859-1", "8859-1": "iso-8859-1", "NONE": "ascii"}


def is_ofx(content: bytes) -> bool:
    head = content[:4_096].lstrip(b"\xef\xbb\xbf \r\n\t")
    return head[:9].upper() == b"OFXHEADER" or b"<OFX>" in head.upper() or b"<?OFX" in head.upper()


def read(content: bytes) -> Contents:
    """The lines of all accounts of a file.

    :raises Unreadable: it is no OFX, or something in it cannot be read
    """
    tree = _Reader(_text(content)).tree()
    found = [(kind, statement) for kind in ("STMTRS", "CCSTMTRS") for statement in tree.all(kind)]
    if not found:
        raise Unreadable(Fault(1, "no-statement"))
    kept.check_size([row.line for _, statement in found for row in statement.all("STMTTRN")])
    skipped, faults = list[Skipped](), list[Fault]()
    by_account: dict[str, list[Line]] = {}
    for kind, statement in found:
        lines = _lines(statement, kind == "CCSTMTRS", skipped, faults)
        by_account.setdefault(_account(statement), []).extend(lines)
    if faults:
        raise Unreadable(*sorted(faults, key=lambda fault: fault.line))
    identified = [line for account, lines in by_account.items() for line in kept.identified(account, lines)]
    return Contents(identified, skipped)


# ---------------------------------------------------------------- what it tells


@dataclass(slots=True)
class _Node:
    name: str
    line: int
    value: str | None = None  # None: it holds others
    children: list["_Node"] = field(default_factory=list)

    def all(self, name: str) -> Iterator["_Node"]:
        for child in self.children:
            if child.name == name:
                yield child
            yield from child.all(name)

    def text(self, name: str) -> str:
        """What a value of this one is; "" if there is none."""
        return next((c.value or "" for c in self.children if c.name == name), "")


def _account(statement: _Node) -> str:
    of = next((n for kind in ("BANKACCTFROM", "CCACCTFROM") for n in statement.all(kind)), None)
    if of is None or not of.text("ACCTID"):
        raise Unreadable(Fault(statement.line, "no-account"))
    return kept.account_of("ofx", of.text("BANKID"), of.text("ACCTID"))


def _lines(statement: _Node, is_card: bool, skipped: list[Skipped], faults: list[Fault]) -> Iterator[Line]:
    currency = _currency(statement, "CURDEF")
    for row in statement.all("STMTTRN"):
        try:
            line = _line(row, currency, is_card)
        except Unreadable as error:
            faults += error.faults
            continue
        if isinstance(line, Skipped):
            skipped.append(line)
        else:
            yield line


def _line(row: _Node, currency: str, is_card: bool) -> Line | Skipped:
    own = next(row.all("CURRENCY"), None)
    currency = _currency(own, "CURSYM") if own else currency
    exponent = exponent_of(currency)
    text = row.text("TRNAMT")
    amount = _taken(
        row,
        "TRNAMT",
        text,
        lambda t: plain_units(t, exponent),
        "no-amount",
        currency=currency,
    )
    day, at, offset = _taken(row, "DTPOSTED", row.text("DTPOSTED"), _posted, "no-date")
    payee = next(row.all("PAYEE"), None)
    name = kept.cleaned(row.text("NAME") or (payee.text("NAME") if payee else "") or row.text("MEMO"))
    if row.text("CORRECTFITID"):
        return Skipped(row.line, kept.CORRECTION)
    kind = _kind(row.text("TRNTYPE").upper(), amount, name, is_card)
    if isinstance(kind, Reason):
        return Skipped(row.line, kind)
    id_ = row.text("FITID")
    identity = (id_, str(amount), currency) if id_ else (day.isoformat(), str(amount), currency, name)
    return Line(row.line, day, kind, name, currency, exponent, abs(amount), at, offset, identity=identity)


def _currency(node: _Node, name: str) -> str:
    code = node.text(name)
    _taken(node, name, code, exponent_of, "no-currency")
    return code


def _kind(type_: str, amount: int, name: str, is_card: bool) -> Kind | Reason:
    """What it is, or why it counts for nothing."""
    if amount == 0:
        return kept.NOTHING
    if type_ == "XFER":
        return kept.TRANSFER
    if amount < 0:
        return "fee" if type_ in ("FEE", "SRVCHG", "INT") else "spent"
    if is_card and _BILL.search(name):
        return kept.CARD_BILL
    gives_back = type_ in ("CREDIT", "POS", "OTHER", "DEBIT") if is_card else type_ == "POS"
    return "refunded" if gives_back else kept.INCOMING


def _taken(row: _Node, name: str, text: str, read: Callable[[str], T], code: str, **more: str) -> T:
    line = next((c.line for c in row.children if c.name == name), row.line)
    if not text:
        raise Unreadable(Fault(line, written("missing", name=name)))
    try:
        return read(text)
    except ValueError:
        raise Unreadable(Fault(line, written(code, value=shown(text), **more))) from None


def _posted(text: str) -> tuple[date, time | None, timedelta | None]:
    """The day as the bank writes it; the time and its distance from UTC, if it tells both."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second, offset = found.groups()
    on = date(int(year), int(month), int(day))
    if not 1990 <= on.year < 2100:
        raise ValueError(text)
    if hour is None or offset is None:
        return on, None, None
    away = _offset(offset)
    if not timedelta(hours=-14) <= away <= timedelta(hours=14):
        raise ValueError(text)
    return on, time(int(hour), int(minute), int(second or 0)), away


def _offset(text: str) -> timedelta:
    """Hours and decimals of an hour: 5.30 is read as five and a half, as banks mean it."""
    hours, _, rest = text.lstrip("+-").partition(".")
    away = timedelta(hours=int(hours), minutes={"5": 30, "50": 30, "75": 45, "25": 15}.get(rest, int(rest or 0)))
    return -away if text.startswith("-") else away


# ---------------------------------------------------------------- how it is written


def _text(content: bytes) -> str:
    head = content[:1_024].decode("latin-1")
    if found := re.search(r"<\?xml[^>]*?encoding=[\"']([\w.-]{1,20})[\"']", head):
        declared = found[1].lower()
        if declared not in ("utf-8", "us-ascii", "ascii", "iso-8859-1", "windows-1252", "utf-16", "euc-kr", "cp949"):
            raise Unreadable(Fault(1, written("unknown-encoding", name=shown(declared))))
        return decoded(content, "utf-8-sig" if declared == "utf-8" else "cp949" if declared == "euc-kr" else declared)
    encoding = re.search(r"ENCODING:\s*([\w-]+)", head)
    charset = re.search(r"CHARSET:\s*([\w-]+)", head)
    if "?OFX" in head.upper() or (encoding and encoding[1].upper() in ("UTF-8", "UNICODE")):
        return decoded(content, "utf-8-sig")
    name = _CHARSETS.get(charset[1].upper() if charset else "1252")
    if name is None:
        raise Unreadable(Fault(1, written("unknown-encoding", name=shown(charset[1] if charset else ""))))
    return decoded(content, name)


class _Reader:
    """Tags and values become a tree. Whatever a tag is followed by tells what it is: text makes it a value."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._begins = [0, *(m.end() for m in re.finditer("\n", text))]

    def tree(self) -> _Node:
        text = self._text
        start = re.search(r"<OFX>", text, re.IGNORECASE)
        declaration = re.search(r"<!(?!\[CDATA\[|--)\s*(\w*)", text)
        if declaration:
            raise self._fault(declaration.start(), "declaration", declaration[0])
        if start is None:
            raise Unreadable(Fault(1, "no-statement"))
        body = self._without_comments()
        closed = _HOLDERS | {name.upper() for name in re.findall(r"</([A-Za-z0-9._]{1,32})\s*>", body)}
        root = _Node("", 1)
        open_, position, count = [root], start.start(), 0
        while position < len(body):
            found = _TAG.match(body, position)
            count += 1
            if count > MAX_TAGS:
                raise Unreadable(Fault(self._line(position), written("too-many-tags", most=MAX_TAGS)))
            if found is None:
                raise self._fault(position, "no-tag", body[position : position + 40].partition("\n")[0])
            self._take(found, open_, closed)
            position = found.end()
            if len(open_) == 1:
                break
        if len(open_) > 1:
            raise Unreadable(Fault(open_[-1].line, written("not-closed", value=open_[-1].name)))
        if rest := body[position:].strip():
            raise self._fault(body.index(rest, position), "behind-end", rest.partition("\n")[0])
        return root

    def _without_comments(self) -> str:
        """Each line keeps its number."""
        pieces, position = [], 0
        while (begin := self._text.find("<!--", position)) >= 0:
            end = self._text.find("-->", begin)
            if end < 0:
                raise self._fault(begin, "not-closed", "!--")
            pieces += [self._text[position:begin], re.sub(r"[^\n]", " ", self._text[begin : end + 3])]
            position = end + 3
        return "".join(pieces) + self._text[position:]

    def _take(self, found: re.Match[str], open_: list[_Node], closed: frozenset[str]) -> None:
        at, name, text = found.start(), found[2].upper(), found[4].strip()
        if found[1]:
            self._close(at, name, open_)
            if text:
                raise self._fault(at, "outside-tags", text)
            return
        node = _Node(name, self._line(at))
        open_[-1].children.append(node)
        if text or found[3] or name in _VALUES or name not in closed:
            if len(text) > MAX_FIELD:
                raise self._fault(at, "value-too-long", name)
            node.value = self._value(at, text)
        elif len(open_) > MAX_DEPTH:
            raise self._fault(at, "too-deep", name)
        else:
            open_.append(node)

    def _close(self, at: int, name: str, open_: list[_Node]) -> None:
        """Values are not open: that one is closed at once says nothing new."""
        last = open_[-1].children[-1] if open_[-1].children else None
        if last is not None and last.value is not None and last.name == name:
            return
        if len(open_) == 1 or open_[-1].name != name:
            raise self._fault(at, "not-open", name)
        open_.pop()

    def _value(self, at: int, text: str) -> str:
        if inside := _CDATA.fullmatch(text):
            return inside[1].strip()
        if unknown := re.search(r"&\w{1,40};", _ENTITY.sub("", text)):
            raise self._fault(at, "unknown-entity", unknown[0])
        return _ENTITY.sub(_entity, text)

    def _line(self, at: int) -> int:
        return bisect_right(self._begins, at)

    def _fault(self, at: int, code: str, value: str) -> Unreadable:
        return Unreadable(Fault(self._line(at), written(code, value=shown(value))))


def _entity(found: re.Match[str]) -> str:
    name = found[1]
    if not name.startswith("#"):
        return _ENTITIES[name]
    number = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
    return chr(number) if 32 <= number < 0x110000 and not 0xD800 <= number < 0xE000 else " "
