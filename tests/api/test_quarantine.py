"""A channel for which the contract refuses a batch is set aside, all others are settled, and an operator has it retried or
refunded; with a restart between all steps."""

import httpx
import pytest

from taesan.settlement import suspects
from tests.support import databases
from tests.support.commands import run_here
from tests.support.contract_payer import fund
from tests.support.problems import assert_problem
from tests.support.signing import ZERO_ADDRESS
from tests.support.stage import CENT, DOLLAR, OPERATOR_KEY, Json, Merchant, Payer, Stage, key
from tests.support.wallet import config_tuple, raw

pytestmark = pytest.mark.database("sqlite", "postgresql")

DEPOSIT = 10 * DOLLAR
# An asset of which everybody has plenty and whose issuer has stopped it: `balanceOf` answers, all else reverts.
MOVES_NOTHING = "0x60003560e01c6370a0823114601457" + "60006000fd" + "5b64ffffffffff60005260206000f3"


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    return stage.merchant()


@pytest.fixture
def anna(stage: Stage, cafe: Merchant) -> Payer:
    """Has paid two dollars to the café, fired one out of her jar, and gathered forty cents."""
    anna = stage.payer(DEPOSIT)
    anna.pay(2 * DOLLAR, cafe)
    anna.pay(DOLLAR)
    anna.pay(40 * CENT)
    return anna


@pytest.fixture
def bora(stage: Stage, cafe: Merchant) -> Payer:
    """Has paid a dollar to the café and fired one out of the jar."""
    bora = stage.payer(DEPOSIT)
    bora.pay(DOLLAR, cafe)
    bora.pay(DOLLAR)
    return bora


def empty(stage: Stage, payer: Payer, amount: int = DEPOSIT) -> None:
    """As a thief of the operator's key would, or the operator by mistake: what payments need goes back to their payer."""
    stage.chain.send(OPERATOR_KEY, "channels", "refund", config_tuple(payer.config), amount)
    stage.later(11)  # the worker looks again which nonces of its key are used


def listed(stage: Stage) -> list[Json]:
    return list(stage.get("/v1/operator/quarantine", **stage.operator())["items"])


def act(stage: Stage, name: str, id_: str, headers: Json | None = None) -> httpx.Response:
    path = f"/v1/operator/quarantine/{id_}/{name}"
    return stage.client.post(path, headers=stage.operator() | (headers or key()))


def in_quarantine(stage: Stage, *payers: Payer) -> list[str]:
    """Has the payers' channels set aside; the quarantines' ids, oldest first."""
    for payer in payers:
        empty(stage, payer)
    stage.settle()
    stage.restart()
    assert stage.audit().differences == []
    found = listed(stage)
    assert {row["channel_id"] for row in found} == {payer.id for payer in payers}
    return [row["id"] for row in reversed(found)]


def test_one_bad_channel_is_set_aside_and_all_others_are_settled(
    stage: Stage, cafe: Merchant, anna: Payer, bora: Payer
) -> None:
    empty(stage, anna)
    stage.later(61)
    stage.tick()
    stage.restart()
    stage.settle()
    assert stage.batch_states() == ["posted"]
    assert stage.chain.read("settlement", "lastBatchId") == 1
    assert cafe.account()["credit"] == str(DOLLAR)
    assert (stage.gift_tokens(bora.address), stage.gift_tokens(anna.address)) == (DOLLAR, 0)
    (row,) = listed(stage)
    assert row | {"id": "", "since": ""} == {
        "id": "",
        "channel_id": anna.id,
        "payer": anna.address,
        "state": "held",
        "reason": f"channel {anna.id} holds 0, of which 0 are claimed, not {3 * DOLLAR}",
        "batch_id": 1,
        "payments": 3,
        "amount": str(3 * DOLLAR),
        "to_merchants": str(2 * DOLLAR),
        "missing": str(3 * DOLLAR),
        "since": "",
        "ended_at": None,
    }
    report = stage.audit()
    assert report.differences == []
    assert report.counted["missing of channels in quarantine"] == 3 * DOLLAR
    assert (stage.balance("pending", cafe.address), stage.balance("converting", anna.address)) == (2 * DOLLAR, DOLLAR)


