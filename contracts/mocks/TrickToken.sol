// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ERC3009} from "../ERC3009.sol";

/// @title A token with the bad habits that the contracts have to survive; for tests only
/// @dev Takes a fee on transfer, calls out in the middle of a transfer, refuses by returning false, shrinks balances.
contract TrickToken is ERC20, ERC3009 {
    uint256 private _feeBps;
    bool private _refuses;
    address private _hookTarget;
    bytes private _hookData;
    bool private _hookComesFirst;

    constructor() ERC20("Trick Token", "TRICK") EIP712("Trick Token", "1") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    /// @notice What a negative rebase or a blacklisting issuer does.
    function seize(address account, uint256 amount) external {
        _burn(account, amount);
    }

    function setFee(uint256 bps) external {
        _feeBps = bps;
    }

    function setRefuses(bool refuses) external {
        _refuses = refuses;
    }

    /// @notice The next transfer calls `target` with `data` when the balances have moved.
    function setHook(address target, bytes calldata data) external {
        (_hookTarget, _hookData, _hookComesFirst) = (target, data, false);
    }

    /// @notice As `setHook`, but before the balances move, as ERC-777's `tokensToSend`.
    function setHookBefore(address target, bytes calldata data) external {
        (_hookTarget, _hookData, _hookComesFirst) = (target, data, true);
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        return !_refuses && super.transfer(to, value);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        return !_refuses && super.transferFrom(from, to, value);
    }

    function _update(address from, address to, uint256 value) internal override {
        bool isTransfer = from != address(0) && to != address(0);
        if (isTransfer && _hookComesFirst) _callHook();
        uint256 fee = isTransfer ? value * _feeBps / 10_000 : 0;
        super._update(from, to, value - fee);
        if (fee != 0) super._update(from, address(0), fee);
        if (isTransfer && !_hookComesFirst) _callHook();
    }

    function _callHook() private {
        address target = _hookTarget;
        if (target == address(0)) return;
        delete _hookTarget; // once: the call may transfer this token itself
        (bool success, bytes memory result) = target.call(_hookData);
        if (!success) {
            // The caller's own error, so that a test sees which check stopped the attempt.
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }
}
