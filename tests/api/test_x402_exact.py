"""Payments by x402's `exact`: stored, answered, gathered in one transaction; and what becomes of those that fail in it."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from x402.mechanisms.evm import constants as errors
from x402.schemas import SettleResponse, SupportedResponse, VerifyResponse

from taesan.chain import alarms, erc3009, multicall
from taesan.chain.rpc import NodeUnavailable
from tests.support.insights import ask_for_insights
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DEPTH, DOLLAR, Merchant, Stage, StageFactory
from tests.support.wallet import Json, Wallet
from tests.support.x402_asked import asked, settle, verify
from tests.support.x402_exact import requirements, transfer

PRICE = 10 * CENT
NAME = "order-1177-of-anna"
GATHER_S = 120


@pytest.fixture
def stage(open_stage: StageFactory) -> Stage:
    return open_stage(x402_wait_s=0, exact_gather_s=GATHER_S)


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    return stage.merchant()


@pytest.fixture
def offer(stage: Stage, cafe: Merchant) -> Json:
    return requirements(stage, cafe, PRICE)


def _payer(stage: Stage, dollars: int = DOLLAR) -> Wallet:
    wallet = Wallet()
    stage.chain.give_dollars(wallet.address, dollars)
    return wallet


def _holds(stage: Stage, address: str, role: str = "asset") -> int:
    return int(stage.chain.read(role, "balanceOf", address))


def _gather(stage: Stage) -> None:
    stage.later(GATHER_S + 1)
    stage.confirm()


def _states(stage: Stage) -> list[str]:
    return [state for (state,) in stage.rows("SELECT state FROM direct_payment ORDER BY id")]


def _listed(stage: Stage, merchant: Merchant) -> list[Json]:
    return list(stage.get("/v1/direct-payments", **merchant.headers)["items"])


# ------------------------------------------------------------------ the good case


@pytest.mark.database("sqlite", "postgresql")
def test_payments_are_answered_at_once_and_settled_in_one_transaction(
    stage: Stage, cafe: Merchant, offer: Json
) -> None:
    payers = [_payer(stage) for _ in range(5)]
    bodies = [asked(offer, transfer(payer, offer)) for payer in payers]
    before = stage.row_counts()
    assert all(VerifyResponse.model_validate(verify(stage, body)).is_valid for body in bodies)
    assert stage.row_counts() == before

    for payer, body in zip(payers, bodies, strict=True):
        told = SettleResponse.model_validate(settle(stage, body))
        assert (told.success, told.transaction, told.payer) == (True, "", payer.address)
        assert told.extra is not None
        assert told.extra["payment"]["state"] == "pending"
    stage.confirm()
    assert _states(stage) == ["received"] * 5, "they wait for more"
    assert {p["state"] for p in _listed(stage, cafe)} == {"pending"}

    _gather(stage)
    listed = _listed(stage, cafe)
    assert {p["state"] for p in listed} == {"settled"}
    assert len({p["transaction"] for p in listed}) == 1
    assert _holds(stage, cafe.address) == 5 * PRICE
    assert [_holds(stage, payer.address) for payer in payers] == [DOLLAR - PRICE] * 5
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE kind = 'transfers'") == [(1,)]
    assert settle(stage, bodies[0])["transaction"] == listed[-1]["transaction"]
    one = stage.get(f"/v1/direct-payments/{listed[0]['id']}")
    assert one == listed[0]
    assert (one["amount"], one["merchant_id"], one["asset"]) == (str(PRICE), cafe.id, stage.facts["asset"])
    assert stage.audit().differences == []


def test_gift_tokens_are_taken_at_face_value_too(stage: Stage, cafe: Merchant) -> None:
    anna = stage.payer()
    anna.pay(DOLLAR)
    stage.settle()
    offer = requirements(stage, cafe, PRICE, symbol="GIFT")
    assert settle(stage, asked(offer, transfer(anna.wallet, offer)))["success"]
    _gather(stage)
    assert _holds(stage, cafe.address, "gift_token") == PRICE
    assert _states(stage) == ["confirmed"]
    assert stage.audit().differences == []


def test_what_ends_soon_is_not_kept_waiting(stage: Stage, offer: Json) -> None:
    """And takes with it whoever waits already."""
    now = int(time.time())
    assert settle(stage, asked(offer, transfer(_payer(stage), offer)))["success"]
    stage.tick()
    assert _states(stage) == ["received"]
    assert settle(stage, asked(offer, transfer(_payer(stage), offer, valid_before=now + 65)))["success"]
    stage.later(6)
    stage.confirm()
    assert _states(stage) == ["confirmed"] * 2


def test_enough_of_them_need_not_wait(open_stage: StageFactory) -> None:
    stage = open_stage(exact_max_items=3)
    offer = requirements(stage, stage.merchant(), PRICE)
    anna = _payer(stage)
    for count in (1, 2, 3):
        assert _states(stage) == ["received"] * (count - 1)
        assert settle(stage, asked(offer, transfer(anna, offer)))["success"]
        stage.tick()
    stage.confirm()
    assert _states(stage) == ["confirmed"] * 3


# ----------------------------------------------------------------- finality


def test_a_merchant_can_wait_for_the_chain(stage: Stage, cafe: Merchant) -> None:
    """Also for a payment that was taken in without that."""
    offer = requirements(stage, cafe, PRICE)
    inner = transfer(_payer(stage), offer)
    assert settle(stage, asked(offer, inner))["success"]
    stage.tick()
    assert _states(stage) == ["received"]
    offer = requirements(stage, cafe, PRICE, settlement="final")
    body = asked(offer, inner)
    for moved in (lambda: None, stage.tick):
        moved()
        told = assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
    assert told["errorReason"] == errors.ERR_SETTLEMENT_PENDING
    assert told["transaction"].startswith("0x")
    stage.confirm()
    done = settle(stage, body)
    assert (done["success"], done["transaction"]) == (True, told["transaction"])
    assert done["extra"]["payment"]["state"] == "settled"
    assert _states(stage) == ["confirmed"]


# ------------------------------------------------------------------ once only


@pytest.mark.database("sqlite", "postgresql")
def test_one_payment_sent_fifty_times_at_once_is_charged_once(stage: Stage, cafe: Merchant, offer: Json) -> None:
    anna = _payer(stage)
    body = asked(offer, transfer(anna, offer), NAME)
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: settle(stage, body), range(50)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["success"]
    again = verify(stage, body)
    assert (again["isValid"], again["invalidReason"]) == (False, errors.ERR_NONCE_ALREADY_USED)
    assert again["extra"] == answers[0]["extra"]
    _gather(stage)
    assert _holds(stage, cafe.address) == PRICE
    assert len(_states(stage)) == 1


def test_a_request_that_was_overtaken_is_answered_as_the_first(
    stage: Stage, cafe: Merchant, offer: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it asks the node, the same payment is accepted for another one and carried out: its nonce is used then, by itself."""
    body = asked(offer, transfer(_payer(stage), offer))
    look = erc3009.look

    def slow(*arguments: Any) -> erc3009.Outlook:
        monkeypatch.undo()
        assert settle(stage, body)["success"]
        _gather(stage)
        return look(*arguments)

    monkeypatch.setattr(erc3009, "look", slow)
    answer = settle(stage, body)
    assert (answer["success"], answer["extra"]["payment"]["state"]) == (True, "settled")
    assert _holds(stage, cafe.address) == PRICE


