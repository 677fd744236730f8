// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Escrow for off-chain micropayments with the x402 `batch-settlement` interface and EIP-712 types
/// @notice A payer deposits once and then signs vouchers: cumulative amounts that the receiver may claim.
///         Nobody can take more than was signed, and what was not claimed can be withdrawn after a delay
///         without anybody's consent.
/// @dev EIP-712 domain ("x402 Batch Settlement", "1", chainId, this). Amounts are in the token's minor units.
interface IPaymentChannels {
    // ----------------------------------------------------------------- types

    /// @param payer Who deposits, and alone withdraws.
    /// @param payerAuthorizer The hot key that signs vouchers; zero: the payer itself (ERC-1271 wallets too).
    /// @param receiver Where claimed money goes.
    /// @param receiverAuthorizer May claim and refund by signature; zero: nobody but the receiver.
    /// @param withdrawDelay Seconds between the announcement of a withdrawal and its execution.
    struct ChannelConfig {
        address payer;
        address payerAuthorizer;
        address receiver;
        address receiverAuthorizer;
        address token;
        uint40 withdrawDelay;
        bytes32 salt;
    }

    struct Voucher {
        ChannelConfig channel;
        uint128 maxClaimableAmount;
    }

    /// @param signature The payer's, over `Voucher(bytes32 channelId,uint128 maxClaimableAmount)`.
    /// @param totalClaimed The channel's cumulative claim after this one; at most `maxClaimableAmount`.
    struct VoucherClaim {
        Voucher voucher;
        bytes signature;
        uint128 totalClaimed;
    }

    // ---------------------------------------------------------------- errors

    error PaymentChannels_InvalidConfig();
    error PaymentChannels_WithdrawDelayOutOfRange(uint40 withdrawDelay);
    error PaymentChannels_ZeroAmount();
    error PaymentChannels_NothingReceived();
    error PaymentChannels_CallerNotReceiver(bytes32 channelId, address caller);
    error PaymentChannels_CallerNotPayer(bytes32 channelId, address caller);
    error PaymentChannels_InvalidVoucherSignature(bytes32 channelId);
    error PaymentChannels_InvalidAuthorizerSignature();
    error PaymentChannels_MixedAuthorizers();
    error PaymentChannels_ClaimExceedsVoucher(bytes32 channelId, uint128 totalClaimed, uint128 maxClaimableAmount);
    error PaymentChannels_ClaimExceedsBalance(bytes32 channelId, uint128 totalClaimed, uint128 balance);
    error PaymentChannels_ExceedsAvailable(bytes32 channelId, uint128 amount, uint128 available);
    error PaymentChannels_NothingAvailable(bytes32 channelId);
    error PaymentChannels_InvalidRefundNonce(bytes32 channelId, uint256 nonce, uint256 expected);
    error PaymentChannels_NoPendingWithdrawal(bytes32 channelId);
    error PaymentChannels_WithdrawDelayNotOver(bytes32 channelId, uint256 finalizableAt);

    // ---------------------------------------------------------------- events

    /// @notice The first deposit of an empty channel; makes the whole config public.
    event ChannelOpened(bytes32 indexed channelId, address indexed payer, address indexed receiver, ChannelConfig config);
    event Deposited(bytes32 indexed channelId, address indexed receiver, uint128 amount, uint128 balance);
    event Claimed(bytes32 indexed channelId, address indexed receiver, uint128 amount, uint128 totalClaimed);
    event Settled(address indexed receiver, address indexed token, address indexed sender, uint128 amount);
    /// @notice A packed claim was paid out. Its entries are in the transaction's call data.
    /// @param skipped The entries, counted from 0, that brought nothing.
    event PackedClaimed(
        address indexed receiver, address indexed token, uint256 amount, uint256[] skipped
    );
    event Refunded(bytes32 indexed channelId, address indexed receiver, uint128 amount, uint128 balance);
    event WithdrawInitiated(
        bytes32 indexed channelId, address indexed receiver, uint128 amount, uint40 finalizableAt
    );
    event WithdrawFinalized(bytes32 indexed channelId, address indexed receiver, uint128 amount, uint128 balance);

    // ------------------------------------------------------------- functions

    /// @notice Adds to a channel what `collector` pulls from the payer; opens it if it is new. Anyone may relay.
    function deposit(ChannelConfig calldata config, uint128 amount, address collector, bytes calldata collectorData)
        external;

    /// @notice Claims vouchers, as receiver or receiver authorizer of each. A `totalClaimed` that the channel has
    ///         already reached is passed over, so that a repeated claim is harmless.
    function claim(VoucherClaim[] calldata voucherClaims) external;

    /// @notice As `claim`, for anyone who has the common receiver authorizer's signature over the claims.
    function claimWithSignature(VoucherClaim[] calldata voucherClaims, bytes calldata authorizerSignature) external;

    /// @notice Claims many vouchers cheaply, as their receiver, and pays out at once. An entry that does not hold is
    ///         skipped and listed: unknown channel, channel of another receiver or token, wrong signature, more than
    ///         signed, more than deposited, or already claimed.
    /// @param claims One byte, `w`: how many bytes an amount takes (1 to 16). Then for each entry channelId (32 bytes),
    ///        r (32) and vs (32) of the signature as in ERC-2098, maxClaimableAmount (w), and how much of it is to stay
    ///        unclaimed (w). Only for vouchers signed by a key pair; a contract wallet's (ERC-1271) go through `claim`.
    /// @return amount What was paid out. @return skipped The entries, counted from 0, that brought nothing.
    function claimPacked(address token, bytes calldata claims)
        external
        returns (uint256 amount, uint256[] memory skipped);

    /// @notice Pays out to `receiver` all that is claimed and not yet settled. Anyone may call.
    function settle(address receiver, address token) external;

    /// @notice Gives back to the payer `amount` of what is not claimed, or all of it if that is less.
    function refund(ChannelConfig calldata config, uint128 amount) external;

    /// @notice As `refund`, for anyone who has the receiver authorizer's signature.
    function refundWithSignature(
        ChannelConfig calldata config, uint128 amount, uint256 nonce, bytes calldata receiverAuthorizerSignature
    ) external;

    /// @notice Announces a withdrawal, as the payer. Announcing again replaces it and starts the delay anew.
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external;

    /// @notice After the delay pays the payer what was announced, less what was claimed meanwhile. Anyone may call.
    function finalizeWithdraw(ChannelConfig calldata config) external;

    // ----------------------------------------------------------------- views

    function getChannelId(ChannelConfig calldata config) external view returns (bytes32);
    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount) external view returns (bytes32);
    function getRefundDigest(bytes32 channelId, uint256 nonce, uint128 amount) external view returns (bytes32);
    function getClaimBatchDigest(VoucherClaim[] calldata voucherClaims) external view returns (bytes32);

    /// @return balance Deposits less withdrawals and refunds. @return totalClaimed Cumulative, part of `balance`.
    function channels(bytes32 channelId) external view returns (uint128 balance, uint128 totalClaimed);
    function pendingWithdrawals(bytes32 channelId) external view returns (uint128 amount, uint40 initiatedAt);
    function receivers(address receiver, address token)
        external view returns (uint128 totalClaimed, uint128 totalSettled);
    function refundNonce(bytes32 channelId) external view returns (uint256);
}
