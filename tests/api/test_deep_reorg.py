"""A reorganisation that reaches below the depth at which events count: what comes back stays booked once, what does not is
un-posted, and nothing is accepted meanwhile."""

from collections.abc import Iterator

import pytest

from taesan.chain.reorg import DeepReorg, remember
from taesan.chain.watcher import index
from taesan.settings import DEV_OPERATOR_KEY
from taesan.work import event_handlers, undo_handlers
from tests.support.chain import RICH_KEY, Chain
from tests.support.insights import ask_for_insights
from tests.support.problems import assert_problem
from tests.support.stage import DEPTH, DOLLAR, Merchant, Payer, Stage, key
from tests.support.template import Template
from tests.support.x402_asked import asked, payload, requirements

pytestmark = pytest.mark.database("sqlite", "postgresql")
IN_TOKENS = "SELECT count(*) FROM movement WHERE key LIKE 'red_%'"


@pytest.fixture(scope="module")
def _chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """One of its own: an anvil that has gone back many times may have lost the state that a reorganisation leads to."""
    chain = Chain(tmp_path_factory.mktemp("reorganised"))
    yield chain
    chain.stop()


@pytest.fixture(scope="module")
def _template(_chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Stage(_chain, tmp_path_factory.mktemp("template")).as_template()


@pytest.fixture
def anna(stage: Stage) -> Payer:
    anna = stage.payer()
    stage.chain.mine(5)
    stage.confirm()
    return anna


@pytest.fixture
def cafe(stage: Stage, anna: Payer) -> Merchant:
    return stage.merchant()


def reorganise(stage: Stage, since: int) -> None:
    """Replaces the blocks after `since` with as many empty ones, and lets the new chain grow."""
    stage.chain.reorganise(stage.chain.head() - since)
    stage.chain.mine(DEPTH + 1)


def test_nothing_is_accepted_signed_or_booked_until_it_is_resolved(stage: Stage, anna: Payer) -> None:
    before = stage.chain.head()
    anna.pay(DOLLAR)
    stage.settle()
    reorganise(stage, before)
    stage.tick()
    assert "is no longer on the chain" in stage.alarms()["deep-reorg"]
    stage.later(2)
    assert_problem(anna.try_to_pay(DOLLAR), "chain-view-too-old", 503)
    stage.confirm()
    stage.chain.mine(20)
    stage.confirm()
    assert stage.alarms() == {}
    anna.pay(DOLLAR)


def test_a_batch_that_was_posted_comes_back_and_is_booked_once(stage: Stage, anna: Payer, cafe: Merchant) -> None:
    before = stage.chain.head()
    anna.pay(DOLLAR)
    anna.pay(2 * DOLLAR, cafe)
    stage.settle()
    assert stage.batch_states() == ["posted"]
    entries = stage.rows("SELECT ref, hash FROM journal_entry ORDER BY id")
    reorganise(stage, before)
    assert stage.gift_tokens(anna.address) == 0
    stage.confirm()
    stage.chain.mine(20)
    stage.confirm()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.batch_states() == ["posted"]
    assert stage.rows("SELECT ref, hash FROM journal_entry ORDER BY id") == entries, "nothing was posted a second time"
    assert stage.audit().differences == []
    anna.pay(DOLLAR)
    stage.settle()
    assert stage.batch_states() == ["posted", "posted"]
    assert stage.audit().differences == []


def test_what_comes_back_in_another_place_of_its_block_is_the_same(stage: Stage, anna: Payer) -> None:
    """Other transactions stand before ours now: its events have other numbers in the block."""
    before = stage.chain.head()
    stage.chain.give_dollars(anna.address, DOLLAR)
    anna.deposit(DOLLAR)
    stage.confirm()
    entries = stage.rows("SELECT ref FROM journal_entry ORDER BY id")
    stage.chain.reorganise(stage.chain.head() - before)
    stage.chain.give_dollars(anna.address, DOLLAR)
    with stage.chain.mining_paused():
        stage.chain.jump_queue(RICH_KEY, "asset", "mint", anna.address, DOLLAR)
        stage.tick(3)
        stage.chain.mine(DEPTH + 1)
    stage.confirm()
    stage.chain.mine(20)
    stage.confirm()
    assert anna.channel()["available"] == str(11 * DOLLAR)
    assert stage.rows("SELECT ref FROM journal_entry ORDER BY id") == entries
    assert stage.audit().differences == []


def _refund_all(stage: Stage, payer: Payer, merchant: Merchant) -> None:
    """Over x402; the payer has paid nothing yet."""
    offer = requirements(stage, merchant, DOLLAR) | {"maxTimeoutSeconds": 1}
    body = asked(offer, payload(payer, 0) | {"type": "refund"})
    assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
    stage.confirm()
    assert stage.rows("SELECT state FROM refund_relay") == [("confirmed",)]


def test_a_refund_comes_back_and_is_booked_once(stage: Stage, anna: Payer, cafe: Merchant) -> None:
    before = stage.chain.head()
    _refund_all(stage, anna, cafe)
    entries = stage.rows("SELECT ref FROM journal_entry ORDER BY id")
    reorganise(stage, before)
    stage.confirm()
    stage.chain.mine(20)
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", anna.address) == 10 * DOLLAR
    assert stage.rows("SELECT ref FROM journal_entry ORDER BY id") == entries
    assert stage.audit().differences == []


def test_a_refund_that_never_comes_back_is_unposted_and_not_tried_again(
    stage: Stage, anna: Payer, cafe: Merchant
) -> None:
    before = stage.chain.head()
    _refund_all(stage, anna, cafe)
    reorganise(stage, before)
    stage.chain.take_dollars(stage.chain.deployment.channels, 10 * DOLLAR)  # so that it fails this time
    stage.confirm()
    stage.chain.mine(20)
    stage.confirm()
    ((state, reason),) = stage.rows("SELECT state, reason FROM refund_relay")
    assert (state, "reorganisation" in reason) == ("failed", True)
    assert stage.balance("channel", anna.id) == 10 * DOLLAR
    assert anna.state() == "withdrawing", "what was announced before may stand again"


def test_a_deposit_that_never_comes_back_is_unposted(stage: Stage, anna: Payer) -> None:
    """The payer had brought it herself: nobody but her can bring it again."""
    before = stage.chain.head()
    anna.deposit_directly(DOLLAR)
    stage.confirm()
    assert anna.channel()["available"] == str(11 * DOLLAR)
    reorganise(stage, before)
    stage.confirm()
    stage.chain.mine(20)
    stage.confirm()
    assert stage.alarms() == {}
    assert anna.channel()["available"] == str(10 * DOLLAR)
    assert anna.state() == "open"
    assert stage.audit().differences == []


def test_a_channel_whose_only_deposit_is_gone_waits_for_another(stage: Stage, anna: Payer) -> None:
    ben = stage.stranger()
    before = stage.chain.head()
    ben.deposit_directly(DOLLAR)
    stage.confirm()
    assert ben.state() == "open"
    reorganise(stage, before)
    stage.confirm()
    stage.chain.mine(20)
    stage.confirm()
    assert ben.state() == "pending"
    ben.deposit_directly(2 * DOLLAR)
    stage.confirm()
    assert ben.channel()["available"] == str(2 * DOLLAR)
    assert stage.audit().differences == []


def test_what_was_paid_out_of_a_deposit_that_is_gone_is_told_loudly(stage: Stage, anna: Payer, cafe: Merchant) -> None:
    ben = stage.stranger()
    before = stage.chain.head()
    ben.deposit_directly(3 * DOLLAR)
    stage.confirm()
    ben.pay(DOLLAR)
    ben.pay(DOLLAR // 2)
    ben.pay(2 * DOLLAR // 4, cafe)
    reorganise(stage, before)
    stage.confirm()
    stage.chain.mine(20)
    stage.confirm()
    assert stage.alarms() == {}
    assert ben.state() == "closed"
    assert stage.balance("shortfall") > 0
    assert [d for d in stage.audit().differences if d.startswith("shortfall")]


def test_a_deposit_that_was_unposted_and_comes_after_all_is_booked_again(stage: Stage, anna: Payer) -> None:
    before = stage.chain.head()
    receipt = anna.deposit_directly(DOLLAR)
    raw = stage.chain.raw_of(receipt)
    stage.confirm()
    reorganise(stage, before)
    stage.confirm()
    stage.chain.mine(20)
    stage.confirm()
    assert anna.channel()["available"] == str(10 * DOLLAR)
    stage.chain.give_dollars(anna.address, DOLLAR)
    stage.chain.ask("anvil_setBalance", anna.address, hex(10**20))
    stage.chain.web3.eth.send_raw_transaction(raw)
    stage.confirm()
    assert anna.channel()["available"] == str(11 * DOLLAR)
    assert stage.audit().differences == []


def live_through(stage: Stage, anna: Payer, cafe: Merchant) -> str:
    """Settled, minted, redeemed, paid out; returns the payout's id."""
    anna.pay(3 * DOLLAR)
    anna.pay(2 * DOLLAR, cafe)
    stage.settle()
    cafe.redeem(anna.wallet, DOLLAR)
    stage.confirm()
    payout: str = cafe.order_payout(DOLLAR).json()["id"]
    stage.confirm()
    assert stage.audit().differences == []
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    return payout


def test_all_that_a_hub_has_sent_comes_back_by_itself(stage: Stage, anna: Payer, cafe: Merchant) -> None:
    before = stage.chain.head()
    payout = live_through(stage, anna, cafe)
    reorganise(stage, before)
    stage.confirm()
    stage.chain.mine(30)
    stage.confirm()
    assert stage.alarms() == {}
    assert stage.get(f"/v1/payouts/{payout}", **cafe.headers)["state"] == "paid"
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    assert stage.audit().differences == []


def test_what_cannot_come_back_is_unposted_and_done_anew(stage: Stage, anna: Payer, cafe: Merchant) -> None:
    """On the new chain somebody else has used our nonces."""
    before = stage.chain.head()
    payout = live_through(stage, anna, cafe)
    stage.chain.reorganise(stage.chain.head() - before)
    for _ in range(4):
        stage.chain.send(DEV_OPERATOR_KEY, "asset", "mint", anna.address, 1)
    stage.chain.mine(DEPTH + 1)
    for _ in range(4):
        stage.later(20)
        stage.confirm()
        stage.chain.mine(10)
    stage.settle()
    assert stage.alarms().keys() == {"nonce-used-elsewhere"}
    assert stage.batch_states() == ["posted"]
    assert stage.rows("SELECT count(*) FROM journal_entry WHERE ref LIKE 'batch:1%'") == [(2,)]
    assert stage.rows("SELECT count(*) FROM journal_entry WHERE ref LIKE 'undone:%'")[0][0] > 4
    assert stage.gift_tokens(anna.address) == 3 * DOLLAR
    assert stage.get(f"/v1/payouts/{payout}", **cafe.headers)["state"] == "failed"
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    assert stage.audit().differences == []
    cafe.order_payout(2 * DOLLAR)
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", cafe.address) == 2 * DOLLAR
    assert stage.audit().differences == []


def test_a_refund_is_done_anew_and_an_invoice_whose_tokens_are_gone_is_open_again(
    stage: Stage, anna: Payer, cafe: Merchant
) -> None:
    before = stage.chain.head()
    ask_for_insights(stage, anna.headers())
    anna.pay(3 * DOLLAR)
    refund = cafe.refund(anna.pay(2 * DOLLAR, cafe)["id"], DOLLAR).json()["id"]
    stage.settle()
    invoice = cafe.invoice(100)
    assert anna.pay_invoice_in_tokens(invoice).status_code == 202
    stage.confirm()
    assert cafe.record(invoice)["state"] == "paid"
    assert stage.rows(IN_TOKENS) == [(1,)]
    stage.chain.reorganise(stage.chain.head() - before)
    for _ in range(3):
        stage.chain.send(DEV_OPERATOR_KEY, "asset", "mint", anna.address, 1)
    stage.chain.mine(DEPTH + 1)
    for _ in range(4):
        stage.later(20)
        stage.confirm()
        stage.chain.mine(10)
    stage.settle()
    assert stage.get(f"/v1/refunds/{refund}", **cafe.headers)["state"] == "done"
    # The tokens were sent again before they were minted again: they failed, and the invoice is to be paid.
    assert stage.rows("SELECT state FROM redemption") == [("failed",)]
    assert stage.rows(IN_TOKENS) == [(0,)], "what is gone was not spent"
    assert (cafe.record(invoice)["state"], cafe.record(invoice)["paid_by"]) == ("open", None)
    assert (stage.gift_tokens(anna.address), cafe.account()["credit"]) == (4 * DOLLAR, str(DOLLAR))
    assert stage.audit().differences == []
    assert anna.pay_invoice_in_tokens(invoice).status_code == 202
    stage.confirm()
    assert (cafe.record(invoice)["state"], cafe.account()["credit"]) == ("paid", str(2 * DOLLAR))
    assert stage.rows(IN_TOKENS) == [(1,)]
    assert stage.audit().differences == []


def test_an_invoice_whose_tokens_somebody_else_has_relayed_is_paid_by_the_hub_if_they_are_gone(
    stage: Stage, anna: Payer, cafe: Merchant
) -> None:
    anna.pay(2 * DOLLAR)
    stage.settle()
    ask_for_insights(stage, anna.headers())
    before = stage.chain.head()
    invoice = cafe.invoice(100)
    body = anna.wallet.redemption_for(stage.facts, invoice)
    ordered = stage.client.post(f"/v1/invoices/{invoice['id']}/redemptions", json=body, headers=key())
    assert ordered.status_code == 202
    terms = (body["holder"], cafe.address, DOLLAR, 0, int(body["valid_before"]), body["salt"], body["signature"])
    stage.chain.send(RICH_KEY, "settlement", "redeemWithAuthorization", *terms)
    stage.confirm()
    assert cafe.record(invoice)["state"] == "paid"
    assert stage.rows("SELECT state, transaction_id FROM redemption") == [("confirmed", None)]
    reorganise(stage, before)
    for _ in range(3):
        stage.later(20)
        stage.confirm()
    assert stage.alarms() == {}
    assert stage.rows("SELECT count(*) FROM journal_entry WHERE ref LIKE 'undone:redeemed:%'") == [(1,)]
    assert stage.rows("SELECT state, transaction_id IS NULL FROM redemption") == [("confirmed", False)]
    assert stage.rows(IN_TOKENS) == [(1,)], "it was gone and has come back"
    assert (cafe.record(invoice)["state"], cafe.account()["credit"]) == ("paid", str(DOLLAR))
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []


def test_a_reorganisation_in_the_middle_of_another_is_survived(stage: Stage, anna: Payer) -> None:
    before = stage.chain.head()
    anna.pay(DOLLAR)
    stage.settle()
    for _ in range(2):
        reorganise(stage, before)
        stage.tick(2)
    stage.confirm()
    stage.chain.mine(30)
    stage.confirm()
    assert stage.alarms() == {}
    assert stage.batch_states() == ["posted"]
    assert stage.audit().differences == []


def test_one_that_begins_before_the_blocks_that_are_kept_stops_the_reading(stage: Stage, anna: Payer) -> None:
    balance = anna.channel()["available"]
    stage.write("DELETE FROM chain_block WHERE number < (SELECT block_number FROM chain_cursor)")
    stage.chain.reorganise(DEPTH + 2)
    stage.chain.mine(DEPTH + 1)
    hub = stage.hub
    with pytest.raises(DeepReorg, match=r"was 0x.* and is no longer on the chain"):
        index(hub.db, hub.node, hub.contracts, hub.clock, DEPTH)
    stage.tick(3)
    assert "nor is any earlier one" in stage.alarms()["deep-reorg"]
    assert anna.channel()["available"] == balance
    stage.later(2)
    assert_problem(anna.try_to_pay(DOLLAR), "chain-view-too-old", 503)
    assert stage.client.get("/v1/overview").status_code == 200


def test_what_is_kept_is_bounded(stage: Stage, anna: Payer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taesan.chain.reorg.KEPT_BLOCKS", 5)
    with stage.hub.db.write() as session:
        for number in range(1_000, 1_020):
            remember(session, number, "0x")
    assert stage.rows("SELECT min(number), max(number), count(*) FROM chain_block") == [(1_015, 1_019, 5)]
    assert stage.rows("SELECT count(*) FROM chain_event") == [(0,)]


def test_every_event_of_the_chain_that_is_handled_can_be_undone(stage: Stage) -> None:
    """Those of our own are put by the books; what merchants were told of them is told."""
    ours = ("merchants.", "loyalty.", "payments.", "gateways.", "conversions.", "reminders.")
    of_chain = {name for name in event_handlers(stage.hub) if not name.startswith(ours)}
    assert of_chain == undo_handlers(stage.hub).keys()
