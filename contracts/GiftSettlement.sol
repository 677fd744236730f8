// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {AccessControlDefaultAdminRules} from
    "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {GiftToken} from "./GiftToken.sol";
import {IGiftSettlement} from "./interfaces/IGiftSettlement.sol";
import {IGiftToken} from "./interfaces/IGiftToken.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @title The settlement contract and reserve
/// @dev The whole solvency argument is one counter. Settling adds new credits and entitlements to `liabilities` and
///      then demands reserve ≥ liabilities. Claiming moves an amount from "entitled" to "supply", redeeming into credit
///      moves it from "supply" to "credit": the counter stays. Redeeming and payout lower it by what leaves the reserve.
///      Never: an upgrade, an owner's way to the reserve, a mint that was not set aside by a settlement.
contract GiftSettlement is IGiftSettlement, ReentrancyGuard, AccessControlDefaultAdminRules, Pausable, Multicall {
    using SafeERC20 for IERC20;

    // --------------------------------------------------------------- storage

    bytes32 public constant SETTLER_ROLE = keccak256("SETTLER_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    /// @inheritdoc IGiftSettlement
    IERC20 public immutable asset;
    /// @inheritdoc IGiftSettlement
    IGiftToken public immutable token;
    /// @inheritdoc IGiftSettlement
    IPaymentChannels public immutable channels;

    /// @dev One slot: a settlement reads and writes it once.
    struct Totals {
        uint96 liabilities;
        uint96 unclaimed;
        uint64 lastBatchId;
    }

    /// @inheritdoc IGiftSettlement
    uint96 public perBatchLimit;
    /// @inheritdoc IGiftSettlement
    uint96 public perDayLimit;
    Totals private _totals;
    /// @dev What was newly owed (96 bits) on which day (days since 1970-01-01, UTC, above them).
    uint256 private _owedOnDay;

    /// @inheritdoc IGiftSettlement
    mapping(uint64 batchId => bytes32 root) public batches;
    /// @inheritdoc IGiftSettlement
    mapping(address merchant => uint256) public credits;

    /// @param admin Gives and takes roles and sets limits; handed over in two steps.
    /// @param settler The hub's operator key, with the settler's and the pauser's role.
    constructor(
        IERC20Metadata asset_, IPaymentChannels channels_, address admin, address settler,
        uint96 perBatchLimit_, uint96 perDayLimit_, string memory tokenName, string memory tokenSymbol
    ) AccessControlDefaultAdminRules(1 days, admin) {
        if (address(asset_) == address(0) || address(channels_) == address(0) || settler == address(0)) {
            revert GiftSettlement_ZeroAddress();
        }
        asset = asset_;
        channels = channels_;
        token = new GiftToken(tokenName, tokenSymbol, asset_.decimals());
        _grantRole(SETTLER_ROLE, settler);
        _grantRole(PAUSER_ROLE, settler);
        _setLimits(perBatchLimit_, perDayLimit_);
    }

    // ------------------------------------------------------------ settlement

    /// @inheritdoc IGiftSettlement
    /// @dev No reentrancy guard: the totals are read after all calls that a token could answer with a call of its own, and
    ///      entered from within a payout it finds liabilities that still count what is on its way out (see `_payOut`).
    function settle(Batch calldata batch, bytes calldata packedClaims, uint256[] calldata mints)
        external
        onlyRole(SETTLER_ROLE)
        whenNotPaused
    {
        if (packedClaims.length != 0) channels.claimPacked(address(asset), packedClaims);
        _record(batch);
        if (mints.length != 0) _takeFromUnclaimed(token.mintUpTo(mints));
    }

    /// @inheritdoc IGiftSettlement
    function gather(IPaymentChannels.VoucherClaim[] calldata claims)
        external
        onlyRole(SETTLER_ROLE)
        whenNotPaused
        nonReentrant
    {
        channels.claim(claims);
        channels.settle(address(this), address(asset));
    }

    /// @inheritdoc IGiftSettlement
    function fund(uint256 amount) external nonReentrant {
        if (amount == 0) revert GiftSettlement_ZeroAmount();
        uint256 reserveBefore = asset.balanceOf(address(this));
        asset.safeTransferFrom(msg.sender, address(this), amount);
        // No more than was announced: what else came in meanwhile is no gift of the caller's.
        emit Funded(msg.sender, Math.min(amount, asset.balanceOf(address(this)) - reserveBefore));
    }

    // ---------------------------------------------------------- entitlements

    /// @inheritdoc IGiftSettlement
    function claim(uint64 batchId, address account, uint96 cumulative, bytes32[] calldata proof)
        external
        nonReentrant
        returns (uint256 minted)
    {
        if (!MerkleProof.verifyCalldata(proof, batches[batchId], _leaf(account, cumulative))) {
            revert GiftSettlement_InvalidProof();
        }
        uint256[] memory entitlements = new uint256[](1);
        entitlements[0] = (uint256(uint160(account)) << 96) | cumulative;
        minted = token.mintUpTo(entitlements);
        if (minted == 0) revert GiftSettlement_NothingToClaim(account);
        _takeFromUnclaimed(minted);
    }

    /// @inheritdoc IGiftSettlement
    function claimMany(
        uint64 batchId, uint256[] calldata entitlements, bytes32[] calldata proof, bool[] calldata proofFlags
    ) external nonReentrant returns (uint256 minted) {
        bytes32[] memory leaves = new bytes32[](entitlements.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = _leaf(address(uint160(entitlements[i] >> 96)), uint96(entitlements[i]));
        }
        if (MerkleProof.processMultiProofCalldata(proof, proofFlags, leaves) != batches[batchId]) {
            revert GiftSettlement_InvalidProof();
        }
        minted = token.mintUpTo(entitlements);
        _takeFromUnclaimed(minted);
    }

    // ------------------------------------------------------- redeem and payout

    /// @inheritdoc IGiftSettlement
    function redeem(uint256 amount, address to) external nonReentrant {
        if (amount == 0) revert GiftSettlement_ZeroAmount();
        token.burn(msg.sender, amount);
        emit Redeemed(msg.sender, to, amount);
        _payOut(to, amount);
    }

    /// @inheritdoc IGiftSettlement
    function redeemWithAuthorization(
        address holder, address merchant, uint256 amount, uint256 validAfter, uint256 validBefore, bytes32 salt,
        bytes calldata signature
    ) external nonReentrant {
        if (amount == 0) revert GiftSettlement_ZeroAmount();
        if (merchant == address(0)) revert GiftSettlement_ZeroAddress();
        bytes32 nonce = keccak256(abi.encode(merchant, salt));
        token.receiveWithAuthorization(holder, address(this), amount, validAfter, validBefore, nonce, signature);
        token.burn(address(this), amount);
        credits[merchant] += amount;
        emit RedeemedToCredit(holder, merchant, amount);
    }

    /// @inheritdoc IGiftSettlement
    function withdrawCredit(address merchant, uint256 amount) external nonReentrant {
        if (msg.sender != merchant && !hasRole(SETTLER_ROLE, msg.sender)) {
            revert GiftSettlement_CallerNotMerchant(msg.sender, merchant);
        }
        if (amount == 0) revert GiftSettlement_ZeroAmount();
        uint256 credit = credits[merchant];
        if (amount > credit) revert GiftSettlement_ExceedsCredit(merchant, amount, credit);
        credits[merchant] = credit - amount;
        emit CreditWithdrawn(merchant, amount);
        _payOut(merchant, amount);
    }

    // ------------------------------------------------------ pause and limits

    /// @inheritdoc IGiftSettlement
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @inheritdoc IGiftSettlement
    /// @dev The admin's alone: a stolen pauser's key can stop the hub, but an attacker cannot set it going again.
    function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _unpause();
    }

    /// @inheritdoc IGiftSettlement
    function setLimits(uint96 perBatch, uint96 perDay) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setLimits(perBatch, perDay);
    }

    // ----------------------------------------------------------------- views

    /// @inheritdoc IGiftSettlement
    function liabilities() external view returns (uint96) {
        return _totals.liabilities;
    }

    /// @inheritdoc IGiftSettlement
    function unclaimed() external view returns (uint96) {
        return _totals.unclaimed;
    }

    /// @inheritdoc IGiftSettlement
    function lastBatchId() external view returns (uint64) {
        return _totals.lastBatchId;
    }

    // ----------------------------------------------------------------- inner

    function _record(Batch calldata batch) private {
        Totals memory totals = _totals;
        uint64 expected = totals.lastBatchId + 1;
        if (batch.id < expected) revert GiftSettlement_AlreadySettled(batch.id);
        if (batch.id > expected) revert GiftSettlement_BatchOutOfOrder(batch.id, expected);
        batches[batch.id] = batch.root;

        uint256 value = _credit(batch.credits) + batch.entitled;
        _countAgainstLimits(value);
        uint256 owed = totals.liabilities + value;
        uint256 reserve = asset.balanceOf(address(this));
        if (reserve < owed) revert GiftSettlement_Insolvent(reserve, owed);
        // What is unclaimed fits whenever `owed` does: it is part of it.
        _totals = Totals(SafeCast.toUint96(owed), totals.unclaimed + batch.entitled, batch.id);
        emit BatchSettled(batch.id, batch.root, batch.paymentCount, batch.entitled, batch.credits);
    }

    function _credit(uint256[] calldata batchCredits) private returns (uint256 credited) {
        // Amounts have 96 bits: neither a merchant's credit nor the sum overflows in as many batches as there can be.
        unchecked {
            for (uint256 i = 0; i < batchCredits.length; ++i) {
                uint256 credit = batchCredits[i];
                (address merchant, uint256 amount) = (address(uint160(credit >> 96)), uint96(credit));
                if (merchant == address(0)) revert GiftSettlement_ZeroAddress();
                credits[merchant] += amount;
                credited += amount;
            }
        }
    }

    function _countAgainstLimits(uint256 value) private {
        (uint96 perBatch, uint96 perDay) = (perBatchLimit, perDayLimit);
        if (value > perBatch) revert GiftSettlement_ExceedsBatchLimit(value, perBatch);
        uint256 today = block.timestamp / 1 days;
        uint256 before = _owedOnDay;
        uint256 owedToday = value + (today == before >> 96 ? uint96(before) : 0);
        if (owedToday > perDay) revert GiftSettlement_ExceedsDayLimit(owedToday, perDay);
        _owedOnDay = (today << 96) | owedToday; // at most the limit: 96 bits
    }

    function _setLimits(uint96 perBatch, uint96 perDay) private {
        (perBatchLimit, perDayLimit) = (perBatch, perDay);
        emit LimitsSet(perBatch, perDay);
    }

    /// @dev Double-hashed as OpenZeppelin's StandardMerkleTree does: no inner node can pass for a leaf.
    function _leaf(address account, uint256 cumulative) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(account, cumulative))));
    }

    /// @dev Only what settlements have set aside: a root that promises more mints nothing.
    function _takeFromUnclaimed(uint256 minted) private {
        uint96 unclaimedBefore = _totals.unclaimed;
        if (minted > unclaimedBefore) revert GiftSettlement_ExceedsEntitled(minted, unclaimedBefore);
        _totals.unclaimed = uint96(unclaimedBefore - minted); // fits: less than before
    }

    function _payOut(address to, uint256 amount) private {
        // In this order: whoever is called by the asset meanwhile sees rather too little surplus than too much.
        asset.safeTransfer(to, amount);
        _totals.liabilities -= SafeCast.toUint96(amount);
    }
}
