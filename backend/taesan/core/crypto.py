"""Hashes and signatures (EIP-191, EIP-712, secp256k1). Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from coincurve import PublicKey
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

_SECP256K1_HALF_N = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_DOMAIN_TYPEHASH = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")


@dataclass(frozen=True)
class Domain:
    """An EIP-712 domain with its separator computed once."""

    name: str
    version: str
    chain_id: int
    verifying_contract: str

    @property
    def separator(self) -> bytes:
        cached: bytes | None = self.__dict__.get("_separator")
        if cached is None:
            cached = keccak(
                encode(
                    ["bytes32", "bytes32", "bytes32", "uint256", "address"],
                    [
                        _DOMAIN_TYPEHASH,
                        keccak(text=self.name),
                        keccak(text=self.version),
                        self.chain_id,
                        self.verifying_contract,
                    ],
                )
            )
            self.__dict__["_separator"] = cached
        return cached

    def digest(self, type_string: str, types: Sequence[str], values: Sequence[object]) -> bytes:
        """The hash to sign for one flat struct.

        :param type_string: as in EIP-712, such as `Voucher(bytes32 channelId,uint128 maxClaimableAmount)`
        """
        struct_hash = keccak(encode(["bytes32", *types], [keccak(text=type_string), *values]))
        return keccak(b"\x19\x01" + self.separator + struct_hash)


def recover(digest: bytes, signature: bytes) -> str | None:
    """The signer's EIP-55 address, or None for anything that is no signature.

    Demands 65 bytes, v of 27 or 28 and a low s (EIP-2), as OpenZeppelin's ECDSA does on chain: what is accepted here
    must be claimable there.
    """
    if len(signature) != 65 or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > _SECP256K1_HALF_N:
        return None
    try:
        key = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] - 27]), digest, hasher=None)
    except Exception:  # coincurve raises bare Exception for a point that is not on the curve
        return None
    return to_checksum_address(keccak(key.format(compressed=False)[1:])[-20:])
