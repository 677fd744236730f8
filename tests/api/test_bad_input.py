"""Bad payments: each is told by a type of its own in the caller's language, stores nothing, and the next good one works."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from taesan.core.http import MAX_BODY_BYTES
from tests.support.problems import assert_problem
from tests.support.signing import with_high_s
from tests.support.stage import CENT, DOLLAR, Payer, Stage, key
from tests.support.wallet import Json, Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

Make = Callable[[Payer], Json]
DEPOSIT = 3 * DOLLAR
LIMIT = 5 * DOLLAR


@pytest.fixture(scope="module")
def payer(shared_stage: Stage) -> Payer:
    payer = shared_stage.payer(DEPOSIT)
    payer.pay(10 * CENT)
    return payer


@pytest.fixture(autouse=True)
def _nothing_is_stored_and_the_next_payment_works(payer: Payer) -> Iterator[None]:
    channel = payer.channel()
    before = payer.stage.row_counts()
    yield
    assert payer.stage.row_counts() == before
    assert payer.channel() == channel
    payer.pay(1)


def _with(make: Make = lambda payer: payer.payment(CENT), **changes: Any) -> Make:
    """A good payment with changes; `a__b=1` changes b within a."""

    def changed(payer: Payer) -> Json:
        body = json.loads(json.dumps(make(payer)))
        for path, value in changes.items():
            *outer, last = path.split("__")
            inner = body
            for name in outer:
                inner = inner.setdefault(name, {})
            inner[last] = value
        return dict(body)

    return changed


def _voucher(amount: int = CENT, by: Wallet | None = None, off: int = 0, **domain: Any) -> Make:
    """A payment with another voucher. :param off: how far its cumulative amount is from the right one"""

    def make(payer: Payer) -> Json:
        cumulative = payer.charged + amount + off
        signature = (by or payer.wallet).voucher(payer.stage.facts, payer.id, cumulative, **domain)
        return _with(voucher__signature=signature, voucher__max_claimable_amount=str(cumulative))(payer)

    return make


def _signature(change: Callable[[str], str]) -> Make:
    return lambda payer: _with(voucher__signature=change(payer.payment(CENT)["voucher"]["signature"]))(payer)


def _amount(value: object) -> Make:
    return _with(amount__value=value)


def _purchase(value: str, asset: str = "USD", **more: Any) -> Make:
    return _with(purchase={"value": value, "asset": asset} | more)


BAD: dict[str, tuple[Make, str, int]] = {
    # ---- the voucher
    "signed by somebody else": (_voucher(by=Wallet("thief")), "invalid-signature", 403),
    "signed by the payer's main key": (
        lambda payer: _with(
            voucher__signature=payer.wallet.sign_text("a voucher"),
        )(payer),
        "invalid-signature",
        403,
    ),
    "signed for another chain": (_voucher(chainId=1), "invalid-signature", 403),
    "signed for another contract": (_voucher(verifyingContract=Wallet("x").address), "invalid-signature", 403),
    "signed for another amount": (_with(voucher__max_claimable_amount="1"), "invalid-signature", 403),
    "signature with high s": (_signature(with_high_s), "invalid-signature", 403),
    "signature with v 0": (_signature(lambda s: s[:-2] + "00"), "invalid-signature", 403),
    "signature of zeros": (_signature(lambda s: "0x" + "00" * 65), "invalid-signature", 403),
    "for another chain": (_with(voucher__network="eip155:1"), "wrong-network", 422),
    "for another contract": (_with(voucher__contract=Wallet("x").address), "wrong-contract", 422),
    "voucher goes back": (_voucher(off=-1), "voucher-out-of-sequence", 409),
    "voucher goes back to the last one": (_voucher(off=-CENT), "voucher-out-of-sequence", 409),
    "voucher jumps": (_voucher(off=1), "voucher-out-of-sequence", 409),
    "voucher jumps far": (_voucher(off=10**18), "voucher-out-of-sequence", 409),
    "over the deposit": (lambda payer: payer.payment(DEPOSIT), "insufficient-deposit", 402),
    "unknown channel": (_with(voucher__channel_id="0x" + "ab" * 32), "unknown-channel", 404),
    # ---- whom it is for
    "unknown merchant": (_with(destination={"type": "merchant", "merchant_id": "mer_no"}), "unknown-merchant", 404),
    "merchant with U+0000": (_with(destination={"type": "merchant", "merchant_id": "mer\0"}), "invalid-request", 422),
    "reference with U+0000": (_with(reference="a\0b"), "invalid-request", 422),
    "merchant without an id": (_with(destination={"type": "merchant"}), "invalid-request", 422),
    "jar with a merchant": (_with(destination={"type": "jar", "merchant_id": "mer_no"}), "unknown-field", 422),
    "unknown destination": (_with(destination={"type": "charity"}), "invalid-request", 422),
    # ---- the amount
    "zero": (_amount("0"), "zero-amount", 422),
    "negative": (_amount("-1"), "invalid-amount", 422),
    "fractional": (_amount("1.5"), "invalid-amount", 422),
    "a JSON number": (_amount(10_000), "invalid-amount", 422),
    "a JSON float": (_amount(1.5), "invalid-amount", 422),
    "leading zero": (_amount("010000"), "invalid-amount", 422),
    "exponential": (_amount("1e4"), "invalid-amount", 422),
    "blank": (_amount(" "), "invalid-amount", 422),
    "null": (_amount(None), "invalid-amount", 422),
    "more than 64 bits": (_amount(str(2**63)), "invalid-amount", 422),
    "astronomical": (_amount("9" * 400), "invalid-amount", 422),
    "voucher over 64 bits": (_with(voucher__max_claimable_amount=str(2**128)), "invalid-amount", 422),
    "over the cap": (lambda payer: payer.payment(LIMIT + 1), "amount-over-cap", 422),
    "wrong exponent": (_with(amount__exponent=2), "wrong-exponent", 422),
    "absurd exponent": (_with(amount__exponent=400), "invalid-request", 422),
    "wrong asset": (_with(amount__asset="USD"), "wrong-asset", 422),
    "another token": (
        _with(amount__asset=f"eip155:31337/erc20:{Wallet('x').address}"),
        "wrong-asset",
        422,
    ),
    # ---- the purchase
    "not the round-up": (_purchase("1177"), "round-up-mismatch", 422),
    "purchase of a whole dollar": (_purchase("1100"), "round-up-mismatch", 422),
    "purchase in won": (_purchase("4500", "KRW", exponent=0), "wrong-currency", 422),
    "purchase in no currency": (_purchase("4500", "XYZ"), "wrong-currency", 422),
    "purchase with the wrong exponent": (_purchase("1199", exponent=0), "wrong-exponent", 422),
    "purchase with a number": (_with(purchase={"value": 1199, "asset": "USD"}), "invalid-amount", 422),
    # ---- the form
    "odd hex": (_signature(lambda s: s[:-1]), "malformed-hex", 422),
    "signature without v": (_signature(lambda s: s[:-2]), "invalid-signature", 403),
    "signature of 4,097 bytes": (_signature(lambda s: s + "00" * (4_097 - 65)), "invalid-request", 422),
    "no hex": (_signature(lambda s: s[:-2] + "zz"), "malformed-hex", 422),
    "hex without 0x": (_signature(lambda s: s[2:] + "00"), "malformed-hex", 422),
    "malformed channel id": (_with(voucher__channel_id="0x12"), "malformed-hex", 422),
    "hex as a number": (_with(voucher__channel_id=12), "invalid-request", 422),
    "malformed address": (_with(voucher__contract="0x12"), "invalid-address", 422),
    "unknown field": (_with(tip="1"), "unknown-field", 422),
    "unknown inner field": (_with(amount__currency="USD"), "unknown-field", 422),
    "missing field": (lambda payer: {"amount": payer.payment(1)["amount"]}, "invalid-request", 422),
    "long reference": (_with(reference="x" * 65), "invalid-request", 422),
    "half a character": (_with(reference="\ud800"), "invalid-request", 422),
}


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("case", BAD, ids=lambda case: case.replace(" ", "-"))
def test_a_bad_payment_is_refused(payer: Payer, case: str, language: str) -> None:
    make, type_, status = BAD[case]
    headers = key() | {"Accept-Language": language, "Content-Type": "application/json"}
    answer = payer.stage.client.post("/v1/payments", content=json.dumps(make(payer)), headers=headers)
    body = assert_problem(answer, type_, status)
    assert answer.headers["content-language"] == language
    if type_ in ("voucher-out-of-sequence", "insufficient-deposit"):
        assert body["channel"] == {
            "id": payer.id,
            "charged_cumulative": str(payer.charged),
            "available": str(DEPOSIT - payer.charged),
        }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"payment"',
        b"\xff\xfe",
        b"\x00",
        b"[" * 50_000,
        b'{"amount": {"value": NaN}}',
        b'{"amount": 1e999}',
        b"a=1&b=2",
    ],
    ids=lambda body: repr(body[:12]),
)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data"])
def test_what_is_no_json_object_is_refused(payer: Payer, body: bytes, kind: str) -> None:
    headers = key() | {"Content-Type": kind, "Accept-Language": "ko"}
    answer = payer.stage.client.post("/v1/payments", content=body, headers=headers)
    assert_problem(answer, "invalid-request", answer.status_code)
    assert answer.status_code in (400, 422)


def test_a_body_that_tells_that_it_is_too_large_is_refused(payer: Payer) -> None:
    body = _with(reference="x" * MAX_BODY_BYTES)(payer)
    answer = payer.stage.client.post("/v1/payments", json=body, headers=key() | {"Accept-Language": "ko"})
    assert_problem(answer, "body-too-large", 413)


def test_a_body_that_does_not_tell_its_length_is_not_read_for_ever(payer: Payer) -> None:
    pieces = (b" " * 100_000 for _ in range(100))
    answer = payer.stage.client.post("/v1/payments", content=pieces, headers=key())
    assert "content-length" not in answer.request.headers
    assert_problem(answer, "body-too-large", 413)


@pytest.mark.parametrize("told", ["-1", "x", "9" * 30, "1.5", ""])
def test_a_false_length_does_no_harm(payer: Payer, told: str) -> None:
    answer = payer.stage.client.post("/v1/payments", content=b"{}", headers=key() | {"Content-Length": told})
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_payment_without_idempotency_key_is_refused(payer: Payer, language: str) -> None:
    answer = payer.stage.client.post("/v1/payments", json=payer.payment(CENT), headers={"Accept-Language": language})
    assert_problem(answer, "idempotency-key-missing", 400)


@pytest.mark.parametrize("bad", ["", "x" * 129, "two words", "tab\t", "é"], ids=["empty", "long", "blank", "tab", "é"])
def test_a_malformed_idempotency_key_is_refused(payer: Payer, bad: str) -> None:
    headers = {"Idempotency-Key": bad.encode()}
    answer = payer.stage.client.post("/v1/payments", json=payer.payment(CENT), headers=headers)  # type: ignore[arg-type]
    assert_problem(answer, "invalid-request", 422)


def test_the_detail_names_each_fault_and_where_it_is(payer: Payer) -> None:
    body = _with(amount__value="-1", voucher__signature="0x1")(payer)
    problem = assert_problem(payer.stage.client.post("/v1/payments", json=body, headers=key()), "malformed-hex", 422)
    assert [error["field"] for error in problem["errors"]] == ["voucher.signature", "amount.value"]
    assert "minor units" in problem["detail"]
    assert body["voucher"]["channel_id"] not in problem["detail"], "what came in is not echoed"
