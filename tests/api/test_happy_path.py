"""The one way that money flows, from a signed deposit to a merchant's wallet, on a real chain."""

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from web3.logs import DISCARD

from taesan.chain import rpc, sender
from taesan.identity import keys
from taesan.settlement import packing
from tests.support.merkle import process_proof
from tests.support.stage import CENT, DEPTH, DOLLAR, Payer, Stage, StageFactory
from tests.support.wallet import Wallet, raw

pytestmark = pytest.mark.database("sqlite", "postgresql")


def test_from_deposit_to_payout_and_every_step_can_be_checked(stage: Stage) -> None:  # noqa: PLR0915  # one story
    chain, client = stage.chain, stage.client

    # A deposit is signed, relayed by the hub, and counts at depth.
    anna, cafe = stage.payer(10 * DOLLAR), stage.merchant()
    assert anna.channel()["available"] == str(10 * DOLLAR)
    assert stage.balance("escrow") == 10 * DOLLAR == chain.read("channels", "channels", raw(anna.id))[0]

    # Payments are accepted off-chain: round-ups to the jar, a purchase to the café.
    blocks = chain.head()
    first = anna.pay(23 * CENT, purchase={"value": "1177", "asset": "USD", "exponent": 2})
    assert first["jar"] == {"gathered": str(23 * CENT), "payments": 1, "fired": None}
    coffee = anna.pay(2 * DOLLAR, cafe, reference="table 7")
    assert (coffee["merchant_id"], coffee["jar"], coffee["reference"]) == (cafe.id, None, "table 7")
    last = anna.pay(80 * CENT)
    assert last["jar"] == {"gathered": str(3 * CENT), "payments": 0, "fired": str(DOLLAR)}
    assert chain.head() == blocks, "paying takes no transaction"
    assert cafe.account() == {
        "merchant_id": cafe.id,
        "pending": str(2 * DOLLAR),
        "credit": "0",
        "paying_out": "0",
        "refunding": "0",
        "budget": "0",
    }
    assert stage.balance("jar", anna.id) == 3 * CENT
    assert stage.balance("converting", anna.address) == DOLLAR
    assert client.get(f"/v1/payments/{coffee['id']}/proof").json()["type"].endswith(":not-batched")

    # One transaction claims, credits the café, and mints the gift token into Anna's wallet.
    stage.settle()
    batch = stage.get("/v1/batches/1")
    assert (batch["state"], batch["payments"], batch["payers"]) == ("posted", 3, 1)
    assert (batch["claimed"], batch["credited"], batch["entitled"]) == (
        str(3 * DOLLAR),
        str(2 * DOLLAR),
        str(DOLLAR),
    )
    receipt = chain.web3.eth.get_transaction_receipt(batch["transaction"])
    assert receipt["status"] == 1
    assert batch["gas_used"] == receipt["gasUsed"]
    assert batch["gas_per_payment"] == receipt["gasUsed"] // 3
    settlement = chain.web3.eth.contract(address=chain.contracts.settlement.address, abi=chain.contracts.settlement.abi)
    assert len(settlement.events.BatchSettled().process_receipt(receipt, errors=DISCARD)) == 1
    gift_token = chain.web3.eth.contract(address=chain.contracts.gift_token.address, abi=chain.contracts.gift_token.abi)
    (minted,) = [
        transfer["args"]
        for transfer in gift_token.events.Transfer().process_receipt(receipt, errors=DISCARD)
        if transfer["address"] == gift_token.address
    ]
    assert (int(minted["from"], 16), minted["to"], minted["value"]) == (0, anna.address, DOLLAR)
    assert stage.gift_tokens(anna.address) == DOLLAR == stage.balance("gift_supply")
    assert chain.read("settlement", "credits", cafe.address) == 2 * DOLLAR == int(cafe.account()["credit"])
    assert chain.read("channels", "channels", raw(anna.id)) == [10 * DOLLAR, 3 * DOLLAR]

    # Anyone can check a payment against the root on chain, with nothing but the answer and a hash function.
    on_chain = chain.read("settlement", "batches", 1)
    for payment in (first, coffee, last):
        proof = stage.get(f"/v1/payments/{payment['id']}/proof")
        leaf = _leaf(proof["leaf"])
        assert proof["leaf_hash"] == "0x" + leaf.hex()
        assert process_proof([raw(h) for h in proof["proof"]], leaf) == on_chain
        assert (proof["batch_id"], proof["transaction"], proof["state"]) == (1, batch["transaction"], "posted")
        assert stage.get(f"/v1/payments/{payment['id']}")["batch_id"] == 1

    # And an entitlement: the contract itself takes the proof, and says that it is minted already.
    entitlement = stage.get(f"/v1/entitlements/{anna.address}")
    assert (entitlement["cumulative"], entitlement["claimed"]) == (str(DOLLAR), str(DOLLAR))
    leaf = keccak(keccak(encode(["address", "uint256"], [anna.address, DOLLAR])))
    assert process_proof([raw(h) for h in entitlement["proof"]], leaf) == on_chain

    # The café redeems Anna's gift token at face value, by her signature, and is paid out in one transfer.
    answer = cafe.redeem(anna.wallet, DOLLAR)
    assert (answer.status_code, answer.json()["state"]) == (202, "received")
    stage.confirm()
    assert stage.get(f"/v1/redemptions/{answer.json()['id']}", **cafe.headers)["state"] == "confirmed"
    assert stage.gift_tokens(anna.address) == 0 == stage.balance("gift_supply")
    assert cafe.account()["credit"] == str(3 * DOLLAR)

    answer = cafe.order_payout()
    assert (answer.status_code, answer.json()["amount"]) == (202, str(3 * DOLLAR))
    assert cafe.account() == {
        "merchant_id": cafe.id,
        "pending": "0",
        "credit": "0",
        "paying_out": str(3 * DOLLAR),
        "refunding": "0",
        "budget": "0",
    }
    stage.confirm()
    payout = stage.get(f"/v1/payouts/{answer.json()['id']}", **cafe.headers)
    assert payout["state"] == "paid"
    assert chain.web3.eth.get_transaction_receipt(payout["transaction"])["status"] == 1
    assert chain.read("asset", "balanceOf", cafe.address) == 3 * DOLLAR
    assert cafe.account() == {
        "merchant_id": cafe.id,
        "pending": "0",
        "credit": "0",
        "paying_out": "0",
        "refunding": "0",
        "budget": "0",
    }

    # The books equal the chain.
    report = stage.audit()
    assert report.differences == []
    assert report.counted["payment proofs"] == 3
    assert chain.read("settlement", "liabilities") == 0
    trust = stage.get("/v1/overview")["trust"]
    assert (trust["books_balance"], trust["books_equal_chain"]) == (True, True)


