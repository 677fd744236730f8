// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IPaymentChannels} from "contracts/interfaces/IPaymentChannels.sol";
import {vm} from "./Vm.sol";

/// @title What payers and holders sign, written down a second time
/// @dev EIP-712 by hand and not by the contracts' own views, so that a wrong digest there is noticed here.
library Signing {
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    uint256 internal constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    // --------------------------------------------------------------- domains

    function domain(string memory name, uint256 chain, address verifier) internal pure returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPE, keccak256(bytes(name)), keccak256("1"), chain, verifier));
    }

    function channelsDomain(address channels) internal view returns (bytes32) {
        return domain("x402 Batch Settlement", block.chainid, channels);
    }

    // --------------------------------------------------------------- digests

    function channelId(bytes32 separator, IPaymentChannels.ChannelConfig memory config)
        internal
        pure
        returns (bytes32)
    {
        bytes32 typehash = keccak256(
            "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
        );
        return digest(separator, keccak256(abi.encode(typehash, config)));
    }

    function voucher(bytes32 separator, bytes32 id, uint128 amount) internal pure returns (bytes32) {
        bytes32 typehash = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
        return digest(separator, keccak256(abi.encode(typehash, id, amount)));
    }

    function refund(bytes32 separator, bytes32 id, uint256 nonce, uint128 amount) internal pure returns (bytes32) {
        bytes32 typehash = keccak256("Refund(bytes32 channelId,uint256 nonce,uint128 amount)");
        return digest(separator, keccak256(abi.encode(typehash, id, nonce, amount)));
    }

    function claimBatch(bytes32 separator, bytes32[] memory ids, IPaymentChannels.VoucherClaim[] memory claims)
        internal
        pure
        returns (bytes32)
    {
        bytes32 entryType = keccak256("ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)");
        bytes32 batchType = keccak256(
            "ClaimBatch(ClaimEntry[] claims)ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)"
        );
        bytes memory entries;
        for (uint256 i = 0; i < claims.length; ++i) {
            bytes32 entry = keccak256(
                abi.encode(entryType, ids[i], claims[i].voucher.maxClaimableAmount, claims[i].totalClaimed)
            );
            entries = bytes.concat(entries, entry);
        }
        return digest(separator, keccak256(abi.encode(batchType, keccak256(entries))));
    }

    function receiveAuthorization(
        bytes32 separator, address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce
    ) internal pure returns (bytes32) {
        bytes32 typehash = keccak256(
            "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        return digest(
            separator, keccak256(abi.encode(typehash, from, to, value, validAfter, validBefore, nonce))
        );
    }

    function digest(bytes32 separator, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    // ------------------------------------------------------------ signatures

    struct Signature {
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    function sign(uint256 key, bytes32 hash) internal pure returns (Signature memory signature) {
        (signature.v, signature.r, signature.s) = vm.sign(key, hash);
    }

    /// @dev The other signature over the same digest that anyone can compute.
    function malleated(Signature memory signature) internal pure returns (Signature memory) {
        return Signature(signature.v == 27 ? 28 : 27, signature.r, bytes32(ORDER - uint256(signature.s)));
    }

    /// @dev 65 bytes, as wallets give it.
    function long(Signature memory signature) internal pure returns (bytes memory) {
        return abi.encodePacked(signature.r, signature.s, signature.v);
    }

    /// @dev 64 bytes (ERC-2098).
    function compact(Signature memory signature) internal pure returns (bytes memory) {
        return abi.encodePacked(signature.r, uint256(signature.s) | uint256(signature.v - 27) << 255);
    }
}
