"""Payments out of a channel to somebody else's address: hers at once, gift tokens with the next batch."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Payer, Stage, StageFactory, key
from tests.support.wallet import Json, Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")


def _to(address: str) -> Json:
    return {"destination": {"type": "person", "address": address}}


def test_what_is_paid_to_a_person_is_hers_at_once_and_in_her_wallet_with_the_next_batch(stage: Stage) -> None:
    anna, ben, cafe = stage.payer(), Wallet(), stage.merchant()
    anna.pay(30 * CENT)
    paid = anna.pay(70 * CENT, **_to(ben.address), reference="for the cinema")
    assert (paid["destination"], paid["recipient"], paid["jar"]) == ("person", ben.address, None)
    assert stage.balance("converting", ben.address) == 70 * CENT
    (told,) = stage.get("/v1/personal-payments", **stage.session_of(ben))["items"]
    assert (told["id"], told["sender"], told["amount"]) == (paid["id"], anna.address, str(70 * CENT))
    assert (told["reference"], told["batch_id"]) == ("for the cinema", None)
    anna.pay(5 * CENT, **_to(ben.address))
    anna.pay(20 * CENT, cafe)
    assert stage.audit().differences == []

    stage.settle()
    assert stage.gift_tokens(ben.address) == 75 * CENT
    assert stage.gift_tokens(anna.address) == 0
    jar = anna.jar()
    assert (jar["gathered"], jar["payments"], jar["firings"]) == (str(30 * CENT), 1, [])
    statement = stage.get(f"/v1/channels/{anna.id}/payments", **anna.headers())["items"]
    assert [(p["destination"], p["recipient"]) for p in statement] == [
        ("merchant", None),
        ("person", ben.address),
        ("person", ben.address),
        ("jar", None),
    ]
    proof = stage.get(f"/v1/payments/{paid['id']}/proof")
    assert proof["leaf"]["payee"] == ben.address
    money = stage.get("/v1/overview")["money"]
    assert (money["accepted"], money["converted"]) == (str(125 * CENT), str(75 * CENT))
    assert stage.audit().differences == []


def test_it_is_accepted_once_and_answered_alike(stage: Stage) -> None:
    anna, ben = stage.payer(), Wallet()
    body, once = anna.payment(CENT, **_to(ben.address)), key()
    first, again = (stage.client.post("/v1/payments", json=body, headers=once) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = body | _to(Wallet().address)
    assert_problem(stage.client.post("/v1/payments", json=other, headers=once), "idempotency-key-reused", 422)
    (single,) = stage.client.post(
        "/v1/payments/bulk", json={"payments": [body | {"idempotency_key": once["Idempotency-Key"]}]}
    ).json()["results"]
    assert (single["replayed"], single["payment"]) == (True, first.json())
    assert stage.rows("SELECT count(*), sum(amount) FROM jar_firing") == [(1, CENT)]


def test_nobody_pays_herself_a_contract_or_less_than_the_gas_is_worth(open_stage: StageFactory) -> None:
    stage = open_stage(min_relayed=CENT)
    anna = stage.payer()
    before = stage.row_counts()
    for address in (anna.address, *stage.hub.contracts.deployment.dead_ends):
        assert_problem(anna.try_to_pay(CENT, **_to(address)), "invalid-recipient", 422)
    assert_problem(anna.try_to_pay(CENT - 1, **_to(Wallet().address)), "amount-too-small", 422)
    assert_problem(anna.try_to_pay(CENT, **_to("0x12")), "invalid-address", 422)
    assert_problem(anna.try_to_pay(11 * DOLLAR, **_to(Wallet().address)), "amount-over-cap", 422)
    assert stage.row_counts() == before
    assert anna.pay(CENT, **_to(Wallet().address))["charged_cumulative"] == str(CENT)


def test_it_counts_as_owed_to_others(open_stage: StageFactory) -> None:
    stage = open_stage(channel_exposure=DOLLAR)
    anna = stage.payer()
    anna.pay(DOLLAR, **_to(Wallet().address))
    assert_problem(anna.try_to_pay(1, **_to(Wallet().address)), "exposure-limit", 409)
    stage.confirm()  # half of what may be owed is enough for a batch
    anna.pay(DOLLAR, **_to(Wallet().address))
    assert stage.audit().differences == []


def test_many_to_many_at_once_end_in_the_right_wallets(stage: Stage) -> None:
    payers: list[Payer] = [stage.payer() for _ in range(3)]
    people = [Wallet() for _ in range(4)]

    def pay(payer: Payer) -> Any:
        return [payer.pay((n + 1) * CENT, **_to(person.address)) for n, person in enumerate(people)]

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(pay, payers))
    stage.settle()
    assert [stage.gift_tokens(person.address) for person in people] == [3 * (n + 1) * CENT for n in range(4)]
    assert stage.audit().differences == []


def test_a_restored_hub_finds_on_chain_what_it_paid_to_people(stage: Stage) -> None:
    anna, ben = stage.payer(), Wallet()
    anna.pay(20 * CENT, **_to(ben.address))
    kept = stage.kept()
    stage.open()
    anna.pay(30 * CENT, **_to(ben.address))
    stage.settle()
    assert stage.gift_tokens(ben.address) == 50 * CENT
    stage.restore(kept)
    stage.confirm()
    assert stage.balance("converting", ben.address) == 0
    assert stage.audit().differences == []
    anna.resume()
    anna.pay(CENT, **_to(ben.address))
    stage.settle()
    assert stage.gift_tokens(ben.address) == 51 * CENT
