"""What gift tokens become by signed rules: on a real chain with the real vault, and with Uniswap as it was published."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tests.support.chain import Chain
from tests.support.conversions import gather, permit, sign_rule, to
from tests.support.dex import Trader
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, OPERATOR_KEY, Payer, Stage, StageFactory
from tests.support.template import Template
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")
ETHER = 10**18
WINDOW_S = 11
BENEFICIARY = Wallet("beneficiary").address


@pytest.fixture(scope="module")
def _chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    chain = Chain(tmp_path_factory.mktemp("exchange"), dex=True)
    chain.wait(WINDOW_S)  # until the pool knows its mean price
    yield chain
    chain.stop()


@pytest.fixture(scope="module")
def trader(_chain: Chain) -> Trader:
    return Trader(_chain)


@pytest.fixture(scope="module")
def _template(_chain: Chain, trader: Trader, tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Stage(_chain, tmp_path_factory.mktemp("template")).as_template()


@pytest.fixture
def anna(stage: Stage) -> Payer:
    anna = stage.payer()
    permit(stage, anna)
    return anna


def listed(stage: Stage, payer: Payer) -> Any:
    return stage.get(f"/v1/channels/{payer.id}/jar/conversions", **payer.headers())


def only(stage: Stage, payer: Payer) -> Any:
    (item,) = listed(stage, payer)["items"]
    return item


def retry(stage: Stage, payer: Payer) -> Any:
    return stage.client.post(f"/v1/conversions/{only(stage, payer)['id']}/retry", headers=payer.headers())


# ------------------------------------------------------------------ destinations


def test_every_destination_gets_its_share_in_one_transaction(stage: Stage, anna: Payer, trader: Trader) -> None:
    ben = Wallet().address
    rule = sign_rule(
        anna,
        to("savings", anna.address, 2_500),
        to("swap", anna.address, 2_500, token=trader.ether, slippage=100),
        to("cash", ben, 2_000),
        to("person", ben, 2_000),
        to("wallet", anna.address, 1_000),
    )

    gather(rule, 4 * DOLLAR)

    shown = listed(stage, anna)
    assert (shown["held"], shown["on_the_way"]) == ("0", "0")
    assert {item["kind"]: item["state"] for item in shown["items"]} == dict.fromkeys(
        ("savings", "swap", "cash", "person"), "done"
    )
    assert len({item["transaction"] for item in shown["items"]}) == 1
    amounts = {item["kind"]: int(item["amount"]) for item in shown["items"]}
    assert amounts == {"savings": 1_000_000, "swap": 1_000_000, "cash": 800_000, "person": 800_000}
    chain = stage.chain
    assert chain.read("vault", "convertToAssets", chain.read("vault", "balanceOf", anna.address)) == 1_000_000
    assert trader.ether_of(anna.address) == pytest.approx(1_000_000 * ETHER / 3_000 / DOLLAR * 0.997, rel=1e-3)
    received = {item["kind"]: item["received"] for item in shown["items"]}
    assert received["swap"] == str(trader.ether_of(anna.address))
    assert chain.read("asset", "balanceOf", ben) == 800_000
    assert (stage.gift_tokens(ben), stage.gift_tokens(anna.address)) == (800_000, 400_000)
    assert stage.audit().differences == []
    assert stage.audit().counted["conversions"] == 4


def test_a_collectible_is_bought_at_its_price(stage: Stage, anna: Payer) -> None:
    beneficiary = Wallet().address
    stage.chain.send(OPERATOR_KEY, "badges", "createCollectible", 1_001, 0)
    stage.chain.send(OPERATOR_KEY, "standing_orders", "offer", 1_001, beneficiary, 2 * DOLLAR)
    stage.confirm()
    rule = sign_rule(anna, to("collectible", beneficiary, token=f"0x{1_001:040x}"))

    gather(rule, 3 * DOLLAR)

    assert only(stage, anna)["state"] == "done"
    assert stage.chain.read("badges", "balanceOf", anna.address, 1_001) == 1
    assert stage.gift_tokens(beneficiary) == 2 * DOLLAR
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []


def test_what_can_be_bought_is_told(stage: Stage, trader: Trader) -> None:
    stage.confirm()
    told = stage.get("/v1/destinations")
    assert [(one["token"], one["fee"]) for one in told["bought"]] == [(trader.ether, 30)]
    assert told["vault"] == stage.chain.deployment.vault


def test_what_is_offered_is_told_until_it_is_taken_back(stage: Stage) -> None:
    beneficiary, token = Wallet().address, to_checksum_address(f"0x{77:040x}")
    for number, price in ((77, DOLLAR), (77, 2 * DOLLAR), (78, DOLLAR), (78, 0), (2**200, DOLLAR), (79, 2**95)):
        stage.chain.send(OPERATOR_KEY, "standing_orders", "offer", number, beneficiary, price)
    stage.confirm()
    offered = [one for one in stage.get("/v1/destinations")["offered"] if one["recipient"] == beneficiary]
    assert offered == [{"token": token, "recipient": beneficiary, "price": str(2 * DOLLAR)}]


def test_what_is_not_to_be_had_is_not_signed(stage: Stage, anna: Payer, trader: Trader) -> None:
    stage.chain.send(OPERATOR_KEY, "standing_orders", "offer", 80, BENEFICIARY, 2 * DOLLAR)
    stage.confirm()
    pool = stage.get("/v1/destinations")["bought"][0]["pool"]
    for destination, only_for, why in (
        (to("swap", anna.address, token=stage.chain.deployment.asset, slippage=100), "", "There is no market for"),
        (to("swap", anna.address, token=trader.ether, slippage=30), "", "The market's fee is 30 ten-thousandths"),
        (to("swap", pool, token=trader.ether, slippage=31), "", "not a pool of the market"),
        (to("person", pool), "", "not a pool of the market"),
        (to("collectible", anna.address, token=f"0x{80:040x}"), "", "does not offer the collectible"),
        (to("collectible", BENEFICIARY, token=f"0x{81:040x}"), "", "does not offer the collectible"),
        (to("collectible", BENEFICIARY, token=f"0x{80:040x}"), "", "The collectible costs 2000000"),
        (to("savings", anna.address), "merchant mer_nope", "The merchant mer_nope is not known here"),
    ):
        refused = anna.try_to_sign(
            "fixed 0.10 USD", "every 1 payments", only_for, destinations=[destination], per_day=str(DOLLAR)
        )
        assert_problem(refused, "invalid-rule", 422)
        assert why in refused.json()["detail"]


# ------------------------------------------------------------------------- held


def test_when_the_price_moves_after_the_quote_the_money_stays_and_the_reason_is_told(
    stage: Stage, anna: Payer, trader: Trader
) -> None:
    rule = sign_rule(anna, to("swap", anna.address, token=trader.ether, slippage=100))
    rule.pay(4 * DOLLAR)
    stage.later(61)
    stage.tick()
    stage.chain.mine(2)
    with stage.chain.mining_paused():
        stage.tick(3)  # the tokens are in the wallet; the swap is quoted, tried, signed and sent
        assert only(stage, anna)["state"] == "sent"
        trader.buy_ether_first(3_000 * DOLLAR)  # and somebody is faster
        stage.chain.mine()
    stage.confirm()

    held = only(stage, anna)
    assert held["state"] == "held"
    assert held["reason"]["code"] == "price-moved"
    would_bring, least = (int(held["reason"]["values"][name]) for name in ("received", "minimum"))
    assert would_bring < int(held["minimum"]) <= least  # the mean price is without the market's fee
    assert stage.gift_tokens(anna.address) == 4 * DOLLAR
    assert trader.ether_of(anna.address) == 0
    assert listed(stage, anna)["held"] == str(4 * DOLLAR)
    assert stage.audit().differences == []

    stage.chain.wait(WINDOW_S)  # the market has taken the new price for its own
    answer = retry(stage, anna)
    assert_problem(answer, "conversion-rests", 409)
    assert 0 < int(answer.headers["retry-after"]) <= 60
    stage.confirm()
    assert only(stage, anna)["state"] == "held", "what has cost gas is not hurried"
    stage.later(60)
    stage.confirm()
    done = only(stage, anna)
    assert (done["state"], done["reason"], done["attempts"]) == ("done", None, 1)
    assert int(done["received"]) == trader.ether_of(anna.address) > 0
    assert stage.gift_tokens(anna.address) == 0
    assert stage.audit().differences == []


def test_a_price_that_is_far_from_the_mean_is_not_even_tried(stage: Stage, anna: Payer, trader: Trader) -> None:
    rule = sign_rule(anna, to("swap", anna.address, token=trader.ether, slippage=100))
    trader.buy_ether(3_000 * DOLLAR)
    gather(rule, 4 * DOLLAR)
    held = only(stage, anna)
    assert (held["state"], held["transaction"]) == ("held", None)
    assert held["reason"]["code"] == "price-moved"
    assert stage.gift_tokens(anna.address) == 4 * DOLLAR


def test_what_is_tried_in_vain_for_long_stays_in_the_wallet_until_its_payer_asks_again(
    open_stage: StageFactory,
) -> None:
    stage = open_stage(conversion_tried_days=0.1)
    anna = stage.payer()
    gather(sign_rule(anna, to("savings", anna.address)), DOLLAR)
    for _ in range(3):
        stage.later(3_600)
        stage.confirm()
    kept = only(stage, anna)
    assert (kept["state"], kept["reason"]["code"], kept["next_attempt_at"]) == ("kept", "permit-wanted", None)
    (told,) = stage.get("/v1/reminders", **anna.headers())["items"]
    assert (told["kind"], told["subject"], told["amount"]) == ("kept_tokens", kept["id"], str(DOLLAR))

    permit(stage, anna)
    stage.later(3_600)
    stage.confirm()
    assert only(stage, anna)["state"] == "kept"
    assert retry(stage, anna).json()["state"] == "held"
    stage.confirm()
    assert only(stage, anna)["state"] == "done"
    assert stage.get("/v1/reminders", **anna.headers())["items"] == []


def test_what_was_given_up_after_a_failure_on_the_chain_is_tried_a_day_later(stage: Stage) -> None:
    anna = stage.payer()
    gather(sign_rule(anna, to("savings", anna.address)), DOLLAR)
    stage.write("UPDATE conversion SET state = 'kept', due_at = NULL, transaction_id = 1")
    answer = retry(stage, anna).json()
    due_in = datetime.fromisoformat(answer["next_attempt_at"]) - stage.clock.now()
    assert (answer["state"], round(due_in / timedelta(hours=1))) == ("held", 24)
    assert_problem(retry(stage, anna), "conversion-rests", 409)


def test_without_an_allowance_it_waits_for_a_permit(stage: Stage) -> None:
    anna = stage.payer()
    rule = sign_rule(anna, to("savings", anna.address))
    gather(rule, DOLLAR)
    assert only(stage, anna)["reason"]["title"] == "The wallet has not allowed so much: sign a permit."
    assert stage.gift_tokens(anna.address) == DOLLAR

    assert permit(stage, anna, 5 * DOLLAR).json()["permitted"] == str(5 * DOLLAR)
    stage.confirm()  # at once, without being asked for

    assert only(stage, anna)["state"] == "done"
    told = stage.get("/v1/allowance", **anna.headers())
    assert (told["allowance"], told["nonce"], told["permitted"]) == (str(4 * DOLLAR), 1, None)


def test_a_permit_has_to_be_hers_and_for_us(stage: Stage) -> None:
    anna, thief = stage.stranger(), Wallet().address
    for change in ({"spender": thief}, {"nonce": 7}, {"owner": thief}, {"deadline": 1}):
        assert_problem(permit(stage, anna, **change), "invalid-permit", 422)
    assert_problem(permit(stage, anna, days=101), "invalid-permit", 422)
    old = {"value": "1", "deadline": 1, "signature": "0x" + "11" * 65}
    assert_problem(stage.client.put("/v1/allowance", json=old, headers=anna.headers()), "invalid-permit", 422)


def test_a_permit_that_was_used_is_forgotten(stage: Stage, anna: Payer) -> None:
    """Its payer has taken back what it allowed."""
    rule = sign_rule(anna, to("savings", anna.address))
    body = json.loads(permit(stage, anna).request.content)
    signature = bytes.fromhex(body["signature"][2:])
    orders, value = stage.chain.deployment.standing_orders, int(body["value"])
    parts = signature[64], signature[:32], signature[32:64]
    stage.chain.send(OPERATOR_KEY, "gift_token", "permit", anna.address, orders, value, body["deadline"], *parts)
    assert stage.get("/v1/allowance", **anna.headers())["permitted"] is None
    stage.chain.send(anna.wallet.key, "gift_token", "approve", orders, 0)
    gather(rule, DOLLAR)
    assert only(stage, anna)["reason"]["code"] == "permit-wanted"
    assert stage.row_counts()["gift_permit"] == 0


def test_a_permit_is_forgotten_with_its_payers_last_rule(stage: Stage, anna: Payer) -> None:
    rules = [sign_rule(anna, to("savings", anna.address)) for _ in range(2)]
    left = []
    for rule in rules:
        assert rule.ask("cancel").status_code == 200
        left.append(stage.get("/v1/allowance", **anna.headers())["permitted"])
    assert left == [str(100 * DOLLAR), None]
    assert stage.row_counts()["gift_permit"] == 0


def test_one_that_fails_in_the_transaction_does_not_hold_up_the_others(stage: Stage, anna: Payer) -> None:
    ben = stage.payer()
    permit(stage, ben)
    for payer in (anna, ben):
        rule = sign_rule(payer, to("savings", payer.address))
        rule.pay(DOLLAR)
    stage.later(61)
    stage.tick()
    stage.chain.mine(2)
    with stage.chain.mining_paused():
        stage.tick(3)
        stage.chain.jump_queue(ben.wallet.key, "gift_token", "transfer", Wallet().address, 1)
        stage.chain.mine()
    stage.confirm()
    assert only(stage, anna)["state"] == "done"
    assert only(stage, ben)["reason"]["code"] == "tokens-gone"
    assert stage.audit().differences == []


def test_a_days_limit_is_waited_out(stage: Stage, anna: Payer) -> None:
    rule = sign_rule(anna, to("person", Wallet().address), per_day=3 * CENT)
    for _ in range(2):
        gather(rule, 2 * CENT)
    held = next(one for one in listed(stage, anna)["items"] if one["state"] == "held")
    assert held["reason"]["code"] == "day-is-full"
    assert held["next_attempt_at"][10:19] == "T00:00:00"


def test_what_no_day_lets_pass_is_not_tried_again_and_again(stage: Stage, anna: Payer) -> None:
    rule = sign_rule(anna, to("wallet", share=5_000), to("savings", anna.address, share=5_000), per_day=DOLLAR)
    assert "up to 5 USD, and `per_day` lets 1 USD pass" in rule.shown()["warning"]
    gather(rule, 3 * DOLLAR)
    kept = only(stage, anna)
    assert (kept["state"], kept["next_attempt_at"]) == ("kept", None)
    assert "more than the rule lets pass on any day" in kept["reason"]["title"]
    (told,) = stage.get("/v1/reminders", **anna.headers())["items"]
    assert (told["kind"], told["subject"]) == ("kept_tokens", kept["id"])
    fine = anna.sign_rule(
        "top-ups", "every 1 payments", destinations=[to("savings", anna.address)], per_day=str(5 * DOLLAR)
    )
    assert fine.shown()["warning"] is None


def test_what_could_never_pass_is_not_signed(stage: Stage, anna: Payer) -> None:
    refused = anna.try_to_sign(
        "top-ups", "every 5 USD", destinations=[to("savings", anna.address)], per_day=str(4 * DOLLAR)
    )
    assert_problem(refused, "invalid-rule", 422)
    assert "let it be 5000000 at least" in refused.json()["detail"]


def test_what_is_not_worth_the_gas_is_held(open_stage: StageFactory) -> None:
    stage = open_stage(min_relayed=DOLLAR)
    anna = stage.payer()
    permit(stage, anna)
    gather(sign_rule(anna, to("savings", anna.address)), DOLLAR - 1)
    assert only(stage, anna)["reason"]["values"] == {"least": str(DOLLAR)}


def test_its_payer_may_keep_the_tokens(stage: Stage) -> None:
    anna = stage.payer()
    rule = sign_rule(anna, to("savings", anna.address))
    gather(rule, DOLLAR)
    held = only(stage, anna)

    assert stage.client.post(f"/v1/conversions/{held['id']}/keep", headers=anna.headers()).json()["state"] == "kept"

    permit(stage, anna)
    stage.later(600)
    stage.confirm()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert retry(stage, anna).json()["state"] == "held"
    stage.confirm()
    assert only(stage, anna)["state"] == "done"
    assert_problem(retry(stage, anna), "conversion-not-held", 409)


def test_what_is_held_is_kept_once_the_rule_is_cancelled_on_the_chain_and_is_its_payers_alone(stage: Stage) -> None:
    anna = stage.payer()
    rule = sign_rule(anna, to("savings", anna.address))
    gather(rule, DOLLAR)
    stage.chain.send(anna.wallet.key, "standing_orders", "cancel", int(rule.shown()["number"]))
    stage.chain.send(anna.wallet.key, "standing_orders", "cancel", 2**64 - 1)  # none that the hub can know
    permit(stage, anna)
    stage.chain.mine(2)
    stage.tick()
    stage.later(600)
    stage.confirm()
    kept = only(stage, anna)
    assert (kept["state"], kept["reason"]["code"]) == ("kept", "rule-ended")
    others = stage.session_of(Wallet())
    assert_problem(stage.client.get(f"/v1/conversions/{kept['id']}", headers=others), "not-found", 404)
    assert_problem(stage.client.post(f"/v1/conversions/{kept['id']}/keep", headers=others), "not-found", 404)
    assert stage.get(f"/v1/conversions/{kept['id']}", **anna.headers()) == kept
    assert_problem(retry(stage, anna), "rule-ended", 409)
    assert stage.gift_tokens(anna.address) == DOLLAR


# ------------------------------------------------------------- reorganisations


def test_what_a_reorganisation_removes_is_sent_again_and_counted_once(stage: Stage, anna: Payer) -> None:
    rule = sign_rule(anna, to("savings", anna.address))
    rule.pay(DOLLAR)
    stage.later(61)
    stage.tick()
    stage.chain.mine(2)
    stage.tick()
    before = stage.chain.head()
    stage.confirm()
    assert only(stage, anna)["state"] == "done"
    stage.chain.reorganise(stage.chain.head() - before + 1)
    stage.chain.mine(3)
    assert stage.chain.read("vault", "balanceOf", anna.address) == 0

    stage.confirm()
    stage.chain.mine(20)
    stage.confirm()

    assert only(stage, anna)["state"] == "done"
    assert stage.chain.read("vault", "convertToAssets", stage.chain.read("vault", "balanceOf", anna.address)) == DOLLAR
    assert stage.audit().differences == []


def test_a_restored_database_learns_from_the_chain_what_was_converted(stage: Stage, anna: Payer) -> None:
    rule = sign_rule(anna, to("savings", anna.address))
    kept = stage.kept()
    gather(rule, DOLLAR)
    assert only(stage, anna)["state"] == "done"

    stage.restore(kept)
    stage.confirm()

    anna.resume()
    assert (only(stage, anna)["state"], only(stage, anna)["amount"]) == ("done", str(DOLLAR))
    assert not [d for d in stage.audit().differences if "convert" in d or "conversion" in d]


# ---------------------------------------------------------------------- the audit


def test_the_audit_notices_what_no_signed_rule_covers(stage: Stage, anna: Payer) -> None:
    rule = sign_rule(anna, to("savings", anna.address))
    gather(rule, DOLLAR)
    with stage.undone():
        stage.write("UPDATE signed_rule SET per_day = per_day + 1")
        assert [d for d in stage.audit().differences if "signer of rul_" in d]
    with stage.undone():
        stage.write("DELETE FROM conversion")
        assert [d for d in stage.audit().differences if "signed rule and amount of what was converted" in d]
    with stage.undone():
        stage.write("UPDATE conversion SET amount = amount + 1")
        assert [d for d in stage.audit().differences if "amount of cnv_" in d]
    stage.write("UPDATE conversion SET batch_id = batch_id + 1")
    assert [d for d in stage.audit().differences if "on chain" in d]


# ------------------------------------------------------------------ older hubs


NONSENSE = ("", "00" * 31, "20".zfill(64) + "ff".zfill(64), "20".zfill(64) + "03".zfill(64) + "ff" * 32)


@pytest.mark.parametrize("code", NONSENSE)
def test_nonsense_that_somebodys_code_reverts_with_is_told_by_its_name(shared_stage: Stage, code: str) -> None:
    assert shared_stage.hub.contracts.explain(bytes.fromhex("08c379a0" + code)) == "Error(?)"


def test_a_hub_whose_deployment_file_is_older_goes_on_without(
    chain: Chain, open_stage: StageFactory, tmp_path: Path
) -> None:
    older = tmp_path / "older.json"
    deployment = json.loads(chain.save_deployment(tmp_path).read_text())
    later = {"vault", "badges", "standing_orders", "quoter", "router", "weth"}
    assert later < deployment.keys()
    older.write_text(json.dumps({name: value for name, value in deployment.items() if name not in later}))
    stage = open_stage(deployment_file=older)

    anna = stage.payer()
    nothing = {"standing_orders": None, "vault": None, "badges": None, "bought": [], "offered": []}
    assert stage.get("/v1/destinations") == nothing
    assert_problem(stage.client.get("/v1/allowance", headers=anna.headers()), "no-standing-orders", 409)
    anna.pay(DOLLAR)
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []
