"""Invoices paid by a plain transfer to the payout wallet, past the hub: recognised by the amount, counted at depth."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from taesan.merchants import transfer_terms, transfers
from tests.support import x402_exact
from tests.support.chain import Chain
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DEPTH, DOLLAR, Merchant, Stage, StageFactory
from tests.support.template import Template
from tests.support.wallet import Json, Wallet
from tests.support.x402_asked import asked, settle

pytestmark = pytest.mark.database("sqlite", "postgresql")

QUARTER, HOUR = 15 * 60, 3_600


@pytest.fixture(scope="module")
def _chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """One of its own, as it is reorganised."""
    chain = Chain(tmp_path_factory.mktemp("transfers"))
    yield chain
    chain.stop()


@pytest.fixture(scope="module")
def _template(_chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Stage(_chain, tmp_path_factory.mktemp("template")).as_template()


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    return stage.merchant()


@pytest.fixture
def ben(stage: Stage) -> Wallet:
    """Somebody of whom the hub has never heard."""
    wallet = Wallet()
    stage.chain.give_dollars(wallet.address, 100 * DOLLAR)
    return wallet


def _due(invoice: Json) -> int:
    return int(invoice["transfer"]["amount"]["value"])


def _send(stage: Stage, wallet: Wallet, invoice: Json, amount: int | None = None) -> Any:
    """What any wallet does; it is in a block at once. Returns the receipt."""
    return stage.chain.send(
        wallet.key, "asset", "transfer", invoice["transfer"]["to"], _due(invoice) if amount is None else amount
    )


def _state(cafe: Merchant, invoice: Json) -> str:
    return str(cafe.record(invoice)["state"])


def _transfers(cafe: Merchant, query: str = "") -> list[tuple[str, str | None]]:
    """(state, invoice), newest first."""
    rows = cafe.stage.get(f"/v1/transfers?{query}", **cafe.headers)["items"]
    return [(row["state"], row["invoice_id"]) for row in rows]


def _seconds_left(stage: Stage, invoice: Json) -> int:
    """By the chain's clock, which may be behind ours."""
    expires_at = datetime.fromisoformat(invoice["expires_at"]).timestamp()
    return max(0, int(expires_at) + 1 - int(stage.chain.web3.eth.get_block("latest")["timestamp"]))


def _told(stage: Stage) -> list[str]:
    return [type_ for (type_,) in stage.rows("SELECT type FROM outbox_event WHERE type LIKE 'merchants.%' ORDER BY id")]


def _again(stage: Stage, raw: bytes) -> None:
    """Hands a transaction to the chain that a reorganisation has removed."""
    stage.chain.web3.eth.send_raw_transaction(raw)


# ------------------------------------------------------------------------ paid


def test_an_invoice_says_what_to_transfer(stage: Stage, cafe: Merchant) -> None:
    made = cafe.invoice(450)
    assert made["payable_in"] == ["channel", "gift_tokens", "transfer"]
    told, due = made["transfer"], _due(made)
    assert 0 < due - 450 * CENT < CENT
    asset = stage.chain.deployment.asset
    assert told == {
        "to": cafe.address,
        "amount": {"value": str(due), "asset": stage.hub.asset.id, "exponent": 6},
        "uri": f"ethereum:{asset}@31337/transfer?address={cafe.address}&uint256={due}",
        "confirmations": None,
        "confirmations_needed": DEPTH,
    }


def test_a_transfer_pays_when_it_is_deep_enough_and_nobody_else_meanwhile(
    stage: Stage, cafe: Merchant, ben: Wallet
) -> None:
    anna = stage.payer()
    invoice = cafe.invoice(450)
    receipt = _send(stage, ben, invoice)
    for deep in range(DEPTH):
        stage.tick()
        shown = stage.get(f"/v1/invoices/{invoice['id']}")
        assert (shown["state"], shown["transfer"]["confirmations"]) == ("paying", deep)
        assert _transfers(cafe) == [("seen", invoice["id"])]
        stage.chain.mine()
    assert_problem(anna.pay_invoice(invoice), "invoice-being-paid", 409)
    refused = stage.client.post(f"/v1/invoices/{invoice['id']}/cancel", headers=cafe.headers)
    assert_problem(refused, "invoice-being-paid", 409)
    stage.later(QUARTER)  # it does not expire any more
    stage.confirm()
    record = cafe.record(invoice)
    assert (record["state"], record["transfer"]) == ("paid", None)
    told = stage.get(f"/v1/transfers/{record['paid_by']}", **cafe.headers)
    assert (told["state"], told["sender"], told["amount"]) == ("paid", ben.address, str(_due(invoice)))
    assert told["transaction"] == "0x" + bytes(receipt["transactionHash"]).hex()
    assert _told(stage) == ["merchants.InvoicePaid"]
    assert cafe.account() == cafe.account() | {"pending": "0", "credit": "0"}
    report = stage.audit()
    assert (report.differences, report.counted["invoices paid on chain"]) == ([], 1)


