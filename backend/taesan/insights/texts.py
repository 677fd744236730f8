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
_BROKEN = "\ufffd"
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

    A mark at the beginning settles it. UTF-8 is never read by accident; CP949 (Korean) and Shift JIS seldom, and of Western European
    all bytes are some text.

    :raises Unreadable: in no encoding it is a text
    """
    for mark, encoding in _BOMS.items():
        if content.startswith(mark):
            return [decoded(content, encoding)]
    if b"\0" in content:
        raise Unreadable(Fault(content[: content.index(b"\0")].count(b"\n") + 1, "zero-byte"))
    found: dict[str, str] = {}
    faults: dict[str, UnicodeDecodeError] = {}
    for encoding in ("utf-8", "cp949", "cp932", "cp1252"):
        try:
            found[encoding] = content.decode(encoding)
        except UnicodeDecodeError as error:
            faults[encoding] = error
    if "utf-8" in found:
        return [_checked(found["utf-8"])]
    if "cp949" not in found or not _is_korean(found["cp949"]):
        if _is_japanese(found.get("cp932", "")):
            return [_checked(found["cp932"])]
        for encoding, fault in faults.items():
            if _is_nearly(content, encoding):
                raise _undecodable(content, encoding, fault)
    likely = [found[encoding] for encoding in ("cp949", "cp1252") if encoding in found]
    if not likely:
        raise _undecodable(content, "utf-8", faults["utf-8"])
    return [_checked(text) for text in (likely if _is_korean(likely[0]) else likely[::-1])]


def _is_nearly(content: bytes, encoding: str) -> bool:
    """Whether it is text in this encoding but for a few bytes that were broken on the way: of its letters, not one in twenty."""
    if encoding not in ("utf-8", "cp949"):
        return False
    text = content.decode(encoding, "replace")
    broken, read = text.count(_BROKEN), re.sub(rf"[\x00-\x7f{_BROKEN}]", "", text)
    return 20 * broken < len(read) and (encoding == "utf-8" or _is_korean(read))


def _is_japanese(text: str) -> bool:
    """Nobody's bytes become kana by accident."""
    foreign = [c for c in text if not c.isascii()]
    return 10 * sum("\u3041" <= c <= "\u30fa" for c in foreign) > len(foreign)


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
