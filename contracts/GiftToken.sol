// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "./ERC3009.sol";
import {IGiftToken} from "./interfaces/IGiftToken.sol";

/// @title The gift token: ERC-20 + EIP-2612 + ERC-3009
/// @dev The minter is whoever deploys it, for good: `GiftSettlement` makes its own token in its constructor,
///      so there is no setter that could be called by somebody else first.
contract GiftToken is ERC20Permit, ERC3009, IGiftToken {
    /// @inheritdoc IGiftToken
    address public immutable minter;
    uint8 private immutable _decimals;

    modifier onlyMinter() {
        if (msg.sender != minter) revert GiftToken_CallerNotMinter(msg.sender);
        _;
    }

    /// @param decimals_ The reserve asset's decimals, so that face values need no conversion.
    constructor(string memory name_, string memory symbol_, uint8 decimals_) ERC20(name_, symbol_) ERC20Permit(name_) {
        minter = msg.sender;
        _decimals = decimals_;
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    /// @inheritdoc IGiftToken
    function mint(address account, uint256 amount) external onlyMinter {
        _mint(account, amount);
    }

    /// @inheritdoc IGiftToken
    function burn(address account, uint256 amount) external onlyMinter {
        _burn(account, amount);
    }
}
