"""Payments that a gateway reports: converted as far as it has funded them, gathered until their payer has a wallet."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from taesan.jars import reasons
from tests.support.gateway import Gateway, payment
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Stage, StageFactory, key
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

LONG = 1_000_000  # seconds: nothing is due by its age


@pytest.fixture
def gateway(stage: Stage) -> Gateway:
    return Gateway(stage).fund(10 * DOLLAR)


def _settle(stage: Stage) -> None:
    """What is drawn is claimed first, and batched then."""
    for _ in range(3):
        stage.settle()


def test_what_gathered_under_a_name_becomes_gift_tokens_of_the_wallet_that_is_linked_later(
    stage: Stage, gateway: Gateway
) -> None:
    for _ in range(3):
        gateway.report(payment("anna", 30 * CENT))
    gateway.report(payment("ben", 5 * CENT))
    assert gateway.public()["drawn"] == str(95 * CENT)
    assert stage.audit().differences == []
    wallet = Wallet()
    linked = gateway.link("anna", wallet)
    assert (linked["gathered"], linked["released"]) == ("0", str(90 * CENT))
    _settle(stage)
    assert stage.batch_states() == ["posted"]
    assert stage.gift_tokens(wallet.address) == 90 * CENT
    gateway.report(payment("anna", 60 * CENT), payment("anna", 50 * CENT))
    _settle(stage)
    assert stage.gift_tokens(wallet.address) == 190 * CENT
    (told,) = stage.get("/v1/gateway-links", **stage.session_of(wallet))["items"]
    assert (told["gathered"], told["released"], told["waiting"]) == (str(10 * CENT), str(190 * CENT), "0")
    assert gateway.public()["claimed"] == str(205 * CENT)
    assert stage.audit().differences == []


def test_what_is_released_has_a_proof_as_every_payment(stage: Stage, gateway: Gateway) -> None:
    gateway.report(payment("anna", 90 * CENT))
    wallet = Wallet()
    gateway.link("anna", wallet)
    _settle(stage)
    (released,) = stage.get(f"/v1/channels/{gateway.payer.id}/payments", **gateway.headers)["items"]
    assert (released["destination"], released["amount"]) == ("gateway", str(90 * CENT))
    proof = stage.get(f"/v1/payments/{released['id']}/proof")
    assert proof["leaf"]["payee"] == wallet.address


def test_a_hundred_payments_make_a_gift_however_small(stage: Stage, gateway: Gateway) -> None:
    wallet = Wallet()
    gateway.link("anna", wallet)
    gateway.report(*[payment("anna", 1) for _ in range(99)])
    assert stage.balance("converting", wallet.address) == 0
    gateway.report(payment("anna", 1))
    assert stage.balance("converting", wallet.address) == 100
    assert stage.rows("SELECT payment_count, reason FROM jar_firing") == [(100, reasons.payments(100))]


def test_what_was_paid_at_no_possible_time_is_refused_and_the_rest_taken(stage: Stage, gateway: Gateway) -> None:
    ahead, at = timedelta(days=1), stage.clock.now()
    times = ["0001-01-01T00:00:00+14:00", "1999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"]
    times += [(at + ahead + timedelta(seconds=1)).isoformat(), (at + ahead).isoformat(), "2000-01-01T00:00:00Z"]
    results = gateway.report(*[payment(paid_at=time) for time in times])
    assert [result["status"] for result in results] == [422] * 4 + [200] * 2
    assert {result["problem"]["type"] for result in results[:4]} == {"urn:taesan:problem:impossible-time"}


def test_a_wallet_signs_a_rule_for_what_gateways_convert(stage: Stage, gateway: Gateway) -> None:
    anna = stage.payer()
    rule = anna.sign_rule("gateway", "every 2 payments")
    gateway.link("a", anna.wallet)
    for _ in range(3):
        gateway.report(payment("a", 2 * CENT))
    assert rule.history() == [("fired", "payments 2")]
    assert rule.shown()["progress"]["fired"] == str(4 * CENT)
    assert stage.rows("SELECT count(*) FROM jar_firing WHERE rule_id IS NOT NULL") == [(1,)]
    assert_problem(rule.try_to_pay(CENT), "rule-mismatch", 422)
    assert rule.ask("cancel").status_code == 200
    _settle(stage)
    assert stage.gift_tokens(anna.address) == 4 * CENT
    assert stage.balance("gathered", _customer(stage, anna.address)) == 2 * CENT
    assert stage.audit().differences == []


def test_progress_of_a_rule_for_gateways_is_that_of_the_link_which_fires_next(stage: Stage, gateway: Gateway) -> None:
    anna = stage.payer()
    rule = anna.sign_rule("gateway", "every 100 payments, every 5 USD")
    assert rule.shown()["progress"]["text"] == "0 of 100 payments, 0 of 5 USD"
    gateway.link("a", anna.wallet)
    gateway.link("b", anna.wallet)
    gateway.report(*[payment("a", CENT) for _ in range(73)], *[payment("b", CENT) for _ in range(5)])
    told = rule.shown()["progress"]
    assert (told["payments"], told["gathered"], told["text"]) == (
        73,
        str(73 * CENT),
        "73 of 100 payments, 0.73 of 5 USD",
    )
    gateway.report(payment("b", 4 * DOLLAR))
    assert rule.shown()["progress"]["text"] == "6 of 100 payments, 4.05 of 5 USD"
    later = anna.sign_rule("gateway", "every 10 payments")
    assert later.shown()["progress"]["payments"] == 0  # by the older one is counted


def _customer(stage: Stage, wallet: str) -> str:
    (found,) = stage.rows("SELECT public_id FROM gateway_customer WHERE wallet = :wallet", wallet=wallet)
    return str(found[0])


def test_much_goes_to_a_wallet_in_payments_that_fit_into_batches(stage: Stage) -> None:
    gateway = Gateway(stage).fund(20 * DOLLAR)
    for _ in range(3):
        gateway.report(payment("anna", 4 * DOLLAR))
    wallet = Wallet()
    gateway.link("anna", wallet)
    assert [a for (a,) in stage.rows("SELECT amount FROM payment ORDER BY id")] == [5 * DOLLAR, 5 * DOLLAR, 2 * DOLLAR]
    _settle(stage)
    assert stage.gift_tokens(wallet.address) == 12 * DOLLAR
    assert stage.audit().differences == []


# ------------------------------------------------------------------- the funding


def test_over_the_funding_they_wait_in_order_and_go_on_when_it_grows(stage: Stage) -> None:
    gateway = Gateway(stage).fund(2 * DOLLAR)
    states = [r["payment"]["state"] for r in gateway.report(*[payment("anna", 90 * CENT) for _ in range(4)])]
    assert states == ["drawn", "drawn", "waiting", "waiting"]
    (small,) = gateway.report(payment("ben", CENT))
    assert small["payment"]["state"] == "waiting", "it would fit, and came later"
    assert gateway.waiting() == (3, 181 * CENT)
    gateway.deposit(DOLLAR)
    assert gateway.waiting() == (3, 181 * CENT), "it has not signed for more"
    assert gateway.sign(3 * DOLLAR).json()["waiting_payments"] == 2
    assert gateway.sign(9 * DOLLAR).json()["waiting_payments"] == 2, "nor is so much deposited"
    assert stage.audit().differences == []
    gateway.deposit(DOLLAR)
    stage.tick()
    assert gateway.waiting() == (0, 0)
    assert [i["state"] for i in stage.get(f"{gateway.path}/payments", **gateway.headers)["items"]] == ["drawn"] * 5
    assert gateway.public()["drawn"] == str(361 * CENT)
    assert stage.audit().differences == []


def test_a_customer_sees_what_waits(stage: Stage) -> None:
    gateway, wallet = Gateway(stage).fund(DOLLAR), Wallet()
    gateway.report(payment("anna", 90 * CENT), payment("anna", 20 * CENT))
    linked = gateway.link("anna", wallet)
    assert (linked["released"], linked["waiting"]) == (str(90 * CENT), str(20 * CENT))


def test_without_a_deposit_everything_waits(stage: Stage) -> None:
    gateway = Gateway(stage)
    (result,) = gateway.report(payment())
    assert result["payment"]["state"] == "waiting"
    assert (gateway.public()["state"], gateway.public()["channel_id"]) == ("unfunded", None)
    gateway.fund(DOLLAR)
    assert gateway.waiting() == (0, 0)


def test_many_webhooks_at_once_draw_just_what_the_funding_covers(stage: Stage) -> None:
    gateway = Gateway(stage).fund(DOLLAR)
    bodies = [[payment(f"c-{n % 3}", 7 * CENT) for _ in range(2)] for n in range(20)]
    with ThreadPoolExecutor(8) as pool:
        results = [r for answer in pool.map(lambda body: gateway.report(*body), bodies) for r in answer]
    states = [r["payment"]["state"] for r in results]
    assert states.count("drawn") == 14, "98 cents of a dollar"
    assert gateway.waiting() == (26, 26 * 7 * CENT)
    assert gateway.public()["drawn"] == str(98 * CENT)
    assert sum(amount for (amount,) in stage.rows(GATHERED)) == 98 * CENT
    assert stage.audit().differences == []


GATHERED = "SELECT amount FROM balance JOIN account ON account.id = account_id WHERE kind = 'gathered'"


def test_what_may_be_unclaimed_is_bounded_and_half_of_it_is_claimed_at_once(open_stage: StageFactory) -> None:
    stage = open_stage(batch_interval_s=LONG, channel_exposure=3 * DOLLAR)
    gateway = Gateway(stage).fund(10 * DOLLAR)
    gateway.report(payment("anna", DOLLAR))
    stage.confirm()
    assert gateway.public()["claimed"] == "0"
    states = [r["payment"]["state"] for r in gateway.report(*[payment("anna", DOLLAR) for _ in range(3)])]
    assert states == ["drawn", "drawn", "waiting"]
    stage.confirm()
    assert gateway.waiting() == (0, 0)
    assert gateway.public()["claimed"] == str(4 * DOLLAR) or gateway.public()["claimed"] == str(3 * DOLLAR)
    assert stage.audit().differences == []


def test_what_is_drawn_is_claimed_before_its_gateway_can_withdraw_it(stage: Stage, gateway: Gateway) -> None:
    gateway.report(payment("anna", 3 * DOLLAR))
    gateway.payer.announce_withdrawal(10 * DOLLAR)
    stage.confirm()  # no time passes
    assert (gateway.public()["state"], gateway.public()["claimed"]) == ("withdrawing", str(3 * DOLLAR))
    (late,) = gateway.report(payment("anna", CENT))
    assert late["payment"]["state"] == "waiting"
    gateway.payer.finish_withdrawal()
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", gateway.wallet.address) == 7 * DOLLAR
    assert gateway.waiting() == (1, CENT)
    wallet = Wallet()
    gateway.link("anna", wallet)
    _settle(stage)
    assert stage.gift_tokens(wallet.address) == 3 * DOLLAR
    assert (stage.balance("shortfall"), stage.balance("escrow")) == (0, 0)
    gateway.deposit(DOLLAR)
    assert gateway.waiting() == (0, 0)
    assert stage.audit().differences == []


def test_what_a_gateway_takes_back_while_the_hub_sleeps_waits_until_it_is_there_again(
    stage: Stage, gateway: Gateway
) -> None:
    wallet = Wallet()
    gateway.report(payment("anna", 3 * DOLLAR))
    gateway.payer.announce_withdrawal(10 * DOLLAR)
    gateway.payer.finish_withdrawal()
    stage.restart()
    stage.confirm()
    assert (gateway.public()["state"], stage.balance("shortfall")) == ("closed", 3 * DOLLAR)
    gateway.link("anna", wallet)
    _settle(stage)
    assert stage.batch_states() == [], "no batch promises what is not there"
    assert "shortfall: expected 0, found 3000000" in stage.audit().differences
    gateway.payer.deposit_directly(3 * DOLLAR)
    stage.confirm()
    stage.later(stage.settings.withdraw_delay_s)
    _settle(stage)
    assert stage.gift_tokens(wallet.address) == 3 * DOLLAR
    assert stage.audit().differences == []


def test_its_channel_pays_for_nothing_else(stage: Stage, gateway: Gateway) -> None:
    cafe = stage.merchant()
    for merchant in (cafe, None):
        problem = assert_problem(gateway.payer.try_to_pay(CENT, merchant), "channel-not-open", 409)
        assert "gateway" in problem["detail"]
    assert stage.row_counts()["payment"] == 0


def test_the_channel_is_its_own_and_has_paid_nothing_before(stage: Stage) -> None:
    gateway, other = Gateway(stage), stage.payer()
    gateway.deposit(10 * DOLLAR)
    assert_problem(gateway.sign(DOLLAR, channel_id=other.id), "forbidden", 403)
    assert_problem(gateway.sign(DOLLAR, signature="0x" + "11" * 65), "invalid-signature", 403)
    assert_problem(gateway.sign(DOLLAR, max_claimable_amount=str(2 * DOLLAR)), "invalid-signature", 403)
    assert_problem(gateway.sign(DOLLAR, network="eip155:1"), "wrong-network", 422)
    gateway.payer.pay(CENT)
    assert_problem(gateway.sign(DOLLAR), "channel-unsuitable", 409)
    assert gateway.public()["state"] == "unfunded"


def test_what_was_signed_is_not_taken_back(stage: Stage, gateway: Gateway) -> None:
    assert_problem(gateway.sign(9 * DOLLAR), "voucher-not-higher", 409)
    assert gateway.sign(10 * DOLLAR).status_code == 200
    assert gateway.public()["signed"] == str(10 * DOLLAR)


# ------------------------------------------------------------------- what is converted


@pytest.mark.parametrize(
    ("purchase", "step", "expected"),
    [
        ({"value": "1177", "asset": "USD", "exponent": 2}, DOLLAR, 23 * CENT),
        ({"value": "1100", "asset": "USD"}, DOLLAR, 0),
        ({"value": "4500", "asset": "KRW", "exponent": 0}, DOLLAR, 750_902),  # of 3.249098 dollars
    ],
)
def test_a_round_up_is_from_the_price_at_the_hubs_rate(
    open_stage: StageFactory, purchase: dict[str, str], step: int, expected: int
) -> None:
    gateway = Gateway(open_stage(rate_krw="1385"))
    (result,) = gateway.report(payment(convert=None, purchase=purchase, round_up_step=str(step)))
    assert result["payment"]["amount"] == str(expected)


def test_each_payment_is_for_itself(stage: Stage, gateway: Gateway) -> None:
    cafe = stage.merchant()
    good = payment(merchant_id=cafe.id, reference="table 4")
    results = gateway.report(
        good,
        payment(merchant_id="mer_none"),
        payment(convert=5 * DOLLAR + 1),
        payment(purchase={"value": "1", "asset": "EUR"}),
        payment(purchase={"value": "1", "asset": "KRW"}),
        payment(purchase={"value": "1", "asset": "USD", "exponent": 6}),
        good,
        good | {"convert": "1"},
    )
    assert [r["status"] for r in results] == [200, 404, 422, 422, 422, 422, 200, 409]
    types = [r["problem"]["type"].rsplit(":", 1)[1] for r in results if r["problem"]]
    assert types == [
        "unknown-merchant",
        "amount-over-cap",
        "currency-not-quoted",
        "currency-not-quoted",
        "wrong-exponent",
        "gateway-payment-differs",
    ]
    assert [r["replayed"] for r in results if r["payment"]] == [False, True]
    assert stage.row_counts()["gateway_payment"] == 1
    assert stage.audit().differences == []


# ------------------------------------------------------------------- refunds


def test_a_refund_gives_back_what_is_still_gathered(stage: Stage, gateway: Gateway) -> None:
    paid, kept = payment("anna", 30 * CENT), payment("anna", 20 * CENT)
    gateway.report(paid, kept)
    (result,) = gateway.refund(paid["id"])
    assert (result["payment"]["state"], result["payment"]["returned"]) == ("refunded", str(30 * CENT))
    assert gateway.refund(paid["id"])[0]["replayed"]
    assert gateway.report(paid)[0]["payment"]["state"] == "refunded", "it is not made again"
    told = gateway.public()
    assert (told["drawn"], told["funded"]) == (str(20 * CENT), str(10 * DOLLAR))
    assert stage.rows("SELECT kind FROM journal_entry WHERE ref LIKE 'returned:%'") == [
        ("a gateway's payment refunded",)
    ]
    assert stage.audit().differences == []


def test_a_refund_after_the_claim_lets_what_is_in_the_reserve_be_drawn_again(stage: Stage, gateway: Gateway) -> None:
    paid = payment("anna", 4 * DOLLAR)
    gateway.report(paid)
    _settle(stage)
    gateway.refund(paid["id"])
    told = gateway.public()
    assert (told["claimed"], told["drawn"]) == (str(4 * DOLLAR), "0")
    assert stage.audit().differences == []
    wallet = Wallet()
    gateway.link("ben", wallet)
    for _ in range(3):
        gateway.report(payment("ben", 3 * DOLLAR))
    assert gateway.public()["drawn"] == str(9 * DOLLAR)
    _settle(stage)
    assert stage.gift_tokens(wallet.address) == 9 * DOLLAR
    assert stage.audit().differences == []


def test_what_waits_is_cancelled_and_lets_the_next_go(stage: Stage) -> None:
    gateway = Gateway(stage).fund(DOLLAR)
    large, small = payment("anna", 2 * DOLLAR), payment("ben", CENT)
    gateway.report(large, small)
    assert gateway.waiting() == (2, 201 * CENT)
    (result,) = gateway.refund(large["id"])
    assert result["payment"]["state"] == "cancelled"
    assert (gateway.waiting(), gateway.public()["drawn"]) == ((0, 0), str(CENT))
    assert stage.audit().differences == []


def test_what_went_to_the_wallet_is_owed_and_the_next_conversions_pay_it_back(stage: Stage, gateway: Gateway) -> None:
    wallet, paid = Wallet(), payment("anna", 2 * DOLLAR)
    gateway.link("anna", wallet)
    gateway.report(paid)
    (result,) = gateway.refund(paid["id"])
    assert result["payment"]["returned"] == "0"

    def told() -> tuple[str, str, str]:
        (link,) = stage.get("/v1/gateway-links", **stage.session_of(wallet))["items"]
        return link["owed"], link["gathered"], link["released"]

    assert told() == (str(2 * DOLLAR), "0", str(2 * DOLLAR))
    gateway.report(payment("anna", 150 * CENT))
    assert told() == (str(50 * CENT), "0", str(2 * DOLLAR))
    gateway.report(again := payment("anna", 90 * CENT))
    assert told() == ("0", str(40 * CENT), str(2 * DOLLAR))
    assert gateway.public()["drawn"] == str(240 * CENT)
    gateway.refund(again["id"])
    assert told() == (str(50 * CENT), "0", str(2 * DOLLAR)), "the debt that it had paid back is there again"
    assert stage.audit().differences == []


def test_nobody_refunds_what_was_never_reported(stage: Stage, gateway: Gateway) -> None:
    (result,) = gateway.refund("tx-none")
    assert (result["status"], result["problem"]["type"]) == (404, "urn:taesan:problem:not-found")


# ------------------------------------------------------------------- who makes gateways


def test_operators_make_gateways_one_for_a_wallet_and_it_is_written_down(stage: Stage) -> None:
    gateway = Gateway(stage)
    body = {"name": "Again", "address": gateway.wallet.address}
    answer = stage.client.post("/v1/operator/gateways", json=body, headers=stage.operator())
    assert_problem(answer, "gateway-exists", 409)
    stranger = stage.session_of(Wallet())
    assert_problem(stage.client.post("/v1/operator/gateways", json=body, headers=stranger), "forbidden", 403)
    assert [g["id"] for g in stage.get("/v1/operator/gateways", **stage.operator())] == [gateway.id]
    (action,) = stage.get("/v1/operator/actions", **stage.operator())["items"]
    assert (action["action"], action["ref"]) == ("gateway.registered", gateway.id)


def test_a_gateway_is_its_wallets_alone(stage: Stage, gateway: Gateway) -> None:
    eve = stage.session_of(Wallet())
    for path in (gateway.path, f"{gateway.path}/payments"):
        assert_problem(stage.client.get(path, headers=eve), "not-found", 404)
    assert_problem(stage.client.post(f"{gateway.path}/rotate", json={}, headers=eve | key()), "not-found", 404)


# ------------------------------------------------------------------- a lost database


def test_draws_that_a_restored_database_has_lost_are_the_gateways_again_but_for_what_is_spent(
    stage: Stage, gateway: Gateway
) -> None:
    wallet = Wallet()
    gateway.link("anna", wallet)
    gateway.report(payment("anna", 30 * CENT), payment("carl", 10 * CENT))
    kept = stage.kept()

    lost = payment("ben", 50 * CENT)
    gateway.report(payment("anna", 90 * CENT), lost)
    _settle(stage)
    assert stage.gift_tokens(wallet.address) == DOLLAR
    assert gateway.public()["claimed"] == str(180 * CENT)

    stage.restore(kept)
    stage.confirm()
    assert (stage.balance("recovered"), stage.balance("shortfall")) == (0, 0)
    told = gateway.public()
    assert (told["claimed"], told["drawn"], told["funded"]) == (str(180 * CENT), str(140 * CENT), str(10 * DOLLAR))
    assert stage.audit().differences == []

    assert gateway.report(lost)[0]["payment"]["state"] == "drawn"
    gateway.report(payment("anna", 70 * CENT))
    gateway.link("ben", other := Wallet())
    _settle(stage)
    assert (stage.gift_tokens(wallet.address), stage.gift_tokens(other.address)) == (2 * DOLLAR, 50 * CENT)
    assert stage.audit().differences == []


def test_a_release_that_was_known_is_found_in_the_batch_that_was_lost(stage: Stage, gateway: Gateway) -> None:
    gateway.report(payment("anna", 30 * CENT))
    wallet = Wallet()
    gateway.link("anna", wallet)
    kept = stage.kept()
    _settle(stage)
    assert stage.gift_tokens(wallet.address) == 30 * CENT
    stage.restore(kept)
    stage.confirm()
    assert stage.batch_states() == ["posted"]
    assert stage.balance("recovered") == 0
    assert stage.audit().differences == []
    gateway.report(payment("anna", DOLLAR))
    _settle(stage)
    assert stage.gift_tokens(wallet.address) == DOLLAR + 30 * CENT
    assert stage.audit().differences == []


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        ("UPDATE gateway SET drawn = drawn + 1", "drawn by gw_"),
        ("UPDATE gateway SET signed = 1", "is drawn on within what it has signed"),
        ("UPDATE gateway SET signed = signed + 1", "signer of gw_"),
        ("UPDATE gateway SET waiting_amount = 1", "waiting for gw_"),
        ("UPDATE gateway_customer SET released = released + 1", "released to gwc_"),
        ("UPDATE gateway_customer SET owed = 1", "conversions of gwc_"),
        ("UPDATE gateway_payment SET amount = amount - 1", "conversions of gwc_"),
        ("UPDATE payment SET reference = 'gwc_nobody'", "gathered for or released to nobody's customers"),
        ("UPDATE channel SET secured = secured + 1 WHERE gateway_id IS NOT NULL", "secured of channel"),
    ],
)
def test_the_audit_tells_what_is_not_so(stage: Stage, gateway: Gateway, forged: str, told: str) -> None:
    gateway.report(payment("anna", 30 * CENT))
    gateway.link("anna", Wallet())
    assert stage.audit().differences == []
    stage.write(forged)
    assert [difference for difference in stage.audit().differences if told in difference]
