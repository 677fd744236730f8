"""What a payer can look up of one payment: the root that the chain has, and what the books have."""

from tests.support.problems import assert_problem
from tests.support.stage import CENT, Stage


def test_the_root_of_a_batch_is_the_one_that_the_chain_has(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(30 * CENT, cafe)
    stage.later(stage.settings.batch_interval_s + 1)
    with stage.chain.mining_paused():
        stage.tick()
        assert stage.get("/v1/batches/1/root")["root"] is None, "it is on its way"
        stage.chain.mine()
    on_chain = "0x" + stage.chain.read("settlement", "batches", 1).hex().removeprefix("0x")
    assert stage.get("/v1/batches/1/root") == {
        "batch_id": 1,
        "settlement": stage.facts["settlement"],
        "root": on_chain,
    }
    assert on_chain == stage.get("/v1/batches/1")["root"]
    assert_problem(stage.client.get("/v1/batches/2/root"), "not-found", 404)
    with stage.node_away():
        assert_problem(stage.client.get("/v1/batches/1/root"), "node-unavailable", 503)


def test_a_payment_is_recorded_for_its_payer_and_in_part_for_its_merchant(stage: Stage) -> None:
    anna, ben, cafe = stage.payer(), stage.payer(), stage.merchant()
    anna.set_rule(trigger_count=1)
    bought, saved = anna.pay(30 * CENT, cafe), anna.pay(20 * CENT)
    path = f"/v1/payments/{bought['id']}/record"
    seen = stage.get(path, **anna.headers())
    signature = anna.wallet.voucher(stage.facts, anna.id, 30 * CENT)
    assert seen["voucher"] == {
        "channel_id": anna.id,
        "max_claimable_amount": str(30 * CENT),
        "signature": signature,
        "signer": anna.wallet.hot_key.address,
    }
    names = [line["account"].split(":")[0] for line in seen["lines"]]
    assert (names, [line["amount"] for line in seen["lines"]]) == (
        ["channel", "pending"],
        [str(30 * CENT), str(-30 * CENT)],
    )
    (entry,) = [e for e in stage.get("/v1/ledger/entries?limit=500")["entries"] if e["id"] == seen["entry"]["id"]]
    assert entry["hash"] == seen["entry"]["hash"]
    assert entry["lines"] == seen["lines"], "alone in its entry, it is all of it"

    theirs = stage.session_of(cafe.wallet)
    assert stage.get(path, **theirs) == seen | {"voucher": None}
    into_jar = f"/v1/payments/{saved['id']}/record"
    assert stage.get(into_jar, **anna.headers())["firings"][0]["amount"] == str(20 * CENT)
    for headers, asked in ((ben.headers(), path), (theirs, into_jar), (ben.headers(), into_jar)):
        assert_problem(stage.client.get(asked, headers=headers), "forbidden", 403)
    assert_problem(stage.client.get(path), "unauthorized", 401)
    assert_problem(stage.client.get("/v1/payments/pay_x/record", headers=theirs), "not-found", 404)

    stage.settle()
    cafe.refund(bought["id"], 10 * CENT)
    assert stage.get(path, **anna.headers())["refunded"] == str(10 * CENT)