def test_several_payers_merchants_and_batches_add_up(stage: Stage) -> None:
    payers = [stage.payer(5 * DOLLAR) for _ in range(3)]
    merchants = [stage.merchant("Café"), stage.merchant("Kiosk")]
    for round_ in range(3):
        for n, payer in enumerate(payers):
            payer.pay(30 * CENT)
            payer.pay(20 * CENT + n, merchants[(n + round_) % 2])
        payers[0].pay(40 * CENT)
        stage.settle()
    assert stage.batch_states() == ["posted"] * 3
    assert stage.audit().differences == []
    # The first has gathered 2.10, and been given what two firings took; the others have gathered 0.90.
    minted = [stage.gift_tokens(p.address) for p in payers]
    assert minted == [2 * DOLLAR, 0, 0]
    assert stage.balance("jar", payers[0].id) == 10 * CENT
    entitlement = stage.get(f"/v1/entitlements/{payers[0].address}")
    assert (entitlement["batch_id"], entitlement["cumulative"]) == (3, str(2 * DOLLAR))
    assert sum(int(m.account()["credit"]) for m in merchants) == 9 * 20 * CENT + 3 * (0 + 1 + 2)


def test_a_batch_waits_for_its_time_or_its_number(open_stage: StageFactory) -> None:
    stage = open_stage(batch_interval_s=60, batch_max_payments=3)
    anna = stage.payer()
    anna.pay(CENT)
    stage.later(59)
    stage.tick(3)
    assert stage.batch_states() == []
    anna.pay(CENT)
    anna.pay(CENT)
    stage.tick()
    assert len(stage.batch_states()) == 1
    anna.pay(CENT)
    stage.later(61)
    stage.confirm()
    stage.confirm()
    assert stage.batch_states() == ["posted", "posted"]
    assert stage.audit().differences == []