def test_a_worker_that_is_started_again_meanwhile_counts_it_once(stage: Stage, cafe: Merchant, ben: Wallet) -> None:
    invoice = cafe.invoice()
    _send(stage, ben, invoice)
    stage.tick()
    stage.restart()
    stage.confirm()
    stage.restart()
    stage.confirm()
    assert (_transfers(cafe), _told(stage)) == ([("paid", invoice["id"])], ["merchants.InvoicePaid"])


def test_invoices_of_one_price_are_told_apart(stage: Stage, cafe: Merchant, ben: Wallet) -> None:
    kiosk = stage.merchant("Kiosk")
    one, two, three, theirs = cafe.invoice(), cafe.invoice(), cafe.invoice(), kiosk.invoice()
    assert len({_due(i) for i in (one, two, three)}) == 3
    for invoice in (two, theirs, one):
        _send(stage, ben, invoice)
    stage.confirm()
    assert [_state(cafe, i) for i in (one, two, three)] == ["paid", "paid", "open"]
    assert _state(kiosk, theirs) == "paid"
    assert _transfers(cafe) == [("paid", one["id"]), ("paid", two["id"])]
    assert stage.audit().differences == []


def test_who_paid_in_time_is_not_late_because_the_hub_was_away(stage: Stage, cafe: Merchant, ben: Wallet) -> None:
    invoice = cafe.invoice()
    _send(stage, ben, invoice)
    stage.later(2 * QUARTER)
    stage.confirm()
    assert (_state(cafe, invoice), _transfers(cafe)) == ("paid", [("paid", invoice["id"])])


def test_the_day_of_a_transfer_tells_it_apart_from_what_the_hub_owes(stage: Stage, cafe: Merchant, ben: Wallet) -> None:
    invoice = cafe.invoice(450)
    _send(stage, ben, invoice)
    stage.confirm()
    closing = stage.get(f"/v1/closings/{stage.clock.now().date()}", **cafe.headers)
    assert closing["paid_on_chain"] == {"count": 1, "amount": str(_due(invoice))}
    assert closing["net"] == "0"


def test_what_the_hub_does_not_hold_it_does_not_refund(stage: Stage, cafe: Merchant, ben: Wallet) -> None:
    kiosk, invoice = stage.merchant("Kiosk"), cafe.invoice()
    _send(stage, ben, invoice)
    stage.confirm()
    paid_by = cafe.record(invoice)["paid_by"]
    told = assert_problem(cafe.refund(paid_by), "paid-on-chain", 409)
    assert (told["sender"], told["amount"]) == (ben.address, str(_due(invoice)))
    assert_problem(kiosk.refund(paid_by), "not-found", 404)


# --------------------------------------------------------------- reorganisations


def test_a_transfer_that_a_reorganisation_removes_opens_the_invoice_again(
    stage: Stage, cafe: Merchant, ben: Wallet
) -> None:
    anna = stage.payer()
    invoice = cafe.invoice()
    _send(stage, ben, invoice)
    stage.tick()
    assert _state(cafe, invoice) == "paying"
    stage.chain.reorganise(1)
    stage.chain.mine()
    stage.tick()
    assert (_state(cafe, invoice), _transfers(cafe)) == ("open", [("gone", invoice["id"])])
    assert anna.pay_invoice(invoice).status_code == 201
    stage.settle()
    assert _told(stage) == ["merchants.InvoicePaid"]
    assert stage.audit().differences == []


