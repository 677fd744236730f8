"""A file's text, whatever its encoding; what is no text is refused by what it is. Pure."""

import codecs
import re

from taesan.core.reasons import written
from taesan.insights.lines import MAX_FILE_BYTES, Fault, Unreadable

_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_OTHER_FORMATS = {
    b"PK\x03\x04": "is-zip",
    b"\xd0\xcf\x11\xe0": "is-old-excel",
    b"%PDF": "is-pdf",
    b"\x1f\x8b": "is-compressed",
    b"{\\rtf": "is-rich-text",
}
_PAGE = re.compile(rb"\s*<(!doctype html|html|table|meta|head)\b", re.IGNORECASE)


def check_file(content: bytes) -> None:
    """:raises Unreadable: it is no text file, or too large"""
    if not content.strip():
        raise Unreadable(Fault(1, "empty"))
    if len(content) > MAX_FILE_BYTES:
        raise Unreadable(Fault(1, written("too-large", most=MAX_FILE_BYTES)))
    for beginning, reason in _OTHER_FORMATS.items():
        if content.startswith(beginning):
            raise Unreadable(Fault(1, reason))
    if _PAGE.match(content.removeprefix(codecs.BOM_UTF8)):
        raise Unreadable(Fault(1, "is-web-page"))


def readings(content: bytes) -> list[str]:
    """All texts that the bytes may be, the likeliest first.

    A mark at the beginning settles it. UTF-8 is never read by accident; CP949 (Korean) seldom, and of Western European all
    bytes are some text.

    :raises Unreadable: in no encoding it is a text
    """
    for mark, encoding in _BOMS.items():
        if content.startswith(mark):
            return [decoded(content, encoding)]
    if b"\0" in content:
        raise Unreadable(Fault(content[: content.index(b"\0")].count(b"\n") + 1, "zero-byte"))
    try:
        return [_checked(content.decode())]
    except UnicodeDecodeError as error:
        first_fault = error
    found = []
    for encoding in ("cp949", "cp1252"):
        try:
            found.append(_checked(content.decode(encoding)))
        except UnicodeDecodeError:
            continue
    if not found:
        raise _undecodable(content, "utf-8", first_fault)
    return found if _is_korean(found[0]) else found[::-1]


def _is_korean(text: str) -> bool:
    """Western letters that are read as CP949 become syllables which nobody uses: those that KS X 1001 does not have."""
    foreign = [c for c in text if not c.isascii()]
    usual = 0
    for c in foreign:
        try:
            c.encode("euc_kr")
        except UnicodeEncodeError:
            continue
        usual += 1
    return 2 * usual > len(foreign)


def decoded(content: bytes, encoding: str) -> str:
    """:raises Unreadable: it is not in this encoding, or there is no such encoding"""
    try:
        return _checked(content.decode(encoding))
    except UnicodeDecodeError as error:
        raise _undecodable(content, encoding, error) from None


def _undecodable(content: bytes, encoding: str, error: UnicodeDecodeError) -> Unreadable:
    line = content[: error.start].count(b"\n") + 1
    return Unreadable(Fault(line, written("not-in-encoding", name=encoding.removesuffix("-sig"))))


def _checked(text: str) -> str:
    """With lines that end alike. :raises Unreadable: it has signs that no statement has"""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for found in re.finditer(r"[\x00-\x08\x0e-\x1f\x7f]", text):
        raise Unreadable(Fault(line_at(text, found.start()), "control-character"))
    return text


def line_at(text: str, position: int) -> int:
    """The number of the line in which it stands, from 1."""
    return text.count("\n", 0, position) + 1