def test_nothing_is_booked_before_its_depth(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR, cafe)
    stage.later(61)
    stage.tick(3)
    assert stage.batch_states() == ["mined"]
    for _ in range(DEPTH - 1):
        stage.chain.mine()
        stage.tick(2)
        assert cafe.account()["credit"] == "0"
        assert stage.batch_states() == ["mined"]
    stage.chain.mine()
    stage.tick(2)
    assert stage.batch_states() == ["posted"]
    assert cafe.account()["credit"] == str(DOLLAR)


def test_a_batch_waits_until_the_one_before_is_in_a_block(stage: Stage) -> None:
    """The contract takes batches one by one in their order."""
    anna = stage.payer()
    anna.pay(CENT)
    with stage.chain.mining_paused():
        stage.later(61)
        stage.tick(2)
        assert stage.batch_states() == ["broadcast"]
        anna.pay(CENT)
        stage.later(61)
        stage.tick(3)
        assert stage.batch_states() == ["broadcast"]
        stage.chain.mine()
    stage.tick()
    stage.later(61)
    stage.confirm()
    assert stage.batch_states() == ["posted", "posted"]
    assert stage.audit().differences == []


@pytest.mark.database("sqlite")  # many signatures
def test_more_than_one_transaction_takes_goes_into_two_batches(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything for the first time: each payer with tokens to mint and a merchant of her own. On a chain that takes a quarter of what
    others do, so that a quarter of the payers is enough."""
    count, most = 80, rpc.MAX_TRANSACTION_GAS // 4
    payers = [Payer(stage, Wallet(f"payer {n}")) for n in range(count)]
    stage.chain.give_everybody_dollars([payer.address for payer in payers], 2 * DOLLAR)
    for payer in payers:
        payer.deposit(2 * DOLLAR)
    for _ in range(-(-count // (10 * stage.settings.relay_max_items)) + 1):
        stage.tick()
        for _ in range(10):
            stage.chain.mine(DEPTH)
            stage.worker.tick()
    with stage.hub.db.write() as session:
        merchants = [
            keys.register(session, "Café", Wallet(f"merchant {n}").address, stage.clock.now(), stage.hub.mode)[0].id
            for n in range(count)
        ]
    payments = []
    for payer, merchant_id in zip(payers, merchants, strict=True):
        payments.append(payer.payment(DOLLAR))
        payer.charged += DOLLAR
        payments.append(payer.payment(DOLLAR, destination={"type": "merchant", "merchant_id": merchant_id}))
    for module in (rpc, sender):
        monkeypatch.setattr(module, "MAX_TRANSACTION_GAS", most)
    monkeypatch.setattr(packing, "MAX_GAS", packing.MAX_GAS // 4)
    bulk = {"payments": [payment | {"idempotency_key": f"key-{n}"} for n, payment in enumerate(payments)]}
    results = stage.client.post("/v1/payments/bulk", json=bulk).json()["results"]
    assert {result["status"] for result in results} == {201}
    stage.settle()
    stage.later(61)
    stage.settle()
    assert stage.batch_states() == ["posted", "posted"]
    batches = [stage.get(f"/v1/batches/{n}") for n in (1, 2)]
    assert sum(batch["payments"] for batch in batches) == 2 * count
    assert batches[0]["payers"] > count * 0.7, "a full one is worth its price"
    for batch in batches:
        transaction = stage.chain.web3.eth.get_transaction(batch["transaction"])
        assert batch["gas_used"] < transaction["gas"] <= most, "EIP-7825"
        assert len(transaction["input"]) < 128 * 1_024
    assert all(stage.gift_tokens(payer.address) == DOLLAR for payer in payers)
    assert stage.audit().differences == []


def _leaf(leaf: dict[str, str]) -> bytes:
    """As the API's own documentation says."""
    content = encode(
        ["bytes32", "bytes32", "uint256", "uint256", "address"],
        [
            keccak(text=leaf["payment_id"]),
            raw(leaf["channel_id"]),
            int(leaf["amount"]),
            int(leaf["cumulative"]),
            leaf["payee"],
        ],
    )
    return keccak(keccak(content))
