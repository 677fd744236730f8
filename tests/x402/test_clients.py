"""Unmodified clients of PyPI and npm, a merchant with our paywall, a hub: each a process of its own."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.live import LiveHub
from tests.support.stage import CENT
from tests.support.wallet import Json
from tests.x402.conftest import Customer, Killed, Shop

MakeCustomer = Callable[[], Customer]
REQUESTS = 30
WAYS = {"PyPI": Customer.pay_by_python, "npm": Customer.pay_by_npm}


def _settled(hub: LiveHub) -> None:
    """All that was paid is on the chain, and the books hold."""
    hub.wait_until(lambda o: o["counts"]["payments_waiting"] == 0 and o["batches"][0]["state"] == "posted")
    assert hub.audit().differences == []


def test_both_pay_many_requests_at_the_same_time(live_hub: LiveHub, shop: Shop, customer: MakeCustomer) -> None:
    payers = {name: customer() for name in WAYS}
    with ThreadPoolExecutor() as threads:
        running = {n: threads.submit(WAYS[n], payers[n], [f"{shop.url}/weather"] * REQUESTS) for n in WAYS}
        told = {name: future.result() for name, future in running.items()}
    for name, answers in told.items():
        assert [a["status"] for a in answers] == [200] * REQUESTS, name
        charged = [int(a["receipt"]["extra"]["channelState"]["chargedCumulativeAmount"]) for a in answers]
        assert charged == [CENT * n for n in range(1, REQUESTS + 1)]
        assert [a["receipt"]["extra"]["chargedAmount"] for a in answers] == [str(CENT)] * REQUESTS
        deposits = [a["receipt"]["transaction"] for a in answers if a["receipt"]["transaction"]]
        assert len(set(deposits)) == len(deposits) == 2, "a quarter of a dollar at a time"
        assert payers[name].charged() == REQUESTS * CENT
    runs = [json.loads(a["body"])["run"] for answers in told.values() for a in answers]
    assert len(set(runs)) == 2 * REQUESTS, "each got an answer of its own"
    _settled(live_hub)


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_has_forgotten_all_finds_its_place_again(
    shop: Shop, customer: MakeCustomer, way: str, tmp_path: object
) -> None:
    payer, pay = customer(), WAYS[way]
    assert [a["status"] for a in pay(payer, [f"{shop.url}/reports/{n}" for n in range(3)])] == [200] * 3
    payer.folder = payer.folder / "empty"
    told = pay(payer, [f"{shop.url}/reports/{n}" for n in range(10, 13)])
    assert [a["status"] for a in told] == [200] * 3
    assert [a["receipt"]["transaction"] for a in told] == [""] * 3, "no second deposit"
    assert payer.charged() == 6 * 2 * CENT


def test_a_client_that_was_killed_before_it_read_the_answer_goes_on_without_paying_twice(
    shop: Shop, customer: MakeCustomer
) -> None:
    anna = customer()
    anna.pay_by_python([f"{shop.url}/weather"])
    with pytest.raises(Killed):
        anna.pay_by_python([f"{shop.url}/weather?day=2"], dies=True)
    assert anna.charged() == 2 * CENT, "it has paid"
    (again,) = anna.pay_by_python([f"{shop.url}/weather?day=2"])
    assert (again["status"], again["receipt"]["extra"]["chargedAmount"]) == (200, str(CENT))
    assert anna.charged() == 2 * CENT, "once"
    (other,) = anna.pay_by_python([f"{shop.url}/weather?day=3"])
    assert other["status"] == 200
    assert anna.charged() == 3 * CENT


def test_a_client_that_was_killed_over_its_deposit_does_not_deposit_twice(shop: Shop, customer: MakeCustomer) -> None:
    anna = customer()
    with pytest.raises(Killed):
        anna.pay_by_python([f"{shop.url}/weather"], dies=True)
    (again,) = anna.pay_by_python([f"{shop.url}/weather"])
    assert again["status"] == 200
    assert anna.charged() == CENT
    assert _deposits(anna) == [25 * CENT]


@pytest.mark.parametrize("way", WAYS)
def test_a_client_gets_its_free_money_back_and_comes_again(shop: Shop, customer: MakeCustomer, way: str) -> None:
    payer, pay = customer(), WAYS[way]
    url = f"{shop.url}/weather"
    *_, refund = pay(payer, [url] * 3, refund=url)
    assert (refund["success"], refund["amount"]) == (True, str(22 * CENT)), refund
    assert _deposits(payer) == [3 * CENT]
    payer.folder = payer.folder / "later"
    (again,) = pay(payer, [url])
    assert again["status"] == 200
    assert payer.charged() == 4 * CENT


def _deposits(payer: Customer) -> list[int]:
    channels: list[Json] = payer.hub.client.get("/v1/channels", headers=payer.hub.session_of(payer.wallet)).json()[
        "items"
    ]
    return [int(c["available"]) + int(c["charged_cumulative"]) for c in channels]
