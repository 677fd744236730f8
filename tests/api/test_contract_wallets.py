"""Payers whose wallet is a contract: what they sign is accepted as far as the hub can stand in for it, claimed before a batch
takes it, and paid to the merchant even if the wallet takes it back."""

import pytest

from taesan.chain.relay import RELAYED_CALL_GAS
from tests.api.test_withdrawals import OPERATOR_KEY
from tests.support.contract_payer import ContractPayer, fund
from tests.support.problems import assert_problem
from tests.support.signing import ZERO_ADDRESS
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, StageFactory, key
from tests.support.wallet import Json, Wallet, channel_id, raw

pytestmark = pytest.mark.database("sqlite", "postgresql")

SURPLUS = 20 * DOLLAR
SAYS_YES = "0x631626ba7e60e01b60005260206000f3"  # code that answers every call with ERC-1271's magic value


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    fund(stage, SURPLUS)
    return stage.merchant()


@pytest.fixture
def anna(stage: Stage) -> ContractPayer:
    return ContractPayer(stage).open(10 * DOLLAR)


def test_a_contract_wallet_pays_and_is_claimed_before_its_batch(
    stage: Stage, cafe: Merchant, anna: ContractPayer
) -> None:
    anna.pay(DOLLAR, cafe)
    anna.pay(CENT, cafe)
    assert stage.balance("cover", anna.id) == DOLLAR + CENT
    assert stage.balance("surplus") == SURPLUS - DOLLAR - CENT
    assert stage.audit().differences == []
    stage.settle()
    assert stage.rows("SELECT state, cumulative FROM wallet_claim") == [("confirmed", DOLLAR + CENT)]
    assert stage.chain.read("channels", "channels", raw(anna.id)) == [10 * DOLLAR, DOLLAR + CENT]
    stage.settle()
    assert stage.batch_states() == ["posted"]
    assert cafe.account()["credit"] == str(DOLLAR + CENT)
    assert (stage.balance("cover", anna.id), stage.balance("surplus")) == (0, SURPLUS)
    assert stage.audit().differences == []


def test_payments_that_come_during_the_claim_wait_for_the_next(
    stage: Stage, cafe: Merchant, anna: ContractPayer
) -> None:
    anna.pay(DOLLAR, cafe)
    stage.later(stage.settings.batch_interval_s)
    stage.tick()  # sent, not confirmed
    anna.pay(2 * DOLLAR, cafe)
    stage.confirm()
    stage.later(stage.settings.batch_interval_s)
    stage.confirm()
    stage.settle()
    assert [b for (b,) in stage.rows("SELECT batch_id FROM payment ORDER BY id")] == [1, 2]
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    assert stage.audit().differences == []


