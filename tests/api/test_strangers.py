"""What somebody who means harm, or only does things in an odd order, can do from outside: the hub goes on, the books agree."""

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import col

from taesan.core import outbox
from taesan.core.models import OutboxEvent
from taesan.core.values import bytes_of, hex_of
from taesan.ledger.posting import GENESIS_HASH, entry_hash
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Payer, Stage, key
from tests.support.wallet import Wallet


def test_a_merchant_who_takes_its_credit_just_before_new_credit_comes_does_not_stop_the_books(stage: Stage) -> None:
    """The order is given on books that do not know yet of the withdrawal, and paid from credit that they do not know either."""
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(CENT, cafe)
    stage.settle()
    stage.chain.send(cafe.wallet.key, "settlement", "withdrawCredit", cafe.address, CENT)
    anna.pay(CENT, cafe)
    stage.later(stage.settings.batch_interval_s)
    stage.tick()  # the next batch is mined; neither it nor the withdrawal is deep enough to be booked
    assert cafe.order_payout(CENT).status_code == 202
    stage.confirm()
    stage.confirm()
    assert stage.rows("SELECT count(*) FROM outbox_event WHERE handled_at IS NULL") == [(0,)]
    assert stage.chain.read("asset", "balanceOf", cafe.address) == 2 * CENT
    assert cafe.account() == {
        "merchant_id": cafe.id,
        "pending": "0",
        "credit": "0",
        "paying_out": "0",
        "refunding": "0",
        "budget": "0",
    }
    assert stage.audit().differences == []


def test_a_hub_that_has_not_heard_from_its_chain_for_long_accepts_nothing(stage: Stage) -> None:
    """A withdrawal that it does not know of could be over before it hears of it."""
    anna = stage.payer()
    with stage.node_away():
        stage.later(stage.settings.withdraw_delay_s // 4 - 60)
        anna.pay(CENT)
        stage.later(120)
        answer = anna.try_to_pay(CENT)
        assert_problem(answer, "chain-view-too-old", 503)
        assert answer.headers["retry-after"] == "30"
    stage.confirm()
    anna.pay(CENT)


def test_a_wallet_that_says_yes_to_simulations_and_no_to_transactions_fails_alone(stage: Stage) -> None:
    """Its contract looks at the gas price: zero in a simulation. The others' deposits go through, and no gas is burnt on
    it for ever."""
    if_gas_price_is_zero = "3a15600a57"
    revert, return_magic = "60006000fd", "5b631626ba7e60e01b60005260206000f3"
    liar = Payer(stage, Wallet())
    wallet = Wallet().address
    stage.chain.ask("anvil_setCode", wallet, f"0x{if_gas_price_is_zero}{revert}{return_magic}")
    stage.chain.give_dollars(wallet, DOLLAR)
    liar.config["payer"] = wallet
    honest = [Payer(stage, Wallet()) for _ in range(2)]
    honest[0].open_channel(DOLLAR)
    body = {"config": liar.config, "deposit": liar.wallet.deposit(stage.facts, liar.config, DOLLAR, holder=wallet)}
    deposit = stage.client.post("/v1/channels", json=body, headers=key())
    assert deposit.status_code == 202
    honest[1].open_channel(DOLLAR)
    for _ in range(4):
        stage.confirm()
    assert [payer.state() for payer in honest] == ["open", "open"]
    told = stage.get(f"/v1/deposits/{deposit.json()['deposit']['id']}")
    assert (told["state"], told["reason"]) == ("failed", "reverted on chain, though its simulation passed")
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE state = 'reverted'") == [(2,)]
    honest[1].open_channel(DOLLAR)
    stage.confirm()
    assert honest[1].channel()["available"] == str(2 * DOLLAR)
    assert stage.audit().differences == []


def test_a_chain_without_new_blocks_is_no_silence(stage: Stage) -> None:
    anna = stage.payer()
    stage.tick()
    for _ in range(5):
        stage.later(stage.settings.withdraw_delay_s // 5)
        stage.tick()
        anna.pay(CENT)


def test_a_hub_whose_books_are_stuck_for_long_accepts_nothing(stage: Stage) -> None:
    """It hears of withdrawals, but cannot book them."""
    anna = stage.payer()
    with stage.hub.db.write() as session:
        for n in range(2):
            outbox.put(session, f"broken {n}", "channels.Claimed", {}, stage.clock.now())
            stage.later(stage.settings.withdraw_delay_s // 8 + 60)
    stage.tick(2)
    assert_problem(anna.try_to_pay(CENT), "chain-view-too-old", 503)
    with stage.hub.db.write() as session:
        session.execute(delete(OutboxEvent).where(col(OutboxEvent.key).startswith("broken")))
    anna.pay(CENT)


def test_a_channel_whose_vouchers_promise_more_than_is_left_is_closed(stage: Stage) -> None:
    """The payer's withdrawal was over before the batch: the books say so, and take no new payments on it."""
    anna, cafe = stage.payer(DOLLAR), stage.merchant()
    anna.announce_withdrawal(DOLLAR)
    anna.pay(DOLLAR, cafe)  # before we know of the announcement
    stage.chain.wait(stage.settings.withdraw_delay_s)
    anna.finish_withdrawal()
    stage.chain.mine(5)
    stage.tick(3)
    assert anna.state() == "closed"
    assert stage.balance("shortfall") == DOLLAR
    assert stage.audit().differences, "and the audit does not keep it quiet"


def test_a_further_api_key_can_be_had_when_the_first_answer_was_lost(stage: Stage) -> None:
    cafe = stage.merchant()
    session = stage.session_of(cafe.wallet)
    again = stage.client.post("/v1/merchants/me/keys", headers=session)
    assert again.status_code == 201
    further = again.json()["api_key"]
    assert stage.get("/v1/merchants/me", Authorization=f"Bearer {further}")["id"] == cafe.id
    assert stage.get("/v1/merchants/me", **cafe.headers)["id"] == cafe.id
    stranger = stage.client.post("/v1/merchants/me/keys", headers=stage.session_of(Wallet()))
    assert_problem(stranger, "unknown-merchant", 404)


def test_anyone_can_page_through_the_journal_and_recompute_its_hashes(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    for _ in range(4):
        anna.pay(CENT, cafe)
    stage.settle()
    entries, cursor = [], ""
    while cursor is not None:
        page = stage.get("/v1/ledger/entries?limit=3" + (f"&cursor={cursor}" if cursor else ""))
        entries += page["entries"]
        cursor = page["next_cursor"]
    assert [e["id"] for e in entries] == list(range(1, len(entries) + 1))
    previous = GENESIS_HASH
    for entry in entries:
        lines = [(line["account"], int(line["amount"])) for line in entry["lines"]]
        at = datetime.fromisoformat(entry["posted_at"])
        assert hex_of(entry_hash(previous, entry["ref"], entry["kind"], at, lines)) == entry["hash"]
        previous = bytes_of(entry["hash"])
    totals = {t["kind"]: int(t["amount"]) for t in stage.get("/v1/ledger/totals")}
    assert totals["credit"] == 4 * CENT
    assert totals["escrow"] + totals["reserve"] == sum(totals.values()) - totals["escrow"] - totals["reserve"]
    assert_problem(stage.client.get("/v1/ledger/entries?cursor=x"), "invalid-request", 422)
