// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {AccessControlDefaultAdminRules} from
    "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {ERC1155Utils} from "@openzeppelin/contracts/token/ERC1155/utils/ERC1155Utils.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {IBadges} from "./interfaces/IBadges.sol";
import {IERC5192} from "./interfaces/IERC5192.sol";

/// @title Membership tiers and collectibles
/// @dev An account's tier is one word, and `balanceOf` reads it: nobody can hold two, whatever a receiver does while it
///      is asked. Collectibles alone have balances of OpenZeppelin's kind, and its transfers refuse every id below them.
///      Nothing is written after a receiver was called.
///      Never: a tier that changes hands, a second award for a milestone, a limit that changes, a badge taken by anybody
///      but its holder and, a tier, the settler.
contract Badges is IBadges, ERC1155, AccessControlDefaultAdminRules, Multicall {
    // --------------------------------------------------------------- storage

    bytes32 public constant SETTLER_ROLE = keccak256("SETTLER_ROLE");
    uint256 public constant FIRST_COLLECTIBLE = 1_000;

    /// @dev For one contract's mint, of which this contract needs about 30,000; a wallet's answer takes a few thousand.
    uint256 private constant MINT_GAS = 150_000;

    /// @inheritdoc IBadges
    mapping(address account => uint256) public tierOf;
    /// @inheritdoc IBadges
    mapping(uint256 id => Collectible) public collectibles;
    /// @inheritdoc IBadges
    mapping(address account => mapping(bytes32 milestone => bool)) public rewarded;

    /// @param template The metadata's address, with `{id}` in it.
    /// @param admin Gives and takes roles, creates collectibles; handed over in two steps.
    /// @param settler The hub's operator key.
    constructor(string memory template, address admin, address settler)
        ERC1155(template)
        AccessControlDefaultAdminRules(1 days, admin)
    {
        if (settler == address(0)) revert Badges_ZeroAddress();
        _grantRole(SETTLER_ROLE, settler);
        emit URI(template, 0);
    }

    // ------------------------------------------------------------------ tiers

    /// @inheritdoc IBadges
    function setTier(address account, uint256 tier) external onlyRole(SETTLER_ROLE) {
        _setTier(account, tier);
    }

    /// @inheritdoc IBadges
    function setTiers(address[] calldata accounts, uint256[] calldata tiers) external onlyRole(SETTLER_ROLE) {
        if (accounts.length != tiers.length) revert Badges_LengthMismatch();
        for (uint256 i = 0; i < accounts.length; ++i) _setTier(accounts[i], tiers[i]);
    }

    /// @inheritdoc IBadges
    function renounceTier() external {
        if (tierOf[msg.sender] == 0) revert Badges_NoTier(msg.sender);
        _burnTier(msg.sender);
    }

    /// @inheritdoc IBadges
    function mintTier(address operator, address account, uint256 tier) external {
        if (msg.sender != address(this)) revert Badges_CallerNotSelf(msg.sender);
        _mintTier(operator, account, tier);
    }

    // ----------------------------------------------------------- collectibles

    /// @inheritdoc IBadges
    function createCollectible(uint256 id, uint64 maxSupply) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (id < FIRST_COLLECTIBLE) revert Badges_NotACollectible(id);
        if (collectibles[id].exists) revert Badges_CollectibleExists(id);
        collectibles[id] = Collectible({exists: true, maxSupply: maxSupply, awarded: 0});
        emit CollectibleCreated(id, maxSupply);
    }

    /// @inheritdoc IBadges
    function award(address account, uint256 id, bytes32 milestone)
        external
        onlyRole(SETTLER_ROLE)
        returns (bool given)
    {
        if (rewarded[account][milestone]) return false;
        Collectible memory collectible = collectibles[id];
        if (!collectible.exists) revert Badges_UnknownId(id);
        if (collectible.maxSupply != 0 && collectible.awarded >= collectible.maxSupply) {
            revert Badges_AllAwarded(id, collectible.maxSupply);
        }
        rewarded[account][milestone] = true;
        collectibles[id].awarded = collectible.awarded + 1;
        emit Awarded(account, id, milestone);
        emit Unlocked(id);
        _mint(account, id, 1, "");
        return true;
    }

    // --------------------------------------------------------------- metadata

    /// @inheritdoc IBadges
    function setURI(string calldata template) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setURI(template);
        emit URI(template, 0);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IERC1155
    function balanceOf(address account, uint256 id) public view override(ERC1155, IERC1155) returns (uint256) {
        if (id >= FIRST_COLLECTIBLE) return super.balanceOf(account, id);
        return id != 0 && tierOf[account] == id ? 1 : 0;
    }

    /// @inheritdoc IERC5192
    function locked(uint256 id) external view returns (bool) {
        if (id == 0 || (id >= FIRST_COLLECTIBLE && !collectibles[id].exists)) revert Badges_UnknownId(id);
        return id < FIRST_COLLECTIBLE;
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId)
        public
        view
        override(ERC1155, AccessControlDefaultAdminRules, IERC165)
        returns (bool)
    {
        return interfaceId == type(IERC5192).interfaceId || super.supportsInterface(interfaceId);
    }

    // ----------------------------------------------------------------- inner

    function _setTier(address account, uint256 tier) private {
        if (account == address(0)) revert Badges_ZeroAddress();
        if (tier >= FIRST_COLLECTIBLE) revert Badges_NotATier(tier);
        uint256 old = tierOf[account];
        if (tier == old) return;
        if (old != 0) _burnTier(account);
        if (tier == 0) return;
        if (account.code.length == 0) return _mintTier(msg.sender, account, tier);
        // A call hands on at most 63/64 of the gas; the rest is for what comes between here and there.
        uint256 gasNeeded = MINT_GAS * 64 / 63 + 5_000;
        if (gasleft() < gasNeeded) revert Badges_NeedsMoreGas(gasNeeded);
        // The limited gas keeps one receiver from using up the batch's; without a `reason` its answer is not even copied.
        try this.mintTier{gas: MINT_GAS}(msg.sender, account, tier) {}
        catch {
            emit TierRefused(account, tier);
        }
    }

    function _burnTier(address account) private {
        uint256 tier = tierOf[account];
        tierOf[account] = 0;
        emit TransferSingle(msg.sender, account, address(0), tier, 1);
    }

    function _mintTier(address operator, address account, uint256 tier) private {
        tierOf[account] = tier;
        emit TransferSingle(operator, address(0), account, tier, 1);
        emit Locked(tier);
        ERC1155Utils.checkOnERC1155Received(operator, address(0), account, tier, 1, "");
    }

    /// @dev All mints and transfers but those of tiers come through here, batches too.
    function _update(address from, address to, uint256[] memory ids, uint256[] memory values) internal override {
        for (uint256 i = 0; i < ids.length; ++i) {
            if (ids[i] < FIRST_COLLECTIBLE) revert Badges_Locked(ids[i]);
        }
        super._update(from, to, ids, values);
    }
}
