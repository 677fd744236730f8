"""EIP-712 signatures as x402 clients make them, with eth-account and not with the contracts' own digests."""

from functools import cache
from typing import Any

from brownie import Contract, TestDollar, chain
from eth_account.messages import SignableMessage, _hash_eip191_message, encode_typed_data
from eth_account.signers.local import LocalAccount

SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

_AUTHORIZATION = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"
_TYPES = {
    "ChannelConfig": (
        "address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,"
        "uint40 withdrawDelay,bytes32 salt"
    ),
    "Voucher": "bytes32 channelId,uint128 maxClaimableAmount",
    "Refund": "bytes32 channelId,uint256 nonce,uint128 amount",
    "ClaimBatch": "ClaimEntry[] claims",
    "ClaimEntry": "bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed",
    "TransferWithAuthorization": _AUTHORIZATION,
    "ReceiveWithAuthorization": _AUTHORIZATION,
    "CancelAuthorization": "address authorizer,bytes32 nonce",
    "Redeem": "address owner,address receiver,uint256 shares,uint256 nonce,uint256 deadline",
    "Rule": (
        "address payer,uint64 id,string gather,string fires,string only,Destination[] destinations,uint96 perDay,"
        "uint64 validUntil"
    ),
    "Destination": "string kind,uint16 share,address recipient,address token,uint16 slippage",
    "Permit": "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline",
}
_DEPENDS_ON = {"ClaimBatch": ["ClaimEntry"], "Rule": ["Destination"]}


def domain_of(contract: Any, chain_id: int | None = None) -> dict[str, Any]:
    """The EIP-712 domain of one of our contracts, which all tell it by EIP-5267."""
    name, version = _name_and_version(contract._name, contract.address)
    return {
        "name": name,
        "version": version,
        "chainId": chain.id if chain_id is None else chain_id,
        "verifyingContract": contract.address,
    }


@cache
def _name_and_version(contract_name: str, address: str) -> tuple[str, str]:
    _, name, version, *_ = Contract.from_abi(contract_name, address, TestDollar.abi).eip712Domain()
    return name, version


def typed(domain: dict[str, Any], primary_type: str, **message: Any) -> SignableMessage:
    types = {
        name: [dict(zip(("type", "name"), field.split(), strict=True)) for field in _TYPES[name].split(",")]
        for name in [primary_type, *_DEPENDS_ON.get(primary_type, [])]
    }
    return encode_typed_data(domain, types, message)


def digest(domain: dict[str, Any], primary_type: str, **message: Any) -> bytes:
    return bytes(_hash_eip191_message(typed(domain, primary_type, **message)))


def sign(key: LocalAccount, domain: dict[str, Any], primary_type: str, **message: Any) -> bytes:
    """65 bytes: r, s, v."""
    return bytes(key.sign_message(typed(domain, primary_type, **message)).signature)


def split(signature: bytes) -> tuple[int, bytes, bytes]:
    """As (v, r, s)."""
    return signature[64], signature[:32], signature[32:64]


def malleated(signature: bytes) -> bytes:
    """The other signature that plain ecrecover accepts for the same key and digest: s in the upper half."""
    v, r, s = split(signature)
    high_s = SECP256K1_ORDER - int.from_bytes(s)
    return r + high_s.to_bytes(32) + bytes([55 - v])
