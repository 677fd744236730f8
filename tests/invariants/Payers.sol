// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IPaymentChannels} from "contracts/interfaces/IPaymentChannels.sol";
import {Signing} from "./Signing.sol";
import {Villain} from "./Villain.sol";
import {World, ITrickToken} from "./World.sol";
import {vm} from "./Vm.sol";
import {Why} from "./Why.sol";

/// @title What payers do: deposit, sign vouchers, withdraw
abstract contract Payers is World {
    using Signing for Signing.Signature;

    // --------------------------------------------------------------- deposit

    function deposit(uint256 seed) external action(seed) {
        for (uint256 i = 1 + _below(3); i > 0; --i) _deposit(_anyChannel());
    }

    function _deposit(Channel storage channel) private {
        IPaymentChannels.ChannelConfig memory config = channel.config;
        uint128 amount = _amount();
        uint256 salt = nextSalt++;
        bytes32 id = channel.id;
        uint256 key = keyOf[config.payer];
        bytes32 why;
        uint256 flaw = _oneIn(4) ? 1 + _below(7) : 0;
        if (flaw == 1 && channel.salts.length != 0) {
            salt = channel.salts[_below(channel.salts.length)];
            why = Why.USED_AUTHORIZATION;
        } else if (flaw == 2) {
            config.receiver = stranger; // whoever sees an authorisation sends it on to a channel of his own
            why = Why.OTHER_CHANNEL;
        } else if (flaw == 3) {
            id = pool[_below(pool.length)].id;
            why = id == channel.id ? bytes32(0) : Why.OTHER_CHANNEL;
        } else if (flaw == 4) {
            key = keyOf[stranger];
            why = Why.BAD_SIGNATURE;
        } else if (flaw == 5) {
            amount = 0;
            why = Why.ZERO_AMOUNT;
        } else if (flaw == 6) {
            config.withdrawDelay = _oneIn(2) ? 15 minutes - 1 : 30 days + 1;
            id = Signing.channelId(_domain(), config);
            why = Why.BAD_DELAY;
        } else if (flaw == 7) {
            address nowhere = address(villain);
            villain.plan(_noCalls());
            bytes memory nothing = abi.encodeCall(IPaymentChannels.deposit, (config, amount, nowhere, ""));
            _expect("deposit", Why.NOTHING_RECEIVED, stranger, address(channels), nothing);
            return;
        }

        _fill(config.payer, config.token, amount);
        bytes memory data = abi.encodeCall(
            IPaymentChannels.deposit,
            (config, amount, collector, _authorization(config.payer, config.token, key, amount, id, salt))
        );
        _expect("deposit", why, _oneIn(2) ? stranger : config.payer, address(channels), data);
        if (why == 0) _deposited(channel, amount, salt);
    }

    function _noCalls() internal pure returns (Villain.Call[] memory calls) {}

    function _fill(address payer, address token, uint256 amount) internal {
        if (token == address(dollar)) _giveDollars(payer, amount);
        else trick.mint(payer, amount);
    }

    function _deposited(Channel storage channel, uint128 amount, uint256 salt) internal {
        channel.salts.push(salt);
        if (channel.config.token == address(dollar)) {
            _moveDollars(channel.config.payer, address(channels), amount);
            channel.balance += amount;
        } else {
            channel.balance += _afterFee(_afterFee(amount)); // to the collector, and from there
        }
    }

    function _afterFee(uint128 amount) internal view returns (uint128) {
        return uint128(amount - uint256(amount) * trickFee / 10_000);
    }

    /// @dev What `ERC3009DepositCollector` takes.
    function _authorization(address payer, address token, uint256 key, uint256 amount, bytes32 id, uint256 salt)
        internal
        view
        returns (bytes memory)
    {
        bytes32 hash = Signing.receiveAuthorization(
            Signing.domain("Trick Token", block.chainid, token),
            payer, collector, amount, 0, type(uint256).max, keccak256(abi.encode(id, salt))
        );
        return abi.encode(0, type(uint256).max, salt, Signing.sign(key, hash).long());
    }

    // ------------------------------------------------------------------- pay

    /// @notice Off-chain: a voucher is signed, and sometimes one that is lower than others before it.
    function pay(uint256 seed) external action(seed) {
        for (uint256 i = 1 + _below(4); i > 0; --i) _pay(_oneIn(2) ? pool[_below(pool.length)] : _anyChannel());
    }

    function _pay(Channel storage channel) private {
        if (channel.key == 0) return;
        uint128 amount = 1 + channel.signed;
        if (amount < channel.balance) amount += uint128(_below(1 + (channel.balance - amount) / 2));
        else if (_oneIn(3)) amount += uint128(_below(1e6)); // more than the deposit: the hub should not have accepted it
        else amount = _partOf(channel.signed); // lower than one before it
        if (channel.id == pool[4].id && _oneIn(8)) amount += 1_000_000e6; // beyond all deposits to come
        if (amount == 0) return;
        channel.vouchers.push(amount);
        if (amount > channel.signed) channel.signed = amount;
        _outcome("pay", Why.NOT_REFUSED, true, "");
    }

    // -------------------------------------------------------------- withdraw

    function initiateWithdraw(uint256 seed) external action(seed) {
        Channel storage channel = _fullChannel();
        uint128 available = _available(channel);
        uint128 amount = _oneIn(6) ? available + _amount() : _oneIn(12) ? 0 : _partOf(available);
        address caller = _oneIn(6) ? _somebodyElse(channel.config) : channel.config.payer;
        bytes32 why;
        if (caller != channel.config.payer) why = Why.NOT_ALLOWED;
        else if (amount == 0) why = Why.ZERO_AMOUNT;
        else if (amount > available) why = Why.OVER_AVAILABLE;
        _initiate("announce withdrawal", why, channel, caller, amount);
    }

    function finalizeWithdraw(uint256 seed) external action(seed) {
        Channel storage channel = _anyChannel();
        for (uint256 i = 0; i < 15 && channel.pending == 0; ++i) channel = pool[_below(pool.length)];
        uint256 due = uint256(channel.announcedAt) + channel.config.withdrawDelay;
        if (channel.pending != 0) {
            if (_oneIn(3) && due > clock) _advance(due - 1);
            else if (!_oneIn(3)) _advance(due);
        }
        bytes32 why;
        if (channel.pending == 0) why = Why.NOT_ANNOUNCED;
        else if (clock < due) why = Why.TOO_EARLY;
        _finalize("withdraw", why, channel, stranger);
    }

    /// @notice The promise itself: whatever state all else is in, the payer has the rest of the deposit after the delay.
    function takeTheRest(uint256 seed) external action(seed) {
        Channel storage channel = pool[_below(pool.length)];
        if (channel.config.receiver == address(settlement) && _oneIn(2)) return; // leave something for the others
        uint128 rest = _available(channel);
        if (rest == 0) return;
        address payer = channel.config.payer;
        ITrickToken token = ITrickToken(channel.config.token);
        uint256 before = token.balanceOf(payer);
        _initiate("leave", Why.NOT_REFUSED, channel, payer, rest);
        _advance(clock + channel.config.withdrawDelay);
        _finalize("leave", Why.NOT_REFUSED, channel, payer);
        uint256 gain = token.balanceOf(payer) - before;
        uint256 fee = address(token) == address(trick) ? rest * trickFee / 10_000 : 0;
        require(gain == rest - fee, "a payer who leaves has not got the whole rest of the deposit");
    }

    function _initiate(bytes32 name, bytes32 why, Channel storage channel, address caller, uint128 amount) private {
        bytes memory data = abi.encodeCall(IPaymentChannels.initiateWithdraw, (channel.config, amount));
        _expect(name, why, caller, address(channels), data);
        if (why == 0) (channel.pending, channel.announcedAt) = (amount, uint40(clock));
    }

    function _finalize(bytes32 name, bytes32 why, Channel storage channel, address caller) private {
        bytes memory data = abi.encodeCall(IPaymentChannels.finalizeWithdraw, (channel.config));
        _expect(name, why, caller, address(channels), data);
        if (why != 0) return;
        uint128 available = _available(channel);
        _giveBack(channel, channel.pending < available ? channel.pending : available);
        (channel.pending, channel.announcedAt) = (0, 0);
    }

    /// @dev Anybody with a part in the channel but not its payer, or a stranger.
    function _somebodyElse(IPaymentChannels.ChannelConfig memory config) internal returns (address) {
        uint256 which = _below(4);
        if (which == 0 && config.payerAuthorizer != address(0)) {
            return config.payerAuthorizer == config.payer ? stranger : config.payerAuthorizer;
        }
        if (which == 1) return config.receiver;
        if (which == 2 && config.receiverAuthorizer != address(0)) return config.receiverAuthorizer;
        return stranger;
    }
}
