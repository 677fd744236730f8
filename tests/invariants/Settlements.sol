// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IGiftSettlement} from "contracts/interfaces/IGiftSettlement.sol";
import {IPaymentChannels} from "contracts/interfaces/IPaymentChannels.sol";
import {Receivers} from "./Receivers.sol";
import {ISettlement} from "./World.sol";
import {vm} from "./Vm.sol";
import {Why} from "./Why.sol";

/// @title What the hub's operator does, and what a thief of the operator's key would try
abstract contract Settlements is Receivers {
    /// @dev A batch that is not sent yet, beside what the ghosts foresee of it.
    struct Plan {
        address caller;
        bool gathers;
        Open open;
        Packed packed;
        uint128[] opened; // claimed of each channel after the open claims, before the packed ones
        uint256 pulled; // what the open claims bring
        IGiftSettlement.Batch batch;
        Settled tree;
        uint256[] mints;
        uint256[] mintedAfter; // of each holder
        uint256 minting;
        uint256 value;
        bytes32 why;
    }

    // ---------------------------------------------------------------- settle

    function settle(uint256 seed) external action(seed) {
        for (uint256 i = 1 + _below(2); i > 0; --i) _settle();
    }

    function _settle() private {
        Plan memory plan;
        plan.caller = settler;
        _planClaims(plan);
        _planValue(plan);
        _planTree(plan);
        _planMints(plan);
        _planRefusal(plan);
        _send(plan);
    }

    function _planClaims(Plan memory plan) private {
        plan.opened = _claimedNow();
        plan.gathers = _oneIn(3);
        if (plan.gathers) {
            plan.open = _open(address(settlement), address(0));
            // A batch whose open claims are bad is a batch that changes nothing: not too often.
            for (uint256 i = 0; i < 3 && plan.open.why != 0; ++i) plan.open = _open(address(settlement), address(0));
            if (plan.open.why == 0) plan.opened = plan.open.claimed;
            plan.pulled = _pulledBy(plan.opened);
        }
        uint128[] memory claimed = new uint128[](pool.length);
        for (uint256 i = 0; i < claimed.length; ++i) claimed[i] = plan.opened[i];
        if (_oneIn(6)) plan.packed.claimed = claimed; // a batch of a gateway's payments has no vouchers
        else plan.packed = _pack(address(settlement), address(dollar), claimed);
    }

    /// @dev What `channels.settle` pays the settlement contract after these claims.
    function _pulledBy(uint128[] memory claimed) private view returns (uint256 pulled) {
        Waiting storage state = waiting[address(settlement)][address(dollar)];
        pulled = state.claimed - state.settled;
        for (uint256 i = 0; i < claimed.length; ++i) {
            IPaymentChannels.ChannelConfig storage config = pool[i].config;
            if (config.receiver == address(settlement) && config.token == address(dollar)) {
                pulled += claimed[i] - pool[i].claimed;
            }
        }
    }

    /// @dev Divides what the reserve has beyond its liabilities, at times more than that.
    function _planValue(Plan memory plan) private {
        uint256 surplus = dollarsOf[address(settlement)] + plan.pulled + plan.packed.amount - liabilities;
        plan.value = _oneIn(8) ? surplus + 1 + _below(_amount()) : _oneIn(3) ? surplus : _below(surplus + 1);
        uint256 left = plan.value;
        plan.batch.credits = new uint256[](_below(4));
        for (uint256 i = 0; i < plan.batch.credits.length; ++i) {
            uint256 credit = _below(left / 2 + 1);
            left -= credit;
            plan.batch.credits[i] = uint256(uint160(_anyMerchant())) << 96 | credit;
        }
        plan.batch.entitled = uint96(left);
    }

    /// @dev Four accounts are raised, honestly by what the batch sets aside, or by a false root that promises more.
    function _planTree(Plan memory plan) private {
        uint256 left = plan.batch.entitled;
        bool honest = !_oneIn(6);
        uint256 first = _below(ENTITLED_HOLDERS);
        for (uint256 i = 0; i < 4; ++i) {
            address account = holders[(first + i) % ENTITLED_HOLDERS];
            uint256 raise = i == 3 ? left : _below(left + 1);
            left -= raise;
            if (!honest && _oneIn(2)) raise += _amount();
            plan.tree.accounts[i] = account;
            plan.tree.cumulative[i] = uint96(entitled[account] + raise);
            plan.tree.leaves[i] = _leaf(account, plan.tree.cumulative[i]);
        }
        plan.tree.payments = _word();
        plan.tree.root = _pair(_entitlements(plan.tree.leaves), plan.tree.payments);
    }

    /// @dev Mints at once some of what the tree promises, or of what former ones did, or too much.
    function _planMints(Plan memory plan) private {
        plan.mintedAfter = new uint256[](holders.length);
        for (uint256 i = 0; i < holders.length; ++i) plan.mintedAfter[i] = minted[holders[i]];
        plan.mints = new uint256[](_oneIn(3) ? 0 : _below(5));
        for (uint256 i = 0; i < plan.mints.length; ++i) {
            address account = plan.tree.accounts[i];
            uint256 cumulative = plan.tree.cumulative[i];
            if (_oneIn(8)) cumulative = _below(entitled[account] + 1); // an old one
            if (_oneIn(16)) cumulative += _amount(); // to the cost of others
            plan.mints[i] = uint256(uint160(account)) << 96 | cumulative;
            if (i != 0 && _oneIn(8)) plan.mints[i] = plan.mints[i - 1];
            _mint(plan, address(uint160(plan.mints[i] >> 96)), uint96(plan.mints[i]));
        }
    }

    function _mint(Plan memory plan, address account, uint96 cumulative) private view {
        for (uint256 i = 0; i < holders.length; ++i) {
            if (holders[i] == account && cumulative > plan.mintedAfter[i]) {
                plan.minting += cumulative - plan.mintedAfter[i];
                plan.mintedAfter[i] = cumulative;
            }
        }
    }

    /// @dev The order does not matter: a batch is refused as a whole, for whichever reason.
    function _planRefusal(Plan memory plan) private {
        uint256 next = settled.length + 1;
        plan.batch.id = uint64(next);
        plan.batch.root = plan.tree.root;
        plan.batch.paymentCount = uint32(_below(1000));

        if (_oneIn(12) && settled.length != 0) {
            plan.batch.id = uint64(1 + _below(settled.length));
            // The very root of then, too: a batch that is sent twice.
            if (_oneIn(2)) plan.batch.root = settled[plan.batch.id - 1].root;
            plan.why = Why.SETTLED_BEFORE;
        } else if (_oneIn(20)) {
            plan.batch.id = _oneIn(3) ? 0 : uint64(next + 1 + _below(3));
            plan.why = Why.OUT_OF_ORDER;
        } else if (_oneIn(15)) {
            plan.caller = _oneIn(2) ? stranger : _oneIn(2) ? admin : merchants[0];
            plan.why = Why.NOT_ALLOWED;
        } else if (_oneIn(20) && plan.batch.credits.length != 0) {
            plan.batch.credits[0] = uint96(plan.batch.credits[0]);
            plan.why = Why.TO_NOBODY;
        } else if (_oneIn(20) && plan.mints.length != 0) {
            plan.mints[0] = uint96(plan.mints[0]);
            plan.why = Why.TO_NOBODY;
        } else {
            plan.why = _refusedByBooks(plan);
        }
    }

    function _refusedByBooks(Plan memory plan) private view returns (bytes32) {
        if (paused) return Why.PAUSED;
        if (plan.gathers && plan.open.why != 0) return plan.open.why;
        if (plan.packed.why != 0) return plan.packed.why;
        uint256 reserve = dollarsOf[address(settlement)] + plan.pulled + plan.packed.amount;
        if (liabilities + plan.value > reserve) return Why.INSOLVENT;
        if (plan.minting > unclaimed + plan.batch.entitled) return Why.OVER_ENTITLED;
        if (plan.value > batchLimit) return Why.OVER_BATCH_LIMIT;
        if (owedOn[clock / 1 days] + plan.value > dayLimit) return Why.OVER_DAY_LIMIT;
        return Why.NOT_REFUSED;
    }

    function _send(Plan memory plan) private {
        bytes memory data = abi.encodeCall(IGiftSettlement.settle, (plan.batch, plan.packed.data, plan.mints));
        if (plan.gathers) {
            bytes[] memory calls = new bytes[](2);
            calls[0] = abi.encodeCall(IGiftSettlement.gather, (plan.open.claims));
            calls[1] = data;
            data = abi.encodeCall(ISettlement.multicall, (calls));
        }
        bytes32 name = plan.gathers ? bytes32("gather and settle") : bytes32("settle");
        _expect(name, plan.why, plan.caller, address(settlement), data);
        if (plan.why != 0) return;
        if (plan.gathers) {
            _claimedOpenly(plan.opened);
            _settledTo(address(settlement), address(dollar));
        }
        _claimedPacked(plan.packed);
        _moveDollars(address(channels), address(settlement), plan.packed.amount);
        _record(plan);
    }

    function _record(Plan memory plan) private {
        settled.push(plan.tree);
        for (uint256 i = 0; i < plan.batch.credits.length; ++i) {
            creditOf[address(uint160(plan.batch.credits[i] >> 96))] += uint96(plan.batch.credits[i]);
        }
        for (uint256 i = 0; i < 4; ++i) _entitle(plan.tree.accounts[i], plan.tree.cumulative[i]);
        for (uint256 i = 0; i < plan.mints.length; ++i) {
            _entitle(address(uint160(plan.mints[i] >> 96)), uint96(plan.mints[i]));
        }
        for (uint256 i = 0; i < holders.length; ++i) {
            giftOf[holders[i]] += plan.mintedAfter[i] - minted[holders[i]];
            minted[holders[i]] = plan.mintedAfter[i];
        }
        entitledEver += plan.batch.entitled;
        mintedEver += plan.minting;
        supply += plan.minting;
        unclaimed = unclaimed + plan.batch.entitled - plan.minting;
        liabilities += plan.value;
        owedOn[clock / 1 days] += plan.value;
    }

    function _entitle(address account, uint256 cumulative) private {
        if (cumulative > entitled[account]) entitled[account] = cumulative;
    }

    /// @notice The operator gathers without dividing: the money waits in the reserve for the next batch.
    function gather(uint256 seed) external action(seed) {
        Open memory open = _open(address(settlement), address(0));
        address caller = settler;
        if (open.why == 0 && paused) open.why = Why.PAUSED;
        if (_oneIn(6)) (caller, open.why) = (_oneIn(2) ? stranger : admin, Why.NOT_ALLOWED);
        _expect("gather", open.why, caller, address(settlement), abi.encodeCall(IGiftSettlement.gather, (open.claims)));
        if (open.why != 0) return;
        _claimedOpenly(open.claimed);
        _settledTo(address(settlement), address(dollar));
    }

    // ---------------------------------------------------------------- proofs

    function _leaf(address account, uint256 cumulative) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(account, cumulative))));
    }

    function _pair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
    }

    function _entitlements(bytes32[4] memory leaves) internal pure returns (bytes32) {
        return _pair(_pair(leaves[0], leaves[1]), _pair(leaves[2], leaves[3]));
    }

    // -------------------------------------------------------- operator's rest

    /// @notice What gateways and sponsors pay in for others.
    function fund(uint256 seed) external action(seed) {
        uint256 amount = _oneIn(8) ? 0 : _amount();
        _giveDollars(sponsor, amount);
        vm.prank(sponsor);
        dollar.approve(address(settlement), amount);
        bytes32 why = amount == 0 ? Why.ZERO_AMOUNT : bytes32(0);
        _expect("fund", why, sponsor, address(settlement), abi.encodeCall(IGiftSettlement.fund, (amount)));
        if (why == 0) _moveDollars(sponsor, address(settlement), amount);
    }

    /// @notice Money that comes without a call belongs to nobody's books.
    function donate(uint256 seed) external action(seed) {
        uint256 amount = _amount();
        address to = _oneIn(2) ? address(settlement) : address(channels);
        _giveDollars(sponsor, amount);
        vm.prank(sponsor);
        dollar.transfer(to, amount);
        _moveDollars(sponsor, to, amount);
        _outcome("donate", 0, true, "");
    }

    function pause(uint256 seed) external action(seed) {
        if (!paused && !_oneIn(6)) return; // more often on than off
        address caller = _oneIn(4) ? stranger : paused ? admin : settler;
        bool stops = paused ? _oneIn(6) : true;
        if (paused && stops) caller = settler;
        bytes32 why;
        if (caller == stranger) why = Why.NOT_ALLOWED;
        else if (paused && stops) why = Why.ALREADY_PAUSED;
        if (paused && !stops && _oneIn(4)) (caller, why) = (settler, Why.NOT_ALLOWED); // it can stop, not start
        bytes memory data = stops ? abi.encodeCall(IGiftSettlement.pause, ()) : abi.encodeCall(IGiftSettlement.unpause, ());
        _expect(stops ? bytes32("pause") : bytes32("unpause"), why, caller, address(settlement), data);
        if (why == 0) paused = stops;
    }

    function setLimits(uint256 seed) external action(seed) {
        uint96 perBatch = _oneIn(3) ? uint96(_amount()) : 5_000e6;
        uint96 perDay = _oneIn(3) ? uint96(_amount()) * 2 : 12_000e6;
        address caller = _oneIn(3) ? (_oneIn(2) ? settler : stranger) : admin;
        bytes32 why = caller == admin ? bytes32(0) : Why.NOT_ALLOWED;
        bytes memory data = abi.encodeCall(IGiftSettlement.setLimits, (perBatch, perDay));
        _expect("set limits", why, caller, address(settlement), data);
        if (why == 0) (batchLimit, dayLimit) = (perBatch, perDay);
    }

    /// @notice Time passes: a second, or as much as three days.
    function wait(uint256 seed) external action(seed) {
        _advance(clock + 1 + _below(_oneIn(3) ? 3 days : 2 hours));
        _outcome("wait", 0, true, "");
    }

    function setFee(uint256 seed) external action(seed) {
        trickFee = _oneIn(2) ? 0 : _below(1000);
        trick.setFee(trickFee);
        _outcome("fee on transfer", 0, true, "");
    }
}
