// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Pulls a payer's deposit into `PaymentChannels` by some way of authorising it
/// @dev The channels credit what arrives, not what was announced, so a collector needs no trust.
interface IDepositCollector {
    error DepositCollector_CallerNotChannels(address caller);

    /// @notice Moves `amount` of `token` from `payer` to the caller.
    /// @param channelId The channel that the payer's authorisation must name.
    /// @param data What the collector needs to do so; its shape is the collector's own.
    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata data) external;
}
