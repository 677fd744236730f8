"""What moves in a person's small money: followed as it comes, filled in from before, each once, and gone when she wants it gone."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from taesan.insights.movements import KINDS
from tests.support import gifts
from tests.support import x402_exact as exact
from tests.support.gateway import Gateway, payment
from tests.support.insights import SEOUL, ask_for_insights, link_wallet, number_of, pays, read_all
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, key
from tests.support.wallet import Json, Wallet
from tests.support.x402_asked import asked as asked_of_x402

pytestmark = pytest.mark.database("sqlite", "postgresql")
Line = tuple[str, str, str, str, str, int]


def lines(stage: Stage, headers: Json) -> list[Line]:
    """(source, kind, merchant, category, asset, amount) of each."""
    items = stage.get("/v1/insights/movements?limit=500", **headers)["items"]
    names = ("source", "kind", "merchant", "category", "asset")
    return sorted((*(item[name] for name in names), int(item["amount"])) for item in items)  # type: ignore[misc]


def _spend(stage: Stage, anna: Payer) -> list[Line]:
    """In all ways that a channel has, and what was given back. Returns what moved."""
    cafe, friend = stage.merchant("Café Dust"), Wallet().address
    anna.pay(2 * DOLLAR, cafe)
    stage.settle()  # and so it has credit for a campaign
    campaign = {"name": "x", "rate": 1_000, "budget": str(DOLLAR), "ends_at": "2999-01-01T00:00:00Z"}
    assert stage.client.post("/v1/campaigns", json=campaign, headers=cafe.headers | key()).status_code == 201
    paid = anna.pay(DOLLAR, cafe)["id"]
    stage.tick()
    invoice = cafe.invoice(70, metadata={"category": "coffee"})
    assert anna.pay_invoice(invoice).status_code == 201
    anna.pay(3 * CENT, destination={"type": "person", "address": friend})
    anna.pay(CENT)
    anna.set_rule(round_up_step=str(DOLLAR))
    elsewhere = {"asset": "USD", "exponent": 2, "merchant_id": "Blue Bottle", "category": "coffee"}
    anna.pay(23 * CENT, purchase=elsewhere | {"value": "1177"})
    anna.pay(40 * CENT, purchase={"value": "360", "asset": "USD", "merchant_id": cafe.id})
    # The round-up of a payment that was made here is not another purchase.
    anna.pay(30 * CENT, purchase={"value": "70", "asset": "USD"}, reference=paid)
    stage.tick()
    for of, amount in ((paid, 20 * CENT), (cafe.record(invoice)["paid_by"], None)):
        assert cafe.refund(of, amount).status_code == 202
    stage.settle()
    _spend_past_the_channel(stage, anna, cafe)
    dollar, gift = stage.hub.asset.id, stage.hub.gift.id
    found: list[Line] = [
        ("hub", "spent", "café dust", "", dollar, 2 * DOLLAR),
        ("hub", "spent", "café dust", "", dollar, DOLLAR),
        ("hub", "spent", "café dust", "coffee", dollar, 70 * CENT),
        ("hub", "spent", friend, "", dollar, 3 * CENT),
        ("hub", "gathered", "", "", dollar, CENT),
        ("hub", "gathered", "blue bottle", "coffee", dollar, 23 * CENT),
        ("hub", "spent", "blue bottle", "coffee", "USD", 1177),
        ("hub", "gathered", "café dust", "", dollar, 40 * CENT),
        ("hub", "spent", "café dust", "", "USD", 360),
        ("hub", "gathered", "", "", dollar, 30 * CENT),
        ("hub", "gathered", "", "", dollar, CENT),
        ("hub", "gathered", "", "", dollar, CENT),
        ("hub", "rewarded", "café dust", "", dollar, 10 * CENT),
        ("hub", "rewarded", "café dust", "", dollar, 7 * CENT),
        ("hub", "refunded", "café dust", "", dollar, 18 * CENT),  # without its part of the reward
        ("hub", "refunded", "café dust", "coffee", dollar, 63 * CENT),
        ("hub", "spent", "café dust", "", dollar, 9 * CENT),
        ("hub", "spent", "café dust", "cake", gift, 8 * CENT),
        ("hub", "spent", "café dust", "", gift, 5 * CENT),
        ("hub", "refunded", "café dust", "", gift, 2 * CENT),
        ("hub", "refunded", "café dust", "cake", gift, 8 * CENT),
    ]
    return sorted(found)


def _spend_past_the_channel(stage: Stage, anna: Payer, cafe: Merchant) -> None:
    """A direct payment, and two redemptions, of which one pays an invoice and one is given back in part. Round-ups of them."""
    stage.chain.give_dollars(anna.address, 9 * CENT)
    offer = exact.requirements(stage, cafe, 9 * CENT)
    answer = stage.client.post("/x402/settle", json=asked_of_x402(offer, exact.transfer(anna.wallet, offer)))
    assert answer.status_code == 200, answer.text
    invoice = cafe.invoice(8, metadata={"category": "cake"})
    assert anna.pay_invoice_in_tokens(invoice).status_code == 202
    redeemed = cafe.redeem(anna.wallet, 5 * CENT).json()["id"]
    stage.later(stage.settings.exact_gather_s + 1)
    stage.confirm()
    (direct,) = stage.rows("SELECT public_id FROM direct_payment WHERE payer = :payer", payer=anna.address)
    for paid in (redeemed, direct[0]):
        anna.pay(CENT, purchase={"value": "99", "asset": "USD"}, reference=paid)
    for of, amount in ((redeemed, 2 * CENT), (cafe.record(invoice)["paid_by"], None)):
        assert cafe.refund(of, amount).status_code == 202


def _sums_are_the_books(stage: Stage, anna: Payer, days: set[str]) -> None:
    """Whatever left the channel was spent or gathered, and whatever was given back is told. :param days: in Seoul"""
    told = {
        by: stage.get(f"/v1/insights/sums?by={by}", **anna.headers()) for by in ("merchant", "category", "day", "month")
    }
    for by, answer in told.items():
        assert answer["left_out"] == 0
        sums = [s for s in answer["items"] if s["asset"] == stage.hub.asset.id]
        of = {kind: sum(int(s["amount"]) for s in sums if s["kind"] == kind) for kind in KINDS}
        in_channel = of["spent"] + of["gathered"] - 9 * CENT  # which were paid directly
        assert in_channel == anna.charged == 10 * DOLLAR - stage.balance("channel", anna.id), by
        assert of["gathered"] == stage.balance("jar", anna.id)
        given = "SELECT sum(amount) FROM refund WHERE account = :account AND is_reward = :is_reward "
        given += "AND source NOT LIKE 'red_%'"
        assert stage.rows(given, account=anna.address, is_reward=False) == [(of["refunded"],)]
        assert stage.rows(given, account=anna.address, is_reward=True) == [(of["rewarded"],)]
    keys = {by: {s["key"] for s in answer["items"]} for by, answer in told.items()}
    assert keys["day"] <= days
    assert keys["month"] <= {day[:7] for day in days}
    assert keys["category"] == {"", "coffee", "cake"}
    spent = [s for s in told["merchant"]["items"] if (s["kind"], s["exponent"]) == ("spent", 6)]
    assert (spent[0]["key"], spent[0]["count"]) == ("café dust", 4)


def _seoul(stage: Stage) -> str:
    return (stage.clock.now() + timedelta(hours=9)).date().isoformat()


def test_what_is_followed_and_what_is_filled_in_are_the_same(stage: Stage) -> None:
    anna, first_day = stage.payer(), _seoul(stage)
    assert ask_for_insights(stage, anna.headers())["complete"] is False
    read_all(stage, anna.headers())
    moved = _spend(stage, anna)
    stage.tick(2)
    followed = lines(stage, anna.headers())
    assert followed == moved
    assert {kind for _, kind, *_ in followed} == set(KINDS) - {"ungathered", "fee"}

    _sums_are_the_books(stage, anna, {first_day, _seoul(stage)})

    # All of it once more, for somebody who asks afterwards.
    assert stage.client.delete("/v1/insights/me", headers=anna.headers()).status_code == 204
    assert_problem(stage.client.get("/v1/insights/movements", headers=anna.headers()), "no-insights", 404)
    ask_for_insights(stage, anna.headers())
    read_all(stage, anna.headers())
    assert lines(stage, anna.headers()) == followed
    assert stage.rows("SELECT count(DISTINCT owner), count(*) FROM movement") == [(1, len(moved))]


# ------------------------------------------------------------------- gateways


def test_what_gateways_report_is_told_as_it_is_by_now(shared_stage: Stage) -> None:
    stage = shared_stage
    anna, dollar = Wallet(), stage.hub.asset.id
    headers = stage.session_of(anna)
    ask_for_insights(stage, headers)
    gateway, cafe = Gateway(stage), stage.merchant()
    bought, other = payment("anna", 30 * CENT, merchant_id=cafe.id), payment("anna", 20 * CENT)
    gateway.report(bought, other, payment("ben"))
    stage.tick()
    assert lines(stage, headers) == []  # nobody knows yet who that is
    gateway.link("anna", anna)
    read_all(stage, headers)
    spent: list[Line] = [
        ("gateway", "spent", "café dust", "", "USD", 1177),
        ("gateway", "spent", "narae pay", "", "USD", 1177),
    ]
    assert lines(stage, headers) == spent
    gateway.fund()
    stage.tick()
    gathered: list[Line] = [
        ("gateway", "gathered", "café dust", "", dollar, 30 * CENT),
        ("gateway", "gathered", "narae pay", "", dollar, 20 * CENT),
    ]
    assert lines(stage, headers) == gathered + spent
    later = payment("anna", 10 * CENT)
    gateway.report(later)
    stage.tick()
    gateway.refund(bought["id"], later["id"])
    stage.tick()
    told = lines(stage, headers)
    assert sorted({*told} - {*gathered, *spent}) == [
        ("gateway", "gathered", "narae pay", "", dollar, 10 * CENT),
        ("gateway", "refunded", "café dust", "", "USD", 1177),
        ("gateway", "refunded", "narae pay", "", "USD", 1177),
        ("gateway", "ungathered", "café dust", "", dollar, 30 * CENT),
        ("gateway", "ungathered", "narae pay", "", dollar, 10 * CENT),
    ]
    in_books = stage.rows("SELECT public_id FROM gateway_customer WHERE wallet = :wallet", wallet=anna.address)[0][0]
    assert stage.balance("gathered", in_books) == 20 * CENT
    # And the same to who asks only now.
    stage.client.delete("/v1/insights/me", headers=headers)
    ask_for_insights(stage, headers)
    read_all(stage, headers)
    assert lines(stage, headers) == told


# -------------------------------------------------------------------- persons


def test_wallets_are_linked_by_their_own_signature_and_unlinked_with_all_that_moved_there(shared_stage: Stage) -> None:
    stage = shared_stage
    anna, other = stage.payer(), stage.payer()
    other.pay(5 * CENT)
    anna.pay(CENT)
    assert_problem(link_wallet(stage, anna.headers(), other.wallet), "no-insights", 404)
    ask_for_insights(stage, anna.headers())
    nonce = stage.client.post("/v1/auth/nonces").json()["nonce"]
    body = other.wallet.sign_in(nonce, stage.clock.now())
    forged = body | {"signature": anna.wallet.sign_text(body["message"])}
    for sent, status in ((forged, 401), (body, 200), (body, 401)):
        answer = stage.client.post("/v1/insights/me/wallets", json=sent, headers=anna.headers())
        assert answer.status_code == status, answer.text
    assert {w["wallet"] for w in stage.get("/v1/insights/me", **other.headers())["wallets"]} == {
        anna.address,
        other.address,
    }
    read_all(stage, anna.headers())
    other.pay(5 * CENT)
    stage.tick()
    amounts = [line[-1] for line in lines(stage, other.headers())]
    assert sorted(amounts) == [CENT, 5 * CENT, 5 * CENT]
    weekly = [(stage.clock.now().date() - timedelta(days=7 * n), 9_900) for n in range(8)]
    for merchant in ("film", "tunes"):
        told = {"source": "hub", "wallet": other.address}
        pays(stage, number_of(stage, anna.address), merchant, weekly, **told)
    standing = {cost["merchant"]: cost["id"] for cost in stage.get("/v1/insights/recurring", **anna.headers())["items"]}
    judged = stage.client.post(f"/v1/insights/recurring/{standing['film']}/confirm", headers=anna.headers())
    assert (judged.status_code, standing.keys()) == (200, {"film", "tunes"})

    path = f"/v1/insights/me/wallets/{other.address}"
    unlinked = stage.client.delete(path, headers=anna.headers())
    assert [w["wallet"] for w in unlinked.json()["wallets"]] == [anna.address]
    ask_for_insights(stage, other.headers(), zone="UTC")  # a person of its own, at once
    assert_problem(link_wallet(stage, anna.headers(), other.wallet), "wallet-linked", 409)
    read_all(stage, anna.headers())
    read_all(stage, other.headers())
    assert [line[-1] for line in lines(stage, anna.headers())] == [CENT]
    assert [line[-1] for line in lines(stage, other.headers())] == [5 * CENT, 5 * CENT]
    stage.tick()
    assert stage.get("/v1/insights/recurring", **anna.headers())["items"] == []
    assert "FILM" not in stage.client.get("/v1/insights/me/export", headers=anna.headers()).text
    for wallet, type_, status in ((anna.address, "last-wallet", 409), (other.address, "not-found", 404)):
        answer = stage.client.delete(f"/v1/insights/me/wallets/{wallet}", headers=anna.headers())
        assert_problem(answer, type_, status)


def test_another_time_zone_has_other_days_but_not_for_what_a_bank_has_dated(shared_stage: Stage) -> None:
    stage = shared_stage
    anna = stage.payer()
    assert_problem(
        stage.client.put("/v1/insights/me", json=SEOUL | {"zone": "Mars/Base"}, headers=anna.headers()),
        "invalid-request",
        422,
    )
    ask_for_insights(stage, anna.headers())
    read_all(stage, anna.headers())
    anna.pay(CENT)
    stage.tick()
    of_anna = f"WHERE wallet = '{anna.address}'"
    stage.write(f"UPDATE movement SET at = '2026-10-31 15:30:00+00:00', day = '2026-11-01' {of_anna}")
    copy = "owner, at, day, merchant, name, category, asset, exponent, amount"
    stage.write(
        f"INSERT INTO movement ({copy}, source, kind, key) "
        f"SELECT {copy}, 'statement', 'spent', 'line 1' FROM movement {of_anna}"
    )
    assert ask_for_insights(stage, anna.headers(), zone="America/New_York")["complete"] is False
    read_all(stage, anna.headers())
    items = stage.get("/v1/insights/movements", **anna.headers())["items"]
    assert {i["source"]: i["day"] for i in items} == {"statement": "2026-11-01", "hub": "2026-10-31"}
    sums = stage.get("/v1/insights/sums?by=month&from=2026-10-01&to=2026-11-01", **anna.headers())["items"]
    assert [(s["key"], s["kind"], s["count"]) for s in sums] == [("2026-10", "gathered", 1)]


def _give(stage: Stage, wallet: Wallet) -> str:
    """A gift link, with a name on it; returns its id."""
    ends = int(stage.clock.now().timestamp()) + 3_600
    link = gifts.Link(stage.facts, wallet, CENT, ends, message="생일 축하해!", sender_name="Anna")
    answer = gifts.post(stage, "/v1/gifts", link.body)
    assert answer.status_code == 201, answer.text
    gifts.gather(stage)
    return str(answer.json()["id"])


def _words(stage: Stage, gift: str) -> tuple[str, str, str]:
    told = stage.get(f"/v1/gifts/{gift}")
    return told["sender_name"], told["message"], told["state"]


def test_all_of_a_person_is_exported_and_erased_and_nothing_of_others(stage: Stage) -> None:
    anna, ben = stage.payer(), stage.payer()
    anna.pay(5 * DOLLAR)  # which become gift tokens
    stage.settle()
    gift = _give(stage, anna.wallet)
    for payer in (anna, ben):
        ask_for_insights(stage, payer.headers())
        read_all(stage, payer.headers())
        payer.pay(3 * CENT)
    stage.tick()
    answer = stage.client.get("/v1/insights/me/export", headers=anna.headers())
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["table"] for line in told] == ["person", "person_wallet", "movement", "movement"]
    assert (told[1]["wallet"], told[3]["amount"], told[3]["kind"]) == (anna.address, str(3 * CENT), "gathered")
    assert ben.address not in answer.text
    assert not any("owner" in line for line in told)

    before = stage.row_counts()
    assert _words(stage, gift) == ("Anna", "생일 축하해!", "open")
    assert stage.client.delete("/v1/insights/me", headers=anna.headers()).status_code == 204
    for method, path in (("GET", "me"), ("GET", "movements"), ("GET", "sums"), ("GET", "me/export"), ("DELETE", "me")):
        gone = stage.client.request(method, f"/v1/insights/{path}", headers=anna.headers())
        assert_problem(gone, "no-insights", 404)
    assert _words(stage, gift) == ("", "", "open")
    anna.pay(CENT)
    stage.tick(4)
    after = stage.row_counts()
    changed = {name for name, count in before.items() if after[name] < count}
    assert changed == {"person", "person_wallet", "movement"}
    assert stage.rows("SELECT wallet FROM movement") == [(ben.address,)]
    assert stage.rows("SELECT count(*) FROM insights_erasure") == [(0,)]
    assert stage.audit().differences == []


# ----------------------------------------------------------------------- live


def test_who_waits_is_told_as_soon_as_something_moves(shared_stage: Stage) -> None:
    stage = shared_stage
    anna, ben = stage.payer(), stage.payer()
    for payer in (anna, ben):
        ask_for_insights(stage, payer.headers())
        read_all(stage, payer.headers())
    path, hers = "/v1/insights/movements/news", anna.headers()
    start = stage.get(path, **hers)
    assert start["items"] == []
    assert stage.get(f"{path}?after={start['cursor']}&wait_s=0", **hers) == start
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(stage.get, f"{path}?after={start['cursor']}&wait_s=20", **hers)
        watch = stage.client.app.state.movement_news  # type: ignore[attr-defined]
        while not watch._watch.waiting(number_of(stage, anna.address)):
            time.sleep(0.01)
        ben.pay(CENT)
        anna.pay(2 * CENT)
        stage.tick()
        told = waiting.result(timeout=10)
    assert [(i["kind"], i["amount"]) for i in told["items"]] == [("gathered", str(2 * CENT))]
    assert stage.get(f"{path}?after={told['cursor']}&wait_s=0", **hers)["items"] == []
