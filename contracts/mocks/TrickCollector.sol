// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IDepositCollector} from "../interfaces/IDepositCollector.sol";

/// @title A collector that does whatever it was told to, instead of collecting; for tests only
contract TrickCollector is IDepositCollector {
    address private _target;
    bytes private _data;

    /// @notice What `collect` will do; without it `collect` does nothing.
    function setCall(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    /// @inheritdoc IDepositCollector
    function collect(address, address, uint256, bytes32, bytes calldata) external {
        if (_target == address(0)) return;
        (bool success, bytes memory result) = _target.call(_data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }
}
