"""Nothing is forgotten: what lies about is found, told once, and listed for as long as it is true."""

from typing import Any

import pytest

from taesan.reminders import following, watching
from taesan.settlement import calls
from tests.api.test_cashback import campaign, earn
from tests.support.conversions import gather as gather_by_rule
from tests.support.conversions import permit, sign_rule, to
from tests.support.gifts import Giver, claim, gather, rich_payer, state
from tests.support.stage import CENT, DOLLAR, Payer, Stage, StageFactory
from tests.support.wallet import Json, Wallet, raw

pytestmark = pytest.mark.database("sqlite", "postgresql")
HOUR_S = 3_600
HOUR = 1 / 24  # of a day
TOLD = "SELECT count(*) FROM outbox_event WHERE type = 'reminders.Told'"


@pytest.fixture
def stage(open_stage: StageFactory) -> Stage:
    """Where an hour is long."""
    return open_stage(
        idle_jar_days=HOUR,
        unclaimed_days=HOUR,
        held_days=HOUR,
        unpaid_cashback_days=HOUR,
        gift_reminder_days=HOUR,
        gift_return_days=2 * HOUR,
        token_gather_s=0,
        reward_min=40 * CENT,
    )


def _reminders(stage: Stage, wallet: Wallet) -> list[Json]:
    return list(stage.get("/v1/reminders", **stage.session_of(wallet))["items"])


def _pass(stage: Stage, seconds: int) -> None:
    stage.later(seconds)
    stage.confirm()
    stage.chain.wait_until(int(stage.clock.now().timestamp()))
    stage.confirm()


def _kinds(stage: Stage, wallet: Wallet) -> list[tuple[str, str]]:
    return [(r["kind"], r["amount"]) for r in _reminders(stage, wallet)]