def test_a_nonce_or_a_name_that_was_used_for_something_else_is_told(stage: Stage, cafe: Merchant, offer: Json) -> None:
    anna, other = _payer(stage), stage.merchant("Kiosk")
    first = transfer(anna, offer)
    nonce = first["authorization"]["nonce"]
    assert settle(stage, asked(offer, first, NAME))["success"]

    dear, elsewhere = requirements(stage, cafe, 2 * PRICE), requirements(stage, other, PRICE)
    another_page = requirements(stage, cafe, PRICE, reference="another page")
    for body in (
        asked(dear, transfer(anna, dear, nonce=nonce)),
        asked(elsewhere, transfer(anna, elsewhere, nonce=nonce)),
        asked(offer, transfer(anna, offer, nonce=nonce, valid_before=2**41)),
        asked(another_page, first),
        asked(offer, first),
    ):
        assert verify(stage, body)["invalidReason"] == errors.ERR_NONCE_ALREADY_USED
        assert settle(stage, body)["errorReason"] == errors.ERR_NONCE_ALREADY_USED
    for body in (asked(offer, transfer(anna, offer), NAME), asked(another_page, first, NAME)):
        for path in ("/x402/verify", "/x402/settle"):
            assert_problem(stage.client.post(path, json=body), "idempotency-key-reused", 422)
    assert len(_states(stage)) == 1


# -------------------------------------------------------------------- refused


