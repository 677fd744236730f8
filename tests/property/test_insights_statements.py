"""Statements: whatever the file, it is read exactly or refused; whatever the files' windows, no line is lost or counted twice."""

from datetime import date, timedelta
from itertools import permutations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from taesan.insights import texts
from taesan.insights.duplicates import Entry, find
from taesan.insights.figures import DecimalSign, minor_units, plain_units
from taesan.insights.lines import MAX_FAULTS, Contents, Unreadable
from taesan.insights.movements import MAX_TOLD
from tests.support.bank_files import SAMPLES, NobodyKnows, contents, sample
from tests.support.examples import examples

AMOUNTS = st.integers(-MAX_TOLD, MAX_TOLD)


def written(amount: int, exponent: int, decimal: DecimalSign, is_grouped: bool) -> str:
    whole, fraction = divmod(abs(amount), 10**exponent)
    grouped = f"{whole:,}".replace(",", "." if decimal == "," else ",") if is_grouped else str(whole)
    return "-" * (amount < 0) + grouped + (f"{decimal}{fraction:0{exponent}}" if exponent else "")


@given(AMOUNTS, st.sampled_from([0, 2, 3]), st.sampled_from([".", ","]), st.booleans())
def test_an_amount_is_read_as_it_was_written(
    amount: int, exponent: int, decimal: DecimalSign, is_grouped: bool
) -> None:
    assert minor_units(written(amount, exponent, decimal, is_grouped), exponent, decimal) == amount


@given(AMOUNTS, st.sampled_from([0, 2, 3]), st.sampled_from([".", ","]))
def test_so_is_one_of_ofx(amount: int, exponent: int, decimal: DecimalSign) -> None:
    assert plain_units(written(amount, exponent, decimal, is_grouped=False), exponent) == amount


@given(st.integers(1, 10**12), st.sampled_from([".", ","]), st.booleans())
def test_the_other_decimal_sign_is_refused_and_never_read_as_something_else(
    cents: int, decimal: DecimalSign, is_grouped: bool
) -> None:
    other: DecimalSign = "," if decimal == "." else "."
    text = written(cents, 2, decimal, is_grouped)
    with pytest.raises(ValueError):  # noqa: PT011
        minor_units(text, 2, other)


@settings(max_examples=examples(300))
@given(st.sampled_from(SAMPLES), st.data())
def test_a_broken_file_is_read_or_refused(name: str, data: st.DataObject) -> None:
    file = bytearray(sample(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(file)))
        match data.draw(st.sampled_from(["cut", "put", "take", "repeat"])):
            case "cut":
                del file[at:]
            case "put":
                file[at:at] = data.draw(
                    st.one_of(st.binary(max_size=4), st.sampled_from([b"<", b'"', b"\n", b"&", b";"]))
                )
            case "take":
                del file[at : at + data.draw(st.integers(1, 40))]
            case _:
                file[at:at] = file[at : at + 80]
    read_or_refuse(bytes(file))


@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)))
@example(b"<OFX>")
@example(b"OFXHEADER:100\n<OFX></OFX>" + b"<" * 40)
@example(b"Date,Description,Amount\n")
def test_so_is_anything_else(file: bytes) -> None:
    read_or_refuse(file)


def read_or_refuse(file: bytes) -> None:
    outcome = _outcome(file)
    if isinstance(outcome, Unreadable):
        assert 1 <= len(outcome.faults) <= MAX_FAULTS
        assert all(1 <= fault.line <= file.count(b"\n") + file.count(b"\r") + 2 for fault in outcome.faults)
        assert str(outcome).startswith("line ")
    elif outcome is not None:
        assert all(line.amount > 0 and line.key for line in outcome.lines)
        assert len({line.key for line in outcome.lines}) == len(outcome.lines)


def _outcome(file: bytes) -> Contents | Unreadable | None:
    """None: its columns are none that anybody could guess."""
    try:
        texts.check_file(file)
        return contents(file)
    except Unreadable as refused:
        return refused
    except NobodyKnows:
        return None


ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3), st.sampled_from(["A", "B"])), max_size=30)


@given(ROWS, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=4))
def test_files_of_overlapping_days_give_each_line_once(
    rows: list[tuple[int, int, str]], windows: list[tuple[int, int]]
) -> None:
    def keys(first: int, last: int) -> list[str]:
        picked = [
            f"2026-10-{1 + day:02},{name},{amount}.00\n" for day, amount, name in sorted(rows) if first <= day <= last
        ]
        found = contents(("Date,Description,Amount\n" + "".join(picked)).encode()).lines if picked else []
        return [line.key for line in found]

    everything = keys(0, 9)
    assert len({*everything}) == len(rows)
    covered = {day for first, last in windows for day in range(first, last + 1)}
    seen = {key for first, last in windows for key in keys(first, last)}
    assert seen <= {*everything}
    assert len(seen) == sum(day in covered for day, *_ in rows)


DAYS = st.lists(st.integers(0, 12), max_size=5)


@given(DAYS, DAYS)
def test_of_equal_names_there_are_as_many_pairs_as_there_can_be(hub: list[int], lines: list[int]) -> None:
    first = date(2026, 10, 1)
    known = [Entry(n, "hub", "", "spent", "USD", 1, first + timedelta(d), "x") for n, d in enumerate(hub)]
    told = [Entry(100 + n, "statement", "a", "spent", "USD", 1, first + timedelta(d), "x") for n, d in enumerate(lines)]
    found = find([*told, *known])
    few, many = sorted((hub, lines), key=len)
    most = max(sum(abs(a - b) <= 3 for a, b in zip(few, order, strict=False)) for order in permutations(many, len(few)))
    assert len(found) == most
    assert len({pair.duplicate for pair in found}) == len({pair.original for pair in found}) == len(found)
    days = {entry.id: entry.day for entry in [*known, *told]}
    assert all(abs(days[a] - days[b]) <= timedelta(3) for a, b in found)
