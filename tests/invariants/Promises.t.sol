// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IPaymentChannels} from "contracts/interfaces/IPaymentChannels.sol";
import {Attackers} from "./Attackers.sol";
import {vm} from "./Vm.sol";

/// @title All actions in one contract, and the promises that hold after each of them
/// @dev The promises compare the contracts with what was signed and set aside. That the contracts also equal the ghosts
///      to the unit is asked last: it says that a change went wrong, the promises say for whom.
contract Handler is Attackers {
    function writeTally(string calldata path) external {
        _writeTally(path);
    }

    // ---------------------------------------------------------------- payers

    function checkChannels() external view {
        uint256[2] memory owed; // in dollars, in the trick token
        for (uint256 i = 0; i < pool.length; ++i) {
            Channel storage channel = pool[i];
            (uint128 balance, uint128 claimed) = channels.channels(channel.id);
            require(claimed <= channel.signed, "payer: more was claimed than was ever signed");
            require(claimed <= balance, "payer: more was claimed than was deposited");
            require(channel.paid <= channel.signed, "payer: more left the channel than was ever signed");
            owed[channel.config.token == address(dollar) ? 0 : 1] += balance - claimed;
        }
        for (uint256 i = 0; i < receiversSeen.length; ++i) {
            for (uint256 t = 0; t < 2; ++t) {
                address token = t == 0 ? address(dollar) : address(trick);
                (uint128 claimed, uint128 paid) = channels.receivers(receiversSeen[i], token);
                require(paid <= claimed, "receiver: paid more than was claimed");
                owed[t] += claimed - paid;
            }
        }
        require(dollar.balanceOf(address(channels)) >= owed[0], "escrow: dollars are missing");
        require(trick.balanceOf(address(channels)) >= owed[1], "escrow: the other token is missing");
    }

    /// @dev What reached the receivers by any way, out of what payers signed for them.
    function checkReceivers() external view {
        for (uint256 i = 0; i < receiversSeen.length; ++i) {
            address receiver = receiversSeen[i];
            uint256 signed;
            uint256 left;
            for (uint256 c = 0; c < pool.length; ++c) {
                Channel storage channel = pool[c];
                if (channel.config.receiver != receiver || channel.config.token != address(dollar)) continue;
                (, uint128 claimed) = channels.channels(channel.id);
                signed += channel.signed;
                left += claimed;
            }
            require(left <= signed, "payer: a receiver got more than was signed for it");
            if (receiver == shop) {
                (uint128 claimed, uint128 paid) = channels.receivers(shop, address(dollar));
                // All that the shop ever gets comes from channels, and it spends nothing.
                require(dollar.balanceOf(shop) + claimed - paid == left, "receiver: the shop has not what was claimed");
            }
        }
    }

    // --------------------------------------------------------------- backing

    function checkBacking() external view {
        uint256 owed = settlement.liabilities();
        require(dollar.balanceOf(address(settlement)) >= owed, "backing: reserve below liabilities");
        uint256 parts = gift.totalSupply() + settlement.unclaimed();
        for (uint256 i = 0; i < merchants.length; ++i) parts += settlement.credits(merchants[i]);
        require(parts == owed, "backing: liabilities are not supply + unclaimed + credits");
    }

    function checkHolders() external view {
        uint256 held;
        uint256 ever;
        for (uint256 i = 0; i < holders.length; ++i) {
            held += gift.balanceOf(holders[i]);
            uint256 mintedTo = gift.mintedTo(holders[i]);
            require(mintedTo <= entitled[holders[i]], "entitlement: minted more than any batch promised");
            ever += mintedTo;
        }
        require(held == gift.totalSupply(), "token: the holders' balances are not the supply");
        require(ever <= entitledEver, "entitlement: minted more than all batches set aside");
    }

    function checkLimitsAndBatches() external view {
        require(settlement.lastBatchId() == settled.length, "batches: another count than was settled");
        require(settlement.batches(uint64(settled.length + 1)) == 0, "batches: a root before its batch");
        if (settled.length != 0) {
            // Each in turn, so that an old one that changes is found; the newest always.
            uint64 id = uint64(1 + clock % settled.length);
            require(settlement.batches(id) == settled[id - 1].root, "batches: a root has changed");
            id = uint64(settled.length);
            require(settlement.batches(id) == settled[id - 1].root, "batches: not the root that was settled");
        }
        require(settlement.perBatchLimit() == batchLimit, "limits: a batch's is not what the admin set");
        require(settlement.perDayLimit() == dayLimit, "limits: a day's is not what the admin set");
        require(settlement.paused() == paused, "pause: not as it was set");
    }

    // ------------------------------------------------- to the unit, and no other

    function checkGhosts() external view {
        for (uint256 i = 0; i < pool.length; ++i) {
            Channel storage channel = pool[i];
            (uint128 balance, uint128 claimed) = channels.channels(channel.id);
            require(balance == channel.balance, "books: a channel's balance");
            require(claimed == channel.claimed, "books: a channel's claim");
            (uint128 pending, uint40 announcedAt) = channels.pendingWithdrawals(channel.id);
            require(pending == channel.pending && announcedAt == channel.announcedAt, "books: a pending withdrawal");
            require(channels.refundNonce(channel.id) == channel.refundNonce, "books: a refund nonce");
        }
        for (uint256 i = 0; i < receiversSeen.length; ++i) {
            for (uint256 t = 0; t < 2; ++t) {
                address token = t == 0 ? address(dollar) : address(trick);
                (uint128 claimed, uint128 paid) = channels.receivers(receiversSeen[i], token);
                Waiting storage state = waiting[receiversSeen[i]][token];
                require(claimed == state.claimed && paid == state.settled, "books: what waits for a receiver");
            }
        }
        for (uint256 i = 0; i < holders.length; ++i) {
            address holder = holders[i];
            require(gift.balanceOf(holder) == giftOf[holder], "books: a holder's gift tokens");
            require(gift.mintedTo(holder) == minted[holder], "books: what was minted to a holder");
            require(dollar.balanceOf(holder) == dollarsOf[holder], "books: an account's dollars");
        }
        for (uint256 i = 0; i < merchants.length; ++i) {
            require(settlement.credits(merchants[i]) == creditOf[merchants[i]], "books: a merchant's credit");
        }
        require(dollar.balanceOf(shop) == dollarsOf[shop], "books: the shop's dollars");
        require(dollar.balanceOf(address(channels)) == dollarsOf[address(channels)], "books: the channels' dollars");
        require(dollar.balanceOf(stranger) == dollarsOf[stranger], "books: the stranger's dollars");
        require(trick.balanceOf(stranger) == 0 && gift.balanceOf(stranger) == 0, "books: a stranger has gained");
        require(gift.totalSupply() == supply, "books: the gift token's supply");
        require(settlement.unclaimed() == unclaimed, "books: what is unclaimed");
        require(settlement.liabilities() == liabilities, "books: the liabilities");
    }
}

contract Promises {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler private _handler;

    function setUp() external {
        _handler = new Handler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev The views and the tally are no actions.
    function excludeSelectors() external view returns (FuzzSelector[] memory excluded) {
        excluded = new FuzzSelector[](1);
        excluded[0] = FuzzSelector(address(_handler), new bytes4[](1));
        excluded[0].selectors[0] = Handler.writeTally.selector;
    }

    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_promises() external view {
        _handler.checkChannels();
        _handler.checkReceivers();
        _handler.checkBacking();
        _handler.checkHolders();
        _handler.checkLimitsAndBatches();
        _handler.checkGhosts();
    }

    /// @dev After each run.
    function afterInvariant() external {
        string memory path = vm.envOr("INVARIANTS_TALLY", "");
        if (bytes(path).length != 0) _handler.writeTally(path);
    }
}
