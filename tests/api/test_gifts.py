"""Gift links: wrapped, claimed once by whoever has the link, taken back after their end; and gift tokens to an address."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.gifts import (
    Giver,
    Link,
    claim,
    gather,
    nonce,
    pass_end,
    post,
    rich_payer,
    send_back,
    signed_transfer,
    state,
    take_back,
    transfer,
)
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Payer, Stage, key
from tests.support.wallet import FAR_FUTURE, Json, Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")
TRANSACTIONS = "SELECT count(*) FROM chain_transaction WHERE kind = 'token transfers'"


@pytest.fixture
def stage(shared_stage: Stage) -> Stage:
    return shared_stage


@pytest.fixture(scope="module")
def rich(shared_stage: Stage) -> Payer:
    return rich_payer(shared_stage)


@pytest.fixture
def giver(shared_stage: Stage, rich: Payer) -> Giver:
    return Giver(shared_stage, rich)


def test_a_gift_goes_from_the_sender_to_whoever_has_the_link_and_nobody_pays_gas(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.give(message="생일 축하해!", sender_name="안나")
    told = stage.get(f"/v1/gifts/{gift_id}")
    assert (told["state"], told["message"], told["sender_name"]) == ("wrapping", "생일 축하해!", "안나")
    assert told["url"] == f"{stage.settings.public_url}/gifts/{gift_id}"
    friend = Wallet()
    body = link.claim_body(friend.address)
    assert_problem(claim(stage, gift_id, body), "gift-not-ready", 409)
    gather(stage)
    assert state(stage, gift_id) == "open"
    assert stage.gift_tokens(link.key.address) == DOLLAR

    answer = claim(stage, gift_id, body)
    assert (answer.status_code, answer.json()["state"]) == (202, "claiming")
    stage.confirm()
    told = stage.get(f"/v1/gifts/{gift_id}")
    assert (told["state"], told["claimed_at"]) == ("claimed", answer.json()["claimed_at"])
    assert (stage.gift_tokens(friend.address), stage.gift_tokens(link.key.address)) == (DOLLAR, 0)
    assert stage.gift_tokens(giver.wallet.address) == DOLLAR
    assert stage.chain.web3.eth.get_balance(friend.address) == 0, "without a wei"
    report = stage.audit()
    assert (report.differences, report.counted["token transfers"] >= 2) == ([], True)


def test_the_second_is_told_and_gets_nothing(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.wrap()
    first, second = Wallet(), Wallet()
    assert claim(stage, gift_id, link.claim_body(first.address)).status_code == 202
    assert_problem(claim(stage, gift_id, link.claim_body(second.address)), "gift-claimed", 409)
    stage.confirm()
    assert_problem(claim(stage, gift_id, link.claim_body(second.address)), "gift-claimed", 409)
    assert (stage.gift_tokens(first.address), stage.gift_tokens(second.address)) == (DOLLAR, 0)


def test_of_many_at_once_one_takes_it(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.wrap()
    bodies = [link.claim_body(Wallet().address) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda body: claim(stage, gift_id, body), bodies))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 5
    stage.confirm()
    won = next(body for body, answer in zip(bodies, answers, strict=True) if answer.status_code == 202)
    assert stage.gift_tokens(won["recipient"]) == DOLLAR


def test_a_repeated_claim_gets_its_first_answer(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.wrap()
    body, once = link.claim_body(Wallet().address), key()
    answers = [stage.client.post(f"/v1/gifts/{gift_id}/claim", json=body, headers=once) for _ in range(2)]
    assert [a.status_code for a in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotent-replayed"] == "true"


def test_after_its_end_it_goes_back_to_its_sender_and_nowhere_else(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.wrap()
    assert_problem(take_back(stage, gift_id), "gift-not-expired", 409)
    pass_end(stage, link)
    assert state(stage, gift_id) == "expired"
    assert_problem(claim(stage, gift_id, link.claim_body(Wallet().address)), "gift-expired", 409)
    for _ in range(2):
        assert take_back(stage, gift_id).json()["state"] == "returning"
    stage.confirm()
    assert state(stage, gift_id) == "returned"
    assert stage.gift_tokens(giver.wallet.address) == 2 * DOLLAR
    assert take_back(stage, gift_id).json()["state"] == "returned"
    assert_problem(claim(stage, gift_id, link.claim_body(Wallet().address)), "gift-expired", 409)
    assert stage.rows("SELECT count(*) FROM token_transfer WHERE payer = :key", key=link.key.address) == [(1,)]
    assert stage.audit().differences == []


def test_without_the_hub_its_sender_takes_it_back(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.wrap()
    told = stage.get(f"/v1/gifts/{gift_id}")
    pass_end(stage, link)
    send_back(stage, told["asset"].rsplit(":", 1)[1], told["taking_back"])
    assert (stage.gift_tokens(giver.wallet.address), stage.gift_tokens(link.key.address)) == (2 * DOLLAR, 0)


def test_nobody_uses_up_the_nonce_that_takes_a_gift_back(stage: Stage, giver: Giver) -> None:
    """Whoever has the link could sign it for something else, and the hub would take it for the gift's own."""
    gift_id, link = giver.wrap(90 * CENT)
    holder, back = Wallet(), link.body["taking_back"]["nonce"]
    holder.key = link.key
    body = link.claim_body(giver.wallet.address, with_nonce=back)
    assert_problem(claim(stage, gift_id, body), "invalid-token-transfer", 422)
    sent = transfer(stage, holder, giver.wallet.address, CENT, back)
    assert_problem(post(stage, "/v1/token-transfers", sent), "invalid-token-transfer", 422)
    assert state(stage, gift_id) == "open"

    other = giver.link()
    holder.key = other.key
    stage.chain.send(giver.wallet.key, "gift_token", "transfer", holder.address, CENT)
    sent = transfer(stage, holder, giver.wallet.address, CENT, other.body["taking_back"]["nonce"])
    assert post(stage, "/v1/token-transfers", sent).status_code == 202
    assert_problem(post(stage, "/v1/gifts", other.body), "invalid-gift", 422)


