// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Channels' state, and the loop behind `PaymentChannels.claimPacked`
/// @dev The loop is assembly because it runs a thousand times in a transaction. It does what `claim` does, but reads cold
///      storage once. An entry costs 5,000 gas for its slot, 3,100 for its signature, about 1,600 for its call data and
///      500 for all else. Why it may leave out what it leaves out:
///
///      - No config is sent, and no signer. A channel's state stands where the hash of channel, signer, receiver and token
///        points, so an entry that is wrong in one of them meets a slot that nobody can have written. It is empty, and an
///        empty slot covers no claim. A signature that recovers nobody ends there too: it leaves the digest where the signer
///        belongs, and what was written was written under an address, of 160 bits.
///      - The slot is that hash itself, with no mapping around it: what is hashed has 96 bytes, where a mapping's key and
///        slot have 64, so that the two never meet.
///      - `s` is not compared with half of the order. In the compact form (ERC-2098) it has 255 bits, into which the upper
///        half does not fit but for one part in 2^128; and nothing relies on it: claims only grow.
///      - The signature check cannot fail for lack of gas: with too little left for the precompile, the 1/64 that stays
///        here does not pay for reading the slot that comes next, and the whole claim reverts.
library PackedClaims {
    /// @dev The loop relies on the order: `balance` is the lower half of the slot.
    struct Channel {
        uint128 balance;
        uint128 totalClaimed;
    }

    error PackedClaims_Malformed();

    uint256 private constant LOWER_HALF = 0xffffffffffffffffffffffffffffffff;

    /// @param signer Who signs the channel's vouchers. @param payee `payeeOf` its receiver and token.
    function slotOf(bytes32 channelId, address signer, bytes32 payee) internal pure returns (bytes32) {
        return keccak256(abi.encode(signer, payee, channelId));
    }

    function at(bytes32 slot) internal pure returns (Channel storage channel) {
        assembly ("memory-safe") {
            channel.slot := slot
        }
    }

    function payeeOf(address receiver, address token) internal pure returns (bytes32) {
        return keccak256(abi.encode(receiver, token));
    }

    /// @param claims As `IPaymentChannels.claimPacked` describes them.
    /// @param domain The EIP-712 domain separator. @param typehash Of `Voucher(bytes32 channelId,uint128 maxClaimableAmount)`.
    /// @return amount The sum of what was claimed. @return skipped The entries, counted from 0, that brought nothing.
    function claimAll(bytes calldata claims, bytes32 domain, bytes32 typehash, bytes32 payee)
        internal
        returns (uint256 amount, uint256[] memory skipped)
    {
        uint256 width = claims.length == 0 ? 0 : uint8(claims[0]);
        uint256 size = 96 + 2 * width;
        if (width == 0 || width > 16 || claims.length == 1 || (claims.length - 1) % size != 0) {
            revert PackedClaims_Malformed();
        }
        skipped = new uint256[]((claims.length - 1) / size);

        assembly ("memory-safe") {
            // The first four words of memory serve as workbench; the two that are Solidity's are put right at the end.
            let free := mload(0x40)
            mstore(free, shl(240, 0x1901)) // the digest's preimage: 0x1901 ‖ domain ‖ struct hash
            mstore(add(free, 0x02), domain)
            mstore(add(free, 0x60), skipped) // kept there to have fewer variables in the loop

            let shift := sub(256, shl(3, width))
            let skips := add(skipped, 0x20)
            let entry := add(claims.offset, 1)
            let end := add(claims.offset, claims.length)
            for {} 1 {} {
                // Voucher's struct hash, then its digest. What stays unclaimed comes off what is signed: more than
                // that wraps, to more than any balance.
                mstore(0x00, typehash)
                mstore(0x20, calldataload(entry))
                let total := calldataload(add(entry, 0x60))
                mstore(0x40, shr(shift, total))
                total := sub(shr(shift, total), shr(shift, shl(sub(256, shift), total)))
                mstore(add(free, 0x22), keccak256(0x00, 0x60))
                mstore(0x00, keccak256(free, 0x42))

                // Recovery from digest, v, r, s. The signer takes the digest's place.
                calldatacopy(0x40, add(entry, 0x20), 0x40)
                mstore(0x20, add(27, shr(255, mload(0x60))))
                mstore(0x60, shr(1, shl(1, mload(0x60))))
                pop(staticcall(gas(), 1, 0x00, 0x80, 0x00, 0x20))

                // The state's slot: signer, payee, channel.
                mstore(0x20, payee)
                mstore(0x40, calldataload(entry))
                let slot := keccak256(0x00, 0x60)
                let state := sload(slot)

                let before := shr(128, state)
                if or(iszero(gt(total, before)), gt(total, and(state, LOWER_HALF))) {
                    mstore(skips, entry)
                    skips := add(skips, 0x20)
                    total := before // and so nothing changes
                }
                sstore(slot, or(and(state, LOWER_HALF), shl(128, total)))
                amount := add(amount, sub(total, before)) // of 128 bits each: no overflow
                entry := add(entry, size)
                if iszero(lt(entry, end)) { break }
            }
            skipped := mload(add(free, 0x60))
            mstore(0x40, free)
            mstore(0x60, 0)

            // Of what was skipped the place is noted so far: 1 + number × size.
            for { let note := add(skipped, 0x20) } lt(note, skips) { note := add(note, 0x20) } {
                mstore(note, div(sub(mload(note), claims.offset), size))
            }
            mstore(skipped, shr(5, sub(sub(skips, skipped), 0x20))) // shorter than it was made
        }
    }
}
