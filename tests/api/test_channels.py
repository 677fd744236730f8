"""Opening channels: by the hub's relay, by oneself, and what is refused."""

from typing import Any

import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DEPTH, DOLLAR, Payer, Stage, StageFactory, key
from tests.support.wallet import Json, Wallet, channel_id

pytestmark = pytest.mark.database("sqlite", "postgresql")

DAY = 86_400


def _open(payer: Payer, config: Json, deposit: Json | None = None, **headers: str) -> Any:
    stage = payer.stage
    deposit = deposit or payer.wallet.deposit(stage.facts, config, DOLLAR)
    body = {"config": config, "deposit": deposit}
    return stage.client.post("/v1/channels", json=body, headers=key() | headers)


@pytest.fixture
def anna(stage: Stage) -> Payer:
    """Somebody with dollars and no channel."""
    anna = Payer(stage, Wallet())
    stage.chain.give_dollars(anna.address, 10 * DOLLAR)
    return anna


# ------------------------------------------------------------------- deposits


def test_a_deposit_counts_at_depth_and_not_before(stage: Stage, anna: Payer) -> None:
    created = anna.open_channel(5 * DOLLAR)
    assert (created["channel"]["state"], created["deposit"]["state"]) == ("pending", "received")
    deposit = f"/v1/deposits/{created['deposit']['id']}"
    problem = assert_problem(anna.try_to_pay(CENT), "channel-not-open", 409)
    assert "confirmed" in problem["detail"]
    stage.tick(3)
    sent = stage.get(deposit)
    assert sent["state"] == "sent"
    assert stage.chain.web3.eth.get_transaction_receipt(sent["transaction"])["status"] == 1
    for _ in range(DEPTH - 1):
        stage.chain.mine()
        stage.tick(2)
        assert anna.state() == "pending"
        assert_problem(anna.try_to_pay(CENT), "channel-not-open", 409)
    stage.chain.mine()
    stage.tick(2)
    assert stage.get(deposit)["state"] == "confirmed"
    assert anna.state() == "open"
    anna.pay(CENT)


def test_more_can_be_deposited_into_an_open_channel(stage: Stage, anna: Payer) -> None:
    anna.open_channel(DOLLAR)
    stage.confirm()
    anna.pay(90 * CENT)
    assert_problem(anna.try_to_pay(20 * CENT), "insufficient-deposit", 402)
    anna.open_channel(DOLLAR)
    stage.confirm()
    anna.pay(20 * CENT)
    assert anna.channel()["available"] == str(90 * CENT)


