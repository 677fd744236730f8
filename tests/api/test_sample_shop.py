"""The sample shop is a paywall: what it sells is told to whoever has paid for it, and to nobody else."""

from typing import Any

import pytest

from taesan.chain import local
from tests.support.problems import assert_problem
from tests.support.stage import Merchant, Payer, Stage, StageFactory
from tests.support.wallet import Wallet

ARTICLE, CLUB = "article-dust", "club-letters"


@pytest.fixture
def shop(open_stage: StageFactory) -> tuple[Stage, Merchant]:
    stage = open_stage(sample_shop=Wallet("Ridge").address)
    object.__setattr__(stage.hub, "put_forward", local.ChainClock(stage.hub.node, stage.clock))  # it is a local hub
    return stage, Merchant(stage, Wallet("Ridge"), "Ridge")


def _good(payer: Payer, name: str, language: str = "en") -> Any:
    answer = payer.stage.client.get("/v1/sample-shop", headers={**payer.headers(), "accept-language": language})
    assert answer.status_code == 200, answer.text
    return next(good for good in answer.json()["goods"] if good["id"] == name)


def test_content_is_told_to_whoever_has_paid_enough(shop: tuple[Stage, Merchant]) -> None:
    stage, ridge = shop
    anna, ben, other = stage.payer(), stage.payer(), stage.merchant()
    price = int(_good(anna, ARTICLE)["amount"])
    anna.pay(price - 1, ridge, reference=ARTICLE)
    anna.pay(price, ridge)
    anna.pay(price, other, reference=ARTICLE)
    assert _good(anna, ARTICLE)["content"] is None
    anna.pay(price, ridge, reference=ARTICLE)
    assert "sheet of paper" in _good(anna, ARTICLE)["content"][0]
    assert "종이" in _good(anna, ARTICLE, "ko")["content"][0]
    assert _good(anna, "item-lantern")["picture"] is None
    assert _good(ben, ARTICLE)["content"] is None


def test_a_subscription_is_open_for_as_long_as_was_paid(shop: tuple[Stage, Merchant]) -> None:
    stage, ridge = shop
    anna = stage.payer()
    price = int(_good(anna, CLUB)["amount"])
    anna.pay(price, ridge, reference=CLUB)
    anna.pay(price, ridge, reference=CLUB)
    stage.later(119)
    assert len(_good(anna, CLUB)["content"]) == 1
    stage.later(1)
    closed = _good(anna, CLUB)
    assert closed["content"] is None
    assert closed["paid_until"] is not None


def test_a_hub_without_one_says_so(shop: tuple[Stage, Merchant]) -> None:
    stage, _ = shop
    headers = stage.session_of(Wallet("Ben"))
    assert stage.client.get("/v1/sample-shop", headers=headers).status_code == 200
    object.__setattr__(stage.hub, "put_forward", None)  # a chain that is not this machine's own
    assert_problem(stage.client.get("/v1/sample-shop", headers=headers), "no-sample-shop", 404)
