// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {PackedClaims} from "./PackedClaims.sol";
import {SignatureCheck} from "./SignatureCheck.sol";
import {IDepositCollector} from "./interfaces/IDepositCollector.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

/// @title Payment channels, x402 `batch-settlement`
/// @dev Never: an owner, an upgrade, a pause, an allowance to anyone, a path for claimed money but to the receiver, a
///      path for unclaimed money but to the payer. The reentrancy guard is in storage: no EIP-1153 before Cancun.
contract PaymentChannels is IPaymentChannels, EIP712, Multicall, ReentrancyGuard {
    using SafeERC20 for IERC20;

    // ------------------------------------------------------------- constants

    uint40 public constant MIN_WITHDRAW_DELAY = 15 minutes;
    uint40 public constant MAX_WITHDRAW_DELAY = 30 days;

    bytes32 private constant CHANNEL_CONFIG_TYPEHASH = keccak256(
        "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
    );
    bytes32 private constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
    bytes32 private constant REFUND_TYPEHASH = keccak256("Refund(bytes32 channelId,uint256 nonce,uint128 amount)");
    bytes32 private constant CLAIM_ENTRY_TYPEHASH =
        keccak256("ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)");
    bytes32 private constant CLAIM_BATCH_TYPEHASH = keccak256(
        "ClaimBatch(ClaimEntry[] claims)ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)"
    );

    // --------------------------------------------------------------- storage

    struct PendingWithdrawal {
        uint128 amount;
        uint40 initiatedAt;
    }

    struct Receiver {
        uint128 totalClaimed;
        uint128 totalSettled;
    }

    /// @dev Where a channel's state is kept (see `PackedClaims`). Written at the first deposit, read by `channels` alone.
    mapping(bytes32 channelId => bytes32 slot) private _slots;
    /// @inheritdoc IPaymentChannels
    mapping(bytes32 channelId => PendingWithdrawal) public pendingWithdrawals;
    /// @inheritdoc IPaymentChannels
    mapping(address receiver => mapping(address token => Receiver)) public receivers;
    /// @inheritdoc IPaymentChannels
    mapping(bytes32 channelId => uint256) public refundNonce;

    constructor() EIP712("x402 Batch Settlement", "1") {}

    // --------------------------------------------------------------- deposit

    /// @inheritdoc IPaymentChannels
    function deposit(ChannelConfig calldata config, uint128 amount, address collector, bytes calldata collectorData)
        external
        nonReentrant
    {
        if (config.payer == address(0) || config.receiver == address(0) || config.token == address(0)) {
            revert PaymentChannels_InvalidConfig();
        }
        if (config.withdrawDelay < MIN_WITHDRAW_DELAY || config.withdrawDelay > MAX_WITHDRAW_DELAY) {
            revert PaymentChannels_WithdrawDelayOutOfRange(config.withdrawDelay);
        }
        if (amount == 0) revert PaymentChannels_ZeroAmount();

        bytes32 channelId = getChannelId(config);
        IERC20 token = IERC20(config.token);
        // What arrives is credited, not what was announced: fee-on-transfer tokens and false collectors gain nothing.
        uint256 balanceBefore = token.balanceOf(address(this));
        IDepositCollector(collector).collect(config.payer, config.token, amount, channelId, collectorData);
        uint128 received = SafeCast.toUint128(token.balanceOf(address(this)) - balanceBefore);
        if (received == 0) revert PaymentChannels_NothingReceived();

        bytes32 slot = _slot(config, channelId);
        PackedClaims.Channel storage channel = PackedClaims.at(slot);
        uint128 balance = channel.balance;
        if (balance == 0) {
            _slots[channelId] = slot;
            emit ChannelOpened(channelId, config.payer, config.receiver, config);
        }
        channel.balance = balance + received;
        emit Deposited(channelId, config.receiver, received, balance + received);
    }

    // ------------------------------------------------------- claim and settle

    /// @inheritdoc IPaymentChannels
    function claim(VoucherClaim[] calldata voucherClaims) external nonReentrant {
        for (uint256 i = 0; i < voucherClaims.length; ++i) {
            ChannelConfig calldata config = voucherClaims[i].voucher.channel;
            bytes32 channelId = getChannelId(config);
            _requireReceiverSide(config, channelId);
            _claim(voucherClaims[i], channelId);
        }
    }

    /// @inheritdoc IPaymentChannels
    function claimWithSignature(VoucherClaim[] calldata voucherClaims, bytes calldata authorizerSignature)
        external
        nonReentrant
    {
        if (voucherClaims.length == 0) return;
        address authorizer = voucherClaims[0].voucher.channel.receiverAuthorizer;
        bytes32[] memory channelIds = _channelIds(voucherClaims);
        bytes32 digest = _claimBatchDigest(voucherClaims, channelIds);
        if (authorizer == address(0) || !SignatureCheck.isValid(authorizer, digest, authorizerSignature)) {
            revert PaymentChannels_InvalidAuthorizerSignature();
        }
        for (uint256 i = 0; i < voucherClaims.length; ++i) {
            if (voucherClaims[i].voucher.channel.receiverAuthorizer != authorizer) {
                revert PaymentChannels_MixedAuthorizers();
            }
            _claim(voucherClaims[i], channelIds[i]);
        }
    }

    /// @inheritdoc IPaymentChannels
    /// @dev No reentrancy guard: all is written before the token is called, which comes last. Entered from within a
    ///      `deposit` it makes that deposit's gain smaller, never larger.
    function claimPacked(address token, bytes calldata claims)
        external
        returns (uint256 amount, uint256[] memory skipped)
    {
        (amount, skipped) =
            PackedClaims.claimAll(claims, _domainSeparatorV4(), VOUCHER_TYPEHASH, PackedClaims.payeeOf(msg.sender, token));
        emit PackedClaimed(msg.sender, token, amount, skipped);
        // At once, past `receivers`, which counts what waits for `settle`: a slot less to write.
        if (amount != 0) IERC20(token).safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IPaymentChannels
    function settle(address receiver, address token) external nonReentrant {
        Receiver storage state = receivers[receiver][token];
        uint128 amount = state.totalClaimed - state.totalSettled;
        if (amount == 0) return;
        state.totalSettled += amount;
        emit Settled(receiver, token, msg.sender, amount);
        IERC20(token).safeTransfer(receiver, amount);
    }

    // ---------------------------------------------------------------- refund

    /// @inheritdoc IPaymentChannels
    function refund(ChannelConfig calldata config, uint128 amount) external nonReentrant {
        bytes32 channelId = getChannelId(config);
        _requireReceiverSide(config, channelId);
        _refund(config, channelId, amount);
    }

    /// @inheritdoc IPaymentChannels
    function refundWithSignature(
        ChannelConfig calldata config, uint128 amount, uint256 nonce, bytes calldata receiverAuthorizerSignature
    ) external nonReentrant {
        bytes32 channelId = getChannelId(config);
        if (nonce != refundNonce[channelId]) {
            revert PaymentChannels_InvalidRefundNonce(channelId, nonce, refundNonce[channelId]);
        }
        if (
            config.receiverAuthorizer == address(0)
                || !SignatureCheck.isValid(
                    config.receiverAuthorizer, getRefundDigest(channelId, nonce, amount), receiverAuthorizerSignature
                )
        ) revert PaymentChannels_InvalidAuthorizerSignature();
        refundNonce[channelId] = nonce + 1;
        _refund(config, channelId, amount);
    }

    // -------------------------------------------------------------- withdraw

    /// @inheritdoc IPaymentChannels
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external {
        bytes32 channelId = getChannelId(config);
        if (msg.sender != config.payer) revert PaymentChannels_CallerNotPayer(channelId, msg.sender);
        if (amount == 0) revert PaymentChannels_ZeroAmount();
        uint128 available = _available(_channel(config, channelId));
        if (amount > available) revert PaymentChannels_ExceedsAvailable(channelId, amount, available);
        uint40 initiatedAt = uint40(block.timestamp);
        pendingWithdrawals[channelId] = PendingWithdrawal(amount, initiatedAt);
        emit WithdrawInitiated(channelId, config.receiver, amount, initiatedAt + config.withdrawDelay);
    }

    /// @inheritdoc IPaymentChannels
    function finalizeWithdraw(ChannelConfig calldata config) external nonReentrant {
        bytes32 channelId = getChannelId(config);
        PendingWithdrawal memory pending = pendingWithdrawals[channelId];
        if (pending.amount == 0) revert PaymentChannels_NoPendingWithdrawal(channelId);
        uint256 finalizableAt = uint256(pending.initiatedAt) + config.withdrawDelay;
        if (block.timestamp < finalizableAt) revert PaymentChannels_WithdrawDelayNotOver(channelId, finalizableAt);

        delete pendingWithdrawals[channelId];
        PackedClaims.Channel storage channel = _channel(config, channelId);
        uint128 available = _available(channel);
        uint128 amount = pending.amount < available ? pending.amount : available;
        uint128 balance = channel.balance -= amount;
        emit WithdrawFinalized(channelId, config.receiver, amount, balance);
        if (amount != 0) IERC20(config.token).safeTransfer(config.payer, amount);
    }

    // ----------------------------------------------------------------- views

    /// @inheritdoc IPaymentChannels
    function channels(bytes32 channelId) external view returns (uint128 balance, uint128 totalClaimed) {
        PackedClaims.Channel storage channel = PackedClaims.at(_slots[channelId]);
        return (channel.balance, channel.totalClaimed);
    }

    /// @inheritdoc IPaymentChannels
    function getChannelId(ChannelConfig calldata config) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    CHANNEL_CONFIG_TYPEHASH,
                    config.payer,
                    config.payerAuthorizer,
                    config.receiver,
                    config.receiverAuthorizer,
                    config.token,
                    config.withdrawDelay,
                    config.salt
                )
            )
        );
    }

    /// @inheritdoc IPaymentChannels
    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(VOUCHER_TYPEHASH, channelId, maxClaimableAmount)));
    }

    /// @inheritdoc IPaymentChannels
    function getRefundDigest(bytes32 channelId, uint256 nonce, uint128 amount) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(REFUND_TYPEHASH, channelId, nonce, amount)));
    }

    /// @inheritdoc IPaymentChannels
    function getClaimBatchDigest(VoucherClaim[] calldata voucherClaims) external view returns (bytes32) {
        return _claimBatchDigest(voucherClaims, _channelIds(voucherClaims));
    }

    // ----------------------------------------------------------------- inner

    function _claim(VoucherClaim calldata voucherClaim, bytes32 channelId) private {
        ChannelConfig calldata config = voucherClaim.voucher.channel;
        uint128 maxClaimableAmount = voucherClaim.voucher.maxClaimableAmount;
        uint128 totalClaimed = voucherClaim.totalClaimed;
        PackedClaims.Channel storage channel = _channel(config, channelId);
        (uint128 balance, uint128 claimedBefore) = (channel.balance, channel.totalClaimed);

        if (totalClaimed <= claimedBefore) return;
        if (totalClaimed > maxClaimableAmount) {
            revert PaymentChannels_ClaimExceedsVoucher(channelId, totalClaimed, maxClaimableAmount);
        }
        if (totalClaimed > balance) revert PaymentChannels_ClaimExceedsBalance(channelId, totalClaimed, balance);
        if (!_isVoucherSignature(config, getVoucherDigest(channelId, maxClaimableAmount), voucherClaim.signature)) {
            revert PaymentChannels_InvalidVoucherSignature(channelId);
        }

        uint128 amount = totalClaimed - claimedBefore;
        channel.totalClaimed = totalClaimed;
        receivers[config.receiver][config.token].totalClaimed += amount;
        emit Claimed(channelId, config.receiver, amount, totalClaimed);
    }

    /// @dev A hot key is always a key pair; only the payer itself may be a contract wallet.
    function _isVoucherSignature(ChannelConfig calldata config, bytes32 digest, bytes calldata signature)
        private
        view
        returns (bool)
    {
        if (config.payerAuthorizer == address(0)) {
            return SignatureCheck.isValid(config.payer, digest, signature);
        }
        return SignatureCheck.isKeySignature(config.payerAuthorizer, digest, signature);
    }

    function _refund(ChannelConfig calldata config, bytes32 channelId, uint128 amount) private {
        if (amount == 0) revert PaymentChannels_ZeroAmount();
        PackedClaims.Channel storage channel = _channel(config, channelId);
        uint128 available = _available(channel);
        if (available == 0) revert PaymentChannels_NothingAvailable(channelId);
        if (amount > available) amount = available;
        uint128 balance = channel.balance -= amount;

        // The payer has this money back already: it must not be announced for withdrawal a second time.
        uint128 pendingAmount = pendingWithdrawals[channelId].amount;
        if (pendingAmount != 0) {
            if (pendingAmount <= amount) delete pendingWithdrawals[channelId];
            else pendingWithdrawals[channelId].amount = pendingAmount - amount;
        }
        emit Refunded(channelId, config.receiver, amount, balance);
        IERC20(config.token).safeTransfer(config.payer, amount);
    }

    function _available(PackedClaims.Channel storage channel) private view returns (uint128) {
        return channel.balance - channel.totalClaimed;
    }

    function _channel(ChannelConfig calldata config, bytes32 channelId)
        private
        pure
        returns (PackedClaims.Channel storage)
    {
        return PackedClaims.at(_slot(config, channelId));
    }

    function _slot(ChannelConfig calldata config, bytes32 channelId) private pure returns (bytes32) {
        address signer = config.payerAuthorizer == address(0) ? config.payer : config.payerAuthorizer;
        return PackedClaims.slotOf(channelId, signer, PackedClaims.payeeOf(config.receiver, config.token));
    }

    function _requireReceiverSide(ChannelConfig calldata config, bytes32 channelId) private view {
        if (msg.sender != config.receiver && msg.sender != config.receiverAuthorizer) {
            revert PaymentChannels_CallerNotReceiver(channelId, msg.sender);
        }
    }

    function _channelIds(VoucherClaim[] calldata voucherClaims) private view returns (bytes32[] memory channelIds) {
        channelIds = new bytes32[](voucherClaims.length);
        for (uint256 i = 0; i < voucherClaims.length; ++i) {
            channelIds[i] = getChannelId(voucherClaims[i].voucher.channel);
        }
    }

    function _claimBatchDigest(VoucherClaim[] calldata voucherClaims, bytes32[] memory channelIds)
        private
        view
        returns (bytes32)
    {
        bytes32[] memory entries = new bytes32[](voucherClaims.length);
        for (uint256 i = 0; i < voucherClaims.length; ++i) {
            entries[i] = keccak256(
                abi.encode(
                    CLAIM_ENTRY_TYPEHASH,
                    channelIds[i],
                    voucherClaims[i].voucher.maxClaimableAmount,
                    voucherClaims[i].totalClaimed
                )
            );
        }
        return _hashTypedDataV4(keccak256(abi.encode(CLAIM_BATCH_TYPEHASH, keccak256(abi.encodePacked(entries)))));
    }
}
