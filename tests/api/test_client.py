"""`taesan.client` against a hub: it pays once, whatever happens to answers and to itself."""

import asyncio
import base64
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from taesan.client import (
    AsyncClient,
    Client,
    KeyReused,
    Limits,
    OtherHub,
    OverLimit,
    PlainHttp,
    Refused,
    State,
    Unanswered,
)
from taesan.client.merchant import MerchantWallet
from taesan.client.signing import LocalKey
from taesan.client.steps import Send, Wait
from tests.support.loops import run_async
from tests.support.stage import CENT, DOLLAR, Merchant, Stage, key

SITE = "http://127.0.0.1:8000"
SECRET = "0x" + "a7" * 32


class Patient(Client):
    """Whoever waits lets the chain and the worker go on. :ivar lost: answers still to lose; :ivar sent: requests"""

    def __init__(self, stage: Stage, state: Path | str = ":memory:", **options: Any) -> None:
        super().__init__(SITE, SECRET, state, http=stage.client, patience_s=1, **options)
        self.stage, self.lost, self.sent, self.passed = stage, 0, 0, 0.0
        self._flows.clock = lambda: self.passed

    def _do(self, step: Send | Wait) -> httpx.Response | None:
        if isinstance(step, Wait):
            self.passed += step.seconds
            self.stage.confirm()
            return None
        answer = super()._do(step)
        if step.method == "POST":
            self.sent += 1
            if self.lost:
                self.lost -= 1
                return None
        return answer

    def close(self) -> None:
        self.state.close()


@pytest.fixture
def anna(stage: Stage, tmp_path: Path) -> Patient:
    """With dollars, and a channel of one."""
    anna = Patient(stage, tmp_path / "wallet.db")
    stage.chain.give_dollars(anna.address, 5 * DOLLAR)
    anna.open_channel(DOLLAR)
    return anna


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    return stage.merchant()


def _now_ms() -> int:
    return int(time.time() * 1_000)


def _paid(stage: Stage) -> list[int]:
    return [int(amount) for (amount,) in stage.rows("SELECT amount FROM payment ORDER BY id")]


def test_from_the_deposit_to_the_jar(stage: Stage, anna: Patient, cafe: Merchant) -> None:
    to_cafe = anna.pay(20 * CENT, to=cafe.id, reference="tea")
    assert (to_cafe["merchant_id"], to_cafe["charged_cumulative"], to_cafe["reference"]) == (
        cafe.id,
        str(20 * CENT),
        "tea",
    )
    to_jar = anna.pay(23 * CENT, purchase={"value": "1177", "asset": "USD", "exponent": 2})
    assert to_jar["jar"]["gathered"] == str(23 * CENT)
    channel = anna.channel()
    assert (channel["available"], channel["in_jar"]) == (str(57 * CENT), str(23 * CENT))
    assert stage.audit().differences == []


def test_a_lost_answer_is_asked_for_again(stage: Stage, anna: Patient, cafe: Merchant) -> None:
    anna.lost = 2
    anna.pay(CENT, to=cafe.id)
    assert _paid(stage) == [CENT]


def test_a_client_that_died_before_its_answer_finishes_first(
    stage: Stage, anna: Patient, cafe: Merchant, tmp_path: Path
) -> None:
    anna.lost = 1_000
    with pytest.raises(Unanswered):
        anna.pay(CENT, to=cafe.id, key="tea")
    anna.close()
    again = Patient(stage, tmp_path / "wallet.db")
    assert again.pay(2 * CENT, to=cafe.id)["charged_cumulative"] == str(3 * CENT)
    assert again.pay(CENT, to=cafe.id, key="tea")["charged_cumulative"] == str(CENT), "its first answer"
    assert _paid(stage) == [CENT, 2 * CENT]


def test_a_client_that_died_before_it_sent_pays_once(
    stage: Stage, anna: Patient, cafe: Merchant, tmp_path: Path
) -> None:
    class Dies(Exception): ...

    def die(_step: Send | Wait) -> None:
        raise Dies

    anna._do = die  # type: ignore[method-assign]
    with pytest.raises(Dies):
        anna.pay(CENT, to=cafe.id, key="tea")
    anna.close()
    assert _paid(stage) == []
    again = Patient(stage, tmp_path / "wallet.db")
    again.pay(CENT, to=cafe.id, key="tea")
    assert _paid(stage) == [CENT]