def test_what_cannot_be_carried_out_is_refused_with_the_sdks_reasons(stage: Stage, cafe: Merchant, offer: Json) -> None:
    anna, now = _payer(stage), int(time.time())
    good = transfer(anna, offer)
    stranger = requirements(stage, cafe, PRICE) | {"payTo": Wallet().address}
    cancelled = transfer(anna, offer)
    stage.chain.send(anna.key, "asset", "cancelAuthorization", *_cancellation(stage, anna, cancelled))
    for changed_offer, inner, reason in (
        (offer, transfer(_payer(stage, PRICE - 1), offer), errors.ERR_INSUFFICIENT_BALANCE),
        (offer, transfer(anna, offer, amount=PRICE + 1), errors.ERR_AUTHORIZATION_VALUE_MISMATCH),
        (offer, transfer(anna, offer, to=anna.address), errors.ERR_RECIPIENT_MISMATCH),
        (offer, transfer(anna, offer, valid_before=now + 5), errors.ERR_VALID_BEFORE_EXPIRED),
        (offer, transfer(anna, offer, valid_after=now + 600), errors.ERR_VALID_AFTER_FUTURE),
        (offer, good | {"signature": transfer(Wallet(), offer)["signature"]}, errors.ERR_INVALID_SIGNATURE),
        (offer, good | {"signature": "0x"}, errors.ERR_INVALID_SIGNATURE),
        (offer, cancelled, errors.ERR_NONCE_ALREADY_USED),
        (offer | {"asset": stage.chain.deployment.channels}, good, "invalid_payment_requirements"),
        (offer | {"extra": {"name": "USDC", "version": "1"}}, good, errors.ERR_TOKEN_NAME_MISMATCH),
        (offer | {"extra": {"name": "Test Dollar"}}, good, errors.ERR_TOKEN_VERSION_MISMATCH),
        (offer | {"network": "eip155:1"}, good, errors.ERR_NETWORK_MISMATCH),
        (offer | {"amount": "5000001"}, good, errors.ERR_AUTHORIZATION_VALUE_MISMATCH),
        (stranger, transfer(anna, stranger), "invalid_payment_requirements"),
        (offer, {"permit2Authorization": {}, "signature": "0x"}, "unsupported_payload_type"),
        (offer, {"authorization": {}, "signature": "0x"}, "invalid_payload"),
    ):
        body = asked(changed_offer, inner)
        assert verify(stage, body)["invalidReason"] == reason
        assert settle(stage, body)["errorReason"] == reason
    assert _states(stage) == []


def _cancellation(stage: Stage, wallet: Wallet, inner: Json) -> tuple[Any, ...]:
    from eth_account.messages import encode_typed_data

    nonce = bytes.fromhex(inner["authorization"]["nonce"][2:])
    fields = [{"name": "authorizer", "type": "address"}, {"name": "nonce", "type": "bytes32"}]
    message = {"authorizer": wallet.address, "nonce": nonce}
    typed = encode_typed_data(stage.facts["asset_domain"], {"CancelAuthorization": fields}, message)
    return wallet.address, nonce, bytes(wallet.key.sign_message(typed).signature)


def test_a_payer_cannot_authorise_the_same_money_twice_nor_more_than_the_hub_lets_wait(
    open_stage: StageFactory,
) -> None:
    stage = open_stage(exact_exposure=35 * CENT)
    cafe = stage.merchant()
    offer = requirements(stage, cafe, PRICE)
    poor, rich = _payer(stage, 15 * CENT), _payer(stage, DOLLAR)
    assert settle(stage, asked(offer, transfer(poor, offer)))["success"]
    assert settle(stage, asked(offer, transfer(poor, offer)))["errorReason"] == errors.ERR_INSUFFICIENT_BALANCE
    for _ in range(3):
        assert settle(stage, asked(offer, transfer(rich, offer)))["success"]
    body = asked(offer, transfer(rich, offer))
    assert settle(stage, body)["errorReason"] == "invalid_exact_evm_payer_has_too_much_pending"
    stage.confirm()
    assert _states(stage) == ["confirmed"] * 4, "whoever has that much waiting hurries the others on"
    assert settle(stage, body)["success"]


