// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {IERC5192} from "./IERC5192.sol";

/// @title Membership tiers that stay with their holder, and collectibles that may change hands (ERC-1155)
/// @notice Ids from 1 up to, not including, `FIRST_COLLECTIBLE` are tiers: an account holds one badge of one tier, or
///         none. Ids from there on are collectibles, awarded for milestones.
/// @dev ERC-5192 speaks of single tokens. Here an id is locked or not for good and for all who hold it; `Locked` follows
///      each mint of a tier and `Unlocked` each award of a collectible, as the standard wants a mint to tell.
interface IBadges is IERC1155, IERC5192 {
    // ----------------------------------------------------------------- types

    /// @param maxSupply How many will ever be awarded; 0 for no limit. Never changes.
    /// @param awarded How many have been.
    struct Collectible {
        bool exists;
        uint64 maxSupply;
        uint64 awarded;
    }

    // ---------------------------------------------------------------- errors

    error Badges_ZeroAddress();
    error Badges_LengthMismatch();
    error Badges_NotATier(uint256 id);
    error Badges_NotACollectible(uint256 id);
    error Badges_UnknownId(uint256 id);
    error Badges_CollectibleExists(uint256 id);
    error Badges_AllAwarded(uint256 id, uint64 maxSupply);
    error Badges_Locked(uint256 id);
    error Badges_NoTier(address account);
    error Badges_CallerNotSelf(address caller);
    /// @dev With less, a contract that would accept its badge could run dry and look as if it had refused.
    error Badges_NeedsMoreGas(uint256 gasNeeded);

    // ---------------------------------------------------------------- events

    /// @notice The account is a contract that did not accept its badge: it holds none now.
    event TierRefused(address indexed account, uint256 tier);
    event CollectibleCreated(uint256 indexed id, uint64 maxSupply);
    event Awarded(address indexed account, uint256 indexed id, bytes32 indexed milestone);

    // ------------------------------------------------------------------ tiers

    /// @notice Moves an account to a tier, up or down: burns its old badge and mints the new. Settler only.
    /// @dev A contract is asked, as ERC-1155 demands, with little gas. It may refuse the new badge, but does not keep the
    ///      old one by it: who is moved down cannot stay up.
    /// @param tier 0 for none. The tier that the account holds already is passed over.
    function setTier(address account, uint256 tier) external;

    /// @notice As `setTier` for many. No account can hold up the others.
    function setTiers(address[] calldata accounts, uint256[] calldata tiers) external;

    /// @notice Burns the caller's own badge. Membership ends at will; who comes back needs no transaction of his own.
    function renounceTier() external;

    /// @notice Only for this contract itself, which thereby undoes a mint that a contract refuses and goes on.
    function mintTier(address operator, address account, uint256 tier) external;

    // ----------------------------------------------------------- collectibles

    /// @notice Makes a collectible that can be awarded. Admin only: a settler's stolen key finds the limits as they are.
    function createCollectible(uint256 id, uint64 maxSupply) external;

    /// @notice Mints one collectible to an account for a milestone. Settler only. Once for each account and milestone,
    ///         whatever the collectible: a retry does nothing. Reverts if the account is a contract that refuses it.
    /// @param milestone The hub's own name for what was reached.
    /// @return given Whether it was minted now.
    function award(address account, uint256 id, bytes32 milestone) external returns (bool given);

    // --------------------------------------------------------------- metadata

    /// @notice Changes the metadata's address, the same for all ids, in which clients replace `{id}`. Admin only.
    /// @dev Emits the standard's `URI` event with id 0, which nothing has and which stands for all.
    function setURI(string calldata template) external;

    // ------------------------------------------------------------------ views

    /// @return The account's tier, or 0.
    function tierOf(address account) external view returns (uint256);
    function collectibles(uint256 id) external view returns (bool exists, uint64 maxSupply, uint64 awarded);
    /// @return Whether the account has had its award for this milestone.
    function rewarded(address account, bytes32 milestone) external view returns (bool);
}