def test_a_deposit_without_an_answer_is_made_once(stage: Stage, tmp_path: Path) -> None:
    anna = Patient(stage, tmp_path / "wallet.db")
    stage.chain.give_dollars(anna.address, 5 * DOLLAR)
    anna.lost = 1_000
    with pytest.raises(Unanswered):
        anna.open_channel(DOLLAR)
    anna.close()
    again = Patient(stage, tmp_path / "wallet.db")
    channel = again.open_channel(DOLLAR)
    assert stage.chain.read("channels", "channels", channel) == [DOLLAR, 0]
    again.open_channel(DOLLAR)
    assert stage.chain.read("channels", "channels", channel) == [2 * DOLLAR, 0]


ARTICLE = "https://shop.example/articles/7"


class Reader(Patient):
    """Buys of a shop that asks for a cent, and for each payment answers what `shop` says; None: nothing, after `hangs_s`.

    :ivar payments: headers that came to the shop
    """

    shop: int | None = 500
    hangs_s, article = 0.0, ARTICLE

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.payments: list[Any] = []

    def _do(self, step: Send | Wait) -> httpx.Response | None:
        if isinstance(step, Wait) or step.url != self.article:
            return super()._do(step)
        payment = step.headers.get("PAYMENT-SIGNATURE")
        if payment is None:
            return httpx.Response(402, headers={"PAYMENT-REQUIRED": self._offer()})
        self.payments.append(json.loads(base64.b64decode(payment)))
        if self.shop is None:
            self.passed += self.hangs_s
            return None
        return httpx.Response(self.shop)

    def _offer(self) -> str:
        facts = self._flows.facts
        assert facts is not None
        offer = {"scheme": "batch-settlement", "network": facts.network, "amount": str(CENT)}
        offer |= {"payTo": facts.settlement, "asset": facts.token}
        return base64.b64encode(json.dumps({"x402Version": 2, "accepts": [offer]}).encode()).decode()

    def let_hub_take(self, merchant: Merchant) -> None:
        """The shop's part: it presents the newest voucher to the hub."""
        signed = self.payments[-1]["payload"]["voucher"]
        voucher = {"channel_id": signed["channelId"], "signature": signed["signature"]}
        voucher["max_claimable_amount"] = signed["maxClaimableAmount"]
        money = {"value": str(CENT), "asset": self.stage.facts["asset"], "exponent": 6}
        body = {"voucher": voucher, "amount": money, "destination": {"type": "merchant", "merchant_id": merchant.id}}
        answer = self.stage.client.post("/v1/payments", json=body, headers=key())
        assert answer.status_code == 201, answer.text


@pytest.fixture
def reader(stage: Stage, anna: Patient, tmp_path: Path) -> Reader:
    """Anna, in a process of her own, who goes to a shop."""
    anna.close()
    return Reader(stage, tmp_path / "wallet.db")


@pytest.mark.parametrize("shop", [None, 500, 503, 429])
def test_a_merchant_that_is_down_for_good_stops_nothing(
    stage: Stage, reader: Reader, cafe: Merchant, tmp_path: Path, shop: int | None
) -> None:
    reader.shop = shop
    with pytest.raises(Unanswered):
        reader.get(ARTICLE)
    reader.close()
    again = Reader(stage, tmp_path / "wallet.db", limits=Limits(per_day=3 * CENT))
    again.shop = shop
    assert again.pay(2 * CENT, to=cafe.id)["charged_cumulative"] == str(2 * CENT), "the same amount, signed anew"
    assert len(again.payments) == 1, "the shop is asked once more and no oftener"
    assert again.pay(CENT, to=cafe.id)["charged_cumulative"] == str(3 * CENT), "what was given up was not spent"
    assert _paid(stage) == [2 * CENT, CENT]


def test_a_merchant_that_took_the_money_and_died_was_paid(stage: Stage, reader: Reader, cafe: Merchant) -> None:
    with pytest.raises(Unanswered):
        reader.get(ARTICLE)
    reader.let_hub_take(cafe)
    assert reader.pay(2 * CENT, to=cafe.id)["charged_cumulative"] == str(3 * CENT)
    assert _paid(stage) == [CENT, 2 * CENT]
    assert reader.state.spent(_now_ms()) == 3 * CENT