def test_a_merchant_is_promised_so_much_by_all_together_unless_it_waits(open_stage: StageFactory) -> None:
    """Else a stranger could promise it any sum, from one address after the other, and then move the money."""
    stage = open_stage(exact_merchant_exposure=35 * CENT, x402_wait_s=0)
    cafe, kiosk = stage.merchant(), stage.merchant("Kiosk")
    offer, final = requirements(stage, cafe, PRICE), requirements(stage, cafe, PRICE, settlement="final")
    for _ in range(3):
        assert settle(stage, asked(offer, transfer(_payer(stage), offer)))["success"]
    body = asked(offer, transfer(_payer(stage), offer))
    assert verify(stage, body)["invalidReason"] == "invalid_exact_evm_merchant_has_too_much_pending"
    assert settle(stage, body)["errorReason"] == "invalid_exact_evm_merchant_has_too_much_pending"
    other = requirements(stage, kiosk, PRICE)
    assert settle(stage, asked(other, transfer(_payer(stage), other)))["success"]
    waiting = asked(final, transfer(_payer(stage), final))
    assert_problem(stage.client.post("/x402/settle", json=waiting), "settlement-pending", 503)
    stage.confirm()
    assert _states(stage) == ["confirmed"] * 5, "what has filled half of it does not wait for more"
    assert settle(stage, body)["success"]


def test_less_than_the_gas_is_worth_is_refused(open_stage: StageFactory) -> None:
    stage = open_stage(exact_min=CENT, min_relayed=PRICE)
    for amount, more in ((CENT - 1, {}), (PRICE - 1, {"settlement": "final"})):
        offer = requirements(stage, stage.merchant(), amount, **more)
        told = settle(stage, asked(offer, transfer(_payer(stage), offer)))
        assert told["errorReason"] == "invalid_payment_requirements"
    extra = stage.get("/x402/supported")["kinds"][1]["extra"]
    assert (extra["minAmount"], extra["minFinalAmount"]) == (str(CENT), str(PRICE))


def test_nobody_has_the_hub_move_his_money_to_himself(stage: Stage, cafe: Merchant, offer: Json) -> None:
    stage.chain.give_dollars(cafe.address, DOLLAR)
    body = asked(offer, transfer(cafe.wallet, offer))
    assert verify(stage, body)["invalidReason"] == errors.ERR_RECIPIENT_MISMATCH
    assert settle(stage, body)["errorReason"] == errors.ERR_RECIPIENT_MISMATCH


def test_a_node_that_is_away_is_told_as_that(stage: Stage, offer: Json) -> None:
    body = asked(offer, transfer(_payer(stage), offer))
    with stage.node_away():
        for path in ("/x402/verify", "/x402/settle"):
            assert_problem(stage.client.post(path, json=body), "node-unavailable", 503)
    assert settle(stage, body)["success"]


def test_while_nothing_is_signed_nothing_is_taken_in(stage: Stage, offer: Json) -> None:
    known, new = (asked(offer, transfer(_payer(stage), offer)) for _ in range(2))
    first = settle(stage, known)
    with stage.hub.db.write() as session:
        alarms.raise_(session, alarms.SIGNER_BALANCE_LOW, "for a test", stage.clock.now())
    for path in ("/x402/verify", "/x402/settle"):
        assert_problem(stage.client.post(path, json=new), "signing-paused", 503)
    assert settle(stage, known) == first


def test_a_facilitator_client_understands_what_is_supported(stage: Stage) -> None:
    supported = SupportedResponse.model_validate(stage.get("/x402/supported"))
    assert [kind.scheme for kind in supported.kinds] == ["batch-settlement", "exact"]


def test_a_chain_without_multicall_is_offered_no_such_payments(stage: Stage) -> None:
    stage.chain.ask("anvil_setCode", multicall.ADDRESS, "0x")
    stage.restart()
    assert [kind["scheme"] for kind in stage.get("/x402/supported")["kinds"]] == ["batch-settlement"]


# ------------------------------------------------------------- what goes wrong on chain


