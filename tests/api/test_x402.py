"""The hub as a facilitator: what it accepts, what it refuses in x402's words, and what is left open and told as such."""

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from x402.mechanisms.evm.batch_settlement import errors
from x402.schemas import SettleResponse, SupportedResponse, VerifyResponse

from tests.support.contract_payer import ContractPayer
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, StageFactory
from tests.support.wallet import Json, Wallet, channel_id
from tests.support.x402_asked import asked, payload, requirements, settle, verify

PRICE = 10 * CENT
NAME = "order-1177-of-anna"


@pytest.fixture
def stage(open_stage: StageFactory) -> Stage:
    return open_stage(x402_wait_s=0)


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    return stage.merchant()


@pytest.fixture
def offer(stage: Stage, cafe: Merchant) -> Json:
    return requirements(stage, cafe, PRICE)


def _paid_in_all(stage: Stage, merchant: Merchant) -> int:
    return stage.balance("pending", merchant.address)


def _new_deposit(payer: Payer, amount: int, **signed: Any) -> Json:
    payer.stage.chain.give_dollars(payer.address, amount)
    return payer.wallet.deposit(payer.stage.facts, payer.config, amount, **signed)


# --------------------------------------------------------------------- vouchers


@pytest.mark.database("sqlite", "postgresql")
def test_a_voucher_is_verified_without_effect_and_settled_into_the_books(
    stage: Stage, cafe: Merchant, offer: Json
) -> None:
    anna = stage.payer(DOLLAR)
    body = asked(offer, payload(anna, PRICE))
    before = stage.row_counts()
    told = verify(stage, body)
    assert VerifyResponse.model_validate(told).is_valid
    assert (told["payer"], told["extra"]["balance"]) == (anna.address, str(DOLLAR))
    assert stage.row_counts() == before

    settled = SettleResponse.model_validate(settle(stage, body))
    assert (settled.success, settled.transaction, settled.amount) == (True, "", "")
    assert settled.extra is not None
    assert settled.extra["channelState"]["balance"] == str(DOLLAR)
    payment = stage.get(f"/v1/payments/{settled.extra['payment']['id']}")
    assert (payment["merchant_id"], payment["amount"]) == (cafe.id, str(PRICE))
    assert _paid_in_all(stage, cafe) == PRICE
    stage.settle()
    assert stage.audit().differences == []
    assert cafe.account()["credit"] == str(PRICE)


def test_a_repeated_voucher_is_answered_again_and_told_apart(stage: Stage, cafe: Merchant, offer: Json) -> None:
    anna = stage.payer(DOLLAR)
    body = asked(offer, payload(anna, PRICE))
    assert "payment" not in verify(stage, body)["extra"]
    first = settle(stage, body)
    assert settle(stage, body) == first
    again = verify(stage, body)
    assert (again["isValid"], again["invalidReason"]) == (False, errors.ERR_CUMULATIVE_AMOUNT_MISMATCH)
    assert again["extra"]["payment"] == first["extra"]["payment"]
    assert _paid_in_all(stage, cafe) == PRICE


def test_a_server_that_names_its_requests_is_told_that_one_was_paid(stage: Stage, cafe: Merchant) -> None:
    body = asked(requirements(stage, cafe, PRICE, reference="GET /weather"), payload(stage.payer(DOLLAR), PRICE))
    first = settle(stage, body)
    again = verify(stage, body)
    assert (again["isValid"], again["extra"]["payment"]) == (True, first["extra"]["payment"])


@pytest.mark.database("sqlite", "postgresql")
def test_one_payment_sent_fifty_times_at_once_is_charged_once(stage: Stage, cafe: Merchant, offer: Json) -> None:
    anna = stage.payer(DOLLAR)
    body = asked(offer, payload(anna, PRICE), NAME)
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: settle(stage, body), range(50)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["success"]
    assert _paid_in_all(stage, cafe) == PRICE
    assert stage.rows("SELECT count(*) FROM payment") == [(1,)]


@pytest.mark.parametrize("path", ["/x402/verify", "/x402/settle"])
def test_a_name_that_was_used_for_something_else_is_a_conflict(
    stage: Stage, cafe: Merchant, offer: Json, path: str
) -> None:
    anna = stage.payer(DOLLAR)
    assert settle(stage, asked(offer, payload(anna, PRICE), NAME))["success"]
    for other in (
        asked(requirements(stage, cafe, 2 * PRICE), payload(anna, 3 * PRICE), NAME),
        asked(requirements(stage, cafe, 2 * PRICE), payload(anna, PRICE), NAME),
        asked(requirements(stage, stage.merchant("Other"), PRICE), payload(anna, PRICE), NAME),
        asked(requirements(stage, cafe, PRICE, reference="another page"), payload(anna, PRICE), NAME),
    ):
        assert_problem(stage.client.post(path, json=other), "idempotency-key-reused", 422)
    assert _paid_in_all(stage, cafe) == PRICE


