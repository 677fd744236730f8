"""No query without an index: everything that the API and the worker ask the database is recorded, and SQLite says how it
would find it. Only the audit reads all there is, and it is not asked here."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from taesan.identity.models import Merchant as MerchantRow
from taesan.insights import persons, subscribing
from taesan.insights.mailing import MailWorker
from taesan.insights.schedule_models import MailTerms
from taesan.insights.scheduling import ReportWorker
from taesan.web import sample_shop
from taesan.webhooks.couriers import Couriers
from taesan.webhooks.events import tell_payments_step
from taesan.webhooks.schedule import EVENT_TYPES
from tests.support import gifts
from tests.support import x402_exact as exact
from tests.support.bank_files import TWO, import_two
from tests.support.chain import free_port
from tests.support.conversions import gather, permit, sign_rule, to
from tests.support.gateway import Gateway, payment
from tests.support.gifts import Giver
from tests.support.insights import ask_for_insights, link_wallet, number_of, pays
from tests.support.plans import Recorder, recorded, scans
from tests.support.stage import CENT, DOLLAR, OPERATOR_KEY, Merchant, Payer, Stage, key
from tests.support.wallet import Json, Wallet
from tests.support.x402_asked import asked as asked_of_x402
from tests.support.x402_asked import payload, requirements


@pytest.fixture(scope="module")
def asked(shared_stage: Stage) -> Iterator[Recorder]:
    """A story with all that a hub does, then each reading route once."""
    stage = shared_stage
    with recorded(stage.hub.db.engine) as recorder:
        anna, ben, cafe = _people(stage)
        couriers = _listen(stage, cafe)
        for n in range(6):
            anna.pay(30 * CENT, cafe if n % 2 else None)
            ben.pay(CENT)
        bulk = [anna.payment(CENT) | {"idempotency_key": "bulk"}]
        assert stage.client.post("/v1/payments/bulk", json={"payments": bulk}).status_code == 200
        anna.charged += CENT
        anna.pay(DOLLAR)
        repeated, body = key(), anna.payment(CENT)
        for _ in range(2):
            assert stage.client.post("/v1/payments", json=body, headers=repeated).status_code == 201
        anna.charged += CENT
        _gather_by_rules(stage, anna)
        stage.settle()
        _give(stage, anna)
        cafe.redeem(anna.wallet, 10 * CENT)
        paid, expiring, in_tokens = cafe.invoice(1), cafe.invoice(2, expires_in_s=30), cafe.invoice(3)
        assert anna.pay_invoice(paid).status_code == 201
        assert anna.pay_invoice_in_tokens(in_tokens).status_code == 202
        _transfer(stage, cafe)
        cancelled = cafe.invoice()
        assert stage.client.post(f"/v1/invoices/{cancelled['id']}/cancel", headers=cafe.headers).status_code == 200
        for refunded in (cafe.record(paid)["paid_by"], stage.get("/v1/payments", **cafe.headers)["items"][-1]["id"]):
            assert cafe.refund(refunded, CENT).status_code == 202
        cafe.order_payout(CENT)
        stage.confirm()
        ben.announce_withdrawal(CENT)
        ben.pay(CENT)
        stage.chain.mine(5)
        stage.later(5)
        stage.tick(3)
        stage.confirm()
        assert cafe.record(expiring)["state"] == "open"
        stage.later(30)
        ben.finish_withdrawal()
        stage.later(10)
        stage.confirm()
        _pay_in_other_ways(stage, cafe)
        _convert(stage, anna)
        _reward(stage, anna, cafe)
        gateway = _report(stage)
        _pay_out_daily(stage, cafe)
        stage.confirm()
        stage.client.post("/v1/merchants/me/keys", headers=stage.session_of(cafe.wallet))
        _tell(stage, couriers, anna, cafe)
        imported = _gather_insights(stage, anna, ben, gateway)
        _read_everything(stage, anna, cafe, gateway, imported)
        couriers.close()
        yield recorder


def _people(stage: Stage) -> tuple[Payer, Payer, Merchant]:
    """The first of whom wants to see where her money goes."""
    anna, ben, cafe = stage.payer(), stage.payer(), stage.merchant()
    ask_for_insights(stage, anna.headers())
    return anna, ben, cafe


def _gather_by_rules(stage: Stage, payer: Payer) -> None:
    """By each kind of trigger, and what else can be done with a rule."""
    assert payer.set_rule(trigger_count=5).status_code == 200
    ends = int(stage.clock.now().timestamp()) + 1
    rules = [
        payer.sign_rule("top-ups", fires) for fires in ("every 1 payments", "when I say so", "weekly on monday at UTC")
    ]
    over = payer.sign_rule("top-ups", "when I say so", valid_until=ends)
    for rule in (*rules, over):
        rule.pay(CENT)
    stage.write("UPDATE signed_rule SET due_at = '2026-01-01 00:00:00' WHERE public_id = :id", id=rules[2].id)
    for rule, asked in ((rules[1], "fire"), (rules[0], "pause"), (rules[0], "resume"), (rules[0], "cancel")):
        assert rule.ask(asked).status_code == 200
    body = {"gather": "fixed 0.10 USD", "fires": "when I say so"}
    answer = stage.client.post(f"/v1/channels/{payer.id}/rules/dry-run", json=body, headers=payer.headers())
    assert answer.status_code == 200, answer.text
    stage.later(2)


def _transfer(stage: Stage, cafe: Merchant) -> None:
    """One that pays an invoice past the hub; then its amount is freed."""
    wallet, invoice = Wallet(), cafe.invoice(4)
    due = int(invoice["transfer"]["amount"]["value"])
    stage.chain.give_dollars(wallet.address, due)
    stage.chain.send(wallet.key, "asset", "transfer", cafe.address, due)
    stage.tick()
    assert stage.get(f"/v1/invoices/{invoice['id']}")["state"] == "paying"
    assert stage.client.get(f"/pay/{invoice['id']}/transfer.svg").status_code == 200
    (transfer,) = stage.get("/v1/transfers?state=seen", **cafe.headers)["items"]
    assert cafe.refund(transfer["id"]).status_code == 409
    stage.confirm()
    stage.write("UPDATE transfer_offer SET held_until = '2026-01-01 00:00:00' WHERE invoice_id = :id", id=invoice["id"])
    stage.confirm()


def _convert(stage: Stage, anna: Payer) -> None:
    """One conversion that is done, and one that is held, tried again, and given up."""
    artist, token = Wallet().address, f"0x{7:040x}"
    stage.chain.send(OPERATOR_KEY, "standing_orders", "offer", 7, artist, CENT)
    stage.confirm()
    rule = sign_rule(anna, to("savings", anna.address, 5_000), to("collectible", artist, 5_000, token))
    assert permit(stage, anna).status_code == 200
    stage.chain.send(OPERATOR_KEY, "standing_orders", "offer", 7, artist, 0)
    gather(rule, 10 * CENT)
    listed = stage.get(f"/v1/channels/{anna.id}/jar/conversions", **anna.headers())["items"]
    assert {item["kind"]: item["state"] for item in listed} == {"savings": "done", "collectible": "held"}
    (held,) = [item["id"] for item in listed if item["state"] == "held"]
    assert stage.client.post(f"/v1/conversions/{held}/retry", headers=anna.headers()).status_code == 200
    stage.confirm()
    assert stage.client.post(f"/v1/conversions/{held}/keep", headers=anna.headers()).status_code == 200
    stage.chain.send(anna.wallet.key, "standing_orders", "cancel", int(rule.shown()["number"]))
    stage.confirm()


def _pay_in_other_ways(stage: Stage, cafe: Merchant) -> None:
    _pay_over_x402(stage, cafe)
    _pay_directly(stage, cafe)


def _pay_over_x402(stage: Stage, cafe: Merchant) -> None:
    """With a deposit, by a voucher, one that is out of sequence, and a refund."""
    carl = stage.stranger()
    stage.chain.give_dollars(carl.address, DOLLAR)
    offer = requirements(stage, cafe, CENT) | {"maxTimeoutSeconds": 1}
    deposit = carl.wallet.deposit(stage.facts, carl.config, DOLLAR)
    refund = payload(carl, 2 * CENT) | {"type": "refund"}
    for inner in (payload(carl, CENT, deposit), payload(carl, 2 * CENT), payload(carl, 9 * CENT), refund):
        body = asked_of_x402(offer, inner)
        stage.client.post("/x402/verify", json=body)
        for _ in range(2):
            answer = stage.client.post("/x402/settle", json=body)
            stage.confirm()
        assert answer.status_code == 200, answer.text
    assert stage.rows("SELECT state FROM refund_relay WHERE channel_id = :id", id=carl.id) == [("confirmed",)]


def _pay_directly(stage: Stage, cafe: Merchant) -> None:
    """Three payments by `exact`, one of which is not carried out when its turn comes."""
    people = [Wallet() for _ in range(3)]
    offer = exact.requirements(stage, cafe, CENT)
    for wallet in people:
        stage.chain.give_dollars(wallet.address, CENT)
        body = asked_of_x402(offer, exact.transfer(wallet, offer), "a-name-of-16-characters")
        for path in ("verify", "settle", "settle"):
            answer = stage.client.post(f"/x402/{path}", json=body)
            assert answer.status_code == 200, answer.text
    stage.later(stage.settings.exact_gather_s + 1)
    with stage.chain.mining_paused():
        stage.tick()
        stage.chain.jump_queue(people[2].key, "asset", "transfer", Wallet().address, CENT)
        stage.chain.mine()
    stage.confirm()
    states = [payment["state"] for payment in stage.get("/v1/direct-payments", **cafe.headers)["items"]]
    assert states == ["pending", "settled", "settled"]


def _pay_out_daily(stage: Stage, cafe: Merchant) -> None:
    daily = {"payouts": {"every": "day"}}
    assert stage.client.put("/v1/account/settings", json=daily, headers=cafe.headers).status_code == 200
    stage.write("UPDATE merchant_settings SET next_at = '2026-01-01 00:00:00' WHERE merchant_id = :id", id=cafe.id)


def _reward(stage: Stage, anna: Payer, cafe: Merchant) -> None:
    """A campaign that ends, tiers that are reached and lost, points that lapse, and a refund of all that."""
    points = {"per": "1", "valid_days": 1, "notice_days": 1}
    programme = {"period": "week", "tiers": [{"name": "Regular", "count": 1}], "points": points}
    for path, headers in (("programme", cafe.headers), ("operator/programme", stage.operator())):
        for _ in range(2):
            assert stage.client.put(f"/v1/{path}", json=programme, headers=headers).status_code == 200
    campaign = {"name": "x", "rate": 10_000, "budget": str(10 * CENT), "cap_payer": str(9 * CENT)}
    campaign["ends_at"] = "2999-01-01T00:00:00Z"
    answer = stage.client.post("/v1/campaigns", json=campaign, headers=cafe.headers | key())
    assert answer.status_code == 201, answer.text
    assert anna.pay_invoice(cafe.invoice(4)).status_code == 201
    paid = [anna.pay(4 * CENT, cafe)["id"] for _ in range(2)]
    stage.tick()
    assert cafe.refund(paid[0]).status_code == 202
    for change in ("pause", "resume", "end"):
        stage.client.post(f"/v1/campaigns/{answer.json()['id']}/{change}", headers=cafe.headers)
    for _ in range(3):
        stage.later(10 * 86_400)
        stage.confirm()
    anna.resume()
    states = [r["state"] for r in stage.get("/v1/rewards", **anna.headers())["items"]]
    assert "reversed" in states
    members = stage.get("/v1/memberships", **anna.headers())["items"]
    assert [(m["tier"], m["points"]) for m in members] == [(None, 0)] * 2
    assert all(m["value"] == "0" for m in members)
    assert stage.rows("SELECT id FROM reminder_cursor WHERE id = 1 AND conversion_id > 0")


def _report(stage: Stage) -> Gateway:
    """A gateway whose payments are drawn, wait, are refunded and go to its own wallet."""
    gateway, first = Gateway(stage), payment("anna", 90 * CENT)
    gateway.report(payment("ben", CENT), first)
    gateway.fund(2 * DOLLAR)
    gateway.report(payment("ben", CENT), first, payment("ben", 2 * DOLLAR), payment("ben", CENT))
    for name in ("anna", "ben"):
        gateway.link(name, gateway.wallet)
    gateway.refund(first["id"])
    gateway.deposit(2 * DOLLAR)
    assert gateway.sign(4 * DOLLAR).status_code == 200
    for _ in range(3):
        stage.settle()
    assert gateway.public()["claimed"] != "0"
    return gateway


def _gather_insights(stage: Stage, anna: Payer, ben: Payer, gateway: Gateway) -> Json:
    """Filled in, told in other time zones, unlinked, erased; what moved is asked for in all ways. Returns ids of statements."""
    anna.resume()
    ask_for_insights(stage, gateway.headers)
    for payer in (ben.wallet, Wallet()):
        assert link_wallet(stage, anna.headers(), payer).status_code == 200
    stage.tick(4)
    ask_for_insights(stage, anna.headers(), zone="UTC")
    unlinked = stage.client.delete(f"/v1/insights/me/wallets/{ben.address}", headers=anna.headers())
    assert unlinked.status_code == 200
    assert stage.client.delete("/v1/insights/me", headers=gateway.headers).status_code == 204
    stage.tick(4)
    scheduled = stage.client.put(
        "/v1/insights/me/schedule", json={"url": "https://shop.example/"}, headers=anna.headers()
    )
    assert scheduled.status_code == 200, scheduled.text
    ReportWorker(stage.hub).tick()
    _ask_for_mails(stage, anna)
    for scope in ("all", "merchant", "category"):
        terms = {"scope": scope, "key": "" if scope == "all" else "x", "asset": stage.hub.asset.id, "amount": "1"}
        for amount in ("1", "2"):
            budget = stage.client.put("/v1/insights/budgets", json=terms | {"amount": amount}, headers=anna.headers())
            assert budget.status_code == 200, budget.text
    removed = stage.client.delete(f"/v1/insights/budgets/{budget.json()['id']}", headers=anna.headers())
    assert removed.status_code == 204
    cafe = stage.merchant("x")
    for _ in range(2):
        anna.pay(CENT, cafe)
        stage.tick()
    (of_all, *_) = stage.get("/v1/insights/budgets", **anna.headers())["items"]
    assert [alert["warning"] for alert in of_all["alerts"]] == ["over"]
    for filters in ("merchant=x", "category=x", "source=hub", "from=2026-01-01&to=2027-01-01"):
        stage.get(f"/v1/insights/movements?{filters}", **anna.headers())
    for by in ("category", "day", "month", "source"):
        stage.get(f"/v1/insights/sums?by={by}", **anna.headers())
    stage.get("/v1/insights/movements/news?after=MA", **anna.headers())
    made = _import_statements(stage, anna)
    _find_standing_costs(stage, anna)
    return made


def _ask_for_mails(stage: Stage, anna: Payer) -> None:
    """Of a mail server that is not there; two addresses, one of which is left by its link."""
    told = {"smtp_host": "127.0.0.1", "smtp_port": free_port(), "smtp_tls": "none", "smtp_from": "reports@hub.example"}
    hub = replace(stage.hub, settings=stage.hub.settings.model_copy(update=told))
    with hub.db.read() as session:
        person = persons.find(session, anna.address)
    for address in ("anna@example.com", "anna@example.org"):
        with hub.db.write() as session:
            row = subscribing.put(session, hub, person, anna.address, MailTerms(address=address), stage.clock.now())
        MailWorker(hub).tick()
        refused = stage.client.post("/v1/insights/me/schedule/mail/confirm", json={"code": "x"}, headers=anna.headers())
        assert refused.status_code == 422, refused.text
        assert stage.client.get(f"/unsubscribe?token={row.token}").status_code == 200
    assert stage.client.post(f"/unsubscribe?token={row.token}").status_code == 200


def _import_statements(stage: Stage, anna: Payer) -> Json:
    """Imported, judged, removed, imported again; and what the hub has learned since is compared with them."""
    client, headers = stage.client, anna.headers()
    made = import_two(client, headers)
    for verdict in ("dismiss", "confirm"):
        path = f"/v1/insights/duplicates/{made['movement_id']}/{verdict}"
        assert client.post(path, headers=headers).status_code == 200
    for row in stage.get("/v1/insights/imports", **headers)["items"]:
        assert client.delete(f"/v1/insights/imports/{row['id']}", headers=headers).status_code == 204
    path = f"/v1/insights/statement-mappings/{made['fingerprint']}"
    assert client.delete(path, headers=headers).status_code == 204
    made = import_two(client, headers)
    # Left out, imported again, taken back.
    assert client.post(f"/v1/insights/movements/{made['movement_id']}/exclude", headers=headers).status_code == 200
    assert client.delete(f"/v1/insights/imports/{made['import_id']}", headers=headers).status_code == 204
    made["import_id"] = client.post("/v1/insights/imports", content=TWO[1], headers=headers).json()["id"]
    (left_out,) = [m for m in stage.get("/v1/insights/movements", **headers)["items"] if m["excluded"]]
    made["movement_id"] = left_out["id"]
    assert client.post(f"/v1/insights/movements/{left_out['id']}/include", headers=headers).json()["duplicate_of"]
    stage.write("UPDATE duplicate_cursor SET movement_id = 0 WHERE id = 1")
    stage.tick(2)
    return made


def _find_standing_costs(stage: Stage, anna: Payer) -> None:
    """One that is judged, and one that is no more when a payment of it turns out to be a duplicate; then what is ahead, and unusual."""
    owner, months = number_of(stage, anna.address), [date(2024, month, 7) for month in range(1, 9)]
    pays(stage, owner, "film", [(month, 9_900) for month in months])
    pays(stage, owner, "tunes", [(month, 4_900) for month in months[:3]])
    pays(stage, owner, "film", [(months[-1] + timedelta(days=3), 500_000)], category="boats")
    ids = [item["id"] for item in stage.get("/v1/insights/recurring", **anna.headers())["items"]]
    assert len(ids) == 2
    for id_, verdict in ((ids[0], "confirm"), (ids[0], "dismiss"), ("rec_x", "confirm")):
        stage.client.post(f"/v1/insights/recurring/{id_}/{verdict}", headers=anna.headers())
    stage.write("UPDATE movement SET duplicate_of = 1 WHERE owner = :owner AND merchant = 'tunes'", owner=owner)
    pays(stage, owner, "tunes", [(months[-1], 1)])
    stage.get("/v1/insights/forecast", **anna.headers())
    for by in ("merchant", "category"):
        stage.get(f"/v1/insights/unusual?month=2024-08&by={by}", **anna.headers())
    dismissed = stage.client.post("/v1/insights/advice/adv_0/dismiss", headers=anna.headers())
    assert dismissed.status_code == 404
    today = stage.clock.now().date()
    pays(stage, owner, "bus", [(today - timedelta(days=1 + 7 * n), 1_500 if n else 1_900) for n in range(20)])
    advice = stage.get("/v1/insights/advice", **anna.headers())["items"][0]["id"]
    for id_, status in ((advice, 204), ("adv_0", 404)):
        dismissed = stage.client.post(f"/v1/insights/advice/{id_}/dismiss", headers=anna.headers())
        assert dismissed.status_code == status


def _give(stage: Stage, anna: Payer) -> None:
    """Gift links, one of which is taken and one of which goes back; tokens and credit to people; and a look at what lies about."""
    giver, friend = Giver(stage, anna, 50 * CENT), Wallet().address
    (taken, link), (left, forgotten) = giver.give(CENT), giver.give(CENT, lives_s=700)
    sent = gifts.post(stage, "/v1/token-transfers", gifts.transfer(stage, giver.wallet, friend, CENT))
    assert sent.status_code == 202
    anna.pay(CENT, destination={"type": "person", "address": giver.wallet.address})
    gifts.gather(stage)
    assert gifts.claim(stage, taken, link.claim_body(friend)).status_code == 202
    gifts.pass_end(stage, forgotten)
    for table in ("gift", "jar_watch", "reminder"):
        stage.write(f"UPDATE {table} SET look_at = '2026-01-01 00:00:00' WHERE look_at > '2026-01-02'")
        stage.later(61)
        stage.confirm()
    assert gifts.take_back(stage, left).status_code == 202
    gifts.gather(stage)
    assert stage.rows("SELECT kind FROM reminder WHERE look_at > '2026-01-02'")


def _listen(stage: Stage, cafe: Merchant) -> Couriers:
    """Two webhooks, at each of which nobody is; one is deleted in the end."""
    wanted = {"url": f"http://127.0.0.1:{free_port()}/", "event_types": list(EVENT_TYPES)}
    for _ in range(2):
        assert stage.client.post("/v1/webhooks", json=wanted, headers=cafe.headers).status_code == 201
    return Couriers(stage.hub)


def _tell(stage: Stage, couriers: Couriers, anna: Payer, cafe: Merchant) -> None:
    anna.pay(CENT, cafe)
    first, second = (f"/v1/webhooks/{w['id']}" for w in stage.get("/v1/webhooks", **cafe.headers))
    assert stage.client.post(f"{first}/test", headers=cafe.headers).status_code == 202
    while tell_payments_step(stage.hub) or couriers.step():
        pass
    delivery = stage.get(f"{first}/deliveries", **cafe.headers)["items"][0]["id"]
    for path in (f"{first}/deliveries/{delivery}/redeliver", f"{first}/rotate"):
        assert stage.client.post(path, json={"overlap_s": 1}, headers=cafe.headers).status_code < 300
    off_and_on = ({"enabled": False}, {"enabled": True})
    assert all(stage.client.patch(first, json=change, headers=cafe.headers).status_code == 200 for change in off_and_on)
    assert stage.client.delete(second, headers=cafe.headers).status_code == 204
    couriers.forget_step()


def _read_everything(stage: Stage, anna: Payer, cafe: Merchant, gateway: Gateway, imported: Json) -> None:
    """Each GET route of the OpenAPI document, with and without a cursor, and the pages."""
    own, theirs, operator = anna.headers(), cafe.headers, stage.operator()
    campaign = stage.get("/v1/campaigns", **theirs)["items"][0]["id"]
    begun = f"{stage.clock.now() - timedelta(days=20):%Y-%m-%d} 00:00:00"  # so that before and after can be compared
    lasting = "UPDATE campaign SET starts_at = :at, ends_at = '2999-01-01 00:00:00' WHERE public_id = :id"
    stage.write(lasting, at=begun, id=campaign)
    payment = stage.get(f"/v1/channels/{anna.id}/payments", **own)["items"][-1]["id"]
    known = imported | {
        "account": anna.address,
        "batch_id": "1",
        "channel_id": anna.id,
        "direct_payment_id": stage.get("/v1/direct-payments", **theirs)["items"][0]["id"],
        "deposit_id": stage.rows("SELECT public_id FROM deposit_relay LIMIT 1")[0][0],
        "gift_id": stage.rows("SELECT public_id FROM gift LIMIT 1")[0][0],
        "token_transfer_id": stage.rows("SELECT public_id FROM token_transfer LIMIT 1")[0][0],
        "gateway_id": gateway.id,
        "merchant_id": cafe.id,
        "payment_id": payment,
        "webhook_id": (webhook := stage.get("/v1/webhooks", **theirs)[0]["id"]),
        "delivery_id": stage.get(f"/v1/webhooks/{webhook}/deliveries", **theirs)["items"][0]["id"],
        "payout_id": stage.get("/v1/payouts", **theirs)["items"][0]["id"],
        "invoice_id": stage.get("/v1/invoices?state=paid", **theirs)["items"][0]["id"],
        "day": stage.clock.now().date().isoformat(),
        "month": f"{stage.clock.now():%Y-%m}",
        "campaign_id": campaign,
        "transfer_id": stage.get("/v1/transfers", **theirs)["items"][0]["id"],
        "conversion_id": stage.get(f"/v1/channels/{anna.id}/jar/conversions", **own)["items"][0]["id"],
        "refund_id": stage.get("/v1/refunds", **theirs)["items"][0]["id"],
        "redemption_id": stage.get("/v1/redemptions", **theirs)["items"][0]["id"],
        "rule_id": stage.get(f"/v1/channels/{anna.id}/rules", **own)["items"][0]["id"],
    }
    document: Any = stage.client.get("/openapi.json").json()
    paths = [path for path, operations in document["paths"].items() if "get" in operations]
    assert len(paths) > 15
    with pytest.MonkeyPatch.context() as patch:  # of this hub, which is no local one
        patch.setattr(sample_shop, "_merchant", lambda session, _hub: session.get_one(MerchantRow, cafe.id))
        assert stage.client.get("/v1/sample-shop", headers=own).status_code == 200
    for path in set(paths) - {"/v1/sample-shop"}:
        security = str(document["paths"][path]["get"].get("security", ""))
        headers = theirs if "merchant" in security else operator if "/operator/" in path else own
        if path == "/v1/merchants/me/keys":
            headers = stage.session_of(cafe.wallet)
        if path.startswith("/v1/gateway"):
            headers = gateway.headers
        filled = path.format(**known)
        answer = stage.client.get(filled, headers=headers)
        assert answer.status_code == 200, (filled, answer.text)
        if "next_cursor" in answer.text:
            first = stage.client.get(f"{filled}?limit=1", headers=headers).json()
            stage.client.get(f"{filled}?limit=1&cursor={first['next_cursor'] or 'MQ'}", headers=headers)
    for page in (
        "/",
        "/batches/1",
        "/till",
        f"/gifts/{known['gift_id']}",
        f"/pay/{known['invoice_id']}",
        f"/pay/{known['invoice_id']}/qr.svg",
    ):
        assert stage.client.get(page).status_code == 200


def test_no_question_needs_a_walk_through_a_table_that_grows(shared_stage: Stage, asked: Recorder) -> None:
    assert len(asked.statements) > 80, "what is not asked is not checked"
    found = {}
    with shared_stage.hub.db.engine.connect() as connection:
        for statement, parameters in asked.statements.values():
            steps = scans(connection, statement, parameters)
            if steps:
                found[statement] = steps
    assert not found, "\n\n".join(f"{steps}\n{statement}" for statement, steps in found.items())


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("SELECT count(*) FROM payment WHERE batch_id IS NULL", ()),
        ("SELECT * FROM payment WHERE amount = ? LIMIT 1", (1,)),
        ("SELECT * FROM payment WHERE batch_id IS NULL AND payee = ? ORDER BY id LIMIT 1", ("",)),
        ("SELECT DISTINCT payee FROM payment LIMIT 1", ()),
        ("SELECT sum(b.amount) FROM balance AS b", ()),
        ("UPDATE jar_firing SET batch_id = 1 WHERE reason = ?", ("",)),
        ("SELECT 1 FROM account JOIN posting ON posting.account_id = account.id WHERE account.name = ?", ("",)),
        ("DELETE FROM siwe_nonce WHERE nonce LIKE ?", ("a%",)),
    ],
)
def test_a_walk_is_noticed(shared_stage: Stage, statement: str, parameters: Any) -> None:
    with shared_stage.hub.db.engine.connect() as connection:
        assert scans(connection, statement, parameters)