def test_one_whose_money_is_gone_fails_alone_and_in_the_end(stage: Stage, cafe: Merchant, offer: Json) -> None:
    """He has moved it before the gathering: the simulation shows it, and nobody pays gas for him."""
    end = int(time.time()) + 900
    anna, ben = _payer(stage), _payer(stage)
    bodies = [asked(offer, transfer(payer, offer, valid_before=end)) for payer in (anna, ben)]
    assert all(settle(stage, body)["success"] for body in bodies)
    stage.chain.take_dollars(ben.address, DOLLAR)
    _gather(stage)
    assert _states(stage) == ["confirmed", "received"]
    assert _holds(stage, cafe.address) == PRICE
    mine, his = reversed(_listed(stage, cafe))
    assert (mine["state"], his["state"]) == ("settled", "pending")
    assert "ERC20InsufficientBalance" in his["reason"]
    assert settle(stage, bodies[1])["success"], "it may still be carried out"

    stage.chain.wait_until(end)
    stage.chain.mine(DEPTH)
    stage.later(1_000)
    stage.confirm()
    assert _states(stage) == ["confirmed", "failed"]
    assert settle(stage, bodies[1])["errorReason"] == errors.ERR_TRANSACTION_FAILED
    assert verify(stage, bodies[1])["invalidReason"] == errors.ERR_TRANSACTION_FAILED
    assert stage.audit().differences == []


def test_one_that_fails_in_the_transaction_fails_alone_and_is_tried_again(
    stage: Stage, cafe: Merchant, offer: Json
) -> None:
    """He moves his money while the transaction waits in the pool."""
    anna, ben, carl = (_payer(stage) for _ in range(3))
    for payer in (anna, ben, carl):
        assert settle(stage, asked(offer, transfer(payer, offer)))["success"]
    stage.later(GATHER_S + 1)
    with stage.chain.mining_paused():
        stage.tick()
        assert _states(stage) == ["sent"] * 3
        stage.chain.jump_queue(ben.key, "asset", "transfer", Wallet().address, DOLLAR)
        stage.chain.mine()
    stage.confirm()
    assert _states(stage) == ["confirmed", "received", "confirmed"]
    assert _holds(stage, cafe.address) == 2 * PRICE
    stage.chain.give_dollars(ben.address, DOLLAR)
    stage.later(61)
    stage.confirm()
    assert _states(stage) == ["confirmed"] * 3
    assert _holds(stage, cafe.address) == 3 * PRICE


def test_one_that_its_merchant_has_brought_to_the_chain_is_settled_by_that(
    stage: Stage, cafe: Merchant, offer: Json
) -> None:
    anna, ben = _payer(stage), _payer(stage)
    hers, his = transfer(anna, offer), transfer(ben, offer)
    assert all(settle(stage, asked(offer, inner))["success"] for inner in (hers, his))
    signed = hers["authorization"]
    receipt = stage.chain.send(
        cafe.wallet.key,
        "asset",
        "transferWithAuthorization",
        signed["from"],
        signed["to"],
        *(int(signed[name]) for name in ("value", "validAfter", "validBefore")),
        bytes.fromhex(signed["nonce"][2:]),
        bytes.fromhex(hers["signature"][2:]),
    )
    stage.chain.send(ben.key, "asset", "cancelAuthorization", *_cancellation(stage, ben, his))
    stage.chain.mine(DEPTH)
    _gather(stage)
    assert _states(stage) == ["confirmed", "failed"]
    failed, settled = _listed(stage, cafe)
    assert settled["transaction"] == "0x" + bytes(receipt["transactionHash"]).hex()
    assert "cancelled" in failed["reason"]
    assert _holds(stage, cafe.address) == PRICE
    assert stage.audit().differences == []


def _fail_in_the_next_block(stage: Stage) -> None:
    """Whatever the waiting transaction calls in Multicall3 fails there as a whole, as if somebody's code burned its gas."""
    code = stage.chain.ask("eth_getCode", multicall.ADDRESS, "latest")
    with stage.chain.mining_paused():
        stage.tick()
        stage.chain.ask("anvil_setCode", multicall.ADDRESS, "0x60006000fd")
        stage.chain.mine()
        stage.chain.ask("anvil_setCode", multicall.ADDRESS, code)


def test_after_a_transaction_that_failed_as_a_whole_each_is_tried_alone(
    stage: Stage, cafe: Merchant, offer: Json
) -> None:
    for _ in range(2):
        assert settle(stage, asked(offer, transfer(_payer(stage), offer)))["success"]
    stage.later(GATHER_S + 1)
    _fail_in_the_next_block(stage)
    stage.confirm()
    stage.confirm()
    assert _states(stage) == ["confirmed"] * 2
    assert _holds(stage, cafe.address) == 2 * PRICE
    sent = stage.rows("SELECT ref, state FROM chain_transaction WHERE kind = 'transfers' ORDER BY id")
    assert [tuple(row) for row in sent] == [("2", "reverted"), ("1", "confirmed"), ("1", "confirmed")]


