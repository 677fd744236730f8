"""A payer takes back what is free in her channel, signed in, without gas: only that, only she, and once."""

import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, StageFactory, key


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    return stage.merchant()


@pytest.fixture
def anna(stage: Stage, cafe: Merchant) -> Payer:
    """Of a dollar she has paid thirty cents to the café, and twenty into her jar."""
    anna = stage.payer(DOLLAR)
    anna.pay(30 * CENT, cafe)
    anna.pay(20 * CENT)
    return anna


def _path(payer: Payer) -> str:
    return f"/v1/channels/{payer.id}/refunds"


@pytest.mark.database("sqlite", "postgresql")
def test_all_that_is_free_comes_back_once_and_the_rest_stays(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    headers = anna.headers() | key()
    asked = stage.client.post(_path(anna), json={}, headers=headers)
    assert (asked.status_code, asked.json()["amount"], asked.json()["state"]) == (202, str(50 * CENT), "received")
    assert_problem(anna.try_to_pay(CENT, cafe), "channel-not-open", 409)
    assert stage.client.post(_path(anna), json={}, headers=headers).json() == asked.json(), "the same again"
    assert_problem(stage.client.post(_path(anna), json={}, headers=anna.headers() | key()), "channel-not-open", 409)
    stage.confirm()
    (done,) = stage.get(_path(anna), **anna.headers())["items"]
    assert (done["state"], done["transaction"][:2]) == ("confirmed", "0x")
    assert stage.chain.read("asset", "balanceOf", anna.address) == 50 * CENT
    channel = anna.channel()
    assert (channel["state"], channel["available"], channel["in_jar"]) == ("open", "0", str(20 * CENT))
    assert_problem(stage.client.post(_path(anna), json={}, headers=anna.headers() | key()), "nothing-to-refund", 409)
    stage.settle()
    assert stage.audit().differences == []
    assert cafe.account()["credit"] == str(30 * CENT)


def test_a_part_leaves_the_rest_and_too_much_leaves_everything(stage: Stage, anna: Payer) -> None:
    before = stage.row_counts()
    for amount, problem in ((50 * CENT + 1, "nothing-to-refund"), (0, "nothing-to-refund")):
        answer = stage.client.post(_path(anna), json={"amount": str(amount)}, headers=anna.headers() | key())
        assert_problem(answer, problem, 409)
    for wrong in ({"amount": "-1"}, {"amount": "x"}, {"all": True}):
        assert stage.client.post(_path(anna), json=wrong, headers=anna.headers() | key()).status_code == 422
    assert {t: n for t, n in stage.row_counts().items() if t != "login_session" and n != before[t]} == {}
    answer = stage.client.post(_path(anna), json={"amount": str(10 * CENT)}, headers=anna.headers() | key())
    assert answer.status_code == 202
    stage.confirm()
    assert anna.channel()["available"] == str(40 * CENT)


def test_nobody_else_asks_for_it_even_with_her_key(stage: Stage, anna: Payer) -> None:
    """The first answer to a key is not told to a stranger who sends the same one."""
    used, ben = key(), stage.payer(DOLLAR)
    assert stage.client.post(_path(anna), json={}, headers=anna.headers() | used).status_code == 202
    assert_problem(stage.client.post(_path(anna), json={}, headers=ben.headers() | used), "forbidden", 403)
    assert_problem(stage.client.get(_path(anna), headers=ben.headers()), "forbidden", 403)
    assert_problem(stage.client.post(_path(anna), json={}, headers=key()), "unauthorized", 401)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_hub_pays_gas_only_so_often(open_stage: StageFactory, language: str) -> None:
    stage = open_stage(refund_every_s=3_600)
    anna = stage.payer(DOLLAR)
    part = {"amount": str(CENT)}
    assert stage.client.post(_path(anna), json=part, headers=anna.headers() | key()).status_code == 202
    stage.confirm()
    answer = stage.client.post(_path(anna), json=part, headers=anna.headers() | key() | {"Accept-Language": language})
    assert_problem(answer, "refund-too-soon", 409)
    assert 0 < int(answer.headers["retry-after"]) <= 3_600
    stage.later(3_600)
    assert stage.client.post(_path(anna), json=part, headers=anna.headers() | key()).status_code == 202


def test_a_channel_tells_all_that_a_withdrawal_without_the_hub_needs(stage: Stage, anna: Payer) -> None:
    told = anna.channel()
    assert {name: told[name] for name in anna.config} == anna.config
