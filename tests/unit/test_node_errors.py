"""What nodes say when they refuse, as they say it, and what we make of it."""

import pytest

from taesan.chain import errors
from taesan.chain.errors import (
    AlreadyKnown,
    FeeTooLow,
    InsufficientFunds,
    NonceTooHigh,
    NonceTooLow,
    ReplacementUnderpriced,
    SendRefused,
    refusal,
    revert,
)

SAID = [
    # geth, core/txpool/errors.go and core/error.go
    ("already known", AlreadyKnown),
    ("replacement transaction underpriced", ReplacementUnderpriced),
    ("replacement transaction underpriced: new tx gas fee cap 100 <= 110 queued", ReplacementUnderpriced),
    ("transaction underpriced", FeeTooLow),
    ("transaction underpriced: gas tip cap 0, minimum needed 1", FeeTooLow),
    ("transaction gas price below minimum: gas tip cap 0, minimum needed 1", FeeTooLow),
    ("max fee per gas less than block base fee: address 0xf39F, maxFeePerGas: 1, baseFee: 7", FeeTooLow),
    ("nonce too low: next nonce 5, tx nonce 3", NonceTooLow),
    ("nonce too high", NonceTooHigh),
    ("insufficient funds for gas * price + value: balance 7, tx cost 21000, overshot 20993", InsufficientFunds),
    ("txpool is full", SendRefused),
    ("in-flight transaction limit reached for delegated accounts", SendRefused),
    # anvil
    ("transaction already imported", AlreadyKnown),
    ("[0x8d12] Already imported", AlreadyKnown),
    ("nonce too low", NonceTooLow),
    ("Insufficient funds for gas * price + value", InsufficientFunds),
    # Ganache
    ("VM Exception: the tx doesn't have the correct nonce. account has nonce of: 7 tx has nonce of: 5", NonceTooLow),
    ("VM Exception: the tx doesn't have the correct nonce. account has nonce of: 2 tx has nonce of: 5", NonceTooHigh),
    ("the tx doesn't have the correct nonce.", SendRefused),
    (
        "sender doesn't have enough funds to send tx. The upfront cost is: 9 and the sender's account only has: 1",
        InsufficientFunds,
    ),
    ("Known transaction: 0x8d12", AlreadyKnown),
    # reth
    ("[0x8d12]: insufficient gas price to replace existing transaction.", ReplacementUnderpriced),
    ("[0x8d12] Transaction feeCap 1 below chain minimum.", FeeTooLow),
    # erigon
    ("INTERNAL_ERROR: existing tx with same hash", AlreadyKnown),
    ("could not replace existing tx", ReplacementUnderpriced),
    ("fee too low", FeeTooLow),
    ("underpriced", FeeTooLow),
    ("insufficient funds", InsufficientFunds),
    # nethermind
    ("AlreadyKnown", AlreadyKnown),
    ("ReplacementNotAllowed", ReplacementUnderpriced),
    ("FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7", FeeTooLow),
    ("FeeTooLowToCompete", FeeTooLow),
    ("OldNonce, Current nonce: 5, nonce of rejected tx: 3", NonceTooLow),
    ("NonceGap, Future nonce. Expected nonce: 4", NonceTooHigh),
    ("InsufficientFunds, Account balance: 1, cumulative cost: 9", InsufficientFunds),
    # besu
    ("Known transaction", AlreadyKnown),
    ("Nonce too low", NonceTooLow),
    ("Transaction nonce is too distant from current sender nonce", NonceTooHigh),
    ("Upfront cost exceeds account balance", InsufficientFunds),
    ("Gas price below configured minimum gas price", FeeTooLow),
    # whatever else
    ("rate limit exceeded", SendRefused),
    ("<html>502 Bad Gateway</html>", SendRefused),
    ("", SendRefused),
]


@pytest.mark.parametrize(("message", "type_"), SAID)
def test_what_a_node_says_has_a_type(message: str, type_: type[SendRefused]) -> None:
    assert type(refusal(message)) is type_


def test_an_error_that_was_stored_as_text_is_known_again() -> None:
    stored = str(refusal("nonce too low: next nonce 5, tx nonce 3"))
    assert stored == "NonceTooLow: nonce too low: next nonce 5, tx nonce 3"
    assert errors.is_(stored, NonceTooLow)
    assert not errors.is_(stored, NonceTooHigh)
    assert not errors.is_(None, NonceTooLow)


def test_what_is_stored_is_bounded() -> None:
    assert len(str(refusal("x" * 10_000))) < 400


PAUSED = "0xd93c0665"


@pytest.mark.parametrize(
    ("message", "data"),
    [
        ("execution reverted", PAUSED),  # geth, anvil
        ("execution reverted: custom error 0xd93c0665", PAUSED),
        ("VM Exception while processing transaction: revert", {"result": PAUSED, "message": "revert"}),  # Ganache
        ("VM Exception while processing transaction: revert", {"data": PAUSED}),
        ("VM execution error.", f"Reverted {PAUSED}"),  # nethermind, as Parity did
    ],
)
def test_a_revert_is_found_with_its_data(message: str, data: object) -> None:
    found = revert(message, data)
    assert found is not None
    assert found.data == bytes.fromhex(PAUSED[2:])


@pytest.mark.parametrize("message", ["out of gas", "gas required exceeds allowance (21000)", "intrinsic gas too low"])
def test_what_runs_out_of_gas_is_refused_without_data(message: str) -> None:
    found = revert(message, None)
    assert found is not None
    assert found.data == b""


@pytest.mark.parametrize(("message", "data"), [("header not found", None), ("limit exceeded", {"see": "docs"})])
def test_other_errors_are_no_revert(message: str, data: object) -> None:
    assert revert(message, data) is None