def test_one_that_fails_its_own_transaction_is_not_sent_again(stage: Stage, cafe: Merchant, offer: Json) -> None:
    end = int(time.time()) + 900
    body = asked(offer, transfer(_payer(stage), offer, valid_before=end))
    assert settle(stage, body)["success"]
    stage.later(GATHER_S + 1)
    _fail_in_the_next_block(stage)
    stage.confirm()
    stage.later(120)
    stage.confirm()
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE kind = 'transfers'") == [(1,)]
    (row,) = _listed(stage, cafe)
    assert (row["state"], row["reason"]) == ("pending", "it used up the gas of its transaction")
    stage.chain.wait_until(end)
    stage.chain.mine(DEPTH)
    stage.later(1_000)
    stage.confirm()
    assert _states(stage) == ["failed"]
    assert settle(stage, body)["errorReason"] == errors.ERR_TRANSACTION_FAILED


def test_the_audit_finds_what_is_told_to_be_settled_and_is_not(stage: Stage, offer: Json) -> None:
    assert settle(stage, asked(offer, transfer(_payer(stage), offer)))["success"]
    stage.confirm()
    assert stage.audit().differences == []
    stage.write("UPDATE direct_payment SET state = 'confirmed'")
    (difference,) = stage.audit().differences
    assert "on chain: expected 1, found 0" in difference
    stage.write("UPDATE direct_payment SET state = 'received', amount = amount + 1")
    (difference,) = stage.audit().differences
    assert "signature" in difference


# -------------------------------------------------------------------- bad days


@pytest.mark.parametrize("arrives", [False, True])
def test_what_was_stored_is_sent_after_the_service_has_died(
    stage: Stage, cafe: Merchant, offer: Json, monkeypatch: pytest.MonkeyPatch, *, arrives: bool
) -> None:
    """Between storing and broadcasting, or before it has heard that the broadcast went well."""
    body = asked(offer, transfer(_payer(stage), offer))
    first = settle(stage, body)
    stage.restart()
    assert settle(stage, body) == first
    send = stage.hub.node.send_raw

    def dying(raw: bytes) -> None:
        if arrives:
            send(raw)
        raise NodeUnavailable("gone")

    stage.later(GATHER_S + 1)
    monkeypatch.setattr(stage.hub.node, "send_raw", dying)
    stage.tick()
    assert _states(stage) == ["sent"]
    assert _holds(stage, cafe.address) == (PRICE if arrives else 0)
    assert settle(stage, body) == first
    stage.restart()
    stage.confirm()
    assert _states(stage) == ["confirmed"]
    assert _holds(stage, cafe.address) == PRICE
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE kind = 'transfers'") == [(1,)]


@pytest.mark.parametrize("depth", [1, 4])
def test_a_reorganisation_loses_nothing(stage: Stage, cafe: Merchant, offer: Json, depth: int) -> None:
    """Also one that reaches below the depth at which a payment was told to be settled."""
    payer, spent = _payer(stage), "SELECT id FROM movement"
    ask_for_insights(stage, stage.session_of(payer))
    assert settle(stage, asked(offer, transfer(payer, offer)))["success"]
    stage.chain.mine(5)
    stage.later(GATHER_S + 1)
    stage.tick()
    stage.chain.mine(1 if depth == 1 else 3)
    stage.tick(3)
    assert _states(stage) == ["sent" if depth == 1 else "confirmed"]
    before = stage.rows(spent)
    assert len(before) == (0 if depth == 1 else 1)
    stage.chain.reorganise(depth + 1)
    assert _holds(stage, cafe.address) == 0
    stage.later(60)
    stage.chain.mine(3)
    stage.confirm()
    stage.later(60)
    stage.confirm()
    assert _states(stage) == ["confirmed"]
    assert _holds(stage, cafe.address) == PRICE
    assert len(stage.rows(spent)) == 1
    assert stage.rows(spent) != before, "what was gone was not spent, until it came back"
    assert stage.audit().differences == []


def test_what_was_settled_after_a_backup_is_found_on_the_chain(stage: Stage, cafe: Merchant, offer: Json) -> None:
    body = asked(offer, transfer(_payer(stage), offer))
    assert settle(stage, body)["success"]
    kept = stage.kept()
    _gather(stage)
    settled = settle(stage, body)
    stage.restore(kept)
    stage.confirm()
    _gather(stage)
    assert settle(stage, body) == settled
    assert _states(stage) == ["confirmed"]
    assert stage.audit().differences == []
