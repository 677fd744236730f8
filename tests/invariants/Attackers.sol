// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IDepositCollector} from "contracts/interfaces/IDepositCollector.sol";
import {IGiftSettlement} from "contracts/interfaces/IGiftSettlement.sol";
import {IGiftToken} from "contracts/interfaces/IGiftToken.sol";
import {IPaymentChannels} from "contracts/interfaces/IPaymentChannels.sol";
import {Holders} from "./Holders.sol";
import {Signing} from "./Signing.sol";
import {ISettlement} from "./World.sol";
import {Villain} from "./Villain.sol";
import {vm} from "./Vm.sol";
import {Why} from "./Why.sol";

/// @title Attempts that no honest party makes. That they come to nothing is foreseen, as everything else is
abstract contract Attackers is Holders {
    using Signing for Signing.Signature;

    // --------------------------------------------------------------- strangers

    /// @notice Calls that are somebody else's right.
    function trespass(uint256 seed) external action(seed) {
        address caller = _oneIn(2) ? stranger : _oneIn(2) ? merchants[0] : holders[0];
        address target = address(settlement);
        bytes memory data;
        uint256 which = _below(10);
        IGiftSettlement.Batch memory batch;
        batch.id = uint64(settled.length + 1);
        uint256[] memory mints = new uint256[](1);
        mints[0] = uint256(uint160(caller)) << 96 | 1e6;
        if (which == 0) data = abi.encodeCall(IGiftSettlement.settle, (batch, "", new uint256[](0)));
        if (which == 1) data = abi.encodeCall(IGiftSettlement.gather, (new IPaymentChannels.VoucherClaim[](0)));
        if (which == 2) data = abi.encodeCall(IGiftSettlement.unpause, ());
        if (which == 3) data = abi.encodeCall(IGiftSettlement.setLimits, (type(uint96).max, type(uint96).max));
        if (which == 4) data = abi.encodeCall(ISettlement.grantRole, (settlement.SETTLER_ROLE(), caller));
        if (which == 5) (target, data) = (address(gift), abi.encodeCall(IGiftToken.mintUpTo, (mints)));
        if (which == 6) (target, data) = (address(gift), abi.encodeCall(IGiftToken.burn, (_richHolder(), 0)));
        if (which == 7) {
            // A payer's standing authorisation, used past the channels.
            Channel storage channel = pool[_below(8)];
            _fill(channel.config.payer, channel.config.token, 1e6);
            bytes memory authorization =
                _authorization(channel.config.payer, channel.config.token, keyOf[channel.config.payer], 1e6, channel.id, nextSalt++);
            target = collector;
            data = abi.encodeCall(
                IDepositCollector.collect, (channel.config.payer, channel.config.token, 1e6, channel.id, authorization)
            );
        }
        if (which == 8) {
            // By way of the contract's own multicall, which keeps the caller.
            bytes[] memory calls = new bytes[](1);
            calls[0] = abi.encodeCall(IGiftSettlement.settle, (batch, "", mints));
            data = abi.encodeCall(ISettlement.multicall, (calls));
        }
        if (which == 9) {
            address holder = _richHolder();
            if (giftOf[holder] == 0) return;
            target = address(gift);
            data = abi.encodeCall(IERC20.transferFrom, (holder, stranger, 1));
        }
        _expect("trespass", Why.NOT_ALLOWED, caller, target, data);
    }

    // -------------------------------------------------------------- other chain

    /// @notice After a fork of the chain the other side's vouchers are worth nothing here.
    function onOtherChain(uint256 seed) external action(seed) {
        uint256 home = block.chainid;
        bytes memory claims = abi.encodePacked(uint8(16));
        IPaymentChannels.VoucherClaim[] memory open = new IPaymentChannels.VoucherClaim[](1);
        bool unclaimedVoucher;
        for (uint256 i = 0; i < 8; ++i) {
            Channel storage channel = pool[i];
            if (channel.vouchers.length == 0) continue;
            uint128 max = channel.vouchers[channel.vouchers.length - 1];
            Entry memory entry = _goodEntry(i, max);
            claims = bytes.concat(claims, channel.id, entry.signature.compact(), bytes16(max), bytes16(entry.kept));
            if (max - entry.kept <= channel.claimed) continue;
            open[0] = IPaymentChannels.VoucherClaim(
                IPaymentChannels.Voucher(channel.config, max), entry.signature.long(), max - entry.kept
            );
            unclaimedVoucher = true;
        }
        if (!unclaimedVoucher) return;
        vm.chainId(home + 1);
        bytes memory data = abi.encodeCall(IPaymentChannels.claimPacked, (address(dollar), claims));
        bytes memory result = _expect("other chain, packed", 0, address(settlement), address(channels), data);
        (uint256 amount,) = abi.decode(result, (uint256, uint256[]));
        data = abi.encodeCall(IPaymentChannels.claim, (open));
        _expect("other chain", Why.OVER_BALANCE, address(settlement), address(channels), data);
        vm.chainId(home);
        require(amount == 0, "a voucher of another chain was worth something");
    }

    function _goodEntry(uint256 index, uint128 max) private view returns (Entry memory entry) {
        Channel storage channel = pool[index];
        entry.signature = Signing.sign(channel.key, Signing.voucher(_domain(), channel.id, max));
        if (max > channel.balance) entry.kept = max - channel.balance;
    }

    // --------------------------------------------------------------- reentrance

    /// @notice The reserve asset calls the villain in the middle of a transfer, and the villain calls back.
    function reenter(uint256 seed) external action(seed) {
        address attacker = address(villain);
        Villain.Call[] memory calls = new Villain.Call[](4);
        address hub = address(settlement);
        calls[0] = Villain.Call(hub, abi.encodeCall(IGiftSettlement.redeem, (1, attacker)));
        calls[1] = Villain.Call(hub, abi.encodeCall(IGiftSettlement.withdrawCredit, (attacker, 1)));
        calls[2] = Villain.Call(hub, _claimOfNobody());
        calls[3] = Villain.Call(hub, abi.encodeCall(IGiftSettlement.fund, (1)));

        address holder = _richHolder();
        uint256 amount = _partOf(giftOf[holder]);
        bool byCredit = amount == 0 || _oneIn(3);
        address merchant = _anyMerchant();
        if (byCredit) amount = _partOf(creditOf[merchant]);
        if (amount == 0) return;
        villain.plan(calls);
        _hook(_oneIn(2));
        if (byCredit) {
            bytes memory data = abi.encodeCall(IGiftSettlement.withdrawCredit, (merchant, amount));
            _expect("reenter", 0, merchant, hub, data);
            creditOf[merchant] -= amount;
            _moveDollars(hub, merchant, amount);
        } else {
            _expect("reenter", 0, holder, hub, abi.encodeCall(IGiftSettlement.redeem, (amount, holder)));
            giftOf[holder] -= amount;
            supply -= amount;
            _moveDollars(hub, holder, amount);
        }
        liabilities -= amount;
        require(villain.landed() == 0, "a call back into the settlement contract went through");
        _outcome("reenter", Why.REENTERED, false, "");
    }

    /// @dev The next transfer of dollars calls the villain, before or after the balances move.
    function _hook(bool before) private {
        bytes memory strike = abi.encodeCall(Villain.strike, ());
        if (before) dollar.setHookBefore(address(villain), strike);
        else dollar.setHook(address(villain), strike);
    }

    /// @notice `settle` has no guard: in the middle of a payout it must find no surplus that is not there.
    function settleWithinPayout(uint256 seed) external action(seed) {
        address holder = _richHolder();
        uint256 amount = _partOf(giftOf[holder]);
        if (amount == 0) return;
        bool before = _oneIn(2);
        uint256 reserve = dollarsOf[address(settlement)] - (before ? 0 : amount);
        uint256 surplus = reserve > liabilities ? reserve - liabilities : 0;
        IGiftSettlement.Batch memory batch;
        uint256 value = _oneIn(2) ? _below(surplus + 1) : surplus + 1 + _below(amount);
        address merchant = _anyMerchant();
        (batch.id, batch.credits) = (uint64(settled.length + 1), new uint256[](1));
        batch.credits[0] = uint256(uint160(merchant)) << 96 | value;
        Settled memory tree = _treeThatRaisesNobody();
        batch.root = tree.root;
        bytes32 why;
        if (paused) why = Why.PAUSED;
        else if (reserve < liabilities + value) why = Why.INSOLVENT;
        else if (value > batchLimit) why = Why.OVER_BATCH_LIMIT;
        else if (owedOn[clock / 1 days] + value > dayLimit) why = Why.OVER_DAY_LIMIT;

        Villain.Call[] memory calls = new Villain.Call[](1);
        bytes memory data = abi.encodeCall(IGiftSettlement.settle, (batch, "", new uint256[](0)));
        calls[0] = Villain.Call(address(settlement), data);
        villain.plan(calls);
        _hook(before);
        data = abi.encodeCall(IGiftSettlement.redeem, (amount, holder));
        _expect("redeem", 0, holder, address(settlement), data);
        _outcome("settle within payout", why, villain.landed() == 1, "");
        giftOf[holder] -= amount;
        supply -= amount;
        liabilities -= amount;
        _moveDollars(address(settlement), holder, amount);
        if (why != 0) return;
        settled.push(tree);
        creditOf[merchant] += value;
        liabilities += value;
        owedOn[clock / 1 days] += value;
    }

    function _treeThatRaisesNobody() private returns (Settled memory tree) {
        for (uint256 i = 0; i < 4; ++i) {
            tree.accounts[i] = holders[i];
            tree.cumulative[i] = uint96(entitled[holders[i]]);
            tree.leaves[i] = _leaf(holders[i], entitled[holders[i]]);
        }
        tree.payments = _word();
        tree.root = _pair(_entitlements(tree.leaves), tree.payments);
    }

    /// @dev No leaf at all proves nothing but itself: OpenZeppelin gives back the proof's only node.
    function _claimOfNobody() private view returns (bytes memory) {
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = settlement.batches(1);
        return abi.encodeCall(IGiftSettlement.claimMany, (1, new uint256[](0), proof, new bool[](0)));
    }

    /// @notice The channels' guarded functions, called back while they pay out or take in.
    function reenterChannels(uint256 seed) external action(seed) {
        Channel storage channel = pool[_below(8)];
        uint128 amount = _amount();
        uint256 salt = nextSalt++;
        _fill(channel.config.payer, channel.config.token, amount);
        bytes memory authorization = _authorization(
            channel.config.payer, channel.config.token, keyOf[channel.config.payer], amount, channel.id, salt
        );
        bytes memory honest =
            abi.encodeCall(IPaymentChannels.deposit, (channel.config, amount, collector, authorization));
        Villain.Call[] memory calls = new Villain.Call[](3);
        calls[0] = Villain.Call(address(channels), honest);
        calls[1] = Villain.Call(address(channels), abi.encodeCall(IPaymentChannels.settle, (shop, address(dollar))));
        calls[2] = Villain.Call(
            address(channels), abi.encodeCall(IPaymentChannels.claim, (new IPaymentChannels.VoucherClaim[](0)))
        );
        villain.plan(calls);
        if (_oneIn(2)) {
            // One deposit inside another would be counted by both.
            bytes memory outer = abi.encodeCall(IPaymentChannels.deposit, (channel.config, amount, address(villain), ""));
            _expect("reenter channels", Why.REENTERED, stranger, address(channels), outer);
        } else {
            dollar.setHook(address(villain), abi.encodeCall(Villain.strike, ()));
            _expect("reenter channels", 0, stranger, address(channels), honest);
            _deposited(channel, amount, salt);
            require(villain.landed() == 0, "a call back into the channels went through");
        }
    }

    /// @notice `claimPacked` has no guard: within a deposit it makes that deposit's gain smaller, and no more.
    function claimWithinDeposit(uint256 seed) external action(seed) {
        Channel storage channel = pool[13]; // the villain receives, in the token with the fee
        address attacker = channel.config.receiver;
        Packed memory packed = _pack(attacker, address(trick), _claimedNow());
        uint128 brought = _amount();
        trick.mint(attacker, brought);
        Villain.Call[] memory calls = new Villain.Call[](2);
        bytes memory claimCall = abi.encodeCall(IPaymentChannels.claimPacked, (address(trick), packed.data));
        calls[0] = Villain.Call(address(channels), claimCall);
        calls[1] = Villain.Call(address(trick), abi.encodeCall(IERC20.transfer, (address(channels), brought)));
        villain.plan(calls);
        uint128 gain = _afterFee(brought);
        if (packed.why != 0) packed.amount = 0; // the claim fails and the villain swallows that
        bool refused = gain <= packed.amount;
        bytes memory data = abi.encodeCall(IPaymentChannels.deposit, (channel.config, brought, attacker, ""));
        bytes32 why = refused ? Why.NOTHING_RECEIVED : bytes32(0);
        _expect("claim within deposit", why, stranger, address(channels), data);
        if (refused) return;
        channel.balance += gain - uint128(packed.amount);
        if (packed.why == 0) _claimedPacked(packed);
    }
}