@pytest.mark.parametrize("ends", ["refund", "retry"])
def test_firings_without_a_payment_are_set_aside_with_their_channel(stage: Stage, bora: Payer, ends: str) -> None:
    """Nothing else of the channel is in the batch: the refusal is the firing's own."""
    dora = stage.payer(DEPOSIT)
    rule = dora.sign_rule("top-ups", "when I say so")
    rule.pay(60 * CENT)
    stage.settle()
    assert rule.ask("fire").status_code == 200
    rule.pay(30 * CENT)
    (quarantined,) = in_quarantine(stage, dora)
    assert stage.batch_states() == ["posted"], "the first; of the second nothing is left"
    assert stage.gift_tokens(bora.address) == DOLLAR
    if ends == "retry":
        dora.deposit_directly(DEPOSIT)
        stage.confirm()
    assert act(stage, ends, quarantined).status_code == 200
    stage.settle()
    assert stage.gift_tokens(dora.address) == (60 * CENT if ends == "retry" else 0)
    assert rule.shown()["progress"]["gathered"] == "0", "what was in the jar went back with the rest"
    assert stage.audit().differences == []


def test_a_channel_in_quarantine_takes_no_payments_and_holds_up_nobody(
    stage: Stage, cafe: Merchant, anna: Payer, bora: Payer
) -> None:
    in_quarantine(stage, anna)
    answer = anna.try_to_pay(CENT, cafe)
    assert "could not be settled" in assert_problem(answer, "channel-not-open", 409)["detail"]
    assert anna.channel()["state"] == "quarantined"
    bora.pay(DOLLAR, cafe)
    stage.settle()
    stage.settle()
    assert stage.batch_states() == ["posted", "posted"]
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    assert stage.audit().differences == []


def test_before_the_books_know_why_nothing_is_missing(stage: Stage, cafe: Merchant, anna: Payer, bora: Payer) -> None:
    """The simulation sees the newest block, the books only what is deep."""
    stage.chain.send(OPERATOR_KEY, "channels", "refund", config_tuple(anna.config), DEPOSIT)
    stage.later(61)
    stage.tick(2)
    (row,) = listed(stage)
    assert row["missing"] == "0"
    assert stage.audit().differences == []
    stage.confirm()
    assert listed(stage)[0]["missing"] == str(3 * DOLLAR)
    assert stage.audit().differences == []


def test_several_bad_ones_are_set_aside_at_once(stage: Stage, cafe: Merchant, anna: Payer, bora: Payer) -> None:
    carl = stage.payer(DEPOSIT)
    carl.pay(3 * DOLLAR, cafe)
    in_quarantine(stage, anna, bora)
    assert stage.batch_states() == ["posted"]
    assert cafe.account()["credit"] == str(3 * DOLLAR)


