// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IDepositCollector} from "./interfaces/IDepositCollector.sol";
import {IERC3009} from "./interfaces/IERC3009.sol";

/// @title Collects a deposit with an ERC-3009 authorisation that is bound to one channel
/// @dev The authorisation's nonce is `keccak256(abi.encode(channelId, salt))`: it cannot fund another channel.
///      Holds no funds between calls.
contract ERC3009DepositCollector is IDepositCollector {
    using SafeERC20 for IERC20;

    address public immutable channels;

    constructor(address channels_) {
        channels = channels_;
    }

    /// @inheritdoc IDepositCollector
    /// @param data `abi.encode(uint256 validAfter, uint256 validBefore, uint256 salt, bytes signature)`
    function collect(address payer, address token, uint256 amount, bytes32 channelId, bytes calldata data) external {
        if (msg.sender != channels) revert DepositCollector_CallerNotChannels(msg.sender);
        (uint256 validAfter, uint256 validBefore, uint256 salt, bytes memory signature) =
            abi.decode(data, (uint256, uint256, uint256, bytes));
        bytes32 nonce = keccak256(abi.encode(channelId, salt));
        IERC3009(token).receiveWithAuthorization(payer, address(this), amount, validAfter, validBefore, nonce, signature);
        // The whole balance: a token that takes a fee on transfer delivers less than `amount`.
        IERC20(token).safeTransfer(channels, IERC20(token).balanceOf(address(this)));
    }
}
