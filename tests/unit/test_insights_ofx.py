"""OFX 1 (SGML) and OFX 2 (XML), and what pretends to be."""

import re
from datetime import date, time, timedelta

import pytest

from taesan.insights import lines, ofx
from taesan.insights.imports import told
from taesan.insights.lines import Unreadable
from tests.support.bank_files import sample

SGML, XML = sample("us_checking_ofx1.ofx"), sample("card_ofx2.ofx")


def fault_of(file: bytes) -> tuple[int, str]:
    """Line and reason."""
    with pytest.raises(Unreadable) as refused:
        ofx.read(file)
    fault = refused.value.faults[0]
    return fault.line, told(fault, "en").reason.title


def test_sgml_whose_tags_are_not_closed() -> None:
    found = ofx.read(SGML)
    assert [(line.number, line.kind, line.amount, line.name) for line in found.lines] == [
        (43, "spent", 475, "SQ *BLUE DOOR COFFEE"),
        (51, "spent", 475, "SQ *BLUE DOOR COFFEE"),
        (66, "spent", 1599, "STREAMLY.COM M&V"),
        (80, "refunded", 475, "SQ *BLUE DOOR COFFEE"),
        (87, "fee", 300, "MONTHLY FEE"),
    ]
    assert found.skipped == [(59, lines.INCOMING), (73, lines.TRANSFER)]
    first, *_, last = found.lines
    assert (first.day, first.at, first.offset) == (date(2026, 10, 2), time(12), timedelta(hours=-5))
    assert (last.day, last.at, last.offset) == (date(2026, 10, 31), None, None)
    assert {(line.currency, line.exponent) for line in found.lines} == {("USD", 2)}
    assert len({line.key for line in found.lines}) == 5


def test_xml() -> None:
    found = ofx.read(XML)
    assert [(line.number, line.kind, line.amount, line.currency, line.name) for line in found.lines] == [
        (17, "spent", 320, "EUR", "BOULANGERIE PÉTRIN"),
        (24, "spent", 1199, "EUR", "Musique & Cie"),
        (32, "refunded", 1199, "EUR", "Musique & Cie"),
        (46, "spent", 500, "JPY", "KONBINI"),  # of a currency without decimals
    ]
    assert found.skipped == [(39, lines.CARD_BILL)]
    assert (found.lines[0].at, found.lines[0].offset) == (time(20, 15, 30), timedelta(hours=2))


def test_the_same_in_one_line() -> None:
    head, _, body = SGML.partition(b"<OFX>")
    flat = head + b"<OFX>" + b"".join(body.split(b"\r\n"))
    assert [line.key for line in ofx.read(flat).lines] == [line.key for line in ofx.read(SGML).lines]


def test_keys_are_of_the_account_and_the_banks_own_numbers() -> None:
    keys = [line.key for line in ofx.read(SGML).lines]
    again = SGML.replace(b"SQ *BLUE DOOR COFFEE", b"BLUE DOOR COFFEE")  # the bank has thought of a better name
    assert [line.key for line in ofx.read(again).lines] == keys
    other = [line.key for line in ofx.read(SGML.replace(b"7788990011", b"7788990012")).lines]
    assert not {*keys} & {*other}
    assert len({lines.account_in(key) for key in keys + other}) == 2
    # An account's number does not stand in them.
    assert not any("7788990011" in key for key in keys)


def test_one_number_for_two_lines_is_no_loss() -> None:
    """Some banks give a purchase and its fee the same one."""
    twice = SGML.replace(b"20261031001", b"20261009001").replace(b"20261002002", b"20261002001")
    found = ofx.read(twice).lines
    assert len({line.key for line in found}) == len(found) == 5


def test_lines_without_a_number_are_known_by_what_they_tell() -> None:
    bare = b"\r\n".join(line for line in SGML.split(b"\r\n") if not line.startswith(b"<FITID>"))
    found = ofx.read(bare).lines
    assert len({line.key for line in found}) == 5
    assert found == ofx.read(bare).lines


