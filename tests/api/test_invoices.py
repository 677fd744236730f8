"""Invoices: made, paid once with exactly the quote, expired, cancelled."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Payer, Stage, StageFactory, key
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

QUARTER = 15 * 60


@pytest.fixture
def holder(stage: Stage) -> Payer:
    """Somebody with two dollars in gift tokens."""
    anna = stage.payer()
    anna.pay(2 * DOLLAR)
    stage.settle()
    return anna


def _events(stage: Stage) -> list[tuple[str, str]]:
    rows = stage.rows("SELECT type, payload FROM outbox_event WHERE type LIKE 'merchants.Invoice%' ORDER BY id")
    return [(type_, str(payload)) for type_, payload in rows]


# --------------------------------------------------------------------- making


def test_an_invoice_in_dollars_is_due_in_the_assets_minor_units(stage: Stage) -> None:
    cafe = stage.merchant("Café 먼지")
    made = cafe.invoice(150, reference="order 7", metadata={"table": "4"})
    assert made["quote"] == {"value": str(150 * CENT), "asset": stage.hub.asset.id, "exponent": 6}
    assert made["amount"] == {"value": "150", "asset": "USD", "exponent": 2}
    assert (made["state"], made["won_for_a_dollar"], made["payable_in"]) == (
        "open",
        None,
        ["channel", "gift_tokens", "transfer"],
    )
    assert (made["reference"], made["metadata"]) == ("order 7", {"table": "4"})
    public = stage.get(f"/v1/invoices/{made['id']}")
    hidden = {"reference", "metadata", "paid_by", "refunded"}
    assert public == {name: value for name, value in made.items() if name not in hidden}
    assert public["merchant_name"] == "Café 먼지"


def test_an_invoice_in_won_keeps_its_quote_when_the_rate_changes(open_stage: StageFactory) -> None:
    stage = open_stage(rate_krw="1385.2")
    made = stage.merchant().invoice(4_500, "KRW")
    assert made["quote"]["value"] == "3248629"
    assert made["won_for_a_dollar"] == "6926/5"
    stage.settings = stage.settings.model_copy(update={"rate_krw": "1400"})
    stage.restart()
    assert stage.get(f"/v1/invoices/{made['id']}")["quote"]["value"] == "3248629"


def test_what_is_dearer_than_a_payment_may_be_is_payable_in_gift_tokens_alone(open_stage: StageFactory) -> None:
    stage = open_stage(min_relayed=DOLLAR)
    cafe, anna = stage.merchant(), stage.payer()
    assert cafe.invoice(99)["payable_in"] == ["channel"]
    dear = cafe.invoice(501)
    assert dear["payable_in"] == ["gift_tokens", "transfer"]
    assert_problem(anna.pay_invoice(dear), "amount-over-cap", 422)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"amount": {"value": "0", "asset": "USD"}}, "zero-amount"),
        ({"amount": {"value": "1", "asset": "KRW"}}, "currency-not-quoted"),
        ({"amount": {"value": "1", "asset": "EUR"}}, "currency-not-quoted"),
        ({"amount": {"value": "1", "asset": "USD", "exponent": 0}}, "wrong-exponent"),
        ({"amount": {"value": str(2**62), "asset": "USD"}}, "amount-over-cap"),
        ({"description": ""}, "invalid-request"),
        ({"expires_in_s": 29}, "invalid-request"),
        ({"reference": "x" * 65}, "invalid-request"),
        ({"metadata": {str(n): "" for n in range(11)}}, "invalid-request"),
        ({"metadata": {"a": "\0"}}, "invalid-request"),
        ({"redirect": "https://evil.example"}, "unknown-field"),
    ],
)
def test_a_bad_invoice_is_refused(shared_stage: Stage, changes: Any, problem: str) -> None:
    cafe = shared_stage.merchant()
    for language in ("ko", "en"):
        body = {"amount": {"value": "1", "asset": "USD"}, "description": "Coffee"} | changes
        headers = cafe.headers | key() | {"Accept-Language": language}
        assert_problem(shared_stage.client.post("/v1/invoices", json=body, headers=headers), problem, 422)


def test_a_merchants_list_goes_by_pages_and_states(stage: Stage) -> None:
    cafe, kiosk, anna = stage.merchant(), stage.merchant("Kiosk"), stage.payer()
    made = [cafe.invoice(n + 1) for n in range(5)]
    kiosk.invoice()
    assert anna.pay_invoice(made[1]).status_code == 201
    assert stage.client.post(f"/v1/invoices/{made[2]['id']}/cancel", headers=cafe.headers).status_code == 200

    def ids(query: str) -> list[str]:
        return [i["id"] for i in stage.get(f"/v1/invoices?{query}", **cafe.headers)["items"]]

    assert ids("state=paid") == [made[1]["id"]]
    assert ids("state=cancelled") == [made[2]["id"]]
    assert ids("state=open") == [made[4]["id"], made[3]["id"], made[0]["id"]]
    first = stage.get("/v1/invoices?limit=3", **cafe.headers)
    second = stage.get(f"/v1/invoices?limit=3&cursor={first['next_cursor']}", **cafe.headers)
    assert [i["id"] for i in first["items"] + second["items"]] == [i["id"] for i in reversed(made)]
    assert_problem(stage.client.get("/v1/invoices?state=refunded", headers=cafe.headers), "invalid-request", 422)


# ------------------------------------------------------- paid in channel credit


def test_an_invoice_is_paid_with_its_quote_and_settled(stage: Stage) -> None:
    cafe, anna = stage.merchant(), stage.payer()
    invoice = cafe.invoice(150)
    paid = anna.pay_invoice(invoice)
    assert paid.status_code == 201, paid.text
    assert (paid.json()["destination"], paid.json()["merchant_id"]) == ("invoice", cafe.id)
    assert paid.json()["reference"] == invoice["id"]
    record = cafe.record(invoice)
    assert (record["state"], record["paid_by"]) == ("paid", paid.json()["id"])
    assert stage.get("/v1/payments", **cafe.headers)["items"][0]["reference"] == invoice["id"]
    ((type_, payload),) = _events(stage)
    assert type_ == "merchants.InvoicePaid"
    assert invoice["id"] in payload
    assert cafe.id in payload
    stage.settle()
    assert cafe.account()["credit"] == str(150 * CENT)
    assert stage.audit().differences == []


def test_a_second_payer_is_refused_and_not_charged(stage: Stage) -> None:
    cafe, anna, ben = stage.merchant(), stage.payer(), stage.payer()
    invoice = cafe.invoice()
    assert anna.pay_invoice(invoice).status_code == 201
    before = ben.channel()
    for language in ("ko", "en"):
        body, headers = ben.invoice_payment(invoice), key() | {"Accept-Language": language}
        assert_problem(stage.client.post("/v1/payments", json=body, headers=headers), "invoice-paid", 409)
    assert ben.channel() == before
    assert ben.pay(CENT)["charged_cumulative"] == str(CENT)
    assert stage.audit().differences == []


def test_a_repeated_payment_gets_its_first_answer(stage: Stage) -> None:
    cafe, anna = stage.merchant(), stage.payer()
    invoice, again = cafe.invoice(), key()
    body = anna.invoice_payment(invoice)
    first, second = (stage.client.post("/v1/payments", json=body, headers=again) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    merchants = body | {"destination": {"type": "merchant", "merchant_id": cafe.id}, "reference": invoice["id"]}
    assert_problem(stage.client.post("/v1/payments", json=merchants, headers=again), "idempotency-key-reused", 422)


def test_a_plain_payment_with_the_invoices_id_as_its_reference_does_not_pay_it(stage: Stage) -> None:
    cafe, anna = stage.merchant(), stage.payer()
    invoice = cafe.invoice()
    anna.pay(int(invoice["quote"]["value"]), cafe, reference=invoice["id"])
    assert cafe.record(invoice)["state"] == "open"
    assert anna.pay_invoice(invoice).status_code == 201


@pytest.mark.parametrize("off_by", [-1, 1])
def test_exactly_the_quote_is_paid(stage: Stage, off_by: int) -> None:
    cafe, anna = stage.merchant(), stage.payer()
    invoice = cafe.invoice()
    to = {"type": "invoice", "invoice_id": invoice["id"]}
    for language in ("ko", "en"):
        body = anna.payment(DOLLAR + off_by, destination=to)
        answer = stage.client.post("/v1/payments", json=body, headers=key() | {"Accept-Language": language})
        assert assert_problem(answer, "wrong-invoice-amount", 422)["quote"] == str(DOLLAR)
    assert cafe.record(invoice)["state"] == "open"


def test_who_cannot_pay_leaves_the_invoice_open(stage: Stage) -> None:
    cafe, poor, anna = stage.merchant(), stage.payer(CENT), stage.payer()
    invoice = cafe.invoice()
    assert_problem(poor.pay_invoice(invoice), "insufficient-deposit", 402)
    assert cafe.record(invoice)["state"] == "open"
    assert anna.pay_invoice(invoice).status_code == 201


@pytest.mark.parametrize("language", ["ko", "en"])
def test_an_unknown_invoice_is_not_found(stage: Stage, language: str) -> None:
    anna, headers = stage.payer(), {"Accept-Language": language}
    assert_problem(stage.client.get("/v1/invoices/inv_none", headers=headers), "unknown-invoice", 404)
    body = anna.payment(DOLLAR, destination={"type": "invoice", "invoice_id": "inv_none"})
    assert_problem(stage.client.post("/v1/payments", json=body, headers=key() | headers), "unknown-invoice", 404)


def test_an_invoices_payment_has_no_reference_of_its_own(stage: Stage) -> None:
    body = stage.payer().invoice_payment(stage.merchant().invoice(), reference="mine")
    assert_problem(stage.client.post("/v1/payments", json=body, headers=key()), "invalid-request", 422)


def test_two_in_one_bulk_pay_an_invoice_once(stage: Stage) -> None:
    cafe, anna, ben = stage.merchant(), stage.payer(), stage.payer()
    invoice = cafe.invoice()
    items = [p.invoice_payment(invoice) | {"idempotency_key": "once"} for p in (anna, ben)]
    answer = stage.client.post("/v1/payments/bulk", json={"payments": items}).json()["results"]
    assert [r["status"] for r in answer] == [201, 409]
    assert answer[1]["problem"]["type"].endswith("invoice-paid")


def test_of_many_at_once_one_pays(stage: Stage) -> None:
    """Requests in threads of their own, each with a wallet of its own."""
    cafe, payers = stage.merchant(), [stage.payer() for _ in range(6)]
    invoices = [cafe.invoice() for _ in range(3)]
    for invoice in invoices:
        bodies = [payer.invoice_payment(invoice) for payer in payers]

        def send(body: Any) -> int:
            return int(stage.client.post("/v1/payments", json=body, headers=key()).status_code)

        with ThreadPoolExecutor(len(payers)) as threads:
            statuses = list(threads.map(send, bodies))
        assert sorted(statuses) == [201] + [409] * (len(payers) - 1)
        payers[statuses.index(201)].charged += DOLLAR
    assert cafe.account()["pending"] == str(3 * DOLLAR)
    stage.settle()
    assert stage.audit().differences == []


def test_the_database_itself_refuses_a_second_payment(stage: Stage) -> None:
    """The last guard, if all else had failed: here somebody has opened the invoice again."""
    cafe, anna, ben = stage.merchant(), stage.payer(), stage.payer()
    invoice = cafe.invoice()
    assert anna.pay_invoice(invoice).status_code == 201
    stage.write("UPDATE invoice SET state = 'open'")
    assert ben.pay_invoice(invoice).status_code == 500
    assert ben.channel()["charged_cumulative"] == "0"
    (difference,) = stage.audit().differences
    assert difference.startswith("payments that are not what their invoice says")


# --------------------------------------------------------------------- its end


def test_an_expired_invoice_is_refused_whether_the_worker_has_looked_or_not(stage: Stage) -> None:
    cafe, anna = stage.merchant(), stage.payer()
    invoice = cafe.invoice()
    stage.later(QUARTER - 1)
    assert stage.get(f"/v1/invoices/{invoice['id']}")["state"] == "open"
    stage.later(1)
    assert stage.get(f"/v1/invoices/{invoice['id']}")["state"] == "expired"
    for language in ("ko", "en"):
        body, headers = anna.invoice_payment(invoice), key() | {"Accept-Language": language}
        assert_problem(stage.client.post("/v1/payments", json=body, headers=headers), "invoice-expired", 409)
    assert stage.get("/v1/invoices?state=expired", **cafe.headers)["items"] == []
    stage.tick(2)
    assert [i["id"] for i in stage.get("/v1/invoices?state=expired", **cafe.headers)["items"]] == [invoice["id"]]
    assert [type_ for type_, _ in _events(stage)] == ["merchants.InvoiceExpired"]
    assert_problem(anna.pay_invoice(invoice), "invoice-expired", 409)
    assert anna.channel()["charged_cumulative"] == "0"


def test_a_paid_invoice_does_not_expire(stage: Stage) -> None:
    cafe, anna = stage.merchant(), stage.payer()
    invoice = cafe.invoice()
    assert anna.pay_invoice(invoice).status_code == 201
    stage.later(QUARTER)
    stage.tick(2)
    assert cafe.record(invoice)["state"] == "paid"
    assert [type_ for type_, _ in _events(stage)] == ["merchants.InvoicePaid"]


def test_a_cancelled_invoice_is_not_payable_and_a_paid_one_not_to_be_cancelled(stage: Stage) -> None:
    cafe, kiosk, anna = stage.merchant(), stage.merchant("Kiosk"), stage.payer()
    one, two = cafe.invoice(), cafe.invoice()

    def cancel(id_: str, **headers: str) -> Any:
        return stage.client.post(f"/v1/invoices/{id_}/cancel", headers=headers)

    assert_problem(cancel(one["id"], **kiosk.headers), "not-found", 404)
    for _ in range(2):
        assert cancel(one["id"], **cafe.headers).json()["state"] == "cancelled"
    for language in ("ko", "en"):
        body, headers = anna.invoice_payment(one), key() | {"Accept-Language": language}
        assert_problem(stage.client.post("/v1/payments", json=body, headers=headers), "invoice-cancelled", 409)
    assert anna.pay_invoice(two).status_code == 201
    assert_problem(cancel(two["id"], **cafe.headers), "invoice-paid", 409)


# --------------------------------------------------------- paid in gift tokens


def test_an_invoice_is_paid_in_gift_tokens_without_gas(stage: Stage, holder: Payer) -> None:
    cafe, ben = stage.merchant(), stage.payer()
    invoice = cafe.invoice(150)
    sent = holder.pay_invoice_in_tokens(invoice)
    assert sent.status_code == 202, sent.text
    assert sent.json()["invoice_id"] == invoice["id"]
    assert cafe.record(invoice)["state"] == "paying"
    for language in ("ko", "en"):
        body, headers = ben.invoice_payment(invoice), key() | {"Accept-Language": language}
        assert_problem(stage.client.post("/v1/payments", json=body, headers=headers), "invoice-being-paid", 409)
    stage.confirm()
    record = cafe.record(invoice)
    assert (record["state"], record["paid_by"]) == ("paid", sent.json()["id"])
    assert [type_ for type_, _ in _events(stage)] == ["merchants.InvoicePaid"]
    assert cafe.account()["credit"] == str(150 * CENT)
    assert stage.gift_tokens(holder.address) == 50 * CENT
    assert stage.audit().differences == []


def test_tokens_that_are_on_their_way_when_the_time_is_over_still_pay(stage: Stage, holder: Payer) -> None:
    cafe = stage.merchant()
    invoice = cafe.invoice()
    assert holder.pay_invoice_in_tokens(invoice).status_code == 202
    stage.later(QUARTER)
    assert cafe.record(invoice)["state"] == "paying"
    stage.confirm()
    assert cafe.record(invoice)["state"] == "paid"


def test_an_invoice_whose_tokens_fail_is_open_again(stage: Stage, holder: Payer) -> None:
    """They are spent elsewhere between the order and the relay."""
    cafe, ben = stage.merchant(), stage.payer()
    invoice = cafe.invoice(200)
    assert holder.pay_invoice_in_tokens(invoice).status_code == 202
    stage.chain.send(holder.wallet.key, "settlement", "redeem", DOLLAR, holder.address)
    stage.confirm()
    record = cafe.record(invoice)
    assert (record["state"], record["paid_by"]) == ("open", None)
    assert ben.pay_invoice(invoice).status_code == 201
    stage.settle()
    assert stage.audit().differences == []


def test_whoever_failed_may_try_once_more(stage: Stage, holder: Payer) -> None:
    """And not again: a holder whose tokens are never there could keep everybody from paying."""
    cafe = stage.merchant()
    invoice = cafe.invoice(200)
    for _ in range(2):
        assert holder.pay_invoice_in_tokens(invoice).status_code == 202
        stage.chain.send(holder.wallet.key, "settlement", "redeem", DOLLAR, holder.address)
        stage.confirm()
        assert cafe.record(invoice)["state"] == "open"
        holder.pay(DOLLAR)
        stage.settle()
    answer = holder.pay_invoice_in_tokens(invoice)
    assert "another way" in assert_problem(answer, "invalid-redemption", 422)["detail"]
    assert holder.pay_invoice_in_tokens(cafe.invoice(200)).status_code == 202
    assert holder.pay_invoice(invoice).status_code == 201


def test_a_signature_for_one_invoice_pays_no_other(stage: Stage, holder: Payer) -> None:
    cafe, kiosk = stage.merchant(), stage.merchant("Kiosk")
    one, two, theirs = cafe.invoice(), cafe.invoice(), kiosk.invoice()
    signed = holder.wallet.redemption_for(stage.facts, one)
    before = stage.row_counts()
    for other in (two, theirs):
        answer = stage.client.post(f"/v1/invoices/{other['id']}/redemptions", json=signed, headers=key())
        assert_problem(answer, "invalid-redemption", 422)
    assert_problem(holder.pay_invoice_in_tokens(one, amount=DOLLAR - 1), "wrong-invoice-amount", 422)
    assert_problem(holder.pay_invoice_in_tokens(one, valid_before=2**40), "invalid-redemption", 422)
    unknown = stage.client.post("/v1/invoices/inv_none/redemptions", json=signed, headers=key())
    assert_problem(unknown, "unknown-invoice", 404)
    assert stage.row_counts() == before


def test_of_two_holders_one_pays(stage: Stage, holder: Payer) -> None:
    ben = stage.payer()
    ben.pay(DOLLAR)
    stage.settle()
    invoice = stage.merchant().invoice()
    assert holder.pay_invoice_in_tokens(invoice).status_code == 202
    assert_problem(ben.pay_invoice_in_tokens(invoice), "invoice-being-paid", 409)
    stage.confirm()
    assert_problem(ben.pay_invoice_in_tokens(invoice), "invoice-paid", 409)
    assert stage.gift_tokens(ben.address) == DOLLAR


def test_a_plain_redemption_is_for_no_invoice(stage: Stage, holder: Payer) -> None:
    cafe = stage.merchant()
    invoice = cafe.invoice()
    assert cafe.redeem(holder.wallet, DOLLAR).json()["invoice_id"] is None
    stage.confirm()
    assert cafe.record(invoice)["state"] == "open"


def test_who_has_no_tokens_holds_up_nobody(stage: Stage) -> None:
    cafe, anna = stage.merchant(), stage.payer()
    invoice = cafe.invoice()
    poor = Payer(stage, Wallet())
    assert_problem(poor.pay_invoice_in_tokens(invoice), "invalid-redemption", 422)
    assert anna.pay_invoice(invoice).status_code == 201