def test_a_voucher_without_a_name_is_spent_once_for_one_thing(stage: Stage, cafe: Merchant, offer: Json) -> None:
    """The client is told how to go on, as it may be two requests of an honest client that ran at the same time."""
    anna = stage.payer(DOLLAR)
    assert settle(stage, asked(requirements(stage, cafe, PRICE, reference="a"), payload(anna, PRICE)))["success"]
    other = asked(requirements(stage, cafe, PRICE, reference="b"), payload(anna, PRICE))
    for told, why in ((verify(stage, other), "invalidReason"), (settle(stage, other), "errorReason")):
        assert told[why] == errors.ERR_CUMULATIVE_AMOUNT_MISMATCH
        assert told["extra"]["channelState"]["chargedCumulativeAmount"] == str(PRICE)
    assert _paid_in_all(stage, cafe) == PRICE


def test_a_client_that_lost_its_place_is_told_it_with_its_own_signature(
    stage: Stage, cafe: Merchant, offer: Json
) -> None:
    anna = stage.payer(DOLLAR)
    assert verify(stage, asked(offer, payload(anna, 5 * PRICE)))["extra"].keys() == {"channelState"}
    anna.pay(3 * CENT, cafe)
    anna.pay(4 * CENT)
    for told, why in (
        (verify(stage, asked(offer, payload(anna, PRICE))), "invalidReason"),
        (settle(stage, asked(offer, payload(anna, PRICE))), "errorReason"),
    ):
        assert told[why] == errors.ERR_CUMULATIVE_AMOUNT_MISMATCH
        state, voucher = told["extra"]["channelState"], told["extra"]["voucherState"]
        assert (state["chargedCumulativeAmount"], state["balance"]) == (str(7 * CENT), str(DOLLAR))
        signature = anna.wallet.voucher(stage.facts, anna.id, 7 * CENT)
        assert voucher == {"signedMaxClaimable": str(7 * CENT), "signature": signature}
    assert settle(stage, asked(offer, payload(anna, 7 * CENT + PRICE)))["success"]


def _changed(body: Json, path: str, value: Any) -> Json:
    """:param path: names with dots between them"""
    changed = copy.deepcopy(body)
    *to, last = path.split(".")
    place: Any = changed
    for name in to:
        place = place[name]
    place[last] = value
    return changed


STRANGER = Wallet("stranger").address
REFUSALS = [
    ("paymentRequirements.scheme", "upto", errors.ERR_INVALID_SCHEME),
    ("paymentRequirements.network", "eip155:1", errors.ERR_NETWORK_MISMATCH),
    ("paymentRequirements.payTo", STRANGER, errors.ERR_RECEIVER_MISMATCH),
    ("paymentRequirements.asset", STRANGER, errors.ERR_TOKEN_MISMATCH),
    ("paymentRequirements.extra.receiverAuthorizer", STRANGER, errors.ERR_RECEIVER_AUTHORIZER_MISMATCH),
    ("paymentRequirements.extra.withdrawDelay", 900, errors.ERR_WITHDRAW_DELAY_MISMATCH),
    ("paymentRequirements.amount", "0", "invalid_payment_requirements"),
    ("paymentRequirements.amount", "1.5", "invalid_payment_requirements"),
    ("paymentRequirements.amount", str(6 * DOLLAR), "invalid_payment_requirements"),
    ("paymentRequirements.extra.merchantId", "mer_nobody", "unknown_merchant"),
    ("paymentRequirements.extra", {}, "invalid_payment_requirements"),
    ("paymentPayload.payload.type", "claim", errors.ERR_INVALID_PAYLOAD_TYPE),
    ("paymentPayload.payload.voucher", {}, errors.ERR_VOUCHER_PAYLOAD),
    ("paymentPayload.payload.channelConfig.salt", "0x" + "77" * 32, errors.ERR_CHANNEL_ID_MISMATCH),
    ("paymentPayload.payload.channelConfig.receiver", STRANGER, errors.ERR_RECEIVER_MISMATCH),
    ("paymentPayload.payload.voucher.signature", "0x" + "11" * 65, errors.ERR_INVALID_VOUCHER_SIGNATURE),
    ("paymentPayload.x402Version", 1, "invalid_x402_version"),
    ("paymentPayload.extensions", {"payment-identifier": {"info": {"id": "short"}}}, "invalid_payment_identifier"),
]


