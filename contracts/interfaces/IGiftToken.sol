// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC3009} from "./IERC3009.sol";

/// @title A fully backed gift token: one unit is redeemable for one unit of the reserve asset
interface IGiftToken is IERC20, IERC3009 {
    error GiftToken_CallerNotMinter(address caller);

    /// @notice The settlement contract, which alone mints and burns.
    function minter() external view returns (address);

    /// @notice Everything that was ever minted to `account`.
    function mintedTo(address account) external view returns (uint256);

    /// @notice Raises what was ever minted to each account to its entitlement, by minting the difference. Minter only.
    ///         An entitlement that is reached already is passed over: a repeated call is harmless.
    /// @param entitlements A word each: account (160 bits) ‖ cumulative amount (96 bits, minor units).
    function mintUpTo(uint256[] calldata entitlements) external returns (uint256 minted);

    /// @notice Destroys `amount` minor units of `account`. Minter only; the minter asks the holder first.
    function burn(address account, uint256 amount) external;
}