def test_a_merchant_that_takes_the_money_after_it_was_given_up_was_paid(
    stage: Stage, reader: Reader, cafe: Merchant
) -> None:
    with pytest.raises(Unanswered):
        reader.get(ARTICLE)
    with pytest.raises(Refused):
        reader.pay(2 * CENT, to="mer_nobody")  # nothing is paid with it, but the article is given up
    reader.let_hub_take(cafe)
    assert reader.pay(2 * CENT, to=cafe.id)["charged_cumulative"] == str(3 * CENT)
    assert _paid(stage) == [CENT, 2 * CENT]
    assert reader.state.spent(_now_ms()) == 3 * CENT


def test_a_hub_that_claims_more_than_was_ever_signed_is_not_believed(stage: Stage, anna: Patient) -> None:
    signed: list[str] = []

    def lie(step: Send | Wait) -> httpx.Response | None:
        if isinstance(step, Send) and step.url.endswith("/v1/payments"):
            assert step.json is not None
            signed.append(step.json["voucher"]["max_claimable_amount"])
            told = {"type": "urn:voucher-out-of-sequence", "channel": {"charged_cumulative": str(DOLLAR)}}
            return httpx.Response(409, json=told)
        return Patient._do(anna, step)

    anna._do = lie  # type: ignore[method-assign]
    with pytest.raises(Refused):
        anna.pay(CENT)
    assert signed == [str(CENT)]


def test_a_merchant_that_hangs_is_waited_for_by_the_clock(reader: Reader) -> None:
    reader.shop, reader.hangs_s = None, 30
    with pytest.raises(Unanswered):
        reader.get(ARTICLE)
    assert len(reader.payments) == 1


def test_limits_are_kept_before_anything_is_signed(stage: Stage, anna: Patient, cafe: Merchant, tmp_path: Path) -> None:
    anna.close()
    careful = Patient(stage, tmp_path / "wallet.db", limits=Limits(per_payment=10 * CENT, per_day=15 * CENT))
    sent = careful.sent
    with pytest.raises(OverLimit):
        careful.pay(11 * CENT, to=cafe.id)
    careful.pay(10 * CENT, to=cafe.id)
    with pytest.raises(OverLimit):
        careful.pay(6 * CENT, to=cafe.id)
    assert careful.sent == sent + 1
    assert _paid(stage) == [10 * CENT]


def test_a_refusal_costs_nothing_and_stops_nothing(stage: Stage, anna: Patient, cafe: Merchant) -> None:
    with pytest.raises(Refused) as refused:
        anna.pay(CENT, to="mer_nobody")
    assert (refused.value.type, refused.value.status) == ("unknown-merchant", 404)
    with pytest.raises(Refused) as refused:
        anna.pay(2 * DOLLAR, to=cafe.id)
    assert refused.value.type == "insufficient-deposit"
    anna.pay(CENT, to=cafe.id)
    assert _paid(stage) == [CENT]


def test_a_key_pays_once_and_for_one_thing(stage: Stage, anna: Patient, cafe: Merchant) -> None:
    first = anna.pay(CENT, to=cafe.id, key="tea")
    assert anna.pay(CENT, to=cafe.id, key="tea") == first
    for other in ({"amount": 2 * CENT, "to": cafe.id}, {"amount": CENT}):
        with pytest.raises(KeyReused):
            anna.pay(key="tea", **other)  # type: ignore[arg-type]
    assert _paid(stage) == [CENT]


def test_two_processes_may_share_a_state(stage: Stage, anna: Patient, cafe: Merchant, tmp_path: Path) -> None:
    other = Patient(stage, tmp_path / "wallet.db")
    for payer in (anna, other, other, anna):
        payer.pay(CENT, to=cafe.id)
    assert _paid(stage) == [CENT] * 4
    other.lost = 1_000
    with pytest.raises(Unanswered):
        other.pay(2 * CENT, to=cafe.id)
    anna.pay(3 * CENT, to=cafe.id)
    assert _paid(stage)[4:] == [2 * CENT, 3 * CENT]


