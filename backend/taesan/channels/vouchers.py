"""x402 `batch-settlement` ids, digests and the rules for the next voucher. Pure."""

from typing import Protocol

from eth_abi.abi import encode

from taesan.core.crypto import Domain, keccak, recover_raw
from taesan.core.problems import Problem
from taesan.core.values import bytes_of, hex_of

ZERO_ADDRESS = "0x" + "0" * 40
_CONFIG = (
    "ChannelConfig(address payer,address payerAuthorizer,address receiver,"
    "address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
)
_CONFIG_TYPES = ["address", "address", "address", "address", "address", "uint40", "bytes32"]
_VOUCHER_TYPEHASH = keccak(b"Voucher(bytes32 channelId,uint128 maxClaimableAmount)")


def channel_id(domain: Domain, config: tuple[str, str, str, str, str, int, str]) -> str:
    """The channel's id: the EIP-712 hash of its configuration, so it holds for one chain and contract only."""
    return hex_of(domain.digest(_CONFIG, _CONFIG_TYPES, [*config[:6], bytes_of(config[6])]))


def voucher_digest(domain: Domain, channel: str, max_claimable_amount: int) -> bytes:
    """What a voucher's signer signs. Laid out by hand: it is computed for each payment."""
    struct = _VOUCHER_TYPEHASH + bytes.fromhex(channel[2:]) + max_claimable_amount.to_bytes(32, "big")
    return keccak(domain.prefix + keccak(struct))


def is_signed_by(signer: bytes, domain: Domain, channel: str, max_claimable_amount: int, signature: bytes) -> bool:
    """:param signer: address, 20 bytes"""
    return recover_raw(voucher_digest(domain, channel, max_claimable_amount), signature) == signer


def unknown_channel(channel_id: str) -> Problem:
    return Problem("unknown-channel", 404, "This channel is not known here.", f"No channel has the id {channel_id}.")


def invalid_signature(domain: Domain, signer: str) -> Problem:
    return Problem(
        "invalid-signature",
        403,
        "The voucher's signature is not the channel's.",
        f"The channel's signer is {signer}; check chain id {domain.chain_id}, "
        f"contract {domain.verifying_contract}, channel id and amount of what was signed.",
    )


def deposit_nonce(channel: str, salt: str) -> bytes:
    """Binds a deposit's authorisation to one channel."""
    return keccak(encode(["bytes32", "uint256"], [bytes_of(channel), int(salt, 16)]))


def redemption_nonce(merchant_address: str, salt: str) -> bytes:
    """Binds gift tokens that a holder signs over to one merchant."""
    return keccak(encode(["address", "bytes32"], [merchant_address, bytes_of(salt)]))


class Spending(Protocol):
    """A channel's state as far as the next voucher depends on it. Amounts in minor units.

    :ivar charged: what accepted payments add up to. :ivar available: what can still be spent
    """

    channel_id: str
    state: str
    charged: int
    available: int


def check_next(spending: Spending, amount: int, max_claimable_amount: int) -> None:
    """Whether a voucher for `amount` more may be accepted.

    :raises Problem: `channel-not-open`, `voucher-out-of-sequence` or `insufficient-deposit`, with the state to go on from
    """
    if spending.state != "open":
        detail = {
            "pending": "Its deposit is not confirmed yet: try again in some blocks.",
            "refunding": "Its free money is on its way back to its payer, who asked for it.",
            "withdrawing": "A withdrawal was announced, so it takes no more payments.",
            "gateway": "It funds a gateway's conversions and nothing else.",
            "quarantined": "Payments of it could not be settled; the hub's operator looks into it.",
        }.get(spending.state, "Open a new one.")
        raise Problem("channel-not-open", 409, "The channel takes no payments now.", detail, **_state_of(spending))
    if max_claimable_amount != spending.charged + amount:
        raise Problem(
            "voucher-out-of-sequence",
            409,
            "The voucher does not continue from the last one.",
            f"Its cumulative amount must be {spending.charged} + {amount} = {spending.charged + amount}, "
            f"not {max_claimable_amount}.",
            **_state_of(spending),
        )
    if amount > spending.available:
        raise Problem(
            "insufficient-deposit",
            402,
            "The channel's deposit does not cover this payment.",
            f"{spending.available} minor units are left, {amount} are needed: deposit more.",
            **_state_of(spending),
        )


def _state_of(spending: Spending) -> dict[str, dict[str, str]]:
    return {
        "channel": {
            "id": spending.channel_id,
            "charged_cumulative": str(spending.charged),
            "available": str(spending.available),
        }
    }
