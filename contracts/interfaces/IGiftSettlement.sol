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

    /// @param id Runs 1, 2, 3, …; a repeated settlement is refused by it.
    /// @param root Of a Merkle tree with two branches: the batch's payments, so that anyone can check that a payment is in
    ///        it, and (account, cumulative entitlement) of the accounts that it raises.
    /// @param paymentCount How many payments the root commits to.
    /// @param entitled How much this batch adds to all accounts' entitlements together.
    /// @param credits A word each: merchant (160 bits) ‖ amount (96 bits).
    struct Batch {
        uint64 id;
        bytes32 root;
        uint32 paymentCount;
        uint96 entitled;
        uint256[] credits;
    }

    // ---------------------------------------------------------------- errors

    error GiftSettlement_ZeroAddress();
    error GiftSettlement_ZeroAmount();
    error GiftSettlement_AlreadySettled(uint64 batchId);
    error GiftSettlement_BatchOutOfOrder(uint64 batchId, uint64 expected);
    error GiftSettlement_Insolvent(uint256 reserve, uint256 liabilities);
    error GiftSettlement_InvalidProof();
    error GiftSettlement_NothingToClaim(address account);
    /// @dev A root promises more than settlements have set aside; guards the backing against a false root.
    error GiftSettlement_ExceedsEntitled(uint256 amount, uint256 unclaimed);
    error GiftSettlement_ExceedsBatchLimit(uint256 value, uint256 limit);
    error GiftSettlement_ExceedsDayLimit(uint256 value, uint256 limit);
    error GiftSettlement_ExceedsCredit(address merchant, uint256 amount, uint256 credit);
    error GiftSettlement_CallerNotMerchant(address caller, address merchant);

    // ---------------------------------------------------------------- events

    /// @notice All as the batch gave it. What its claims brought, the channels' events tell.
    event BatchSettled(
        uint64 indexed batchId, bytes32 root, uint32 paymentCount, uint96 entitled, uint256[] credits
    );
    event LimitsSet(uint96 perBatch, uint96 perDay);
    event Redeemed(address indexed holder, address indexed to, uint256 amount);
    event RedeemedToCredit(address indexed holder, address indexed merchant, uint256 amount);
    event CreditWithdrawn(address indexed merchant, uint256 amount);
    event Funded(address indexed from, uint256 amount);

    // ------------------------------------------------------------ settlement

    /// @notice Claims the channels' vouchers, pulls the money in, credits merchants and raises entitlements. Settler
    ///         only. Reverts as a whole unless the reserve covers all liabilities afterwards.
    /// @param packedClaims As `PaymentChannels.claimPacked` takes them, or nothing.
    /// @param mints Entitlements to mint at once, a word each: account (160 bits) ‖ cumulative amount (96 bits).
    ///        Those left out can be claimed with a proof.
    function settle(Batch calldata batch, bytes calldata packedClaims, uint256[] calldata mints) external;

    /// @notice Claims vouchers that the packed form cannot carry, those signed by contract wallets, and pulls the money
    ///         in. Settler only, in one `multicall` with the `settle` that divides it.
    function gather(IPaymentChannels.VoucherClaim[] calldata claims) external;

    /// @notice Adds to the reserve without adding a liability: what gateways and sponsors pay in for others.
    function fund(uint256 amount) external;

    // ---------------------------------------------------------- entitlements

    /// @notice Mints to `account` what it is entitled to and has not been minted. Anyone may relay; never paused. A proof
    ///         stays good for ever: entitlements are cumulative and every batch's root is kept.
    /// @param batchId The batch whose tree has the leaf.
    function claim(uint64 batchId, address account, uint96 cumulative, bytes32[] calldata proof)
        external
        returns (uint256 minted);

    /// @notice As `claim` for many accounts with one multiproof. Accounts with nothing to claim are passed over.
    /// @param entitlements A word each: account (160 bits) ‖ cumulative amount (96 bits).
    function claimMany(
        uint64 batchId, uint256[] calldata entitlements, bytes32[] calldata proof, bool[] calldata proofFlags
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

    // ------------------------------------------------------ pause and limits

    /// @notice Stops settling, and nothing else: minting by proof, redeeming, payout and channel withdrawals go on.
    function pause() external;
    function unpause() external;

    /// @notice Bounds what settlements may newly owe, to merchants and holders together, in a batch and in a day (UTC):
    ///         what a thief of the settler's key could turn to itself before somebody pauses. Admin only.
    function setLimits(uint96 perBatch, uint96 perDay) external;

    // ----------------------------------------------------------------- views

    function asset() external view returns (IERC20);
    function token() external view returns (IGiftToken);
    function channels() external view returns (IPaymentChannels);
    function lastBatchId() external view returns (uint64);
    function batches(uint64 batchId) external view returns (bytes32 root);
    function liabilities() external view returns (uint96);
    function unclaimed() external view returns (uint96);
    function credits(address merchant) external view returns (uint256);
    function perBatchLimit() external view returns (uint96);
    function perDayLimit() external view returns (uint96);
}
