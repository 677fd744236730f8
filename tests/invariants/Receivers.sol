// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IPaymentChannels} from "contracts/interfaces/IPaymentChannels.sol";
import {Payers} from "./Payers.sol";
import {Signing} from "./Signing.sol";
import {vm} from "./Vm.sol";
import {Why} from "./Why.sol";

/// @title What receivers do, honest ones and others: claims, open and packed, and refunds
abstract contract Receivers is Payers {
    using Signing for Signing.Signature;

    /// @dev What is wrong with an entry's signature. Up to `LAST_FLAW`, and 0 for a good one.
    uint256 private constant STRANGERS = 1;
    uint256 private constant JUNK = 2;
    uint256 private constant MALLEATED = 3;
    uint256 private constant OTHER_CHAIN = 4;
    uint256 private constant OTHER_CONTRACT = 5;
    uint256 private constant OTHER_CHANNEL = 6;
    uint256 private constant OTHER_AMOUNT = 7;
    uint256 private constant OTHER_V = 8;
    uint256 private constant ZEROS = 9;
    uint256 private constant LAST_FLAW = 9;

    struct Entry {
        uint256 index; // in the pool
        uint128 max;
        uint128 kept;
        Signing.Signature signature;
        bool valid;
    }

    /// @dev Claims that are not sent yet, beside what they will have claimed of each channel if they go through.
    struct Open {
        IPaymentChannels.VoucherClaim[] claims;
        bytes32[] ids;
        uint128[] claimed;
        bytes32 why;
    }

    struct Packed {
        bytes data;
        uint128[] claimed;
        uint256 amount;
        uint256[] skipped;
        bytes32 why;
    }

    // -------------------------------------------------------------- vouchers

    /// @dev One of a channel's vouchers, or none of them, for all or a part of what it says.
    function _entry(uint256 index, uint128 claimed) internal returns (Entry memory entry) {
        Channel storage channel = pool[index];
        entry.index = index;
        uint256 count = channel.vouchers.length;
        uint256 flaw = _oneIn(3) ? 1 + _below(LAST_FLAW) : 0;
        if (count == 0) {
            entry.max = uint128(claimed + 1 + _below(channel.balance + 1));
            if (flaw == 0) flaw = _oneIn(3) ? STRANGERS : _oneIn(2) ? JUNK : ZEROS;
        } else {
            entry.max = channel.vouchers[_oneIn(3) ? _below(count) : count - 1];
            // The latest that the deposit covers, as the hub would.
            for (uint256 i = count; i > 0 && entry.max > channel.balance && !_oneIn(3); --i) entry.max = channel.vouchers[i - 1];
        }
        if (entry.max > channel.balance && !_oneIn(4)) {
            entry.kept = entry.max - uint128(_below(channel.balance + 1));
        } else if (_oneIn(3)) {
            entry.kept = uint128(_below(entry.max + 1));
        } else if (_oneIn(12)) {
            entry.kept = entry.max + uint128(1 + _below(1e6));
        }
        entry.signature = _signature(channel, entry.max, flaw);
        entry.valid = flaw == 0;
    }

    function _signature(Channel storage channel, uint128 amount, uint256 flaw)
        private
        returns (Signing.Signature memory signature)
    {
        if (flaw == JUNK) return Signing.Signature(uint8(27 + _below(2)), _word(), bytes32(uint256(_word()) >> 1));
        if (flaw == ZEROS) return Signing.Signature(uint8(27 + _below(2)), 0, 0);
        bytes32 separator = _domain();
        bytes32 id = channel.id;
        uint128 signed = amount;
        uint256 key = channel.key;
        if (flaw == STRANGERS || key == 0) key = keyOf[_oneIn(2) ? stranger : channel.config.receiver];
        if (key == 0) key = keyOf[stranger];
        if (flaw == OTHER_CHAIN) {
            separator = Signing.domain("x402 Batch Settlement", block.chainid + 1, address(channels));
        }
        if (flaw == OTHER_CONTRACT) separator = Signing.channelsDomain(address(settlement));
        if (flaw == OTHER_CHANNEL) id = keccak256(abi.encode(id));
        if (flaw == OTHER_AMOUNT) signed = amount - 1;
        signature = Signing.sign(key, Signing.voucher(separator, id, signed));
        if (flaw == MALLEATED) return signature.malleated();
        if (flaw == OTHER_V) signature.v = signature.v == 27 ? 28 : 27;
    }

    // ---------------------------------------------------------- open claims

    /// @dev One to three claims that `caller` may make, as far as the ghosts know, and at times one that it may not.
    /// @param authorizer Claims by its signature: then it alone counts, and not the caller.
    function _open(address caller, address authorizer) internal returns (Open memory open) {
        uint256 count = 1 + _below(3);
        open.claims = new IPaymentChannels.VoucherClaim[](count);
        open.ids = new bytes32[](count);
        open.claimed = _claimedNow();
        for (uint256 i = 0; i < count; ++i) {
            uint256 index = _claimable(caller, authorizer);
            Entry memory entry = _entry(index, open.claimed[index]);
            if (!entry.valid && !_oneIn(4)) entry = _entry(index, open.claimed[index]); // one bad entry spoils all
            _addOpen(open, i, entry, caller, authorizer);
        }
    }

    function _addOpen(Open memory open, uint256 i, Entry memory entry, address caller, address authorizer) private {
        Channel storage channel = pool[entry.index];
        uint128 total = entry.kept > entry.max ? entry.kept : entry.max - entry.kept;
        // 64 bytes (ERC-2098) are refused here: they are the packed form's.
        bytes memory signature = entry.signature.long();
        if (_oneIn(40)) {
            signature = entry.signature.compact();
            entry.valid = false;
        }
        open.claims[i] = IPaymentChannels.VoucherClaim(
            IPaymentChannels.Voucher(channel.config, entry.max), signature, total
        );
        open.ids[i] = channel.id;
        if (open.why != 0) return; // refused already
        if (authorizer != address(0)) {
            if (channel.config.receiverAuthorizer != authorizer) open.why = Why.MIXED;
        } else if (caller != channel.config.receiver && caller != channel.config.receiverAuthorizer) {
            open.why = Why.NOT_ALLOWED;
        }
        if (open.why != 0 || total <= open.claimed[entry.index]) return;
        if (total > entry.max) open.why = Why.OVER_VOUCHER;
        else if (total > channel.balance) open.why = Why.OVER_BALANCE;
        else if (!entry.valid) open.why = Why.BAD_SIGNATURE;
        else open.claimed[entry.index] = total;
    }

    function _claimable(address caller, address authorizer) private returns (uint256 index) {
        index = _below(pool.length);
        for (uint256 i = 0; i < 40 && !_oneIn(150); ++i) {
            IPaymentChannels.ChannelConfig storage config = pool[index].config;
            bool may = authorizer != address(0)
                ? config.receiverAuthorizer == authorizer
                : config.receiver == caller || config.receiverAuthorizer == caller;
            if (may && (pool[index].vouchers.length != 0 || i > 20)) break;
            index = _below(pool.length);
        }
    }

    function _claimedNow() internal view returns (uint128[] memory claimed) {
        claimed = new uint128[](pool.length);
        for (uint256 i = 0; i < claimed.length; ++i) claimed[i] = pool[i].claimed;
    }

    /// @dev What was claimed openly waits for its receiver.
    function _claimedOpenly(uint128[] memory claimed) internal {
        for (uint256 i = 0; i < claimed.length; ++i) {
            Channel storage channel = pool[i];
            uint128 amount = claimed[i] - channel.claimed;
            waiting[channel.config.receiver][channel.config.token].claimed += amount;
            channel.paid += amount;
            channel.claimed = claimed[i];
        }
    }

    function claim(uint256 seed) external action(seed) {
        uint256 which = _below(6);
        address caller = which < 2 ? shop : which == 2 ? shopAuthorizer : hubAuthorizer;
        if (which == 4) caller = address(villain);
        if (which == 5) caller = stranger;
        Open memory open = _open(caller, address(0));
        _expect("claim", open.why, caller, address(channels), abi.encodeCall(IPaymentChannels.claim, (open.claims)));
        if (open.why == 0) _claimedOpenly(open.claimed);
    }

    function claimWithSignature(uint256 seed) external action(seed) {
        address authorizer = _oneIn(2) ? hubAuthorizer : shopAuthorizer;
        Open memory open = _open(stranger, authorizer);
        // The contract takes the first claim's authorizer for everybody's.
        bool first = open.claims[0].voucher.channel.receiverAuthorizer == authorizer;
        bytes32 hash = Signing.claimBatch(_domain(), open.ids, open.claims);
        Signing.Signature memory signature = Signing.sign(keyOf[authorizer], hash);
        if (!first) open.why = Why.BAD_SIGNATURE;
        if (_oneIn(6)) {
            open.why = Why.BAD_SIGNATURE;
            if (_oneIn(2)) signature = signature.malleated();
            else signature = Signing.sign(keyOf[stranger], hash);
        } else if (_oneIn(6)) {
            open.claims[0].totalClaimed += 1; // what the authorizer has not signed
            open.why = Why.BAD_SIGNATURE;
        }
        bytes memory data = abi.encodeCall(IPaymentChannels.claimWithSignature, (open.claims, signature.long()));
        _expect("claim by signature", open.why, stranger, address(channels), data);
        if (open.why == 0) _claimedOpenly(open.claimed);
    }

    /// @notice Anybody has the channels pay a receiver what was claimed for it.
    function payReceiver(uint256 seed) external action(seed) {
        address receiver = receiversSeen[_below(receiversSeen.length)];
        address token = _oneIn(3) ? address(trick) : address(dollar);
        bytes memory data = abi.encodeCall(IPaymentChannels.settle, (receiver, token));
        _expect("pay receiver", Why.NOT_REFUSED, stranger, address(channels), data);
        _settledTo(receiver, token);
    }

    function _settledTo(address receiver, address token) internal {
        Waiting storage state = waiting[receiver][token];
        if (token == address(dollar)) _moveDollars(address(channels), receiver, state.claimed - state.settled);
        state.settled = state.claimed;
    }

    // -------------------------------------------------------- packed claims

    /// @dev Up to six entries, good ones, bad ones and repeated ones.
    /// @param claimed What will have been claimed before.
    function _pack(address caller, address token, uint128[] memory claimed) internal returns (Packed memory packed) {
        packed.claimed = claimed;
        bool careful = _oneIn(2); // as the hub packs: what it knows to be good
        uint256 count = 1 + _below(careful ? 3 : 6);
        uint256[] memory skipped = new uint256[](count);
        uint256 skips;
        uint256 width = _oneIn(20) ? 17 + _below(16) : 8 + _below(9);
        if (width > 16) packed.why = Why.MALFORMED; // well-formed but for amounts of more than 128 bits
        packed.data = abi.encodePacked(uint8(width));
        Entry memory entry;
        for (uint256 i = 0; i < count; ++i) {
            if (i == 0 || careful || !_oneIn(6)) entry = _entryFor(caller, claimed);
            for (uint256 tries = 0; careful && tries < 12 && !_brings(entry, caller, token, claimed); ++tries) {
                entry = _entryFor(caller, claimed);
            }
            if (careful && i != 0 && !_brings(entry, caller, token, claimed)) break;
            packed.data = bytes.concat(packed.data, _packedEntry(entry, width));
            uint128 total = _claims(entry, caller, token, claimed[entry.index]);
            if (total == 0) {
                skipped[skips++] = i;
            } else {
                packed.amount += total - claimed[entry.index];
                claimed[entry.index] = total;
            }
        }
        packed.skipped = new uint256[](skips);
        for (uint256 i = 0; i < skips; ++i) packed.skipped[i] = skipped[i];
        if (_oneIn(20)) {
            packed.data = _malformed(packed.data);
            packed.why = Why.MALFORMED;
        }
    }

    function _entryFor(address caller, uint128[] memory claimed) private returns (Entry memory) {
        uint256 index = caller == address(settlement) && !_oneIn(5) ? _below(8) : _below(pool.length);
        if (caller == address(settlement) && _oneIn(10)) index = pool.length - 1 - _below(2); // whose hot keys nobody has
        // Mostly of the caller's own channels, in whichever token.
        for (uint256 i = 0; i < 8 && pool[index].config.receiver != caller && !_oneIn(6); ++i) index = _below(pool.length);
        return _entry(index, claimed[index]);
    }

    function _brings(Entry memory entry, address caller, address token, uint128[] memory claimed)
        private
        view
        returns (bool)
    {
        return _claims(entry, caller, token, claimed[entry.index]) != 0;
    }

    /// @return total What an entry raises its channel's claim to, or 0 if it is to be skipped.
    function _claims(Entry memory entry, address caller, address token, uint128 claimed)
        private
        view
        returns (uint128 total)
    {
        Channel storage channel = pool[entry.index];
        if (!entry.valid || !channel.packable || entry.kept > entry.max) return 0;
        if (channel.config.receiver != caller || channel.config.token != token) return 0;
        total = entry.max - entry.kept;
        if (total <= claimed || total > channel.balance) return 0;
    }

    function _packedEntry(Entry memory entry, uint256 width) private view returns (bytes memory) {
        return bytes.concat(
            pool[entry.index].id,
            entry.signature.compact(),
            _bytes(entry.max, width),
            _bytes(entry.kept, width)
        );
    }

    function _bytes(uint256 value, uint256 width) private pure returns (bytes memory result) {
        result = new bytes(width);
        assembly ("memory-safe") {
            mstore(add(result, 0x20), shl(sub(256, mul(8, width)), value))
        }
    }

    function _malformed(bytes memory data) private returns (bytes memory) {
        uint256 how = _below(5);
        if (how == 0) data[0] = 0;
        else if (how == 1) data[0] = bytes1(uint8(17 + _below(239)));
        else if (how == 2) return bytes.concat(data, hex"00");
        else if (how == 3) return bytes.concat(data[0]);
        else data[0] = data[0] == 0x08 ? bytes1(0x09) : bytes1(0x07);
        // Another width can happen to fit the length; then it is another claim and not a malformed one.
        uint256 size = 96 + 2 * uint256(uint8(data[0]));
        return how == 4 && (data.length - 1) % size == 0 ? bytes.concat(data, hex"00") : data;
    }

    function _claimedPacked(Packed memory packed) internal {
        for (uint256 i = 0; i < packed.claimed.length; ++i) {
            Channel storage channel = pool[i];
            channel.paid += packed.claimed[i] - channel.claimed;
            channel.claimed = packed.claimed[i];
        }
    }

    /// @notice A receiver, or somebody who would like to be one, claims for itself.
    function claimPacked(uint256 seed) external action(seed) {
        address caller = _oneIn(2) ? shop : _oneIn(2) ? address(villain) : stranger;
        address token = _oneIn(2) ? address(dollar) : address(trick);
        IPaymentChannels.ChannelConfig storage config = pool[_below(pool.length)].config;
        if (config.receiver != address(settlement) && !_oneIn(3)) caller = config.receiver;
        if (config.receiver == caller && !_oneIn(3)) token = config.token; // or another than the channel's
        Packed memory packed = _pack(caller, token, _claimedNow());
        bytes memory data = abi.encodeCall(IPaymentChannels.claimPacked, (token, packed.data));
        bytes memory result = _expect("claim packed", packed.why, caller, address(channels), data);
        if (packed.why != 0) return;
        (uint256 amount, uint256[] memory skipped) = abi.decode(result, (uint256, uint256[]));
        require(amount == packed.amount, "a packed claim brought another amount than foreseen");
        require(
            keccak256(abi.encode(skipped)) == keccak256(abi.encode(packed.skipped)),
            "a packed claim skipped other entries than foreseen"
        );
        _outcome(skipped.length == 0 ? bytes32("nothing skipped") : bytes32("entries skipped"), 0, true, "");
        _claimedPacked(packed);
        if (token == address(dollar)) _moveDollars(address(channels), caller, amount);
    }

    // ---------------------------------------------------------------- refund

    function refund(uint256 seed) external action(seed) {
        Channel storage channel = _fullChannel();
        uint128 amount = _refundAmount(channel);
        address caller = channel.config.receiver;
        if (_oneIn(3) && channel.config.receiverAuthorizer != address(0)) caller = channel.config.receiverAuthorizer;
        bytes32 why = _refundRefused(channel, amount);
        if (_oneIn(5)) {
            caller = _oneIn(2) ? channel.config.payer : stranger;
            why = Why.NOT_ALLOWED;
        }
        bytes memory data = abi.encodeCall(IPaymentChannels.refund, (channel.config, amount));
        _expect("refund", why, caller, address(channels), data);
        if (why == 0) _refunded(channel, amount);
    }

    function refundWithSignature(uint256 seed) external action(seed) {
        Channel storage channel = _fullChannel();
        uint128 amount = _refundAmount(channel);
        address authorizer = channel.config.receiverAuthorizer;
        bytes32 why = _refundRefused(channel, amount);
        uint256 nonce = channel.refundNonce;
        uint256 key = keyOf[authorizer];
        if (key == 0) (key, why) = (keyOf[stranger], Why.BAD_SIGNATURE); // no authorizer, or a contract without a key
        uint256 flaw = _oneIn(3) ? 1 + _below(4) : 0;
        if (flaw == 1) (key, why) = (keyOf[stranger], Why.BAD_SIGNATURE);
        if (flaw == 2) (nonce, why) = (nonce + 1, Why.BAD_NONCE);
        if (flaw == 3 && nonce != 0) (nonce, why) = (_below(nonce), Why.BAD_NONCE); // one that was used
        uint128 signed = amount;
        if (flaw == 4) (signed, why) = (amount + 1, Why.BAD_SIGNATURE);
        bytes memory signature = Signing.sign(key, Signing.refund(_domain(), channel.id, nonce, signed)).long();
        bytes memory data =
            abi.encodeCall(IPaymentChannels.refundWithSignature, (channel.config, amount, nonce, signature));
        _expect("refund by signature", why, stranger, address(channels), data);
        if (why != 0) return;
        channel.refundNonce = nonce + 1;
        _refunded(channel, amount);
    }

    function _refundAmount(Channel storage channel) private returns (uint128) {
        if (_oneIn(12)) return 0;
        // Small ones, so that channels are not always empty; and more than there is, which gives what there is.
        return _oneIn(4) ? _available(channel) + _amount() : _amount() % 1e6 + 1;
    }

    function _refundRefused(Channel storage channel, uint128 amount) private view returns (bytes32) {
        if (amount == 0) return Why.ZERO_AMOUNT;
        return _available(channel) == 0 ? Why.NOTHING_AVAILABLE : bytes32(0);
    }

    function _refunded(Channel storage channel, uint128 amount) private {
        uint128 available = _available(channel);
        if (amount > available) amount = available;
        _giveBack(channel, amount);
        channel.pending = channel.pending > amount ? channel.pending - amount : 0;
        if (channel.pending == 0) channel.announcedAt = 0;
    }
}