def test_a_claim_that_the_chain_never_carried_out_leaves_it_to_its_sender(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.wrap()
    assert claim(stage, gift_id, link.claim_body(Wallet().address)).status_code == 202
    pass_end(stage, link)
    stage.chain.mine(3)
    stage.confirm()  # refused: it came too late
    assert state(stage, gift_id) == "expired"
    assert take_back(stage, gift_id).status_code == 202
    gather(stage)
    assert state(stage, gift_id) == "returned"
    assert stage.gift_tokens(giver.wallet.address) == 2 * DOLLAR


def test_many_gifts_and_claims_share_transactions(stage: Stage, giver: Giver) -> None:
    before = stage.rows(TRANSACTIONS)[0][0]
    made = [giver.give(10 * CENT) for _ in range(5)]
    gather(stage)
    friends = [Wallet() for _ in made]
    for (gift_id, link), friend in zip(made, friends, strict=True):
        assert claim(stage, gift_id, link.claim_body(friend.address)).status_code == 202
    stage.confirm()
    assert [stage.gift_tokens(friend.address) for friend in friends] == [10 * CENT] * 5
    assert stage.rows(TRANSACTIONS) == [(before + 2,)]


def test_tokens_that_the_sender_has_spent_meanwhile_are_not_given(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.give(lives_s=3_600)
    stage.chain.send(giver.wallet.key, "gift_token", "transfer", Wallet().address, 2 * DOLLAR)
    gather(stage)
    told = stage.get(f"/v1/gifts/{gift_id}")
    assert (told["state"], told["reason"]) == ("wrapping", told["reason"])
    assert "ERC20InsufficientBalance" in told["reason"]
    stage.write(
        "UPDATE token_transfer SET state = 'failed' WHERE pay_to = :key", key=link.key.address
    )  # as it will be when its time is over
    assert_problem(claim(stage, gift_id, link.claim_body(Wallet().address)), "gift-failed", 409)
    assert_problem(take_back(stage, gift_id), "gift-failed", 409)


def test_who_has_the_link_may_go_past_the_hub(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.wrap()
    friend = Wallet()
    body = link.claim_body(friend.address)
    times = 0, link.expires_at
    signature = bytes.fromhex(body["signature"][2:])
    arguments = (link.key.address, friend.address, DOLLAR, *times, bytes.fromhex(body["nonce"][2:]), signature)
    fn = "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"
    stage.chain.send(giver.wallet.key, "gift_token", fn, *arguments)
    assert_problem(claim(stage, gift_id, link.claim_body(Wallet().address)), "gift-gone", 409)
    pass_end(stage, link)
    assert_problem(take_back(stage, gift_id), "gift-gone", 409)
    assert stage.gift_tokens(friend.address) == DOLLAR


def test_a_reorganisation_leads_back_and_it_is_sent_again(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.give()
    stage.later(stage.settings.token_gather_s + 1)
    stage.tick(2)  # sent, and mined
    stage.chain.reorganise(1)
    assert stage.gift_tokens(link.key.address) == 0
    stage.later(20)
    stage.confirm()
    assert state(stage, gift_id) == "open"
    assert stage.gift_tokens(link.key.address) == DOLLAR


def test_a_crash_after_the_signature_sends_nothing_twice(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.wrap()
    before = stage.rows(TRANSACTIONS)[0][0]
    assert claim(stage, gift_id, link.claim_body((friend := Wallet()).address)).status_code == 202
    stage.worker.steps["gather token transfers"]()  # signed and stored, not sent: the process dies here
    stage.restart()
    stage.confirm()
    assert state(stage, gift_id) == "claimed"
    assert stage.gift_tokens(friend.address) == DOLLAR
    assert stage.rows(TRANSACTIONS) == [(before + 1,)]


def test_a_sender_sees_its_own_links(stage: Stage, giver: Giver) -> None:
    gift_id, _ = giver.give()
    (mine,) = stage.get("/v1/gifts", **stage.session_of(giver.wallet))["items"]
    assert mine["id"] == gift_id
    assert stage.get("/v1/gifts", **stage.session_of(Wallet()))["items"] == []
    assert_problem(stage.client.get("/v1/gifts"), "unauthorized", 401)


def _bad(link: Link, **changes: Any) -> Json:
    body = link.body | {k: v for k, v in changes.items() if "__" not in k}
    for path, value in changes.items():
        if "__" in path:
            outer, inner = path.split("__")
            body[outer] = body[outer] | {inner: value}
    return body


def test_what_is_no_gift_is_told_and_stores_nothing(stage: Stage, giver: Giver) -> None:
    link, other = giver.link(), Wallet()
    by_others = signed_transfer(
        stage.facts, other.key, link.key.address, DOLLAR, 0, FAR_FUTURE, link.body["wrapping"]["nonce"]
    )
    bad = {
        "too soon over": (giver.link(lives_s=60).body, "invalid-gift"),
        "too long": (giver.link(lives_s=400 * 86_400).body, "invalid-gift"),
        "a date beyond all": (_bad(link, expires_at=str(2**60)), "invalid-request"),
        "too small": (giver.link(0).body, "amount-too-small"),
        "more than there is": (giver.link(3 * DOLLAR).body, "invalid-token-transfer"),
        "another amount than was signed": (_bad(link, amount=str(DOLLAR + 1)), "invalid-gift"),
        "another sender": (_bad(link, sender=other.address), "invalid-gift"),
        "another end": (_bad(link, expires_at=str(link.expires_at + 1)), "invalid-gift"),
        "wrapped by somebody else": (_bad(link, wrapping__signature=by_others), "invalid-token-transfer"),
        "wrapped too late": (_bad(link, wrapping__valid_before="1"), "invalid-token-transfer"),
        "no way back": (_bad(link, taking_back__nonce=nonce()), "invalid-gift"),
        "the sender's own key": (_bad(link, key_address=giver.wallet.address), "invalid-gift"),
        "a long message": (_bad(link, message="x" * 281), "invalid-request"),
        "a field too many": (_bad(link, secret="0x"), "unknown-field"),
    }
    before = stage.row_counts()
    for name, (body, type_) in bad.items():
        answer = post(stage, "/v1/gifts", body)
        assert (answer.json()["type"].rsplit(":")[-1], answer.status_code) == (type_, 422), name
    assert stage.row_counts() == before
    assert post(stage, "/v1/gifts", link.body).status_code == 201
    assert_problem(post(stage, "/v1/gifts", link.body), "invalid-gift", 422)


def test_what_is_promised_to_one_is_not_promised_to_another(stage: Stage, giver: Giver) -> None:
    giver.give(DOLLAR)
    assert_problem(post(stage, "/v1/gifts", giver.link(DOLLAR + 1).body), "invalid-token-transfer", 422)
    giver.give(DOLLAR)


def test_what_is_no_claim_is_told_and_leaves_the_gift(stage: Stage, giver: Giver) -> None:
    gift_id, link = giver.wrap()
    friend = Wallet()
    good = link.claim_body(friend.address)
    assert_problem(claim(stage, "gift_unknown", good), "not-found", 404)
    assert_problem(claim(stage, gift_id, link.claim_body(friend.address, friend.key)), "invalid-token-transfer", 422)
    assert_problem(claim(stage, gift_id, good | {"recipient": Wallet().address}), "invalid-token-transfer", 422)
    for nobody in ("0x" + "0" * 40, stage.facts["settlement"], stage.facts["collector"], stage.chain.deployment.vault):
        assert_problem(claim(stage, gift_id, link.claim_body(nobody)), "invalid-recipient", 422)
    with stage.node_away():
        assert_problem(claim(stage, gift_id, good), "node-unavailable", 503)
    assert_problem(take_back(stage, "gift_unknown"), "not-found", 404)
    assert claim(stage, gift_id, good).status_code == 202


# -------------------------------------------------------------- to an address


def test_gift_tokens_go_to_somebodys_address_by_one_signature(stage: Stage, giver: Giver) -> None:
    friend = Wallet()
    body = transfer(stage, giver.wallet, friend.address, 70 * CENT)
    answer = post(stage, "/v1/token-transfers", body)
    assert (answer.status_code, answer.json()["state"]) == (202, "pending")
    gather(stage)
    told = stage.get(f"/v1/token-transfers/{answer.json()['id']}")
    assert (told["state"], told["recipient"], told["amount"]) == ("done", friend.address, str(70 * CENT))
    assert told["transaction"].startswith("0x")
    assert stage.gift_tokens(friend.address) == 70 * CENT
    assert stage.get("/v1/token-transfers", **stage.session_of(giver.wallet))["items"] == [told]
    assert stage.get("/v1/gifts", **stage.session_of(giver.wallet))["items"] == []
    assert_problem(post(stage, "/v1/token-transfers", body), "invalid-token-transfer", 422)
    assert_problem(stage.client.get("/v1/token-transfers/tok_unknown"), "not-found", 404)
    for changes, type_ in (
        ({"amount": str(80 * CENT)}, "invalid-token-transfer"),
        ({"recipient": giver.wallet.address}, "invalid-recipient"),
        ({"valid_after": str(FAR_FUTURE)}, "invalid-token-transfer"),
        ({"nonce": nonce()}, "invalid-token-transfer"),
    ):
        again = transfer(stage, giver.wallet, Wallet().address, 70 * CENT) | changes
        assert_problem(post(stage, "/v1/token-transfers", again), type_, 422)
    assert stage.audit().differences == []


def test_a_hub_that_cannot_gather_says_so(stage: Stage, giver: Giver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(stage.hub), "gathered", {})
    body = transfer(stage, giver.wallet, Wallet().address, CENT)
    assert_problem(post(stage, "/v1/token-transfers", body), "cannot-gather", 409)


def test_nothing_is_taken_in_that_nobody_could_check(stage: Stage, giver: Giver) -> None:
    with stage.node_away():
        answer = post(stage, "/v1/token-transfers", transfer(stage, giver.wallet, Wallet().address, CENT))
    assert_problem(answer, "node-unavailable", 503)
