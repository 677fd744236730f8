"""The sample shop: what a subscription's payments are good for, who is paid, and that its goods speak Korean."""

from datetime import UTC, datetime, timedelta

import pytest

from taesan.demo import folder, sample_shop
from taesan.web.sample_goods import GOODS, texts
from taesan.web.sample_shop import paid_until
from tests.support.korean import assert_told_in_korean

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("paid_s", "until_s"),
    [([], None), ([0], 60), ([0, 10], 120), ([0, 60], 120), ([0, 300], 360), ([0, 10, 20, 300], 360)],
)
def test_each_payment_of_a_subscription_adds_a_period_to_what_is_left(paid_s: list[int], until_s: int | None) -> None:
    until = paid_until([NOON + timedelta(seconds=s) for s in paid_s], 60)
    assert until == (None if until_s is None else NOON + timedelta(seconds=until_s))


def test_goods_are_told_in_korean() -> None:
    assert_told_in_korean(texts())


def test_goods_are_bought_by_their_own_names() -> None:
    assert len({good.id for good in GOODS}) == len(GOODS)
    assert all(good.price > 0 and good.content for good in GOODS)
    assert all((good.kind == "subscription") == (good.period_s is not None) for good in GOODS)


def test_the_merchant_of_a_local_hub_is_the_one_that_the_demo_registers() -> None:
    assert sample_shop.KEY.address == folder.SAMPLE_SHOP