def test_a_correction_is_told_and_not_followed() -> None:
    corrected = SGML.replace(b"<NAME>MONTHLY FEE", b"<CORRECTFITID>1<CORRECTACTION>DELETE<NAME>MONTHLY FEE")
    assert (87, lines.CORRECTION) in ofx.read(corrected).skipped


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        (SGML.replace(b"-15.99", b"-15.99x"), 69, "“-15.99x” is no amount in USD."),
        (SGML.replace(b"-15.99", b"-15.995"), 69, "“-15.995” is no amount in USD."),
        (SGML.replace(b"<TRNAMT>-15.99\r\n", b""), 66, "TRNAMT is missing."),
        (SGML.replace(b"20261009120000[-5:EST]", b"20261309"), 68, "“20261309” is no date."),
        (SGML.replace(b"20261009120000[-5:EST]", b"20261009120000[99:X]"), 68, "“20261009120000[99:X]” is no date."),
        (SGML.replace(b"<CURDEF>USD", b"<CURDEF>UDS"), 34, "“UDS” is no currency."),
        (SGML.replace(b"<ACCTID>7788990011\r\n", b""), 33, "The statement does not tell its account."),
        (SGML[:1400], 87, "<STMTTRN> is not closed: the file has no end."),
        (SGML[:1500], 94, "</BANKT is no tag."),
        (SGML.replace(b"</BANKTRANLIST>", b"</STMTTRN>"), 94, "</STMTTRN> closes what is not open."),
        (SGML.replace(b"-15.99", b"&euro;15"), 69, "&euro; is not known here."),
        (
            XML.replace(b"\xc3\x89", b"\xc9"),
            22,
            "The text is not in the encoding utf-8; save the file as UTF-8 and send it again.",
        ),
        (
            XML.replace(b"<OFX>", b'<!DOCTYPE OFX [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<OFX>'),
            4,
            "Declarations are not read: <!DOCTYPE.",
        ),
        (XML.replace(b"A-1", b"&x;"), 21, "&x; is not known here."),
        (XML.replace(b"<NAME>KONBINI", b"junk <NAME>KONBINI"), 51, None),
        (XML.replace(b"<NAME>KONBINI</NAME>", b"<!-- never closed"), 52, "<!--> is not closed: the file has no end."),
        (XML + b"<OFX>", 60, "<OFX> stands behind the end."),
        (XML.replace(b"UTF-8", b"UTF-7"), 1, "The encoding utf-7 is not known here."),
        (b"OFXHEADER:100\r\n\r\nnothing", 1, "The file holds no statement of an account."),
        (b"OFXHEADER:100\r\n\r\n<OFX></OFX>", 1, "The file holds no statement of an account."),
        (b"OFXHEADER:100\r\n<OFX>" + b"<A>" * 40 + b"</A>" * 40 + b"</OFX>", 2, "A stands too deep."),
    ],
)
def test_what_is_broken_is_refused_with_its_line(file: bytes, line: int, reason: str | None) -> None:
    found = fault_of(file)
    assert found[0] == line
    assert reason is None or found[1] == reason


def test_all_faults_are_told_up_to_a_bound() -> None:
    broken = SGML.replace(b"<TRNAMT>-", b"<TRNAMT>?")
    with pytest.raises(Unreadable) as refused:
        ofx.read(broken)
    assert [fault.line for fault in refused.value.faults] == [46, 54, 69, 76, 90]


def test_values_are_bounded() -> None:
    assert fault_of(SGML.replace(b"TO SAVINGS", b"S" * 1_001))[1] == "The value of NAME is too long."
    row = b"<STMTTRN><TRNTYPE>POS<DTPOSTED>20261001<TRNAMT>-1<FITID>%d</STMTTRN>\n"
    many = SGML.replace(b"</BANKTRANLIST>", b"".join(row % n for n in range(lines.MAX_LINES)) + b"</BANKTRANLIST>")
    beyond = [found.start() for found in re.finditer(b"<STMTTRN>", many)][lines.MAX_LINES]
    assert fault_of(many) == (many.count(b"\n", 0, beyond) + 1, f"The file has more than {lines.MAX_LINES} lines.")


def test_what_is_nested_without_end_takes_no_long_time() -> None:
    """Each of these made a quadratic reader of us once, or would."""
    for piece in (b"<!--", b"<A>", b"<![CDATA[", b"&lt;", b"<", b"</A>"):
        fault_of(b"OFXHEADER:100\n<OFX>" + piece * (900_000 // len(piece)))