def test_small_change_that_nothing_joins_any_more_is_told_once_for_each_time(stage: Stage) -> None:
    anna, ben, cafe = stage.payer(), stage.payer(), stage.merchant()
    anna.pay(30 * CENT)
    ben.pay(10 * CENT)
    _pass(stage, HOUR_S // 2)
    anna.pay(CENT, cafe)  # into no jar
    ben.pay(10 * CENT)
    _pass(stage, HOUR_S // 2 + 61)
    (told,) = _reminders(stage, anna.wallet)
    assert (told["kind"], told["subject"], told["amount"]) == ("idle_jar", anna.id, str(30 * CENT))
    assert _reminders(stage, ben.wallet) == []
    _pass(stage, 2 * HOUR_S)
    assert (len(_reminders(stage, anna.wallet)), len(_reminders(stage, ben.wallet))) == (1, 1)
    assert stage.rows(TOLD) == [(2,)]

    anna.pay(5 * CENT)
    _pass(stage, 120)
    assert _reminders(stage, anna.wallet) == []
    _pass(stage, HOUR_S)
    assert _kinds(stage, anna.wallet) == [("idle_jar", str(35 * CENT))]
    assert stage.rows(TOLD) == [(3,)]
    anna.pay(65 * CENT)  # it fires
    _pass(stage, 2 * HOUR_S)
    assert _reminders(stage, anna.wallet) == []
    assert stage.rows(TOLD) == [(3,)]


def test_payments_are_followed_page_by_page(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PAYMENTS", 3)
    monkeypatch.setattr(watching, "MOST_PAGES", 2)
    payers = [stage.payer() for _ in range(2)]
    for _ in range(5):
        for payer in payers:
            payer.pay(CENT)
    for _ in range(4):
        _pass(stage, 61)
    assert stage.rows("SELECT payment_id FROM reminder_cursor") == stage.rows("SELECT max(id) FROM payment")
    _pass(stage, HOUR_S)
    assert [_kinds(stage, payer.wallet) for payer in payers] == [[("idle_jar", str(5 * CENT))]] * 2


def test_tokens_that_were_settled_and_not_minted_are_told_until_somebody_claims_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = calls._settle
    without_mints: Any = lambda *arguments: settle(*arguments[:-1], {})  # noqa: E731
    anna: Payer = stage.payer()
    anna.pay(DOLLAR)
    with monkeypatch.context() as patched:
        patched.setattr(calls, "_settle", without_mints)
        stage.settle()
    assert (stage.gift_tokens(anna.address), stage.balance("entitled", anna.address)) == (0, DOLLAR)
    _pass(stage, HOUR_S + 61)
    (told,) = _reminders(stage, anna.wallet)
    assert (told["kind"], told["subject"], told["amount"]) == ("unclaimed_tokens", anna.address, str(DOLLAR))
    proof = stage.get(f"/v1/entitlements/{anna.address}")
    arguments = (proof["batch_id"], anna.address, int(proof["cumulative"]), [raw(step) for step in proof["proof"]])
    stage.chain.send(anna.wallet.key, "settlement", "claim", *arguments)
    _pass(stage, 61)
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert _reminders(stage, anna.wallet) == []
    _pass(stage, 26 * HOUR_S)
    assert stage.rows("SELECT count(*) FROM reminder WHERE ended_at IS NULL") == [(0,)]
    assert stage.rows(TOLD) == [(1,)]


def test_gifts_that_nobody_takes_are_told_and_go_back_by_themselves(stage: Stage) -> None:
    giver = Giver(stage, rich_payer(stage, 5), 3 * DOLLAR)
    gift_id, _ = giver.wrap(DOLLAR, lives_s=3 * HOUR_S)
    taken, link = giver.wrap(DOLLAR, lives_s=3 * HOUR_S)
    assert claim(stage, taken, link.claim_body(Wallet().address)).status_code == 202
    gather(stage)
    _pass(stage, HOUR_S)
    assert _kinds(stage, giver.wallet) == [("unclaimed_gift", str(DOLLAR))]
    _pass(stage, 2 * HOUR_S + 60)
    (told,) = _reminders(stage, giver.wallet)
    assert (told["kind"], told["subject"]) == ("expired_gift", gift_id)
    assert state(stage, gift_id) == "expired"
    _pass(stage, 2 * HOUR_S)
    assert state(stage, gift_id) == "returned"
    assert _reminders(stage, giver.wallet) == []
    assert stage.gift_tokens(giver.wallet.address) == 2 * DOLLAR
    assert stage.rows(TOLD) == [(2,)]
    assert stage.audit().differences == []


def test_a_gift_that_left_without_the_hub_is_not_looked_for_for_ever(stage: Stage) -> None:
    giver = Giver(stage, rich_payer(stage, 5))
    gift_id, link = giver.wrap(DOLLAR, lives_s=HOUR_S)
    stage.chain.send(link.key, "gift_token", "transfer", Wallet().address, DOLLAR)
    _pass(stage, 4 * HOUR_S)
    assert state(stage, gift_id) == "expired"
    assert stage.rows("SELECT look_at FROM gift") == [(None,)]


def test_a_conversion_that_is_held_is_told_until_it_is_done(stage: Stage) -> None:
    anna, ben = stage.payer(), stage.payer()
    permit(stage, ben)
    for payer in (anna, ben):
        gather_by_rule(sign_rule(payer, to("savings", payer.address)), DOLLAR)
    assert _reminders(stage, anna.wallet) == [], "it is held for a moment only"
    _pass(stage, HOUR_S + 61)
    (told,) = _reminders(stage, anna.wallet)
    (held,) = stage.get(f"/v1/channels/{anna.id}/jar/conversions", **anna.headers())["items"]
    assert (told["kind"], told["subject"], told["amount"]) == ("held_conversion", held["id"], str(DOLLAR))
    assert _reminders(stage, ben.wallet) == []
    permit(stage, anna)
    _pass(stage, HOUR_S)
    assert _reminders(stage, anna.wallet) == []
    assert stage.rows(TOLD) == [(1,)]


def test_cashback_that_never_gets_enough_is_told_once_for_each_merchant(stage: Stage) -> None:
    anna, cafe, bar = stage.payer(), stage.merchant(), stage.merchant()
    for merchant in (cafe, bar):
        earn(merchant, anna)
        campaign(merchant)
    for _ in range(2):
        anna.pay(50 * CENT, cafe)
    _pass(stage, 60)
    assert _reminders(stage, anna.wallet) == []
    _pass(stage, HOUR_S)
    (told,) = _reminders(stage, anna.wallet)
    assert (told["kind"], told["subject"], told["amount"]) == ("unpaid_cashback", cafe.id, str(10 * CENT))
    anna.pay(4 * DOLLAR, cafe)  # which makes it enough
    anna.pay(50 * CENT, bar)
    stage.tick()
    _pass(stage, HOUR_S + 61)
    assert [(r["subject"], r["amount"]) for r in _reminders(stage, anna.wallet)] == [(bar.id, str(5 * CENT))]
    assert stage.rows(TOLD) == [(2,)]


def test_points_that_expire_are_told_in_time_and_gone_with_them(stage: Stage) -> None:
    anna, ben, cafe = stage.payer(), stage.payer(), stage.merchant()
    points = {"per": str(CENT), "valid_days": 3, "notice_days": 1}
    body = {"tiers": [], "points": points}
    assert stage.client.put("/v1/programme", json=body, headers=cafe.headers).status_code == 200
    assert stage.client.put("/v1/operator/programme", json=body, headers=stage.operator()).status_code == 200
    for payer in (anna, ben):
        payer.pay(5 * CENT, cafe)
    _pass(stage, 47 * HOUR_S)
    assert _reminders(stage, anna.wallet) == []
    _pass(stage, 2 * HOUR_S)
    for payer in (anna, ben):
        told = {r["subject"]: r for r in _reminders(stage, payer.wallet)}
        assert {(r["kind"], r["amount"]) for r in told.values()} == {("expiring_points", "5")}
        assert told.keys() == {cafe.id, "hub"}
        assert told["hub"]["until"] > told["hub"]["told_at"]
    _pass(stage, 24 * HOUR_S)
    assert _reminders(stage, anna.wallet) == []
    assert stage.rows(TOLD) == [(4,)]
