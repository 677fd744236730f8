// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IDepositCollector} from "contracts/interfaces/IDepositCollector.sol";

/// @title A holder, merchant, receiver and collector that calls back at the worst moment
contract Villain is IDepositCollector {
    struct Call {
        address target;
        bytes data;
    }

    Call[] private _calls;
    /// @notice How many of its calls went through.
    uint256 public landed;

    function plan(Call[] calldata calls) external {
        delete _calls;
        for (uint256 i = 0; i < calls.length; ++i) _calls.push(calls[i]);
        landed = 0;
    }

    /// @notice A token's hook: see `TrickToken.setHook`.
    function strike() public {
        for (uint256 i = 0; i < _calls.length; ++i) {
            (bool success,) = _calls[i].target.call(_calls[i].data);
            if (success) ++landed;
        }
    }

    /// @inheritdoc IDepositCollector
    function collect(address, address, uint256, bytes32, bytes calldata) external {
        strike();
    }
}