@pytest.mark.parametrize(("path", "value", "reason"), REFUSALS)
def test_what_does_not_fit_is_refused_in_the_sdks_words(
    shared_stage: Stage, path: str, value: Any, reason: str
) -> None:
    stage = shared_stage
    anna = stage.payer(DOLLAR)
    body = asked(requirements(stage, stage.merchant(), PRICE), payload(anna, PRICE))
    bad = _changed(body, path, value)
    before = stage.row_counts()
    assert (verify(stage, bad)["isValid"], verify(stage, bad)["invalidReason"]) == (False, reason)
    told = settle(stage, bad)
    assert (told["success"], told["errorReason"], told["transaction"]) == (False, reason, "")
    assert stage.row_counts() == before


def test_more_than_the_deposit_and_an_unknown_channel_are_refused(stage: Stage, cafe: Merchant, offer: Json) -> None:
    anna, eve = stage.payer(PRICE - 1), stage.stranger()
    for payer, reason in ((anna, errors.ERR_CUMULATIVE_EXCEEDS_BALANCE), (eve, errors.ERR_CHANNEL_NOT_FOUND)):
        body = asked(offer, payload(payer, PRICE))
        assert verify(stage, body)["invalidReason"] == reason
        assert settle(stage, body)["errorReason"] == reason


