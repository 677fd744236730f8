// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ERC3009} from "../ERC3009.sol";

/// @title A stablecoin without value for local and test chains; anyone may mint
contract TestDollar is ERC20Permit, ERC3009, Multicall {
    /// @dev A typing error of the faucet's user should not overflow somebody's 64-bit column.
    uint256 public constant MAX_MINT = 1_000_000e6;

    error TestDollar_MintTooLarge(uint256 amount, uint256 max);

    constructor() ERC20("Test Dollar", "TUSD") ERC20Permit("Test Dollar") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @notice The faucet.
    function mint(address to, uint256 amount) external {
        if (amount > MAX_MINT) revert TestDollar_MintTooLarge(amount, MAX_MINT);
        _mint(to, amount);
    }
}
