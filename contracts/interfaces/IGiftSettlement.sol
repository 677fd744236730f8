// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IGiftToken} from "./IGiftToken.sol";
import {IPaymentChannels} from "./IPaymentChannels.sol";

/// @title The reserve: gathers channels' money, owes it to merchants and to gift token holders, and never owes more
/// @notice `liabilities` = gift token supply + entitled but unclaimed + credit of merchants (the hub's fees are the
///         credit of its own address). After every settlement: reserve asset's balance ≥ `liabilities`.
/// @dev All amounts are in the reserve asset's minor units; the gift token has the same decimals.
interface IGiftSettlement {
    // ----------------------------------------------------------------- types

    struct Credit {
        address merchant;
        uint128 amount;
    }

    /// @param id Runs 1, 2, 3, …; a repeated settlement is refused by it.
    /// @param paymentCount How many payments `paymentsRoot` commits to.
    /// @param paymentsRoot Merkle root over the batch's payments: anyone can check that a payment is in it.
    /// @param entitlementRoot Merkle root over (account, cumulative entitlement) of all accounts up to this batch.
    /// @param entitled How much this batch adds to all accounts' entitlements together.
    struct Batch {
        uint64 id;
        uint32 paymentCount;
        bytes32 paymentsRoot;
        bytes32 entitlementRoot;
        uint128 entitled;
        Credit[] credits;
    }

    // ---------------------------------------------------------------- errors

    error GiftSettlement_ZeroAddress();
    error GiftSettlement_ZeroAmount();
    error GiftSettlement_AlreadySettled(uint64 batchId);
    error GiftSettlement_BatchOutOfOrder(uint64 batchId, uint64 expected);
    error GiftSettlement_Insolvent(uint256 reserve, uint256 liabilities);
    error GiftSettlement_InvalidProof();
    error GiftSettlement_NothingToClaim(address account);
    error GiftSettlement_LengthMismatch();
    /// @dev A root promises more than settlements have set aside; guards the backing against a false root.
    error GiftSettlement_ExceedsEntitled(uint256 amount, uint256 unclaimed);
    error GiftSettlement_ExceedsCredit(address merchant, uint256 amount, uint256 credit);
    error GiftSettlement_CallerNotMerchant(address caller, address merchant);

    // ---------------------------------------------------------------- events

    event BatchSettled(
        uint64 indexed batchId,
        bytes32 paymentsRoot,
        bytes32 entitlementRoot,
        uint32 paymentCount,
        uint256 received,
        uint256 credited,
        uint256 entitled
    );
    event MerchantCredited(uint64 indexed batchId, address indexed merchant, uint256 amount);
    event EntitlementClaimed(address indexed account, uint256 amount, uint256 cumulative);
    event Redeemed(address indexed holder, address indexed to, uint256 amount);
    event RedeemedToCredit(address indexed holder, address indexed merchant, uint256 amount);
    event CreditWithdrawn(address indexed merchant, uint256 amount);
    event Funded(address indexed from, uint256 amount);

    // ------------------------------------------------------------ settlement

    /// @notice Claims the channels' vouchers, pulls the money in, credits merchants and raises entitlements. Settler
    ///         only. Reverts as a whole unless the reserve covers all liabilities afterwards.
    function settle(Batch calldata batch, IPaymentChannels.VoucherClaim[] calldata claims) external;

    /// @notice Adds to the reserve without adding a liability: what gateways and sponsors pay in for others.
    function fund(uint256 amount) external;

    // ---------------------------------------------------------- entitlements

    /// @notice Mints to `account` what it is entitled to and has not claimed. Anyone may relay. A proof stays good for
    ///         ever: entitlements are cumulative and every batch's root is kept.
    /// @param batchId The batch whose `entitlementRoot` the proof is for.
    function claim(uint64 batchId, address account, uint256 cumulative, bytes32[] calldata proof)
        external
        returns (uint256 minted);

    /// @notice As `claim` for many accounts with one multiproof. Accounts with nothing to claim are passed over.
    function claimMany(
        uint64 batchId,
        address[] calldata accounts,
        uint256[] calldata cumulatives,
        bytes32[] calldata proof,
        bool[] calldata proofFlags
    ) external returns (uint256 minted);

    // ------------------------------------------------------- redeem and payout

    /// @notice Burns the caller's gift tokens and pays `to` their face value. Never paused.
    function redeem(uint256 amount, address to) external;

    /// @notice Burns a holder's gift tokens by its ERC-3009 authorisation and credits `merchant`. Anyone may relay. Never paused.
    /// @dev The authorisation pays this contract, with nonce `keccak256(abi.encode(merchant, salt))`: it names its merchant.
    function redeemWithAuthorization(
        address holder, address merchant, uint256 amount, uint256 validAfter, uint256 validBefore, bytes32 salt,
        bytes calldata signature
    ) external;

    /// @notice Pays a merchant part or all of its credit; by the merchant or, to the merchant all the same, by the settler. Never paused.
    function withdrawCredit(address merchant, uint256 amount) external;

    // ----------------------------------------------------------------- pause

    /// @notice Stops settling, funding and minting; redeeming, payout and channel withdrawals go on.
    function pause() external;
    function unpause() external;

    // ----------------------------------------------------------------- views

    function asset() external view returns (IERC20);
    function token() external view returns (IGiftToken);
    function channels() external view returns (IPaymentChannels);
    function lastBatchId() external view returns (uint64);
    function batches(uint64 batchId) external view returns (bytes32 paymentsRoot, bytes32 entitlementRoot);
    function liabilities() external view returns (uint128);
    function unclaimed() external view returns (uint128);
    function credits(address merchant) external view returns (uint256);
    function claimed(address account) external view returns (uint256);
}