@pytest.mark.parametrize("moment", ["find", "intend"])
@pytest.mark.parametrize("lost", [0, 1_000])
def test_two_processes_with_one_key_pay_once(
    stage: Stage, anna: Patient, cafe: Merchant, tmp_path: Path, moment: str, lost: int
) -> None:
    """The other one comes first by a hair, and has its answer or not."""
    other = Patient(stage, tmp_path / "wallet.db")
    passed_on = getattr(anna.state, moment)

    def at_that_moment(*args: Any) -> Any:
        setattr(anna.state, moment, passed_on)
        other.lost = lost
        with contextlib.suppress(Unanswered):
            other.pay(CENT, to=cafe.id, key="tea")
        return passed_on(*args)

    setattr(anna.state, moment, at_that_moment)
    assert anna.pay(CENT, to=cafe.id, key="tea")["charged_cumulative"] == str(CENT)
    assert _paid(stage) == [CENT]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("network", "eip155:1"),
        ("settlement", "0x" + "11" * 20),
        ("collector", "0x" + "11" * 20),
        ("asset_exponent", 2),
        ("asset_domain", {"name": "US Dollar", "version": "1", "chainId": 1, "verifyingContract": "0x" + "11" * 20}),
    ],
)
def test_a_hub_that_has_become_another_gets_no_signature(
    stage: Stage, anna: Patient, tmp_path: Path, name: str, other: Any
) -> None:
    anna.close()
    again = Patient(stage, tmp_path / "wallet.db")
    do, sent = again._do, []

    def lie(step: Send | Wait) -> httpx.Response | None:
        assert isinstance(step, Send)
        sent.append(step.url)
        answer = do(step)
        if not step.url.endswith("/v1/hub"):
            return answer
        assert answer is not None
        return httpx.Response(200, json=answer.json() | {name: other})

    again._do = lie  # type: ignore[method-assign]
    for _ in range(2):
        with pytest.raises(OtherHub, match=r"another hub than it was"):
            again.pay(CENT)
    assert sent == [f"{SITE}/v1/hub"] * 2
    again._do = do  # type: ignore[method-assign]
    again.pay(CENT)


def test_a_hub_that_is_meant_to_be_another_is_met_anew(stage: Stage, tmp_path: Path) -> None:
    anna = Patient(stage, tmp_path / "wallet.db")
    anna.state.first_facts(SITE, {"chain_id": 1})
    with pytest.raises(OtherHub):
        anna.sign_in()
    anna.state.forget_hub(SITE)
    assert anna.sign_in()


def test_a_key_is_not_used_over_plain_http() -> None:
    for site in ("https://hub.example", "http://localhost:8000", "http://[::1]:8000", "http://127.0.0.9"):
        Client(site, SECRET).close()
    for site in ("http://hub.example", "http://127.0.0.1.example", "http://10.0.0.1:8000"):
        with pytest.raises(PlainHttp):
            Client(site, SECRET)
        with pytest.raises(PlainHttp):
            MerchantWallet(site, SECRET)
        Client(site, SECRET, plain_http=True).close()


def test_a_merchant_is_not_paid_over_plain_http(reader: Reader) -> None:
    reader.article = ARTICLE.replace("https", "http")
    with pytest.raises(PlainHttp):
        reader.get(reader.article)
    assert (reader.payments, reader.state.spent(_now_ms())) == ([], 0)


def test_another_hot_key_is_another_channel(stage: Stage, anna: Patient) -> None:
    other = Patient(stage, hot_key=LocalKey(b"\7" * 32))
    assert other.open_channel(DOLLAR) != anna.open_channel(DOLLAR)


def test_the_channel_is_topped_up_only_when_too_little_is_left(stage: Stage, cafe: Merchant, tmp_path: Path) -> None:
    anna = Patient(stage, tmp_path / "wallet.db")
    stage.chain.give_dollars(anna.address, 5 * DOLLAR)
    opened = anna.top_up(DOLLAR)
    assert anna.top_up(DOLLAR, below=DOLLAR) == opened
    assert anna.channel()["available"] == str(DOLLAR)
    anna.pay(CENT, to=cafe.id)
    stage.client.delete("/v1/auth/sessions", headers={"Authorization": f"Bearer {anna.sign_in()}"})  # of all of hers
    anna.top_up(DOLLAR, below=DOLLAR)
    assert anna.channel()["available"] == str(2 * DOLLAR - CENT)


def test_an_invoice_is_paid_once_with_what_it_asks_for(stage: Stage, anna: Patient, cafe: Merchant) -> None:
    invoice = cafe.invoice(25)
    paid = anna.pay_invoice(invoice["id"])
    assert anna.pay_invoice(invoice["id"]) == paid, "it was paid before"
    assert _paid(stage) == [25 * CENT]
    record = cafe.record(invoice)
    assert (record["state"], record["paid_by"]) == ("paid", paid["id"])
    with pytest.raises(Refused) as refused:
        anna.pay_invoice("inv_none")
    assert refused.value.type == "unknown-invoice"


