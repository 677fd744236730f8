// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ERC3009} from "./ERC3009.sol";
import {IGiftToken} from "./interfaces/IGiftToken.sol";

/// @title The gift token: ERC-20 + EIP-2612 + ERC-3009
/// @dev The minter is whoever deploys it, for good: `GiftSettlement` makes its own token in its constructor,
///      so there is no setter that could be called by somebody else first.
///
///      A holder's balance and what was ever minted to it share one slot, so that minting writes one slot and not two.
///      No balance passes the supply, which is kept below 2^128; what was ever minted is given in 96 bits.
contract GiftToken is ERC20Permit, ERC3009, IGiftToken {
    struct Holder {
        uint128 balance;
        uint128 minted;
    }

    /// @inheritdoc IGiftToken
    address public immutable minter;
    uint8 private immutable _decimals;

    /// @dev In place of OpenZeppelin's own, which stay empty: `_update` and the views below are all that touch them.
    mapping(address account => Holder) private _holders;
    uint256 private _supply;

    modifier onlyMinter() {
        if (msg.sender != minter) revert GiftToken_CallerNotMinter(msg.sender);
        _;
    }

    /// @param decimals_ The reserve asset's decimals, so that face values need no conversion.
    constructor(string memory name_, string memory symbol_, uint8 decimals_) ERC20(name_, symbol_) ERC20Permit(name_) {
        minter = msg.sender;
        _decimals = decimals_;
    }

    // ----------------------------------------------------------------- views

    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    function totalSupply() public view override(ERC20, IERC20) returns (uint256) {
        return _supply;
    }

    function balanceOf(address account) public view override(ERC20, IERC20) returns (uint256) {
        return _holders[account].balance;
    }

    /// @inheritdoc IGiftToken
    function mintedTo(address account) external view returns (uint256) {
        return _holders[account].minted;
    }

    // --------------------------------------------------------- mint and burn

    /// @inheritdoc IGiftToken
    function mintUpTo(uint256[] calldata entitlements) external onlyMinter returns (uint256 minted) {
        bool ofNobody;
        bytes32 transferTopic = Transfer.selector;
        // Assembly for one read and one write of each holder's slot. Nothing overflows: what was minted ever to an account
        // is its entitlement, of 96 bits, and no balance passes the supply, which is checked to have 128 in the end.
        assembly ("memory-safe") {
            mstore(0x20, _holders.slot)
            let end := add(entitlements.offset, shl(5, entitlements.length))
            for { let at := entitlements.offset } lt(at, end) { at := add(at, 0x20) } {
                let entitlement := calldataload(at)
                let account := shr(96, entitlement)
                ofNobody := or(ofNobody, iszero(account))
                mstore(0x00, account)
                let holder := keccak256(0x00, 0x40)
                let state := sload(holder)
                let cumulative := and(entitlement, 0xffffffffffffffffffffffff)
                if gt(cumulative, shr(128, state)) {
                    let amount := sub(cumulative, shr(128, state))
                    sstore(holder, add(state, or(shl(128, amount), amount)))
                    minted := add(minted, amount)
                    mstore(0x00, amount)
                    log3(0x00, 0x20, transferTopic, 0, account)
                }
            }
        }
        if (ofNobody) revert ERC20InvalidReceiver(address(0));
        _supply = SafeCast.toUint128(_supply + minted); // so that 128 bits hold every balance
    }

    /// @inheritdoc IGiftToken
    function burn(address account, uint256 amount) external onlyMinter {
        _burn(account, amount);
    }

    // ----------------------------------------------------------------- inner

    /// @dev OpenZeppelin's `_update` on our slots. Nothing mints through it: see `mintUpTo`.
    function _update(address from, address to, uint256 value) internal override {
        uint256 balance = _holders[from].balance;
        if (balance < value) revert ERC20InsufficientBalance(from, balance, value);
        uint128 amount = uint128(value); // fits: at most `balance`
        // What one account loses another gains or the supply loses, and no balance passes the supply.
        unchecked {
            _holders[from].balance -= amount;
            if (to == address(0)) _supply -= amount;
            else _holders[to].balance += amount;
        }
        emit Transfer(from, to, value);
    }
}
