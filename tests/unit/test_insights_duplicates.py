"""The same purchase in two sources."""

from datetime import date, timedelta
from itertools import count

import pytest

from taesan.insights.duplicates import Entry, Pair, alike, find
from taesan.insights.movements import Kind, Source

DAY = date(2026, 10, 2)
_ids = count(1)


def entry(
    source: Source = "statement",
    days: int = 0,
    merchant: str = "blue door",
    *,
    account: str = "card",
    kind: Kind = "spent",
    amount: int = 450,
    asset: str = "USD",
) -> Entry:
    account = account if source == "statement" else ""
    return Entry(next(_ids), source, account, kind, asset, amount, DAY + timedelta(days=days), merchant)


def pairs(*entries: Entry, **told: object) -> list[tuple[int, int]]:
    """By position: which entry is a duplicate of which."""
    at = {e.id: index for index, e in enumerate(entries)}
    return [(at[pair.duplicate], at[pair.original]) for pair in find(entries, **told)]  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["hub", "gateway"])
def test_whichever_comes_first_the_statements_line_is_the_duplicate(source: Source) -> None:
    known = entry(source)
    line = entry(days=2)
    assert pairs(known, line) == [(1, 0)]
    early = entry(days=2)
    late = entry(source)
    assert pairs(early, late) == [(0, 1)]


@pytest.mark.parametrize(
    "other",
    [
        {"days": 4},
        {"days": -4},
        {"amount": 451},
        {"asset": "EUR"},
        {"kind": "refunded"},
        {"merchant": "green door"},
        {"merchant": "", "days": 2},
    ],
)
def test_two_purchases_are_two(other: dict[str, int]) -> None:
    assert pairs(entry("hub"), entry(**other)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [{"days": 3}, {"days": -3}, {"merchant": "blue door coffee"}, {"merchant": ""}])
def test_one_purchase_is_one(other: dict[str, int]) -> None:
    assert pairs(entry("hub"), entry(**other)) == [(1, 0)]  # type: ignore[arg-type]


def test_whoever_stood_between_is_no_name() -> None:
    known, line = entry("gateway"), entry(days=1, merchant="carrier billing")
    assert pairs(known, line) == []
    assert pairs(known, line, between={"carrier billing"}) == [(1, 0)]


def test_within_one_source_there_are_no_duplicates() -> None:
    assert pairs(entry("hub"), entry("hub"), entry("gateway")) == []
    assert pairs(entry(), entry()) == []


def test_each_takes_part_once() -> None:
    assert pairs(entry("hub"), entry("hub"), entry(), entry(), entry()) == [(2, 0), (3, 1)]


def test_as_many_as_there_can_be() -> None:
    """The nearest would take the second purchase for the first line and leave the second line alone."""
    assert pairs(entry("hub", 0), entry("hub", 3), entry(days=2), entry(days=5)) == [(2, 0), (3, 1)]


def test_equal_names_come_before_those_that_are_alike() -> None:
    assert pairs(entry("hub", merchant="blue door coffee"), entry("hub"), entry()) == [(2, 1)]


def test_two_accounts_show_one_purchase() -> None:
    """A debit card's company and its bank."""
    bank, card = entry(account="bank", days=1), entry()
    assert pairs(bank, card) == [(1, 0)]
    known = entry("hub")
    assert pairs(bank, card, known) == [(0, 2), (1, 2)]


def test_of_two_accounts_the_line_that_came_first_stays() -> None:
    """Also if the later one is of the account that came first."""
    stranger, bank, card = entry(amount=9), entry(account="bank", days=1), entry()
    assert pairs(stranger, bank, card) == [(2, 1)]
    old = entry(merchant="x y z")  # of the card, in the same group
    assert pairs(old, bank, card) == [(2, 1)]
    assert pairs(bank, card, together={Pair(bank.id, card.id)}) == [(1, 0)]


def test_two_accounts_without_names_show_two_purchases() -> None:
    assert pairs(entry(account="bank", merchant=""), entry()) == []


def test_what_a_person_has_said_and_what_has_its_duplicate_stays() -> None:
    known, line, later = entry("hub"), entry(), entry()
    assert pairs(known, line, apart={Pair(line.id, known.id)}) == []
    assert pairs(known, line, later, apart={Pair(line.id, known.id)}) == [(2, 0)]
    assert pairs(known, later, taken={(known.id, "card")}) == []
    assert pairs(known, later, taken={(known.id, "bank")}) == [(1, 0)]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("blue door", "blue door coffee", True),
        ("bluedoor coffee", "blue door", True),
        ("블루도어커피", "블루도어", True),
        ("씨유", "씨유 서초점", True),
        ("블루도어 커피", "그린도어 커피", False),
        ("tiny books", "tiny toys", False),
        ("a", "abacus", False),
        ("가", "가나다마트", False),
        ("", "blue door", False),
    ],
)
def test_names(a: str, b: str, same: bool) -> None:
    assert alike(a, b) == alike(b, a) == same


def test_a_crowd_of_one_amount_takes_no_long_time() -> None:
    entries = [entry("hub", n % 7, f"shop {n}") for n in range(3_000)]
    entries += [entry(days=n % 7, merchant=f"shop {n}") for n in range(3_000)]
    assert len(find(entries)) == 3_000
    strangers = [entry("hub", 0, f"shop{n}a") for n in range(3_000)] + [entry(merchant=f"x{n}") for n in range(3_000)]
    assert find(strangers) == []