def test_if_all_are_bad_there_is_no_batch_and_the_next_has_its_number(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    in_quarantine(stage, anna)
    assert stage.batch_states() == []
    carl = stage.payer(DEPOSIT)
    carl.pay(3 * DOLLAR, cafe)
    stage.settle()
    assert stage.rows("SELECT id, state FROM batch") == [(1, "posted")]
    assert stage.audit().differences == []


# ------------------------------------------------------------------------ retry


def test_a_retry_settles_once_the_deposit_has_come_back(stage: Stage, cafe: Merchant, anna: Payer, bora: Payer) -> None:
    (id_,) = in_quarantine(stage, anna)
    problem = assert_problem(act(stage, "retry", id_), "deposit-missing", 409)
    assert problem["missing"] == str(3 * DOLLAR)
    anna.deposit_directly(4 * DOLLAR)
    stage.confirm()
    assert stage.audit().differences == []
    headers = key()
    answer = act(stage, "retry", id_, headers)
    assert (answer.status_code, answer.json()["state"]) == (200, "retried")
    assert stage.audit().differences == []
    stage.restart()
    again = act(stage, "retry", id_, headers)
    assert (again.json(), again.headers["idempotent-replayed"]) == (answer.json(), "true")
    assert_problem(act(stage, "retry", id_), "quarantine-ended", 409)
    assert_problem(act(stage, "refund", id_, headers), "idempotency-key-reused", 422)
    stage.settle()
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert (stage.balance("shortfall"), stage.balance("channel", anna.id)) == (0, DOLLAR)
    assert stage.chain.read("channels", "channels", raw(anna.id)) == [4 * DOLLAR, 3 * DOLLAR]
    assert stage.audit().differences == []


def test_a_deposit_that_comes_before_the_batch_makes_good_at_once(
    stage: Stage, cafe: Merchant, anna: Payer, bora: Payer
) -> None:
    empty(stage, anna)
    stage.confirm()
    assert stage.balance("shortfall") == 3 * DOLLAR
    anna.deposit_directly(2 * DOLLAR)
    anna.deposit_directly(2 * DOLLAR)
    stage.settle()
    assert stage.rows("SELECT * FROM quarantine") == []
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    assert (stage.balance("shortfall"), stage.balance("channel", anna.id)) == (0, DOLLAR)
    assert stage.audit().differences == []


def test_a_retry_too_early_is_set_aside_again(stage: Stage, cafe: Merchant, anna: Payer, bora: Payer) -> None:
    stage.chain.send(OPERATOR_KEY, "channels", "refund", config_tuple(anna.config), DEPOSIT)
    stage.later(61)
    stage.tick(2)
    first = listed(stage)[0]["id"]
    assert act(stage, "retry", first).status_code == 200
    stage.settle()
    stage.settle()
    rows = listed(stage)
    assert [row["state"] for row in rows] == ["held", "retried"]
    assert cafe.account()["credit"] == str(DOLLAR)
    assert stage.audit().differences == []


# ----------------------------------------------------------------------- refund


def test_a_refund_is_paid_by_the_surplus(stage: Stage, cafe: Merchant, anna: Payer, bora: Payer) -> None:
    (id_,) = in_quarantine(stage, anna)
    problem = assert_problem(act(stage, "refund", id_), "surplus-too-small", 409)
    assert problem["missing"] == str(2 * DOLLAR)
    fund(stage, 2 * DOLLAR - 1)
    assert assert_problem(act(stage, "refund", id_), "surplus-too-small", 409)["missing"] == "1"
    fund(stage, DOLLAR)
    answer = act(stage, "refund", id_)
    assert (answer.status_code, answer.json()["state"]) == (200, "refunded")
    assert (stage.balance("shortfall"), stage.balance("surplus")) == (0, DOLLAR - 1)
    assert (stage.balance("converting", anna.address), stage.balance("jar", anna.id)) == (0, 0)
    assert anna.state() == "closed"
    assert stage.audit().differences == []
    stage.restart()
    stage.settle()
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    assert stage.gift_tokens(anna.address) == 0, "she has her money back"
    assert stage.rows("SELECT count(*) FROM payment WHERE batch_id IS NULL") == [(0,)]
    assert stage.audit().differences == []
    cafe.order_payout(3 * DOLLAR)
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", cafe.address) == 3 * DOLLAR
    assert stage.audit().differences == []


def test_what_is_still_on_the_chain_is_the_payers_again(stage: Stage, cafe: Merchant, anna: Payer, bora: Payer) -> None:
    """Half of what is needed is left: she gets that too, and whoever claims it after all gives it to the surplus."""
    empty(stage, anna, DEPOSIT - 150 * CENT)
    stage.settle()
    fund(stage, 2 * DOLLAR)
    (row,) = listed(stage)
    assert row["missing"] == str(150 * CENT)
    assert act(stage, "refund", row["id"]).status_code == 200
    assert stage.balance("channel", anna.id) == 150 * CENT
    assert stage.audit().differences == []
    anna.announce_withdrawal(150 * CENT)
    stage.settle()
    anna.finish_withdrawal()
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", anna.address) == DEPOSIT
    assert stage.chain.read("asset", "balanceOf", stage.facts["settlement"]) == 4 * DOLLAR
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    assert stage.audit().differences == []


def test_a_voucher_claimed_after_its_refund_gives_the_surplus_its_money_back(
    stage: Stage, cafe: Merchant, anna: Payer, bora: Payer
) -> None:
    (id_,) = in_quarantine(stage, anna)
    fund(stage, 2 * DOLLAR)
    assert act(stage, "refund", id_).status_code == 200
    anna.deposit_directly(2 * DOLLAR)
    stage.confirm()
    claim = ((config_tuple(anna.config), anna.charged), raw(anna.wallet.voucher(stage.facts, anna.id, anna.charged)))
    stage.chain.send(OPERATOR_KEY, "channels", "claim", [(*claim, 2 * DOLLAR)])
    stage.later(11)
    stage.settle()
    assert (stage.balance("surplus"), stage.balance("channel", anna.id)) == (2 * DOLLAR, 0)
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    assert stage.audit().differences == []


def test_a_refund_waits_for_an_earlier_batch_of_the_channel(
    stage: Stage, cafe: Merchant, anna: Payer, bora: Payer
) -> None:
    fund(stage, 5 * DOLLAR)
    stage.later(61)
    stage.tick(2)
    assert stage.batch_states() == ["mined"]
    anna.pay(DOLLAR, cafe)
    empty(stage, anna, DEPOSIT - 3 * DOLLAR)
    stage.later(61)
    stage.tick()
    (row,) = listed(stage)
    assert_problem(act(stage, "refund", row["id"]), "batch-on-its-way", 409)
    stage.settle()
    assert act(stage, "refund", row["id"]).status_code == 200
    stage.settle()
    assert cafe.account()["credit"] == str(4 * DOLLAR)
    assert stage.balance("surplus") == 4 * DOLLAR
    assert stage.audit().differences == []


# ---------------------------------------------------------- refusals that name nobody


def test_a_refusal_that_names_nobody_is_traced_to_its_channel(stage: Stage, cafe: Merchant, bora: Payer) -> None:
    """A credit to nobody: the contract refuses the whole batch and does not say which."""
    nobody = stage.merchant("Nobody")
    databases.execute(
        stage.settings.database_url, f"UPDATE merchant SET address = '{ZERO_ADDRESS}' WHERE id = '{nobody.id}'"
    )
    crowd = [stage.payer(DEPOSIT) for _ in range(4)]
    for payer in crowd:
        payer.pay(DOLLAR, cafe)
    carl = crowd[2]
    carl.pay(DOLLAR, nobody)
    stage.settle()
    (row,) = listed(stage)
    assert (row["channel_id"], row["reason"]) == (carl.id, "GiftSettlement_ZeroAddress()")
    assert cafe.account()["credit"] == str(4 * DOLLAR)
    assert stage.gift_tokens(bora.address) == DOLLAR
    assert stage.audit().differences == []


@pytest.mark.parametrize("paused", ["contract", "asset"])
def test_what_stops_everything_is_nobodys_fault(stage: Stage, cafe: Merchant, anna: Payer, paused: str) -> None:
    asset = stage.chain.deployment.asset
    code = stage.chain.ask("eth_getCode", asset, "latest")
    if paused == "contract":
        stage.chain.send(OPERATOR_KEY, "settlement", "pause")
    else:
        stage.chain.ask("anvil_setCode", asset, MOVES_NOTHING)
    stage.later(61)
    stage.tick(2)
    assert stage.batch_states() == ["frozen"]
    assert listed(stage) == []
    if paused == "contract":
        stage.chain.send(OPERATOR_KEY, "settlement", "unpause")
    else:
        stage.chain.ask("anvil_setCode", asset, code)
    stage.later(11)
    stage.settle()
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    assert stage.audit().differences == []


def test_a_crowd_that_is_refused_is_nobodys_fault(
    stage: Stage, cafe: Merchant, anna: Payer, bora: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = stage.merchant("Nobody")
    databases.execute(
        stage.settings.database_url, f"UPDATE merchant SET address = '{ZERO_ADDRESS}' WHERE id = '{nobody.id}'"
    )
    monkeypatch.setattr(suspects, "MOST", 1)
    anna.pay(CENT, nobody)
    bora.pay(CENT, nobody)
    stage.later(61)
    stage.tick(2)
    assert stage.batch_states() == ["frozen"]
    assert stage.get("/v1/batches/1")["last_error"] == "GiftSettlement_ZeroAddress()"


# -------------------------------------------------------------------- the command


def _command(stage: Stage, *arguments: str) -> tuple[int, str]:
    return run_here("quarantine", *arguments, environment=stage.environment)


def test_the_command_lists_refuses_and_refunds(stage: Stage, cafe: Merchant, anna: Payer, bora: Payer) -> None:
    assert "Nothing is in quarantine." in _command(stage, "list")[1]
    (id_,) = in_quarantine(stage, anna)
    code, output = _command(stage, "list")
    assert code == 0
    for told in (
        id_,
        "holds 0",
        "3 payments; not settled 3,000,000, of which to merchants 2,000,000; missing 3,000,000",
    ):
        assert told in output
    code, output = _command(stage, "retry", id_)
    assert (code, "Have 3000000 minor units deposited" in output) == (2, True), output
    code, output = _command(stage, "refund", id_)
    assert (code, "pay in 2000000" in output) == (2, True), output
    fund(stage, 2 * DOLLAR)
    code, output = _command(stage, "refund", id_)
    assert (code, output.splitlines()[-1]) == (0, f"{id_} is refunded.")
    assert _command(stage, "refund", "qua_none")[0] == 2
    (action,) = stage.get("/v1/operator/actions", **stage.operator())["items"]
    assert (action["operator"], action["action"], action["ref"]) == ("cli", "quarantine.refunded", id_)
    stage.settle()
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    assert stage.audit().differences == []


# ---------------------------------------------------------------------- the audit


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE quarantine SET amount = amount + 1", "payments and amount in quarantine"),
        ("UPDATE quarantine SET payments = payments - 1", "in a batch, waiting for one, or in quarantine"),
        ("UPDATE quarantine SET state = 'refunded'", "channels in quarantine"),
        ("UPDATE channel SET quarantine_id = NULL", "shortfall"),
        ("UPDATE channel SET missing = missing - 1 WHERE missing > 0", "unclaimed of channel"),
    ],
)
def test_a_forged_quarantine_is_told(
    stage: Stage, cafe: Merchant, anna: Payer, bora: Payer, statement: str, told: str
) -> None:
    in_quarantine(stage, anna)
    databases.forge(stage.settings.database_url, statement)
    assert any(told in difference for difference in stage.audit().differences)
