"""The audit finds what was changed behind the service's back; each promise broken in the stored rows is told."""

import pytest

from taesan.ledger.audit import Report
from tests.support import databases
from tests.support.stage import CENT, DOLLAR, Stage

pytestmark = pytest.mark.database("sqlite", "postgresql")


@pytest.fixture(scope="module")
def played(shared_stage: Stage) -> Stage:
    """Two batches with everything in them, a redemption, a payout, and payments that still wait."""
    stage = shared_stage
    anna, berta, cafe = stage.payer(), stage.payer(), stage.merchant()
    for _ in range(2):
        anna.pay(60 * CENT)
        anna.pay(50 * CENT)
        berta.pay(30 * CENT, cafe)
        stage.settle()
    cafe.redeem(anna.wallet, DOLLAR)
    stage.confirm()
    cafe.order_payout(20 * CENT)
    stage.confirm()
    anna.pay(CENT)
    cafe.order_payout(10 * CENT)  # on its way
    assert stage.audit().differences == []
    return stage


def test_the_audit_counts_what_it_has_looked_at(played: Stage) -> None:
    counted = played.audit().counted
    assert (counted["payments"], counted["payment proofs"], counted["batches"], counted["channels"]) == (7, 6, 2, 2)
    assert counted["liabilities"] == counted["reserve"] == 60 * CENT + DOLLAR - 20 * CENT + DOLLAR
    assert counted["gift tokens"] == DOLLAR


FORGERIES = [
    # ---- payments
    ("UPDATE payment SET amount = amount + 1 WHERE id = 2", "cumulative amount of pay_"),
    ("UPDATE payment SET cumulative = cumulative + 1 WHERE id = 7", "cumulative amount of pay_"),
    ("UPDATE payment SET signature = '0x' || '00' WHERE id = 3", "signer of pay_"),
    ("UPDATE payment SET payee = (SELECT payer FROM channel LIMIT 1) WHERE destination = 'merchant'", "payments root"),
    ("UPDATE payment SET public_id = 'pay_forged' WHERE id = 1", "payments of entry "),
    ("UPDATE payment SET entry_id = entry_id + 1 WHERE id = 1", "books payments that are not there"),
    ("UPDATE payment SET batch_id = 2 WHERE id = 1", "payments in batch 1"),
    ("UPDATE payment SET batch_id = NULL WHERE id = 1", "payments in batch 1"),
    ("UPDATE payment SET entry_id = 1 WHERE id = 7", "says entry 1 books it, which does not"),
    ("DELETE FROM payment WHERE id = 7", "books payments that are not there"),
    *(
        (f"UPDATE counter SET value = value + 1 WHERE name = '{name}'", f"kept figure {name}")
        for name in ("payments", "payments_batched", "payments_settled", "payers", "firings", "merchants", "gas:batch")
    ),
    ("UPDATE charged SET amount = amount - 1", "charged amount of channel"),
    # ---- batches
    ("UPDATE batch SET payments_root = entitlement_root WHERE id = 1", "payments root of batch 1"),
    ("UPDATE batch SET entitlement_root = payments_root WHERE id = 2", "entitlement root of batch 2"),
    ("UPDATE batch SET claimed = claimed + 1 WHERE id = 1", "claims of batch 1"),
    ("UPDATE batch SET payment_count = 9 WHERE id = 1", "payments in batch 1"),
    ("UPDATE batch_claim SET total_claimed = max_claimable + 1", "claims beyond their voucher"),
    ("UPDATE batch_claim SET amount = amount + 1 WHERE batch_id = 1", "claimed of channel"),
    ("UPDATE batch_entitlement SET cumulative = cumulative + 1 WHERE batch_id = 2", "entitlement root of batch 2"),
    ("UPDATE batch_claim SET amount = amount + 1 WHERE batch_id = 2", "channels' claims of batch 2"),
    ("UPDATE batch_credit SET amount = amount + 1 WHERE batch_id = 1", "credits of batch 1"),
    ("UPDATE batch_credit SET address = (SELECT payer FROM channel LIMIT 1)", "credits of batch 1"),
    ("UPDATE batch_entitlement SET amount = amount + 1 WHERE batch_id = 1", "entitlements of batch 1"),
    ("UPDATE jar_firing SET amount = amount + 1 WHERE id = 1", "claims of batch 1"),
    ("UPDATE jar_firing SET batch_id = NULL WHERE id = 1", "claims of batch 1"),
    ("UPDATE entitlement SET claimed = claimed - 1", "minted to 0x"),
    ("DELETE FROM batch WHERE id = 1", "batch number"),
    # ---- books and chain
    (
        "UPDATE balance SET amount = amount + 1 WHERE account_id IN (SELECT id FROM account WHERE kind = 'jar')",
        "balance of jar:",
    ),
    (
        "UPDATE balance SET amount = amount + 1 WHERE account_id IN (SELECT id FROM account WHERE kind = 'channel')",
        "unclaimed of channel",
    ),
    (
        "UPDATE balance SET amount = amount - 1 WHERE account_id IN (SELECT id FROM account WHERE kind = 'gift_supply')",
        "gift tokens in circulation",
    ),
    (
        "UPDATE balance SET amount = amount + 1 WHERE account_id IN (SELECT id FROM account WHERE kind = 'credit')",
        "credit of 0x",
    ),
    (
        "UPDATE balance SET amount = amount + 5 WHERE account_id IN (SELECT id FROM account WHERE kind = 'reserve')",
        "reserve on chain is at least",
    ),
    (
        "UPDATE balance SET amount = amount - 5 WHERE account_id IN (SELECT id FROM account WHERE kind = 'escrow')",
        "escrow on chain",
    ),
    ("UPDATE outbox_event SET handled_at = NULL WHERE id = 1", "chain events that wait"),
]


@pytest.mark.parametrize(("statement", "told"), FORGERIES)
def test_a_forged_row_is_told(played: Stage, statement: str, told: str) -> None:
    report = _audit_after(played, statement)
    assert any(told in difference for difference in report.differences), report.differences
    assert played.audit().differences == [], "and the honest rows are still honest"


def _audit_after(stage: Stage, statement: str) -> Report:
    """The audit of the database with one statement run on it, which is undone afterwards."""
    with stage.undone():
        assert databases.forge(stage.settings.database_url, statement) > 0
        return stage.audit()


def test_money_that_leaves_the_reserve_unbooked_is_told(played: Stage) -> None:
    chain, settlement = played.chain, played.facts["settlement"]
    with chain.undone():
        chain.take_dollars(settlement, DOLLAR)
        chain.mine(5)
        with played.undone():
            played.tick(2)
            assert any("reserve covers liabilities" in d for d in played.audit().differences)
            played.later(10)
            played.tick(2)
            assert played.get("/v1/overview")["trust"]["books_equal_chain"] is False


def test_money_that_is_given_to_the_reserve_unasked_is_no_difference(played: Stage) -> None:
    with played.chain.undone(), played.undone():
        played.chain.give_dollars(played.facts["settlement"], 7)
        played.chain.mine(5)
        played.tick(2)
        report = played.audit()
        assert report.differences == []
        assert report.counted["unasked transfers to the reserve"] == 7