def test_gift_tokens_are_signed_over_to_a_merchant_who_redeems_them(
    stage: Stage, anna: Patient, cafe: Merchant
) -> None:
    anna.pay(DOLLAR)
    stage.settle()
    signed = anna.gift(DOLLAR, to=cafe.id)
    thief = stage.merchant("Thief")
    stolen = stage.client.post("/v1/redemptions", json=signed, headers=thief.headers | key())
    assert stolen.status_code == 422, stolen.text
    redeemed = stage.client.post("/v1/redemptions", json=signed, headers=cafe.headers | key())
    assert redeemed.status_code == 202, redeemed.text
    stage.confirm()
    assert (stage.gift_tokens(anna.address), cafe.account()["credit"]) == (0, str(DOLLAR))
    assert stage.audit().differences == []


def test_gift_tokens_to_whoever_has_a_link_and_to_an_address(stage: Stage, anna: Patient) -> None:
    anna.pay(DOLLAR)
    stage.settle()
    secret = bytes(range(1, 33))
    link = anna.give(CENT, message="hi", secret=secret)
    sent = anna.send_tokens(2 * CENT, LocalKey("0x" + "b2" * 32).address)
    stage.later(stage.settings.token_gather_s + 1)
    stage.confirm()
    told = stage.get(f"/v1/gifts/{link.id}")
    assert link.url == f"{told['url']}#{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"
    assert (told["state"], told["key_address"]) == ("open", LocalKey(secret).address)
    assert stage.get(f"/v1/token-transfers/{sent['id']}")["state"] == "done"
    assert link.url not in repr(link), "who logs it would give it away"
    with pytest.raises(Refused, match="can still be taken"):
        anna.take_back(link.id)
    assert anna.as_wallet("GET", "/v1/gifts")["items"] == [told]
    assert anna.state.ways_back() == [link.taking_back]
    assert link.taking_back == told["taking_back"] | {"token": stage.chain.deployment.gift_token}


def test_a_wallet_becomes_a_merchant_and_looks_after_its_keys(stage: Stage) -> None:
    cafe = MerchantWallet(SITE, "0x" + "c4" * 32, patience_s=1, http=stage.client)
    made = cafe.create("Café Dust")
    assert made["address"] == cafe.address
    with pytest.raises(Refused) as refused:
        cafe.create("Café Dust")
    assert refused.value.type == "merchant-exists"
    till = cafe.add_key("Till 2", ["invoices:write"], expires_in_s=3_600)
    newer = cafe.rotate_key(till["key"]["id"], overlap_s=0)
    kept = {(k["name"], *(k["scopes"] or ["everything"])) for k in cafe.list_keys()}
    assert kept == {(None, "everything"), ("Till 2", "invoices:write")}
    assert [_opens(stage, made), _opens(stage, till), _opens(stage, newer)] == [True, False, True]
    cafe.revoke_key(newer["key"]["id"])
    assert not _opens(stage, newer)


def _opens(stage: Stage, made: dict[str, Any]) -> bool:
    bearer = {"Authorization": f"Bearer {made['api_key']}"}
    return stage.client.get("/v1/merchants/me", headers=bearer).status_code == 200


def test_the_same_without_a_thread(stage: Stage, anna: Patient, cafe: Merchant, tmp_path: Path) -> None:
    anna.close()
    answer = stage.client.get("/v1/hub").json()

    async def go() -> list[str]:
        transport = httpx.ASGITransport(stage.client.app)
        async with (
            httpx.AsyncClient(transport=transport) as http,
            AsyncClient(SITE, SECRET, State(tmp_path / "wallet.db"), http=http) as client,
        ):
            paid = await asyncio.gather(*(client.pay(CENT, to=cafe.id) for _ in range(5)))
            assert (await client.get(f"{SITE}/v1/hub")).json() == answer
            await client.top_up(DOLLAR)
            signed = await client.gift(CENT, to=cafe.id)
            assert (signed["holder"], signed["amount"]) == (client.address, str(CENT))
            assert (await client.pay_invoice(cafe.invoice(3)["id"]))["charged_cumulative"] == str(8 * CENT)
            return [payment["charged_cumulative"] for payment in paid]

    assert run_async(go()) == [str(n * CENT) for n in range(1, 6)]