def test_a_transfer_that_comes_back_is_the_same_one(stage: Stage, cafe: Merchant, ben: Wallet) -> None:
    invoice = cafe.invoice()
    raw = stage.chain.raw_of(_send(stage, ben, invoice))
    stage.tick()
    stage.chain.reorganise(1)
    stage.chain.mine()
    stage.tick()
    assert _state(cafe, invoice) == "open"
    _again(stage, raw)
    stage.confirm()
    assert (_state(cafe, invoice), _transfers(cafe)) == ("paid", [("paid", invoice["id"])])


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_deep_reorganisation(stage: Stage, cafe: Merchant, ben: Wallet, comes_back: bool) -> None:
    """Also of an invoice that nobody waits for any more."""
    stage.chain.mine(5)
    stage.confirm()
    before, invoice = stage.chain.head(), cafe.invoice()
    raw = stage.chain.raw_of(_send(stage, ben, invoice))
    stage.confirm()
    stage.later(2 * HOUR)
    stage.confirm()
    assert stage.rows("SELECT count(*) FROM transfer_offer WHERE held_until IS NOT NULL") == [(0,)]
    stage.chain.reorganise(stage.chain.head() - before)
    if comes_back:
        _again(stage, raw)
    stage.confirm()
    stage.chain.mine(20)
    stage.confirm()
    assert stage.alarms() == {}
    state, invoice_state = ("paid", "paid") if comes_back else ("gone", "expired")
    assert (_transfers(cafe), _state(cafe, invoice)) == ([(state, invoice["id"])], invoice_state)
    assert _told(stage)[0] == "merchants.InvoicePaid"
    assert stage.audit().differences == []


# -------------------------------------------------------------- not as it should


@pytest.mark.parametrize("end", ["expired", "cancelled"])
def test_a_transfer_to_an_invoice_that_is_over_is_late(stage: Stage, cafe: Merchant, ben: Wallet, end: str) -> None:
    invoice = cafe.invoice(expires_in_s=30)
    if end == "cancelled":
        stage.client.post(f"/v1/invoices/{invoice['id']}/cancel", headers=cafe.headers)
    stage.later(31)
    stage.chain.wait(_seconds_left(stage, invoice) + 1)
    stage.tick()
    _send(stage, ben, invoice)
    stage.tick()
    assert stage.get(f"/v1/invoices/{invoice['id']}")["transfer"] is None
    stage.confirm()
    assert (_state(cafe, invoice), _transfers(cafe)) == (end, [("late", invoice["id"])])
    assert "merchants.InvoicePaid" not in _told(stage)


def test_who_pays_twice_is_told_of(stage: Stage, cafe: Merchant, ben: Wallet) -> None:
    """Over the chain, and in channel credit before the transfer was seen."""
    anna = stage.payer()
    one, two = cafe.invoice(), cafe.invoice()
    for _ in range(2):
        _send(stage, ben, one)
    assert anna.pay_invoice(two).status_code == 201
    _send(stage, ben, two)
    stage.confirm()
    assert _transfers(cafe) == [("twice", two["id"]), ("twice", one["id"]), ("paid", one["id"])]
    assert _transfers(cafe, "state=twice") == [("twice", two["id"]), ("twice", one["id"])]
    stage.settle()
    assert stage.audit().differences == []


def test_another_amount_pays_nothing_and_is_told_of(stage: Stage, cafe: Merchant, ben: Wallet) -> None:
    kiosk, invoice = stage.merchant("Kiosk"), cafe.invoice()
    for amount in (DOLLAR, _due(invoice) + DOLLAR):
        _send(stage, ben, invoice, amount)
    stage.confirm()
    assert (_state(cafe, invoice), _transfers(cafe)) == ("open", [("unmatched", None)] * 2)
    (told, _) = stage.get("/v1/transfers", **cafe.headers)["items"]
    assert _transfers(kiosk) == []
    answer = stage.client.get(f"/v1/transfers/{told['id']}", headers=kiosk.headers)
    assert_problem(answer, "not-found", 404)


def test_what_is_sent_while_nobody_waits_is_none_of_the_hubs_business(
    stage: Stage, cafe: Merchant, ben: Wallet
) -> None:
    invoice = cafe.invoice()
    stage.later(QUARTER + HOUR)
    stage.confirm()
    _send(stage, ben, invoice)
    stage.confirm()
    assert _transfers(cafe) == []


def test_a_payout_is_no_transfer_of_a_customer(stage: Stage, cafe: Merchant) -> None:
    anna = stage.payer()
    anna.pay(2 * DOLLAR, cafe)
    stage.settle()
    invoice = cafe.invoice(200)
    assert cafe.order_payout().status_code == 202
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", cafe.address) == 2 * DOLLAR
    assert (_transfers(cafe), _state(cafe, invoice)) == ([], "open")


