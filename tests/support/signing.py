"""EIP-712 signatures as x402 clients make them: with eth-account and the published types, not with our own digests."""

from typing import Any

from eth_account.messages import SignableMessage, _hash_eip191_message, encode_typed_data
from eth_account.signers.local import LocalAccount

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ZERO_ADDRESS = "0x" + "0" * 40

AUTHORIZATION = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"
TYPES = {
    "ChannelConfig": "address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,"
    "address token,uint40 withdrawDelay,bytes32 salt",
    "Voucher": "bytes32 channelId,uint128 maxClaimableAmount",
    "ReceiveWithAuthorization": AUTHORIZATION,
    "TransferWithAuthorization": AUTHORIZATION,
    "Permit": "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline",
}


def typed(domain: dict[str, Any], primary_type: str, **message: Any) -> SignableMessage:
    """:param domain: `name`, `version`, `chainId`, `verifyingContract`"""
    fields = [field.split() for field in TYPES[primary_type].split(",")]
    return encode_typed_data(domain, {primary_type: [{"type": t, "name": n} for t, n in fields]}, message)


def digest(domain: dict[str, Any], primary_type: str, **message: Any) -> bytes:
    return bytes(_hash_eip191_message(typed(domain, primary_type, **message)))


def sign(key: LocalAccount, domain: dict[str, Any], primary_type: str, **message: Any) -> str:
    """65 bytes r, s, v as 0x-hex."""
    return "0x" + bytes(key.sign_message(typed(domain, primary_type, **message)).signature).hex()


def with_high_s(signature: str) -> str:
    """The other signature that plain ecrecover takes for the same key and digest."""
    raw = bytes.fromhex(signature.removeprefix("0x"))
    high = CURVE_ORDER - int.from_bytes(raw[32:64], "big")
    return "0x" + (raw[:32] + high.to_bytes(32, "big") + bytes([55 - raw[64]])).hex()
