// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC3009} from "contracts/interfaces/IERC3009.sol";
import {IGiftSettlement} from "contracts/interfaces/IGiftSettlement.sol";
import {Settlements} from "./Settlements.sol";
import {Signing} from "./Signing.sol";
import {Why} from "./Why.sol";

/// @title What holders of gift tokens and merchants do: claim by proof, give away, redeem, be paid out
/// @dev No action here asks whether the hub is paused: none of it may depend on that.
abstract contract Holders is Settlements {
    using Signing for Signing.Signature;

    // ---------------------------------------------------------------- claims

    /// @notice Anybody relays a proof, a true or a forged one, of a batch old or new.
    function claimEntitlement(uint256 seed) external action(seed) {
        if (settled.length == 0) return;
        uint64 id = _anyBatch();
        Settled storage batch = settled[id - 1];
        uint256 i = _below(4);
        address account = batch.accounts[i];
        uint96 cumulative = batch.cumulative[i];
        bytes32[] memory proof = new bytes32[](3);
        proof[0] = batch.leaves[i ^ 1];
        proof[1] = _pair(batch.leaves[i < 2 ? 2 : 0], batch.leaves[i < 2 ? 3 : 1]);
        proof[2] = batch.payments;

        bytes32 why;
        uint256 flaw = _oneIn(3) ? 1 + _below(6) : 0;
        if (flaw == 1) cumulative += uint96(_amount());
        if (flaw == 2) account = stranger;
        if (flaw == 3) id = uint64(settled.length + 1); // its root is zero
        if (flaw == 4) proof = new bytes32[](0);
        if (flaw == 5) proof[_below(3)] = _word();
        if (flaw == 6) {
            // An inner node's halves in the place of account and amount.
            (account, cumulative) = (address(uint160(uint256(batch.leaves[0]))), uint96(uint256(batch.leaves[1])));
        }
        if (flaw != 0) why = Why.FALSE_PROOF;
        uint256 amount = cumulative > minted[account] ? cumulative - minted[account] : 0;
        if (why == 0 && amount == 0) why = Why.NOTHING_TO_CLAIM;
        if (why == 0 && amount > unclaimed) why = Why.OVER_ENTITLED;

        bytes memory data = abi.encodeCall(IGiftSettlement.claim, (id, account, cumulative, proof));
        bytes memory result = _expect("claim entitlement", why, stranger, address(settlement), data);
        if (why != 0) return;
        require(abi.decode(result, (uint256)) == amount, "a claim minted another amount than is due");
        _claimed(account, amount);
    }

    /// @notice Two, three or all four accounts of a batch with one multiproof.
    function claimMany(uint256 seed) external action(seed) {
        if (settled.length == 0) return;
        uint64 id = _anyBatch();
        Settled storage batch = settled[id - 1];
        (uint256[] memory indices, bytes32[] memory proof, bool[] memory flags) = _multiproof(batch);
        uint256[] memory entitlements = new uint256[](indices.length);
        uint256 total;
        for (uint256 i = 0; i < indices.length; ++i) {
            (address account, uint96 cumulative) = (batch.accounts[indices[i]], batch.cumulative[indices[i]]);
            entitlements[i] = uint256(uint160(account)) << 96 | cumulative;
            if (cumulative > minted[account]) total += cumulative - minted[account];
        }

        bytes32 why = total > unclaimed ? Why.OVER_ENTITLED : bytes32(0);
        if (_oneIn(4)) {
            why = Why.FALSE_PROOF;
            uint256 flaw = _below(4);
            if (flaw == 0) entitlements[_below(entitlements.length)] += 1;
            if (flaw == 1) entitlements[0] = uint256(uint160(stranger)) << 96 | 1e6;
            if (flaw == 2) proof[_below(proof.length)] = _word();
            if (flaw == 3) id = uint64(settled.length + 1);
        }
        bytes memory data = abi.encodeCall(IGiftSettlement.claimMany, (id, entitlements, proof, flags));
        bytes memory result = _expect("claim many", why, stranger, address(settlement), data);
        if (why != 0) return;
        require(abi.decode(result, (uint256)) == total, "a claim of many minted another amount than is due");
        for (uint256 i = 0; i < indices.length; ++i) {
            (address account, uint96 cumulative) = (batch.accounts[indices[i]], batch.cumulative[indices[i]]);
            if (cumulative > minted[account]) _claimed(account, cumulative - minted[account]);
        }
    }

    function _anyBatch() private returns (uint64) {
        return uint64(_oneIn(3) ? 1 + _below(settled.length) : settled.length);
    }

    /// @dev OpenZeppelin's multiproof over (((0,1),(2,3)),payments): flags say which pairs are both known.
    function _multiproof(Settled storage batch)
        private
        returns (uint256[] memory indices, bytes32[] memory proof, bool[] memory flags)
    {
        uint256 shape = _below(4);
        bytes32[4] memory leaves = batch.leaves;
        if (shape == 0) {
            (indices, proof, flags) = (new uint256[](2), new bytes32[](2), new bool[](3));
            (indices[0], indices[1]) = (0, 1);
            (proof[0], flags[0]) = (_pair(leaves[2], leaves[3]), true);
        } else if (shape == 1) {
            (indices, proof, flags) = (new uint256[](2), new bytes32[](3), new bool[](4));
            (indices[0], indices[1]) = (0, 2);
            (proof[0], proof[1], flags[2]) = (leaves[1], leaves[3], true);
        } else if (shape == 2) {
            (indices, proof, flags) = (new uint256[](3), new bytes32[](2), new bool[](4));
            (indices[0], indices[1], indices[2]) = (0, 1, 2);
            (proof[0], flags[0], flags[2]) = (leaves[3], true, true);
        } else {
            (indices, proof, flags) = (new uint256[](4), new bytes32[](1), new bool[](4));
            (indices[0], indices[1], indices[2], indices[3]) = (0, 1, 2, 3);
            (flags[0], flags[1], flags[2]) = (true, true, true);
        }
        proof[proof.length - 1] = batch.payments;
    }

    function _claimed(address account, uint256 amount) private {
        minted[account] += amount;
        giftOf[account] += amount;
        mintedEver += amount;
        supply += amount;
        unclaimed -= amount;
    }

    // --------------------------------------------------------------- transfer

    function giveAway(uint256 seed) external action(seed) {
        address from = _richHolder();
        address to = _anyHolder();
        uint256 amount = _oneIn(8) ? giftOf[from] + _amount() : _below(giftOf[from] + 1);
        bytes32 why = amount > giftOf[from] ? Why.OVER_HOLDING : bytes32(0);
        _expect("give away", why, from, address(gift), abi.encodeCall(IERC20.transfer, (to, amount)));
        if (why == 0) _moveGift(from, to, amount);
    }

    // ----------------------------------------------------------------- redeem

    function redeem(uint256 seed) external action(seed) {
        address holder = _richHolder();
        uint256 amount = _oneIn(8) ? giftOf[holder] + _amount() : _oneIn(12) ? 0 : _partOf(giftOf[holder]);
        address to = _anyHolder(); // the settlement contract, too: then the money stays, owed to nobody
        bytes32 why;
        if (amount == 0) why = Why.ZERO_AMOUNT;
        else if (amount > giftOf[holder]) why = Why.OVER_HOLDING;
        uint256 before = dollar.balanceOf(to);
        _expect("redeem", why, holder, address(settlement), abi.encodeCall(IGiftSettlement.redeem, (amount, to)));
        if (why != 0) return;
        if (to != address(settlement)) {
            require(dollar.balanceOf(to) - before == amount, "redeeming has not paid the face value");
        }
        giftOf[holder] -= amount;
        supply -= amount;
        liabilities -= amount;
        _moveDollars(address(settlement), to, amount);
        if (paused) _outcome("redeem while paused", 0, true, "");
    }

    struct Authorization {
        GiftUse use;
        address signedMerchant;
        uint256 signedAmount;
        uint256 validAfter;
        uint256 validBefore;
        uint256 key;
        bytes32 why;
    }

    /// @notice A merchant or anybody else relays a holder's authorisation to redeem.
    function redeemWithAuthorization(uint256 seed) external action(seed) {
        Authorization memory a;
        a.use.holder = _richHolder();
        if (keyOf[a.use.holder] == 0) a.use.holder = holders[0]; // contracts but the wallet sign nothing
        uint256 held = giftOf[a.use.holder];
        a.use.amount = _oneIn(10) ? held + _amount() : _partOf(held);
        a.use.merchant = _anyMerchant();
        a.use.salt = bytes32(nextSalt++);
        a.validBefore = clock + 1 + _below(1000);
        a.key = keyOf[a.use.holder];
        if (a.use.amount == 0) a.why = Why.ZERO_AMOUNT;
        else if (a.use.amount > held) a.why = Why.OVER_HOLDING;
        _signFor(a);

        bytes32 nonce = keccak256(abi.encode(a.signedMerchant, a.use.salt));
        bytes32 separator = Signing.domain("Gift Token", block.chainid, address(gift));
        bytes32 hash = Signing.receiveAuthorization(
            separator, a.use.holder, address(settlement), a.signedAmount, a.validAfter, a.validBefore, nonce
        );
        bytes memory data = abi.encodeCall(
            IGiftSettlement.redeemWithAuthorization,
            (
                a.use.holder, a.use.merchant, a.use.amount, a.validAfter, a.validBefore, a.use.salt,
                Signing.sign(a.key, hash).long()
            )
        );
        _expect("redeem by signature", a.why, _oneIn(2) ? stranger : a.use.merchant, address(settlement), data);
        if (a.why != 0) return;
        giftUses.push(a.use);
        giftOf[a.use.holder] -= a.use.amount;
        supply -= a.use.amount;
        creditOf[a.use.merchant] += a.use.amount;
        if (paused) _outcome("redeem while paused", 0, true, "");
    }

    function _signFor(Authorization memory a) private {
        (a.signedMerchant, a.signedAmount) = (a.use.merchant, a.use.amount);
        uint256 flaw = _oneIn(3) ? 1 + _below(7) : 0;
        if (flaw == 1) (a.use.merchant, a.why) = (stranger, Why.OTHER_MERCHANT);
        if (flaw == 2) (a.key, a.why) = (keyOf[stranger], Why.BAD_SIGNATURE);
        if (flaw == 3) (a.use.amount, a.why) = (a.use.amount + 1, Why.BAD_SIGNATURE);
        if (flaw == 4) (a.validBefore, a.why) = (clock, Why.EXPIRED);
        if (flaw == 5) (a.validAfter, a.why) = (clock, Why.NOT_YET_VALID);
        if (flaw == 6) (a.use.merchant, a.signedMerchant, a.why) = (address(0), address(0), Why.TO_NOBODY);
        if (flaw == 7 && giftUses.length != 0) {
            a.use = giftUses[_below(giftUses.length)];
            (a.signedMerchant, a.signedAmount) = (a.use.merchant, a.use.amount);
            (a.key, a.why) = (keyOf[a.use.holder], Why.USED_AUTHORIZATION);
        }
    }

    /// @notice Whoever sees an authorisation cannot take it past the settlement contract, which alone credits the merchant.
    function stealAuthorization(uint256 seed) external action(seed) {
        address holder = _richHolder();
        if (giftOf[holder] == 0 || keyOf[holder] == 0) return;
        bytes32 nonce = _word();
        bytes32 separator = Signing.domain("Gift Token", block.chainid, address(gift));
        bytes32 hash = Signing.receiveAuthorization(separator, holder, address(settlement), 1, 0, type(uint256).max, nonce);
        bytes memory signature = Signing.sign(keyOf[holder], hash).long();
        bytes4 selector = _oneIn(2)
            ? bytes4(keccak256("receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"))
            : bytes4(keccak256("transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)"));
        bytes memory data = abi.encodeWithSelector(
            selector, holder, address(settlement), uint256(1), uint256(0), type(uint256).max, nonce, signature
        );
        _expect("steal authorisation", Why.NOT_ALLOWED, stranger, address(gift), data);
    }

    // ----------------------------------------------------------------- payout

    function withdrawCredit(uint256 seed) external action(seed) {
        address merchant = _anyMerchant();
        uint256 credit = creditOf[merchant];
        uint256 amount = _oneIn(8) ? credit + _amount() : _oneIn(12) ? 0 : _partOf(credit);
        address caller = _oneIn(2) ? merchant : settler;
        bytes32 why;
        if (_oneIn(8)) (caller, why) = (_oneIn(2) ? stranger : admin, Why.NOT_ALLOWED);
        else if (amount == 0) why = Why.ZERO_AMOUNT;
        else if (amount > credit) why = Why.OVER_CREDIT;
        bytes memory data = abi.encodeCall(IGiftSettlement.withdrawCredit, (merchant, amount));
        _expect("withdraw credit", why, caller, address(settlement), data);
        if (why != 0) return;
        creditOf[merchant] -= amount;
        liabilities -= amount;
        _moveDollars(address(settlement), merchant, amount);
        if (paused) _outcome("paid out while paused", 0, true, "");
    }

    /// @dev One that has something, if one turns up in a few tries. The settlement contract's own are out of reach.
    function _richHolder() internal returns (address holder) {
        holder = holders[_below(holders.length - 1)];
        for (uint256 i = 0; i < 5 && giftOf[holder] == 0; ++i) holder = holders[_below(holders.length - 1)];
    }
}