def test_keys_payments_do_not_wait_for_a_wallets(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    bora = stage.payer()
    anna.pay(CENT, cafe)
    bora.pay(DOLLAR, cafe)
    stage.later(stage.settings.batch_interval_s + 1)
    stage.tick()
    assert stage.rows("SELECT channel_id FROM payment WHERE batch_id = 1") == [(bora.id,)]
    stage.settle()
    stage.settle()
    assert stage.batch_states() == ["posted", "posted"]
    assert cafe.account()["credit"] == str(DOLLAR + CENT)
    assert stage.audit().differences == []


def test_a_wallets_signature_may_be_long(stage: Stage, cafe: Merchant) -> None:
    """As those of wallets with many owners. This one reads nothing of it."""
    wallet = Wallet().address
    stage.chain.ask("anvil_setCode", wallet, SAYS_YES)
    bora = ContractPayer(stage, wallet).open(DOLLAR)
    for suffix in ("00" * (4_096 - 65), "01" * 7):
        bora.suffix = suffix
        bora.pay(CENT, cafe)
    bora.suffix = "00" * (4_096 - 64)
    assert_problem(bora.try_to_pay(CENT, cafe), "invalid-request", 422)
    stage.settle()
    stage.settle()
    assert cafe.account()["credit"] == str(2 * CENT)
    assert stage.audit().differences == []


# ------------------------------------------------------------ who changes its mind


@pytest.mark.parametrize("how", [1, 2])
def test_what_a_wallet_takes_back_is_paid_by_the_hub(
    stage: Stage, cafe: Merchant, anna: ContractPayer, how: int
) -> None:
    anna.pay(DOLLAR, cafe)
    anna.answer(how)
    stage.settle()
    stage.settle()
    assert stage.rows("SELECT state FROM wallet_claim") == [("failed",)]
    assert anna.state() == "closed"
    assert stage.batch_states() == ["posted"]
    assert cafe.account()["credit"] == str(DOLLAR)
    assert stage.balance("surplus") == SURPLUS - DOLLAR
    assert stage.balance("channel", anna.id) == 10 * DOLLAR
    assert stage.audit().differences == []
    anna.answer(0)
    assert_problem(anna.try_to_pay(CENT, cafe), "channel-not-open", 409)
    anna.do("initiateWithdraw", 10 * DOLLAR)
    stage.chain.wait(anna.config["withdraw_delay"])
    anna.do("finalizeWithdraw")
    stage.confirm()
    assert (stage.balance("shortfall"), stage.balance("escrow")) == (0, 0)
    assert stage.audit().differences == []


def test_a_new_owner_makes_void_what_is_not_claimed_yet(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    anna.pay(DOLLAR, cafe)
    stage.settle()
    stage.settle()
    anna.pay(2 * DOLLAR, cafe)
    anna.change_owner(Wallet())
    assert_problem(anna.try_to_pay(CENT, cafe), "invalid-signature", 403)
    stage.settle()
    stage.settle()
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    assert stage.balance("surplus") == SURPLUS - 2 * DOLLAR
    assert stage.balance("channel", anna.id) == 9 * DOLLAR
    assert stage.audit().differences == []


def test_a_wallet_that_lies_to_simulations_costs_no_batch(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    """It looks at the gas price: zero in a simulation. Others' claims go through, and it is not tried for ever."""
    if_gas_price_is_zero, revert, yes = "3a15600a57", "60006000fd", "5b631626ba7e60e01b60005260206000f3"
    wallet = Wallet().address
    stage.chain.ask("anvil_setCode", wallet, SAYS_YES)
    liar = ContractPayer(stage, wallet).open(5 * DOLLAR)
    stage.chain.ask("anvil_setCode", wallet, f"0x{if_gas_price_is_zero}{revert}{yes}")
    liar.pay(DOLLAR, cafe)
    anna.pay(2 * DOLLAR, cafe)
    for _ in range(4):
        stage.settle()
    states = dict(map(tuple, stage.rows("SELECT channel_id, state FROM wallet_claim")))
    assert states == {liar.id: "failed", anna.id: "confirmed"}
    assert (liar.state(), anna.state()) == ("closed", "open")
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    assert stage.balance("surplus") == SURPLUS - DOLLAR
    assert stage.audit().differences == []


def test_a_wallet_that_burns_gas_is_not_claimed(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    wallet = Wallet().address
    stage.chain.ask("anvil_setCode", wallet, SAYS_YES)
    burner = ContractPayer(stage, wallet).open(5 * DOLLAR)
    burner.pay(DOLLAR, cafe)
    stage.chain.ask("anvil_setCode", wallet, "0x5b600056")  # for ever
    anna.pay(DOLLAR, cafe)
    for _ in range(3):
        stage.settle()
    assert (burner.state(), anna.state()) == ("closed", "open")
    (gas,) = stage.rows("SELECT max(gas_used) FROM chain_transaction WHERE kind = 'wallet claims'")[0]
    assert gas < RELAYED_CALL_GAS
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    assert stage.audit().differences == []


def test_a_withdrawal_that_is_over_before_the_claim_is_paid_by_the_hub(
    stage: Stage, cafe: Merchant, anna: ContractPayer
) -> None:
    anna.do("initiateWithdraw", 10 * DOLLAR)
    anna.pay(2 * DOLLAR, cafe)  # before we know of the announcement
    stage.chain.wait(stage.settings.withdraw_delay_s)
    anna.do("finalizeWithdraw")
    for _ in range(3):
        stage.settle()
    assert anna.state() == "closed"
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    assert (stage.balance("shortfall"), stage.balance("surplus")) == (0, SURPLUS - 2 * DOLLAR)
    assert stage.audit().differences == []


def test_an_announced_withdrawal_hastens_the_claim(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    anna.pay(CENT, cafe)
    anna.do("initiateWithdraw", 10 * DOLLAR)
    stage.confirm()
    stage.confirm()
    assert stage.rows("SELECT state FROM wallet_claim") == [("confirmed",)]
    stage.settle()
    assert stage.audit().differences == []


def test_a_leaving_wallets_payments_that_wait_for_their_claim_hurry_no_batch(
    stage: Stage, cafe: Merchant, anna: ContractPayer
) -> None:
    bora = stage.payer()
    anna.pay(CENT, cafe)
    anna.do("initiateWithdraw", CENT)
    stage.chain.mine(5)
    stage.tick()  # the claim is sent
    bora.pay(CENT, cafe)
    stage.tick()
    assert stage.rows("SELECT state FROM wallet_claim") == [("sent",)]
    assert stage.batch_states() == [], "nobody's payments are in a hurry but hers, which cannot go"
    stage.confirm()
    stage.confirm()
    assert stage.batch_states() != []


def test_a_paused_contract_is_not_taken_for_a_refusal(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    anna.pay(DOLLAR, cafe)
    stage.chain.send(OPERATOR_KEY, "settlement", "pause")
    stage.later(stage.settings.batch_interval_s + 1)
    stage.tick(3)
    assert stage.rows("SELECT state FROM wallet_claim") == [("received",)]
    assert anna.state() == "open"
    stage.chain.send(OPERATOR_KEY, "settlement", "unpause")
    stage.settle()
    stage.settle()
    assert cafe.account()["credit"] == str(DOLLAR)
    assert stage.audit().differences == []


# ---------------------------------------------------------------------- limits


def test_no_more_waits_than_the_hub_has_money_of_its_own(stage: Stage, anna: ContractPayer) -> None:
    cafe = stage.merchant()
    before = stage.row_counts()
    answer = anna.try_to_pay(CENT, cafe)
    assert_problem(answer, "no-cover", 503)
    assert answer.headers["retry-after"]
    assert stage.row_counts() == before
    fund(stage, CENT)
    anna.pay(CENT, cafe)
    assert_problem(anna.try_to_pay(1, cafe), "no-cover", 503)


def test_no_more_of_a_channel_waits_than_the_operator_allows(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    anna.pay(3 * DOLLAR, cafe)
    assert_problem(anna.try_to_pay(2 * DOLLAR + 1, cafe), "contract-wallet-limit", 409)
    anna.pay(2 * DOLLAR, cafe)
    stage.tick()  # beyond half of it: claimed without waiting for the interval
    assert stage.rows("SELECT count(*) FROM wallet_claim") == [(1,)]
    assert_problem(anna.try_to_pay(1, cafe), "contract-wallet-limit", 409)
    stage.confirm()
    anna.pay(DOLLAR, cafe)


def test_a_payment_that_comes_too_often_holds_nothing(open_stage: StageFactory) -> None:
    stage = open_stage(payer_rate="1/minute")
    fund(stage, SURPLUS)
    cafe, anna = stage.merchant(), ContractPayer(stage).open(10 * DOLLAR)
    first = anna.payment(CENT, cafe)
    anna.charged += CENT
    assert [r["status"] for r in _bulk(stage, a=first, b=anna.payment(CENT, cafe))] == [201, 429]
    assert (stage.balance("cover", anna.id), stage.balance("surplus")) == (CENT, SURPLUS - CENT)
    assert stage.audit().differences == []


def test_the_same_payment_twice_in_one_request_is_a_replay(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    item = anna.payment(CENT, cafe) | {"idempotency_key": "k"}
    answer = stage.client.post("/v1/payments/bulk", json={"payments": [item, item]})
    assert [(r["status"], r["replayed"]) for r in answer.json()["results"]] == [(201, False), (201, True)]
    assert stage.balance("cover", anna.id) == CENT


def _bulk(stage: Stage, **payments: Json) -> list[Json]:
    items = [payment | {"idempotency_key": key_} for key_, payment in payments.items()]
    answer = stage.client.post("/v1/payments/bulk", json={"payments": items})
    return list(answer.json()["results"])


def test_small_amounts_gather_before_they_are_claimed(open_stage: StageFactory) -> None:
    stage = open_stage(min_relayed=DOLLAR)
    fund(stage, SURPLUS)
    cafe, anna = stage.merchant(), ContractPayer(stage).open(10 * DOLLAR)
    for amount, claims in ((DOLLAR - 1, 0), (1, 1)):
        anna.pay(amount, cafe)
        stage.settle()
        assert stage.rows("SELECT count(*) FROM wallet_claim") == [(claims,)]
    anna.pay(CENT, cafe)
    stage.settle()
    stage.later(stage.settings.withdraw_delay_s // 4)
    stage.confirm()
    stage.settle()
    assert cafe.account()["credit"] == str(DOLLAR + CENT)
    assert stage.audit().differences == []


def test_a_contract_wallet_has_no_jar(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    assert_problem(anna.try_to_pay(CENT), "contract-wallet-jar", 422)
    anna.pay(CENT, cafe)
    assert_problem(anna.try_to_pay(CENT), "contract-wallet-jar", 422)


def test_wallets_are_asked_so_often_and_no_more(open_stage: StageFactory) -> None:
    stage = open_stage(wallet_rate="2/minute")
    fund(stage, DOLLAR)
    cafe, anna = stage.merchant(), ContractPayer(stage).open(DOLLAR)
    for _ in range(2):
        anna.pay(CENT, cafe)
    before = stage.row_counts()
    answer = anna.try_to_pay(CENT, cafe)
    assert_problem(answer, "rate-limited", 429)
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert stage.row_counts() == before


# ------------------------------------------------------------------ signatures


def test_what_the_wallet_did_not_sign_is_refused(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    body = anna.payment(CENT, cafe)
    for signature in (Wallet().voucher(stage.facts, anna.id, CENT), "0x", "0x" + "ab" * 64, "0x" + "ab" * 900):
        forged = body | {"voucher": body["voucher"] | {"signature": signature}}
        answer = stage.client.post("/v1/payments", json=forged, headers=key())
        assert_problem(answer, "invalid-signature", 403)
    anna.answer(2)
    assert_problem(anna.try_to_pay(CENT, cafe), "invalid-signature", 403)


def test_a_hot_keys_channel_never_asks_its_payer(stage: Stage, cafe: Merchant) -> None:
    """A non-zero payerAuthorizer is a key, even if it is a contract, and even if it is the payer."""
    wallet = stage.chain.deploy("ContractWallet", Wallet("owner").address).address
    for config in ({"payer": wallet}, {"payer": wallet, "payer_authorizer": wallet}):
        anna = ContractPayer(stage)
        anna.owner = Wallet("owner")
        anna.config |= {"payer_authorizer": Wallet("hot").address} | config
        anna.id = channel_id(stage.facts, anna.config)
        stage.chain.give_dollars(wallet, DOLLAR)
        signed = anna.owner.deposit(stage.facts, anna.config, DOLLAR, holder=wallet)
        opened = stage.client.post("/v1/channels", json={"config": anna.config, "deposit": signed}, headers=key())
        assert opened.status_code == 202
        stage.confirm()
        assert_problem(anna.try_to_pay(CENT, cafe), "invalid-signature", 403)


def test_a_payer_with_a_key_of_its_own_needs_no_cover_and_has_a_jar(stage: Stage) -> None:
    """The payer signs by its key: nothing to take back."""
    anna = Payer(stage, Wallet())
    anna.config |= {"payer_authorizer": ZERO_ADDRESS}
    anna.id = channel_id(stage.facts, anna.config)
    anna.wallet.hot_key = anna.wallet.key
    anna.open_channel(2 * DOLLAR)
    stage.confirm()
    anna.pay(DOLLAR)
    with stage.node_away():
        anna.pay(CENT, stage.merchant())
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.rows("SELECT count(*) FROM wallet_claim") == [(0,)]
    assert stage.audit().differences == []


def test_an_account_with_a_key_cannot_go_on_as_a_contract(stage: Stage, cafe: Merchant) -> None:
    """EIP-7702: its earlier vouchers bear its key's signature and are claimed in their packed form."""
    anna = Payer(stage, Wallet())
    anna.config |= {"payer_authorizer": ZERO_ADDRESS}
    anna.id = channel_id(stage.facts, anna.config)
    anna.wallet.hot_key = anna.wallet.key
    anna.open_channel(2 * DOLLAR)
    stage.confirm()
    anna.pay(CENT, cafe)
    stage.chain.ask("anvil_setCode", anna.address, SAYS_YES)
    body = anna.payment(CENT, cafe)
    body["voucher"]["signature"] = "0x1234"
    assert_problem(stage.client.post("/v1/payments", json=body, headers=key()), "signed-by-key-before", 409)
    stage.chain.ask("anvil_setCode", anna.address, "0x60006000fd")  # now it would deny everything
    anna.pay(CENT, cafe)
    stage.settle()
    assert cafe.account()["credit"] == str(2 * CENT)
    assert stage.audit().differences == []


def test_a_wallet_that_is_not_deployed_is_told_so(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    anna.suffix = "6492" * 16
    assert_problem(anna.try_to_pay(CENT, cafe), "wallet-not-deployed", 422)
    bora = ContractPayer(stage)
    signed = bora.owner.deposit(stage.facts, bora.config, DOLLAR, holder=bora.address)
    signed["authorization"]["signature"] += "6492" * 16
    answer = stage.client.post("/v1/channels", json={"config": bora.config, "deposit": signed}, headers=key())
    assert_problem(answer, "wallet-not-deployed", 422)


# ------------------------------------------------------------- answers and retries


def test_without_the_node_nothing_is_stored(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    before = stage.row_counts()
    with stage.node_away():
        answer = anna.try_to_pay(CENT, cafe)
        assert_problem(answer, "node-unavailable", 503)
        assert answer.headers["retry-after"]
        assert stage.row_counts() == before
    anna.pay(CENT, cafe)


def test_a_repeated_payment_is_answered_as_before_though_the_wallet_has_changed_its_mind(
    stage: Stage, cafe: Merchant, anna: ContractPayer
) -> None:
    body, headers = anna.payment(CENT, cafe), key()
    first = stage.client.post("/v1/payments", json=body, headers=headers)
    assert first.status_code == 201
    anna.charged += CENT
    anna.answer(1)
    with stage.node_away():
        again = stage.client.post("/v1/payments", json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    other = stage.client.post("/v1/payments", json=anna.payment(2 * CENT, cafe), headers=headers)
    assert_problem(other, "invalid-signature", 403)
    anna.answer(0)
    other = stage.client.post("/v1/payments", json=anna.payment(2 * CENT, cafe), headers=headers)
    assert_problem(other, "idempotency-key-reused", 422)
    anna.pay(CENT, cafe)


def test_in_bulk_each_for_itself(stage: Stage, cafe: Merchant, anna: ContractPayer) -> None:
    bora, carl = stage.payer(), ContractPayer(stage).open(DOLLAR)
    carl.answer(1)
    payments = []
    for payer in (anna, bora, carl, anna, bora):
        payments.append(payer.payment(CENT, cafe) | key_of_item())
        payer.charged += CENT
    answer = stage.client.post("/v1/payments/bulk", json={"payments": payments})
    assert [r["status"] for r in answer.json()["results"]] == [201, 201, 403, 201, 201]
    again = stage.client.post("/v1/payments/bulk", json={"payments": payments})
    assert [(r["status"], r["replayed"]) for r in again.json()["results"]] == [
        (201, True),
        (201, True),
        (403, False),
        (201, True),
        (201, True),
    ]
    with stage.node_away():
        payments = [payer.payment(CENT, cafe) | key_of_item() for payer in (anna, bora)]
        answer = stage.client.post("/v1/payments/bulk", json={"payments": payments})
    assert [r["status"] for r in answer.json()["results"]] == [503, 201]


def key_of_item() -> dict[str, str]:
    return {"idempotency_key": key()["Idempotency-Key"]}


@pytest.mark.parametrize("place", ["payment", "voucher"])
def test_no_client_can_say_that_a_contract_has_signed(
    stage: Stage, cafe: Merchant, anna: ContractPayer, place: str
) -> None:
    body = anna.payment(CENT, cafe)
    anna.answer(1)
    for changed in (body, body["voucher"]):
        if (changed is body) == (place == "payment"):
            changed["by_contract"] = True
    for type_ in ("application/json", "Application/JSON"):
        answer = stage.client.post("/v1/payments", json=body, headers=key() | {"Content-Type": type_})
        assert_problem(answer, "unknown-field", 422)
