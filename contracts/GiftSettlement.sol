// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {AccessControlDefaultAdminRules} from
    "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
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
contract GiftSettlement is IGiftSettlement, AccessControlDefaultAdminRules, Pausable, Multicall, ReentrancyGuard {
    using SafeERC20 for IERC20;

    // --------------------------------------------------------------- storage

    bytes32 public constant SETTLER_ROLE = keccak256("SETTLER_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");

    struct Roots {
        bytes32 payments;
        bytes32 entitlements;
    }

    /// @inheritdoc IGiftSettlement
    IERC20 public immutable asset;
    /// @inheritdoc IGiftSettlement
    IGiftToken public immutable token;
    /// @inheritdoc IGiftSettlement
    IPaymentChannels public immutable channels;

    /// @inheritdoc IGiftSettlement
    uint128 public liabilities;
    /// @inheritdoc IGiftSettlement
    uint128 public unclaimed;
    /// @inheritdoc IGiftSettlement
    uint64 public lastBatchId;
    /// @inheritdoc IGiftSettlement
    mapping(uint64 batchId => Roots) public batches;
    /// @inheritdoc IGiftSettlement
    mapping(address merchant => uint256) public credits;
    /// @inheritdoc IGiftSettlement
    mapping(address account => uint256) public claimed;

    /// @param admin Gives and takes roles; handed over in two steps.
    /// @param settler The hub's operator key, with the settler's and the pauser's role.
    constructor(
        IERC20Metadata asset_, IPaymentChannels channels_, address admin, address settler,
        string memory tokenName, string memory tokenSymbol
    ) AccessControlDefaultAdminRules(1 days, admin) {
        if (address(asset_) == address(0) || address(channels_) == address(0) || settler == address(0)) {
            revert GiftSettlement_ZeroAddress();
        }
        asset = asset_;
        channels = channels_;
        token = new GiftToken(tokenName, tokenSymbol, asset_.decimals());
        _grantRole(SETTLER_ROLE, settler);
        _grantRole(PAUSER_ROLE, settler);
    }

    // ------------------------------------------------------------ settlement

    /// @inheritdoc IGiftSettlement
    function settle(Batch calldata batch, IPaymentChannels.VoucherClaim[] calldata claims)
        external
        onlyRole(SETTLER_ROLE)
        whenNotPaused
        nonReentrant
    {
        _recordBatch(batch);
        uint256 reserveBefore = asset.balanceOf(address(this));
        if (claims.length != 0) {
            channels.claim(claims);
            channels.settle(address(this), address(asset));
        }
        uint256 credited = _credit(batch.id, batch.credits);
        uint256 owed = uint256(liabilities) + credited + batch.entitled;
        uint256 reserve = asset.balanceOf(address(this));
        if (reserve < owed) revert GiftSettlement_Insolvent(reserve, owed);
        liabilities = SafeCast.toUint128(owed);
        unclaimed += batch.entitled;
        emit BatchSettled(
            batch.id, batch.paymentsRoot, batch.entitlementRoot, batch.paymentCount,
            reserve - reserveBefore, credited, batch.entitled
        );
    }

    /// @inheritdoc IGiftSettlement
    function fund(uint256 amount) external whenNotPaused nonReentrant {
        if (amount == 0) revert GiftSettlement_ZeroAmount();
        uint256 reserveBefore = asset.balanceOf(address(this));
        asset.safeTransferFrom(msg.sender, address(this), amount);
        emit Funded(msg.sender, asset.balanceOf(address(this)) - reserveBefore);
    }

    // ---------------------------------------------------------- entitlements

    /// @inheritdoc IGiftSettlement
    function claim(uint64 batchId, address account, uint256 cumulative, bytes32[] calldata proof)
        external
        whenNotPaused
        nonReentrant
        returns (uint256 minted)
    {
        if (!MerkleProof.verifyCalldata(proof, batches[batchId].entitlements, _leaf(account, cumulative))) {
            revert GiftSettlement_InvalidProof();
        }
        minted = _mintEntitled(account, cumulative);
        if (minted == 0) revert GiftSettlement_NothingToClaim(account);
        _takeFromUnclaimed(minted);
    }

    /// @inheritdoc IGiftSettlement
    function claimMany(
        uint64 batchId,
        address[] calldata accounts,
        uint256[] calldata cumulatives,
        bytes32[] calldata proof,
        bool[] calldata proofFlags
    ) external whenNotPaused nonReentrant returns (uint256 minted) {
        bytes32 root = MerkleProof.processMultiProofCalldata(proof, proofFlags, _leaves(accounts, cumulatives));
        if (root != batches[batchId].entitlements) revert GiftSettlement_InvalidProof();
        for (uint256 i = 0; i < accounts.length; ++i) minted += _mintEntitled(accounts[i], cumulatives[i]);
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

    // ----------------------------------------------------------------- pause

    /// @inheritdoc IGiftSettlement
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    /// @inheritdoc IGiftSettlement
    /// @dev The admin's alone: a stolen pauser's key can stop the hub, but an attacker cannot set it going again.
    function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) {
        _unpause();
    }

    // ----------------------------------------------------------------- inner

    function _recordBatch(Batch calldata batch) private {
        uint64 expected = lastBatchId + 1;
        if (batch.id < expected) revert GiftSettlement_AlreadySettled(batch.id);
        if (batch.id > expected) revert GiftSettlement_BatchOutOfOrder(batch.id, expected);
        lastBatchId = batch.id;
        batches[batch.id] = Roots(batch.paymentsRoot, batch.entitlementRoot);
    }

    function _credit(uint64 batchId, Credit[] calldata batchCredits) private returns (uint256 credited) {
        for (uint256 i = 0; i < batchCredits.length; ++i) {
            Credit calldata credit = batchCredits[i];
            if (credit.merchant == address(0)) revert GiftSettlement_ZeroAddress();
            credits[credit.merchant] += credit.amount;
            credited += credit.amount;
            emit MerchantCredited(batchId, credit.merchant, credit.amount);
        }
    }

    /// @dev Double-hashed as OpenZeppelin's StandardMerkleTree does: no inner node can pass for a leaf.
    function _leaf(address account, uint256 cumulative) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(account, cumulative))));
    }

    function _leaves(address[] calldata accounts, uint256[] calldata cumulatives)
        private
        pure
        returns (bytes32[] memory leaves)
    {
        if (accounts.length != cumulatives.length) revert GiftSettlement_LengthMismatch();
        leaves = new bytes32[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) leaves[i] = _leaf(accounts[i], cumulatives[i]);
    }

    function _mintEntitled(address account, uint256 cumulative) private returns (uint256 amount) {
        uint256 before = claimed[account];
        if (cumulative <= before) return 0;
        amount = cumulative - before;
        claimed[account] = cumulative;
        emit EntitlementClaimed(account, amount, cumulative);
        token.mint(account, amount);
    }

    function _takeFromUnclaimed(uint256 amount) private {
        if (amount > unclaimed) revert GiftSettlement_ExceedsEntitled(amount, unclaimed);
        unclaimed -= uint128(amount); // fits: at most `unclaimed`, a uint128
    }

    function _payOut(address to, uint256 amount) private {
        liabilities -= SafeCast.toUint128(amount);
        asset.safeTransfer(to, amount);
    }
}