def test_no_contract_is_asked_about_a_channel_that_nobody_knows(
    stage: Stage, cafe: Merchant, offer: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = ContractPayer(stage)
    inner = payload(nobody, PRICE)
    inner["voucher"]["signature"] = nobody.sign(PRICE)
    body = asked(offer, inner)
    monkeypatch.setattr(stage.hub.node, "call", lambda *_, **__: pytest.fail("the node is asked"))
    assert verify(stage, body)["invalidReason"] == errors.ERR_CHANNEL_NOT_FOUND
    assert settle(stage, body)["errorReason"] == errors.ERR_CHANNEL_NOT_FOUND
    back = asked(offer, inner | {"type": "refund"})
    assert verify(stage, back)["invalidReason"] == errors.ERR_CHANNEL_NOT_FOUND


def test_a_payers_contract_is_asked_so_often_whatever_number_of_channels_it_names(open_stage: StageFactory) -> None:
    stage = open_stage(wallet_rate="2/minute")
    offer = requirements(stage, stage.merchant(), PRICE)
    anna = ContractPayer(stage)
    for salt in ("a", "b", "c"):
        stage.chain.give_dollars(anna.address, DOLLAR)
        anna.config["salt"] = "0x" + salt * 64
        anna.id = channel_id(stage.facts, anna.config)
        signed = anna.owner.deposit(stage.facts, anna.config, DOLLAR, holder=anna.address)
        inner = payload(anna, PRICE, signed)
        inner["voucher"]["signature"] = anna.sign(PRICE)
        answer = stage.client.post("/x402/verify", json=asked(offer, inner))
        assert (answer.status_code == 429) == (salt == "c"), answer.text
    assert_problem(answer, "rate-limited", 429)


def test_what_nobody_can_tell_now_is_no_refusal(stage: Stage, cafe: Merchant, offer: Json) -> None:
    anna = stage.payer(DOLLAR)
    body = asked(offer, payload(anna, PRICE))
    stage.later(stage.settings.withdraw_delay_s)
    for path in ("/x402/verify", "/x402/settle"):
        answer = stage.client.post(path, json=body)
        assert_problem(answer, "chain-view-too-old", 503)
        assert answer.headers["retry-after"]


# --------------------------------------------------------------------- deposits


@pytest.mark.database("sqlite", "postgresql")
def test_a_deposit_is_pending_until_it_is_deep_enough_and_then_pays(stage: Stage, cafe: Merchant, offer: Json) -> None:
    anna = stage.stranger()
    body = asked(offer, payload(anna, PRICE, _new_deposit(anna, DOLLAR)))
    assert verify(stage, body)["isValid"]
    for moved in (lambda: None, stage.tick):
        moved()
        answer = stage.client.post("/x402/settle", json=body)
        told = assert_problem(answer, "settlement-pending", 503)
        assert (told["success"], told["errorReason"]) == (False, "settlement_pending")
        assert answer.headers["retry-after"]
    assert told["transaction"].startswith("0x"), "it was sent by then"
    assert stage.rows("SELECT count(*) FROM deposit_relay") == [(1,)]
    assert _paid_in_all(stage, cafe) == 0

    stage.confirm()
    settled = settle(stage, body)
    assert (settled["success"], settled["transaction"]) == (True, told["transaction"])
    assert settled["amount"] == settled["extra"]["channelState"]["balance"] == str(DOLLAR)
    assert settle(stage, body) == settled
    assert verify(stage, body)["extra"]["payment"] == settled["extra"]["payment"]
    assert _paid_in_all(stage, cafe) == PRICE
    stage.settle()
    assert stage.audit().differences == []


def test_a_voucher_that_comes_before_its_deposit_counts_is_pending_too(
    stage: Stage, cafe: Merchant, offer: Json
) -> None:
    anna = stage.stranger()
    anna.open_channel(DOLLAR)
    for path in ("/x402/verify", "/x402/settle"):
        answer = stage.client.post(path, json=asked(offer, payload(anna, PRICE)))
        assert_problem(answer, "settlement-pending", 503)


def test_a_deposit_is_not_brought_to_the_chain_for_a_payment_that_would_be_refused(
    stage: Stage, cafe: Merchant, offer: Json
) -> None:
    anna = stage.stranger()
    deposit = _new_deposit(anna, PRICE - 1)
    good = asked(offer, payload(anna, PRICE, _new_deposit(anna, DOLLAR)))
    for bad, reason in (
        (asked(offer, payload(anna, PRICE, deposit)), errors.ERR_CUMULATIVE_EXCEEDS_BALANCE),
        (asked(offer, payload(anna, 2 * PRICE, _new_deposit(anna, DOLLAR))), errors.ERR_CUMULATIVE_AMOUNT_MISMATCH),
        (_changed(good, "paymentPayload.payload.voucher.signature", "0x" + "11" * 65), "voucher_signature"),
        (_changed(good, "paymentRequirements.extra.merchantId", "mer_nobody"), "unknown_merchant"),
        (_changed(good, "paymentPayload.payload.deposit.amount", str(2 * DOLLAR)), "deposit_simulation_failed"),
        (_changed(good, "paymentPayload.payload.deposit.authorization", {}), errors.ERR_DEPOSIT_PAYLOAD),
        (asked(offer, payload(anna, PRICE, _new_deposit(anna, DOLLAR, valid_before=1))), "deposit_simulation_failed"),
    ):
        assert verify(stage, bad)["invalidReason"].endswith(reason)
        assert settle(stage, bad)["errorReason"].endswith(reason)
    assert stage.rows("SELECT count(*) FROM deposit_relay") == [(0,)]


def test_a_deposit_that_the_chain_refuses_is_refused_then(stage: Stage, cafe: Merchant, offer: Json) -> None:
    anna = stage.stranger()
    body = asked(offer, payload(anna, PRICE, _new_deposit(anna, DOLLAR)))
    assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
    stage.chain.send(anna.wallet.key, "asset", "transfer", cafe.address, DOLLAR)  # the money is gone
    stage.confirm()
    told = settle(stage, body)
    assert (told["success"], told["errorReason"]) == (False, errors.ERR_DEPOSIT_TRANSACTION_FAILED)


def test_a_top_up_is_deposited_and_paid_from(stage: Stage, cafe: Merchant, offer: Json) -> None:
    anna = stage.payer(PRICE)
    assert settle(stage, asked(offer, payload(anna, PRICE)))["success"]
    body = asked(offer, payload(anna, 2 * PRICE, _new_deposit(anna, 5 * PRICE)), NAME)
    assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
    stage.confirm()
    assert settle(stage, body)["extra"]["channelState"]["balance"] == str(6 * PRICE)
    assert _paid_in_all(stage, cafe) == 2 * PRICE


def test_a_payment_that_was_accepted_needs_no_second_deposit(stage: Stage, cafe: Merchant, offer: Json) -> None:
    """A client that was killed before it read the answer, and kept nothing, deposits and pays anew."""
    anna = stage.payer(DOLLAR)
    assert settle(stage, asked(offer, payload(anna, PRICE)))["success"]
    again = asked(offer, payload(anna, PRICE, _new_deposit(anna, DOLLAR)))
    assert settle(stage, again)["success"]
    assert stage.rows("SELECT count(*) FROM deposit_relay") == [(1,)], "the first alone"
    assert _paid_in_all(stage, cafe) == PRICE


# -------------------------------------------------------------------- what is offered


def test_supported_tells_all_that_an_offer_needs(stage: Stage) -> None:
    supported = SupportedResponse.model_validate(stage.get("/x402/supported"))
    kind = supported.kinds[0]
    assert (kind.x402_version, kind.scheme, kind.network) == (2, "batch-settlement", stage.facts["network"])
    assert kind.extra is not None
    assert kind.extra["receiverAuthorizer"] == stage.facts["receiver_authorizer"]
    assert kind.extra["payTo"] == stage.facts["settlement"]
    assert supported.extensions == ["payment-identifier"]
