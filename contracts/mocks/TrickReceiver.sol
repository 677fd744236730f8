// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {ERC1155Holder} from "@openzeppelin/contracts/token/ERC1155/utils/ERC1155Holder.sol";

/// @title A receiver of ERC-1155 tokens that answers as it was told to; for tests only
contract TrickReceiver is ERC1155Holder {
    enum Answer {
        Accept,
        Refuse,
        Revert,
        BurnGas,
        Bomb
    }

    error TrickReceiver_Refused();

    Answer private _answer;
    address private _target;
    bytes private _data;
    /// @notice What the last token's sender said of it.
    bytes32 public lastReceived;

    function setAnswer(Answer answer) external {
        _answer = answer;
    }

    /// @notice The next token makes it call `target` with `data` before it answers.
    function setCall(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    /// @notice Does a call as the receiver.
    function execute(address target, bytes memory data) public {
        (bool success, bytes memory result) = target.call(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }

    /// @inheritdoc IERC1155Receiver
    function onERC1155Received(address operator, address from, uint256 id, uint256 value, bytes memory data)
        public
        override
        returns (bytes4)
    {
        lastReceived = keccak256(abi.encode(operator, from, id, value, data));
        if (_target != address(0)) {
            address target = _target;
            delete _target; // once: the call may send a token here itself
            execute(target, _data);
        }
        if (_answer == Answer.Revert) revert TrickReceiver_Refused();
        if (_answer == Answer.BurnGas) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (_answer == Answer.Bomb) {
            // An answer so long that it costs tens of thousands of gas to whoever copies it.
            assembly ("memory-safe") {
                revert(0, 0x18000)
            }
        }
        return _answer == Answer.Refuse ? bytes4(0) : IERC1155Receiver.onERC1155Received.selector;
    }
}
