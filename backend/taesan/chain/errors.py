"""What nodes answer when they refuse, as types. Pure: one table of what each program says (tests/unit/test_node_errors.py).

What is in no row of the table is a `SendRefused` and no more: unknown is a state, and nothing is concluded from it.
"""


class RequestRefused(Exception):
    """The node answers a request with an error."""


class CallReverted(Exception):
    """The contract refuses the call.

    :ivar data: the revert data, for `Contracts.explain`
    """

    def __init__(self, message: str, data: bytes) -> None:
        super().__init__(message)
        self.data = data


class SendRefused(Exception):
    """The node does not take the transaction. Whether it is mined, or in another node's pool, has to be asked."""

    def __str__(self) -> str:
        return f"{type(self).__name__}: {super().__str__()}"


class AlreadyKnown(SendRefused):
    """It is in the pool, or was mined just now: as good as taken."""


class ReplacementUnderpriced(SendRefused):
    """Another transaction with its nonce waits in the pool, and this one does not offer enough more."""


class FeeTooLow(SendRefused):
    """No pool keeps it at what it offers."""


class NonceTooLow(SendRefused):
    """Its nonce is mined: by this transaction, one that it replaces, or somebody else's."""


class NonceTooHigh(SendRefused):
    """A nonce before it is missing."""


class InsufficientFunds(SendRefused):
    """The sender cannot pay for its gas."""


# In this order: "replacement transaction underpriced" is underpriced too.
_SAID: tuple[tuple[type[SendRefused], tuple[str, ...]], ...] = (
    (
        AlreadyKnown,
        (
            "already known",  # geth, reth, erigon
            "alreadyknown",  # nethermind
            "already imported",  # anvil, reth
            "already exists",
            "known transaction",  # geth before 1.9.14, Ganache, besu
            "existing tx with same hash",  # erigon
        ),
    ),
    (
        ReplacementUnderpriced,
        (
            "replacement transaction underpriced",  # geth, anvil, reth
            "gas price to replace existing transaction",  # reth
            "could not replace existing tx",  # erigon
            "replacementnotallowed",  # nethermind
            "replacement not allowed",
        ),
    ),
    (
        NonceTooLow,
        (
            "nonce too low",  # geth, anvil, reth, erigon, besu
            "nonce is too low",
            "oldnonce",  # nethermind
        ),
    ),
    (
        NonceTooHigh,
        (
            "nonce too high",  # geth, anvil, Ganache
            "noncegap",  # nethermind
            "nonce gap",
            "too distant from current sender nonce",  # besu
        ),
    ),
    (
        InsufficientFunds,
        (
            "insufficient funds",  # geth, anvil, Ganache, reth, erigon
            "insufficientfunds",  # nethermind
            "doesn't have enough funds",  # Ganache
            "upfront cost exceeds account balance",  # besu
        ),
    ),
    (
        FeeTooLow,
        (
            "max fee per gas less than block base fee",  # geth, anvil, reth
            "underpriced",  # geth, Ganache, erigon
            "below minimum",  # geth: gas price or tip
            "fee too low",  # erigon
            "feetoolow",  # nethermind
            "below chain minimum",  # reth
            "below configured minimum",  # besu
            "below current base fee",  # besu
            "less than the block's basefeepergas",  # Ganache
        ),
    ),
)


def refusal(message: str) -> SendRefused:
    """What a node's answer to `eth_sendRawTransaction` means."""
    lowered = message.lower()
    for type_, phrases in _SAID:
        if any(phrase in lowered for phrase in phrases):
            return type_(message[:300])
    account, transaction = _ganaches_nonces(lowered)
    if account is not None and transaction is not None and account != transaction:
        return (NonceTooLow if transaction < account else NonceTooHigh)(message[:300])
    return SendRefused(message[:300])


def is_(last_error: str | None, type_: type[SendRefused]) -> bool:
    """Whether an error that was stored as text was of this type."""
    return last_error is not None and last_error.startswith(f"{type_.__name__}:")


def _ganaches_nonces(message: str) -> tuple[int | None, int | None]:
    """Ganache: "the tx doesn't have the correct nonce. account has nonce of: 7 tx has nonce of: 5"."""
    found: list[int | None] = []
    for before in ("account has nonce of:", "tx has nonce of:"):
        digits = message.partition(before)[2].split()[:1]
        found.append(int(digits[0]) if digits and digits[0].isdigit() else None)
    return found[0], found[1]


def revert(message: str, data: object) -> CallReverted | None:
    """A contract's refusal as anvil, Ganache, geth (`error.data`: a hex string, or an object that holds one) and nethermind
    ("Reverted 0x…") send it; None for any other error."""
    if isinstance(data, dict):
        data = data.get("result") or data.get("data")
    shown = data.removeprefix("Reverted ") if isinstance(data, str) else ""
    is_hex = shown.startswith("0x")
    lowered = message.lower()
    refused = any(
        word in lowered for word in ("revert", "out of gas", "outofgas", "gas required exceeds", "intrinsic gas")
    )
    if not refused and not is_hex:
        return None
    return CallReverted(message[:300], bytes.fromhex(shown[2:]) if is_hex else b"")