def test_a_payment_by_exact_is_no_transfer_besides(stage: Stage, cafe: Merchant, ben: Wallet) -> None:
    invoice = cafe.invoice(200)
    offer = x402_exact.requirements(stage, cafe, _due(invoice))
    assert settle(stage, asked(offer, x402_exact.transfer(ben, offer)))["success"]
    stage.later(stage.settings.exact_gather_s + 1)
    for _ in range(DEPTH + 2):
        stage.tick()
        assert (_transfers(cafe), _state(cafe, invoice)) == ([], "open")
        stage.chain.mine(1)
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", cafe.address) == _due(invoice)
    assert (_transfers(cafe), _state(cafe, invoice)) == ([], "open")
    assert [p["state"] for p in stage.get("/v1/direct-payments", **cafe.headers)["items"]] == ["settled"]
    assert stage.audit().differences == []


def test_what_no_invoice_can_be_is_not_looked_at(open_stage: StageFactory) -> None:
    """Strangers pay for the rows that they make; and no amount stops the books."""
    stage = open_stage(min_relayed=DOLLAR)
    cafe, ben = stage.merchant(), Wallet()
    assert cafe.invoice(99)["payable_in"] == ["channel"]
    invoice = cafe.invoice(100)
    for amount in (2**70, DOLLAR - 1, 0, _due(invoice)):
        stage.chain.ask("anvil_dealERC20", ben.address, stage.chain.deployment.asset, hex(amount))
        _send(stage, ben, invoice, amount)
    stage.confirm()
    assert _transfers(cafe) == [("paid", invoice["id"])]


# ----------------------------------------------------------------------- amounts


def test_many_equal_invoices_at_once_have_amounts_of_their_own(stage: Stage, cafe: Merchant) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: cafe.invoice(300), range(40)))
    assert len({_due(invoice) for invoice in made}) == 40


def test_when_all_amounts_are_taken_an_invoice_is_paid_otherwise(
    stage: Stage, cafe: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer_terms, "MOST", 3)
    anna, kiosk = stage.payer(), stage.merchant("Kiosk")
    assert len({_due(cafe.invoice()) for _ in range(3)}) == 3
    without = cafe.invoice()
    assert (without["payable_in"], without["transfer"]) == (["channel", "gift_tokens"], None)
    for language in ("ko", "en"):
        answer = stage.client.get(f"/pay/{without['id']}/transfer.svg", headers={"Accept-Language": language})
        assert_problem(answer, "no-transfer", 409)
    assert "transfer" in cafe.invoice(101)["payable_in"], "another price has others"
    assert "transfer" in kiosk.invoice()["payable_in"], "another wallet too"
    assert anna.pay_invoice(without).status_code == 201
    stage.later(QUARTER + HOUR)
    stage.confirm()
    assert "transfer" in cafe.invoice()["payable_in"]


def test_a_merchant_has_no_more_amounts_than_can_be_watched(
    stage: Stage, cafe: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfers, "MOST_HELD", 2)
    kiosk = stage.merchant("Kiosk")
    made = [cafe.invoice(value) for value in (100, 200, 300)]
    assert ["transfer" in invoice["payable_in"] for invoice in made] == [True, True, False]
    assert "transfer" in kiosk.invoice()["payable_in"], "another wallet"
    stage.later(QUARTER + HOUR)
    stage.confirm()
    assert "transfer" in cafe.invoice(300)["payable_in"]


def test_the_database_itself_keeps_amounts_apart(stage: Stage, cafe: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last guard, if all else had failed."""
    first = cafe.invoice()
    monkeypatch.setattr("taesan.merchants.transfers.free_amount", lambda *_: _due(first))
    assert cafe.try_invoice(100).status_code == 500
    assert len(stage.get("/v1/invoices", **cafe.headers)["items"]) == 1


def test_a_merchant_may_do_without(stage: Stage, cafe: Merchant) -> None:
    before = cafe.invoice()
    settings = stage.get("/v1/account/settings", **cafe.headers)
    assert settings["takes_transfers"] is True
    answer = stage.client.put("/v1/account/settings", json={"takes_transfers": False}, headers=cafe.headers)
    assert answer.json()["takes_transfers"] is False
    assert cafe.invoice()["transfer"] is None
    assert cafe.record(before)["transfer"] is not None, "somebody may have it on the screen"
