"""Many payments in one request: each for itself."""

import pytest

from taesan.payments import intake
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Payer, Stage, StageFactory, key
from tests.support.wallet import Json, Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

TYPE = "urn:taesan:problem:"


def _items(payer: Payer, *amounts: int) -> list[Json]:
    """The next payments of a payer, each with a key of its own."""
    items = []
    for amount in amounts:
        items.append(payer.payment(amount) | {"idempotency_key": key()["Idempotency-Key"]})
        payer.charged += amount
    return items


def _post(stage: Stage, items: list[Json], **headers: str) -> list[Json]:
    answer = stage.client.post("/v1/payments/bulk", json={"payments": items}, headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


def test_payments_of_many_payers_are_accepted_in_their_order(stage: Stage) -> None:
    anna, berta = stage.payer(), stage.payer()
    items = [item for pair in zip(_items(anna, *[CENT] * 5), _items(berta, *[CENT] * 5), strict=True) for item in pair]
    results = _post(stage, items)
    assert [r["status"] for r in results] == [201] * 10
    assert [r["payment"]["charged_cumulative"] for r in results[::2]] == [str(CENT * n) for n in range(1, 6)]
    assert all(r["problem"] is None and not r["replayed"] for r in results)
    assert stage.get("/v1/overview")["counts"]["payments"] == 10
    assert stage.rows("SELECT count(*) FROM journal_entry WHERE kind = 'payments'") == [(1,)], "one entry for all"
    stage.settle()
    assert stage.audit().differences == []


def test_a_single_payment_and_one_in_bulk_are_answered_alike(stage: Stage) -> None:
    anna = stage.payer()
    single = anna.pay(CENT)
    (result,) = _post(stage, _items(anna, CENT))
    assert result["payment"].keys() == single.keys()
    assert stage.get(f"/v1/payments/{result['payment']['id']}")["amount"] == str(CENT)


def test_a_whole_request_can_be_repeated(stage: Stage) -> None:
    anna = stage.payer()
    items = _items(anna, CENT, 2 * CENT, DOLLAR)
    first = _post(stage, items)
    before = stage.row_counts()
    again = _post(stage, items)
    assert [r["payment"] for r in again] == [r["payment"] for r in first]
    assert [r["replayed"] for r in again] == [True] * 3
    assert stage.row_counts() == before


@pytest.mark.parametrize("language", ["ko", "en"])
def test_what_is_wrong_with_one_holds_up_no_other(stage: Stage, language: str) -> None:
    anna, berta, cafe = stage.payer(), stage.payer(DOLLAR), stage.merchant()
    good = _items(anna, CENT, CENT, CENT)
    forged, too_much, jumps = (
        _items(stage.payer(), CENT)[0],
        _items(berta, 2 * DOLLAR)[0],
        _items(stage.payer(), CENT)[0],
    )
    forged["voucher"]["signature"] = Wallet("thief").voucher(stage.facts, forged["voucher"]["channel_id"], CENT)
    jumps["amount"]["value"] = str(2 * CENT)
    unknown = _items(stage.payer(), CENT)[0] | {"destination": {"type": "merchant", "merchant_id": "mer_nobody"}}
    malformed = {"idempotency_key": "m", "amount": {"value": 1.5}}
    reused = _items(stage.payer(), CENT)[0]
    other = reused | {"destination": {"type": "merchant", "merchant_id": cafe.id}}
    items = [good[0], forged, too_much, good[1], jumps, unknown, malformed, "nonsense", reused, other, good[2]]
    results = _post(stage, items, **{"Accept-Language": language})
    expected = [
        201,
        "invalid-signature",
        "insufficient-deposit",
        201,
        "voucher-out-of-sequence",
        "unknown-merchant",
        "invalid-request",
        "invalid-request",
        201,
        "idempotency-key-reused",
        201,
    ]
    told = [r["problem"]["type"].removeprefix(TYPE) if r["problem"] else r["status"] for r in results]
    assert told == expected
    assert all(r["problem"]["status"] == r["status"] for r in results if r["problem"])
    assert ("가" <= results[1]["problem"]["title"][0] <= "힣") is (language == "ko")
    stage.settle()
    assert stage.audit().differences == []


def test_a_key_that_is_used_again_for_the_next_voucher_is_refused(stage: Stage) -> None:
    anna, berta = stage.payer(), stage.payer()
    first, second = _items(anna, CENT, CENT)
    _post(stage, [first])
    results = _post(stage, [second | {"idempotency_key": first["idempotency_key"]}, *_items(berta, CENT)])
    assert results[0]["problem"]["type"] == TYPE + "idempotency-key-reused"
    assert results[1]["status"] == 201
    assert _post(stage, [second])[0]["status"] == 201


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("count", [0, 1_001])
def test_too_many_or_none_are_refused_as_a_whole(stage: Stage, language: str, count: int) -> None:
    (item,) = _items(stage.payer(), CENT)
    before = stage.row_counts()
    answer = stage.client.post(
        "/v1/payments/bulk", json={"payments": [item] * count}, headers={"Accept-Language": language}
    )
    assert_problem(answer, "invalid-request", 422)
    assert stage.row_counts() == before


def test_a_payer_who_pays_too_fast_is_told_when_to_go_on(open_stage: StageFactory) -> None:
    stage = open_stage(payer_rate="3/minute")
    anna, berta = stage.payer(), stage.payer()
    results = _post(stage, _items(anna, *[CENT] * 5) + _items(berta, CENT))
    statuses = [r["status"] for r in results]
    assert statuses == [201, 201, 201, 429, 409, 201], "the last of Anna's goes on from one that was refused"
    waits = [r["retry_after"] for r in results]
    assert 0 < waits.pop(3) <= 60
    assert set(waits) == {None}
    anna.charged = 3 * CENT
    answer = anna.try_to_pay(CENT)
    assert_problem(answer, "rate-limited", 429)
    assert 0 < int(answer.headers["retry-after"]) <= 60


def test_nobody_can_use_up_a_payers_rate_with_her_old_vouchers(open_stage: StageFactory) -> None:
    stage = open_stage(payer_rate="3/minute")
    anna = stage.payer()
    first, second, third = _items(anna, CENT, CENT, CENT)
    _post(stage, [first, second])
    again = [first | {"idempotency_key": f"stranger-{n}"} for n in range(9)]
    assert {r["status"] for r in _post(stage, [*again, first, second])} == {409, 201}
    assert [r["status"] for r in _post(stage, [third])] == [201]


def test_a_payer_who_uses_a_key_again_and_again_has_the_group_done_twice_but_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, berta = stage.payer(), stage.payer()
    first, second = _items(anna, CENT, CENT)
    _post(stage, [first])
    attempts: list[object] = []
    accept = intake.accept
    monkeypatch.setattr(intake, "accept", lambda *args, **kwargs: attempts.append(1) or accept(*args, **kwargs))
    counts = []
    for item in _items(berta, *[CENT] * 4):
        results = _post(stage, [second | {"idempotency_key": first["idempotency_key"]}, item])
        assert [r["status"] for r in results] == [422, 201]
        counts.append(len(attempts))
    assert counts == [2, 3, 4, 5]