def test_of_two_alike_the_one_that_was_sent_is_confirmed(stage: Stage, anna: Payer) -> None:
    stage.chain.give_dollars(anna.address, 2 * DOLLAR)
    anna.deposit(DOLLAR)
    stage.tick()
    operator, gas_money = stage.hub.signer.address, 10**18
    stage.chain.ask("anvil_setBalance", operator, hex(gas_money // 1_000))
    stage.later(61)
    stage.tick()  # too little for gas: nothing is signed any more
    anna.deposit(DOLLAR)
    stage.confirm()
    states = "SELECT state FROM deposit_relay WHERE amount = :amount ORDER BY id"
    assert stage.rows(states, amount=DOLLAR) == [("confirmed",), ("received",)]
    stage.chain.ask("anvil_setBalance", operator, hex(gas_money))
    stage.later(11)
    stage.confirm()
    assert stage.rows(states, amount=DOLLAR) == [("confirmed",), ("confirmed",)]


def test_many_deposits_go_to_the_chain_in_one_transaction(stage: Stage) -> None:
    payers = [Payer(stage, Wallet()) for _ in range(5)]
    for payer in payers:
        payer.open_channel(DOLLAR)
    stage.confirm()
    assert [payer.state() for payer in payers] == ["open"] * 5
    assert stage.rows("SELECT count(DISTINCT transaction_id), count(*) FROM deposit_relay") == [(1, 5)]


def test_one_bad_deposit_fails_alone(stage: Stage) -> None:
    payers = [Payer(stage, Wallet()) for _ in range(4)]
    created = [payer.open_channel(DOLLAR) for payer in payers]
    # The second has spent the money meanwhile.
    stage.chain.send(payers[1].wallet.key, "asset", "transfer", Wallet().address, DOLLAR)
    stage.confirm()
    stage.confirm()
    assert [payer.state() for payer in payers] == ["open", "pending", "open", "open"]
    failed = stage.get(f"/v1/deposits/{created[1]['deposit']['id']}")
    assert failed["state"] == "failed"
    assert failed["reason"].startswith("ERC20InsufficientBalance")


def test_a_relayed_transaction_that_fails_on_chain_is_tried_again_without_the_culprit(stage: Stage) -> None:
    payers = [Payer(stage, Wallet()) for _ in range(3)]
    created = [payer.open_channel(DOLLAR) for payer in payers]
    with stage.chain.mining_paused():
        stage.tick()
        assert stage.rows("SELECT DISTINCT state FROM deposit_relay") == [("sent",)]
        stage.chain.jump_queue(payers[1].wallet.key, "asset", "transfer", Wallet().address, DOLLAR)
        stage.chain.mine()
    stage.confirm()
    stage.confirm()
    assert [payer.state() for payer in payers] == ["open", "pending", "open"]
    states = [stage.get(f"/v1/deposits/{c['deposit']['id']}")["state"] for c in created]
    assert states == ["confirmed", "failed", "confirmed"]
    assert stage.audit().differences == []


def test_a_channel_that_the_payer_opened_alone_is_found(stage: Stage, anna: Payer) -> None:
    anna.deposit_directly(2 * DOLLAR)
    assert anna.state() is None
    stage.tick()
    assert anna.state() is None, "not yet deep enough"
    stage.confirm()
    assert anna.channel()["available"] == str(2 * DOLLAR)
    anna.pay(DOLLAR)
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []


@pytest.mark.parametrize(
    "strange",
    [
        {"receiver": Wallet("x").address},
        {"receiver_authorizer": Wallet("x").address},
        {"withdraw_delay": 900},
    ],
    ids=["receiver", "authorizer", "delay"],
)
def test_a_channel_with_other_terms_takes_no_payments(stage: Stage, anna: Payer, strange: Json) -> None:
    anna.config |= strange
    anna.id = channel_id(stage.facts, anna.config)
    anna.deposit_directly(2 * DOLLAR)
    stage.confirm()
    assert anna.state() in (None, "rejected")
    answer = anna.try_to_pay(CENT)
    assert_problem(answer, *(("unknown-channel", 404) if anna.state() is None else ("channel-not-open", 409)))
    assert stage.audit().differences == []


def test_the_zero_authoriser_lets_the_payers_own_key_pay(stage: Stage, anna: Payer) -> None:
    anna.config["payer_authorizer"] = "0x" + "0" * 40
    anna.config["receiver_authorizer"] = "0x" + "0" * 40
    anna.id = channel_id(stage.facts, anna.config)
    anna.open_channel(DOLLAR)
    stage.confirm()
    assert_problem(anna.try_to_pay(CENT), "invalid-signature", 403)
    anna.wallet.hot_key = anna.wallet.key
    anna.pay(DOLLAR)
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []


# ------------------------------------------------------------------- refusals


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize(
    ("change", "type_"),
    [
        ({"receiver": Wallet("x").address}, "wrong-receiver"),
        ({"token": Wallet("x").address}, "wrong-token"),
        ({"receiver_authorizer": Wallet("x").address}, "wrong-receiver-authorizer"),
        ({"withdraw_delay": DAY - 1}, "withdraw-delay-too-short"),
    ],
)
def test_terms_that_are_not_the_hubs_are_refused(
    stage: Stage, anna: Payer, change: Json, type_: str, language: str
) -> None:
    before = stage.row_counts()
    config = anna.wallet.channel_config(stage.facts, **change)
    answer = _open(anna, config, **{"Accept-Language": language})
    assert_problem(answer, type_, 422)
    assert stage.row_counts() == before
    anna.open_channel(DOLLAR)


@pytest.mark.parametrize(
    ("change", "type_"),
    [
        ({"withdraw_delay": 899}, "invalid-request"),
        ({"withdraw_delay": 2_592_001}, "invalid-request"),
        ({"withdraw_delay": "soon"}, "invalid-request"),
        ({"payer": "0x12"}, "invalid-address"),
        ({"payer": Wallet("x").address.swapcase().replace("0X", "0x")}, "invalid-address"),
        ({"salt": "0x12"}, "malformed-hex"),
        ({"colour": "red"}, "unknown-field"),
    ],
    ids=str,
)
def test_a_malformed_channel_is_refused(stage: Stage, anna: Payer, change: Json, type_: str) -> None:
    before = stage.row_counts()
    deposit = anna.wallet.deposit(stage.facts, anna.config, DOLLAR)
    assert_problem(_open(anna, anna.config | change, deposit), type_, 422)
    assert stage.row_counts() == before


def test_a_deposit_that_the_chain_would_refuse_is_refused(stage: Stage, anna: Payer) -> None:
    now = int(stage.clock.now().timestamp())
    wallet, facts, config = anna.wallet, stage.facts, anna.config
    good = wallet.deposit(facts, config, DOLLAR)
    other = wallet.channel_config(facts)
    bad = {
        "another amount": good | {"amount": str(2 * DOLLAR)},
        "another channel": wallet.deposit(facts, other, DOLLAR),
        "somebody else": Wallet().deposit(facts, config, DOLLAR),
        "expired": wallet.deposit(facts, config, DOLLAR, valid_before=now),
        "too early": wallet.deposit(facts, config, DOLLAR, valid_after=now + 60),
        "nothing": wallet.deposit(facts, config, 0),
        "for another collector": wallet.deposit(facts | {"collector": Wallet().address}, config, DOLLAR),
        "on another chain": wallet.deposit(
            facts | {"asset_domain": facts["asset_domain"] | {"chainId": 1}}, config, DOLLAR
        ),
        "no signature": good | {"authorization": good["authorization"] | {"signature": "0x"}},
        "another salt": good | {"authorization": good["authorization"] | {"salt": "0x" + "00" * 32}},
    }
    before = stage.row_counts()
    for what, deposit in bad.items():
        for language in ("ko", "en"):
            answer = _open(anna, config, deposit, **{"Accept-Language": language})
            assert assert_problem(answer, "invalid-deposit", 422)["detail"], what
    assert stage.row_counts() == before
    assert _open(anna, config, good).status_code == 202
    stage.confirm()
    assert anna.state() == "open"


def test_an_authorisation_is_taken_once(stage: Stage, anna: Payer) -> None:
    deposit = anna.wallet.deposit(stage.facts, anna.config, DOLLAR)
    first = _open(anna, anna.config, deposit)
    again = assert_problem(_open(anna, anna.config, deposit), "invalid-deposit", 422)
    assert first.json()["deposit"]["id"] in again["detail"]
    stage.confirm()
    assert_problem(_open(anna, anna.config, deposit), "invalid-deposit", 422)
    assert anna.channel()["available"] == str(DOLLAR)


def test_a_deposit_whose_money_is_gone_fails_with_the_chains_reason(stage: Stage) -> None:
    anna = Payer(stage, Wallet())
    created = anna.open_channel(DOLLAR)
    stage.chain.send(anna.wallet.key, "asset", "transfer", Wallet().address, DOLLAR)
    stage.confirm()
    deposit = stage.get(f"/v1/deposits/{created['deposit']['id']}")
    assert deposit["state"] == "failed"
    assert deposit["reason"].startswith("ERC20InsufficientBalance")
    assert stage.rows("SELECT count(*) FROM chain_transaction") == [(0,)], "no gas was spent on it"


def test_an_unknown_deposit_is_not_found(shared_stage: Stage) -> None:
    answer = shared_stage.client.get("/v1/deposits/dep_none", headers={"Accept-Language": "ko"})
    assert_problem(answer, "not-found", 404)


# ----------------------------------------------------------- other people's tokens


def test_a_token_of_somebody_elses_making_cannot_stop_the_books(stage: Stage, anna: Payer) -> None:
    """Anyone may open a channel to our contract in any token, and claim from it if they named the authoriser: with
    amounts that no column holds."""
    chain, eve = stage.chain, Wallet()
    trick = chain.deploy("TrickToken")
    amount = 2**120
    chain.send_to(eve.key, trick, "mint", eve.address, amount)
    mallory = Payer(stage, eve)
    mallory.config |= {"token": trick.address, "receiver_authorizer": eve.address, "withdraw_delay": 900}
    mallory.id = channel_id(stage.facts, mallory.config)
    domain = {"name": "Trick Token", "version": "1", "chainId": 31337, "verifyingContract": trick.address}
    mallory.bring_deposit(amount, stage.facts | {"asset_domain": domain})
    mallory.claim(amount)
    chain.send(eve.key, "channels", "settle", stage.facts["settlement"], trick.address)
    anna.open_channel(DOLLAR)
    stage.confirm()
    stage.confirm()
    assert mallory.state() == "rejected"
    assert stage.rows("SELECT count(*) FROM outbox_event WHERE handled_at IS NULL") == [(0,)]
    anna.pay(DOLLAR)
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []


def test_money_that_a_stranger_gives_to_the_reserve_is_booked_as_such(stage: Stage) -> None:
    """A channel of our asset and our receiver, but with a stranger as authoriser, who claims from it."""
    chain, eve = stage.chain, Wallet()
    mallory = Payer(stage, eve)
    mallory.config |= {"receiver_authorizer": eve.address}
    mallory.id = channel_id(stage.facts, mallory.config)
    mallory.deposit_directly(3 * DOLLAR)
    mallory.claim(DOLLAR)
    stage.confirm()
    assert mallory.state() == "rejected"
    chain.send(eve.key, "channels", "settle", stage.facts["settlement"], chain.deployment.asset)
    stage.confirm()
    assert stage.balance("reserve") == DOLLAR == stage.balance("surplus")
    assert stage.balance("channel", mallory.id) == 2 * DOLLAR
    assert stage.audit().differences == []


def test_a_contract_wallet_opens_a_channel_for_a_hot_key(stage: Stage) -> None:
    chain, owner = stage.chain, Wallet()
    wallet = chain.deploy("ContractWallet", owner.address)
    chain.give_dollars(wallet.address, 2 * DOLLAR)
    anna = Payer(stage, owner)
    anna.config["payer"] = wallet.address
    anna.id = channel_id(stage.facts, anna.config)
    deposit = owner.deposit(stage.facts, anna.config, DOLLAR, holder=wallet.address)
    forged = _open(anna, anna.config, deposit | {"amount": str(2 * DOLLAR)})
    assert_problem(forged, "invalid-deposit", 422)
    assert _open(anna, anna.config, deposit).status_code == 202
    stage.confirm()
    assert stage.rows("SELECT state FROM deposit_relay ORDER BY id") == [("confirmed",)]
    anna.pay(DOLLAR)
    stage.settle()
    assert stage.gift_tokens(wallet.address) == DOLLAR
    assert stage.audit().differences == []


def test_a_hub_may_ask_for_a_longer_withdrawal_delay(open_stage: StageFactory) -> None:
    stage = open_stage(withdraw_delay_s=2 * DAY)
    anna = stage.payer()
    assert anna.config["withdraw_delay"] == 2 * DAY
    config = anna.wallet.channel_config(stage.facts, withdraw_delay=DAY)
    assert_problem(_open(anna, config), "withdraw-delay-too-short", 422)
