"""Lists come page by page, each row once, to whom they belong; what others see is not in them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")


@pytest.fixture(scope="module")
def anna(shared_stage: Stage) -> Payer:
    return shared_stage.payer()


@pytest.fixture(scope="module")
def ben(shared_stage: Stage) -> Payer:
    return shared_stage.payer()


@pytest.fixture(scope="module")
def cafe(shared_stage: Stage) -> Merchant:
    return shared_stage.merchant()


@pytest.fixture(scope="module")
def paid(shared_stage: Stage, anna: Payer, ben: Payer, cafe: Merchant) -> list[str]:
    """Ids of Anna's payments, oldest first: to her jar and to the café, with Ben's between them."""
    ids = []
    for n in range(7):
        ids.append(anna.pay((n + 1) * CENT, cafe if n % 2 else None)["id"])
        ben.pay(CENT, cafe)
    for _ in range(3):
        ids.append(anna.pay(DOLLAR)["id"])  # each fires the jar
    shared_stage.settle()
    for _ in range(3):
        cafe.order_payout(CENT)
        cafe.redeem(anna.wallet, 10 * CENT)
    shared_stage.confirm()
    return ids


def _all(stage: Stage, path: str, limit: int, **headers: str) -> Iterator[Any]:
    cursor = ""
    while cursor is not None:
        page = stage.get(f"{path}?limit={limit}" + (f"&cursor={cursor}" if cursor else ""), **headers)
        assert 0 < len(page["items"]) <= limit, "no page is empty, and none is longer than asked"
        yield from page["items"]
        cursor = page["next_cursor"]


@pytest.mark.parametrize("limit", [1, 3, 5, 10, 500])
def test_a_channels_statement_has_each_payment_once_newest_first(
    shared_stage: Stage, anna: Payer, paid: list[str], limit: int
) -> None:
    rows = list(_all(shared_stage, f"/v1/channels/{anna.id}/payments", limit, **anna.headers()))
    assert [row["id"] for row in rows] == paid[::-1]
    assert rows[0] == shared_stage.get(f"/v1/payments/{paid[-1]}")


def test_a_payment_between_two_pages_is_neither_doubled_nor_lost(
    shared_stage: Stage, anna: Payer, paid: list[str]
) -> None:
    path, headers = f"/v1/channels/{anna.id}/payments?limit=4", anna.headers()
    with shared_stage.undone():
        first = shared_stage.get(path, **headers)
        anna.pay(CENT)
        anna.charged -= CENT
        second = shared_stage.get(f"{path}&cursor={first['next_cursor']}", **headers)
    assert [row["id"] for row in first["items"] + second["items"]] == paid[:1:-1]


def test_a_merchants_payments_are_all_it_was_paid_and_tell_nothing_else_of_the_payer(
    shared_stage: Stage, anna: Payer, paid: list[str], cafe: Merchant
) -> None:
    rows = list(_all(shared_stage, "/v1/payments", 2, **cafe.headers))
    assert [row["id"] for row in rows if row["channel_id"] == anna.id] == [paid[5], paid[3], paid[1]]
    assert len(rows) == 3 + 7
    assert sum(int(row["amount"]) for row in rows) == (2 + 4 + 6 + 7) * CENT
    assert {row["batch_id"] for row in rows} == {1}
    assert "charged_cumulative" not in rows[0]


@pytest.mark.parametrize("path", ["/v1/payouts", "/v1/redemptions"])
def test_a_merchants_orders_are_listed_newest_first(
    shared_stage: Stage, paid: list[str], cafe: Merchant, path: str
) -> None:
    assert paid
    rows = list(_all(shared_stage, path, 2, **cafe.headers))
    assert len(rows) == 3
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    assert rows[0] == shared_stage.get(f"{path}/{rows[0]['id']}", **cafe.headers)


def test_a_wallets_channels_and_their_firings(shared_stage: Stage, anna: Payer, paid: list[str]) -> None:
    assert paid
    (channel,) = _all(shared_stage, "/v1/channels", 1, **anna.headers())
    assert channel == anna.channel()
    firings = list(_all(shared_stage, f"/v1/channels/{anna.id}/jar/firings", 2, **anna.headers()))
    assert firings == anna.jar()["firings"]
    assert len(firings) == 3


def test_anyone_can_list_batches(shared_stage: Stage, paid: list[str]) -> None:
    assert paid
    assert list(_all(shared_stage, "/v1/batches", 1)) == [shared_stage.get("/v1/batches/1")]


def test_nobody_sees_anothers_statement(shared_stage: Stage, anna: Payer, ben: Payer, paid: list[str]) -> None:
    assert paid
    client = shared_stage.client
    for path in (f"/v1/channels/{anna.id}/payments", f"/v1/channels/{anna.id}/jar/firings"):
        assert_problem(client.get(path), "unauthorized", 401)
        assert_problem(client.get(path, headers=ben.headers()), "forbidden", 403)
    for path in ("/v1/channels", "/v1/payments", "/v1/payouts", "/v1/redemptions"):
        assert_problem(client.get(path), "unauthorized", 401)
    other = shared_stage.merchant("Kiosk")
    for path in ("/v1/payments", "/v1/payouts", "/v1/redemptions"):
        assert shared_stage.get(path, **other.headers) == {"items": [], "next_cursor": None}
    stranger = shared_stage.session_of(Wallet())
    assert shared_stage.get("/v1/channels", **stranger) == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "cursor=x", "cursor=LTE", "cursor=" + "QUFB" * 9])
@pytest.mark.parametrize("path", ["/v1/batches", "/v1/payments", "/v1/ledger/entries"])
def test_pages_have_bounds(shared_stage: Stage, cafe: Merchant, path: str, query: str) -> None:
    answer = shared_stage.client.get(f"{path}?{query}", headers=cafe.headers)
    assert_problem(answer, "invalid-request", 422)


def test_a_page_of_the_journal_is_bounded_by_its_lines_too(
    shared_stage: Stage, paid: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paid
    whole = shared_stage.get("/v1/ledger/entries?limit=500")
    monkeypatch.setattr("taesan.ledger.queries.MAX_LINES", 5)
    page = shared_stage.get("/v1/ledger/entries?limit=500")
    assert 0 < len(page["entries"]) < len(whole["entries"])
    assert sum(len(entry["lines"]) for entry in page["entries"]) <= 5
    assert page["entries"] == whole["entries"][: len(page["entries"])]
    assert page["next_cursor"] is not None
    assert whole["next_cursor"] is None
