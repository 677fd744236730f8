// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";

/// @title Savings in gift tokens (ERC-4626): savers own shares, sponsors put in the yield, time drips it to the savers
/// @notice Yield comes from sponsors alone. Amounts are in the gift token's minor units, times in unix seconds.
/// @dev Three rules make the drip safe to sponsor and to join at any moment:
///      1. A sponsorship drips for `dripDuration`. One that meets the rest of an earlier one becomes one drip with it, and
///         the end lies at the average of both ends, weighted by amount. Amount × waiting time is then what it would be
///         if each dripped by itself. Who wants others to wait has to give for it: to move the end half-way to the far
///         one takes as much as is left to drip, and dust moves it not at all.
///      2. Nothing drips while nobody saves, or next to nobody (`DRIP_MIN_SHARES`): the first saver finds the rest of the
///         pot and the rest of the time as they were left, and earns by the second like everyone.
///      3. When the last share is burned, all that is left over (rounding, what virtual shares gathered) is sponsored
///         again. So an empty vault's price per share is always the first one.
///      Gift tokens sent here by a plain transfer belong to nobody and move no price, until `sponsorSurplus` makes them
///      a sponsorship: by an ERC-3009 transfer to the vault, a sponsor too can act by signature and without gas.
interface ISavingsVault is IERC4626 {
    // ---------------------------------------------------------------- errors

    error SavingsVault_ZeroAddress();
    error SavingsVault_ZeroDuration();
    error SavingsVault_ZeroAmount();
    /// @dev Too little for one share: it would be a gift to the other savers.
    error SavingsVault_ZeroShares(uint256 assets);
    error SavingsVault_Expired(uint256 deadline);
    error SavingsVault_InvalidSignature(address owner);

    // ---------------------------------------------------------------- events

    /// @param sponsor The zero address for tokens that had been sent here by plain transfers.
    event Sponsored(address indexed sponsor, uint256 amount);
    /// @notice From now on `amount` drips until `end`; `end` moves on while the drip waits.
    event DripScheduled(uint256 amount, uint256 end);

    // --------------------------------------------------------------- sponsors

    /// @notice Takes `amount` from the caller, by its allowance, for the savers. There is no way to take it back.
    function sponsor(uint256 amount) external;

    /// @notice Sponsors whatever lies here and is not accounted for. By anyone.
    function sponsorSurplus() external returns (uint256 amount);

    // ----------------------------------------------------------------- savers

    /// @notice Deposits a saver's gift tokens by its ERC-3009 authorisation, for `receiver`. Anyone may relay.
    /// @dev The authorisation pays this contract, with nonce `keccak256(abi.encode(receiver, salt))`: it names its receiver.
    function depositWithAuthorization(
        address saver, address receiver, uint256 assets, uint256 validAfter, uint256 validBefore, bytes32 salt,
        bytes calldata signature
    ) external returns (uint256 shares);

    /// @notice Redeems an owner's shares by its signature and pays `receiver`. Anyone may relay. Unlike a permit, it
    ///         does not trust the relayer: the signature says who is paid.
    /// @param signature Of `Redeem(address owner,address receiver,uint256 shares,uint256 nonce,uint256 deadline)` in this
    ///        contract's EIP-712 domain, with `nonces(owner)`, which permits count too; ERC-1271 wallets may sign.
    function redeemWithSignature(
        address owner, address receiver, uint256 shares, uint256 deadline, bytes calldata signature
    ) external returns (uint256 assets);

    // ------------------------------------------------------------------ views

    /// @notice How long a sponsorship drips that meets no other, in seconds.
    function dripDuration() external view returns (uint32);

    /// @notice What sponsors put in and has not dripped to the savers yet.
    function undripped() external view returns (uint256);

    /// @notice With fewer shares than this in all, the drip waits. Their first price is a million minor units.
    function DRIP_MIN_SHARES() external view returns (uint256);

    /// @notice Seconds until all has dripped; stands still while the drip waits.
    function dripTimeLeft() external view returns (uint256);
}
