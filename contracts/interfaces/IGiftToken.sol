// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC3009} from "./IERC3009.sol";

/// @title A fully backed gift token: one unit is redeemable for one unit of the reserve asset
interface IGiftToken is IERC20, IERC3009 {
    error GiftToken_CallerNotMinter(address caller);

    /// @notice The settlement contract, which alone mints and burns.
    function minter() external view returns (address);

    /// @notice Creates `amount` minor units for `account`. Minter only.
    function mint(address account, uint256 amount) external;

    /// @notice Destroys `amount` minor units of `account`. Minter only; the minter asks the holder first.
    function burn(address account, uint256 amount) external;
}
