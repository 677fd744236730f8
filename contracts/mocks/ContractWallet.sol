// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title An ERC-1271 wallet with one owner, which can be told to answer badly; for tests only
contract ContractWallet is IERC1271 {
    enum Answer {
        Honest,
        Refuse,
        Revert,
        Short
    }

    address public owner;
    Answer private _answer;

    constructor(address owner_) {
        owner = owner_;
    }

    function setOwner(address owner_) external {
        require(msg.sender == owner, "not the owner");
        owner = owner_;
    }

    function setAnswer(Answer answer) external {
        _answer = answer;
    }

    /// @notice Does a call as the wallet, for its owner.
    function execute(address target, bytes calldata data) external {
        require(msg.sender == owner, "not the owner");
        (bool success, bytes memory result) = target.call(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bytes4 magic = IERC1271.isValidSignature.selector;
        if (_answer == Answer.Revert) {
            // Says yes while it fails: the data alone is not an answer.
            assembly ("memory-safe") {
                mstore(0, magic)
                revert(0, 0x20)
            }
        }
        if (_answer == Answer.Short) {
            // The right four bytes, but not a whole word: not an ABI-encoded answer.
            assembly ("memory-safe") {
                mstore(0, magic)
                return(0, 4)
            }
        }
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecover(digest, signature);
        bool accepts = _answer == Answer.Honest && err == ECDSA.RecoverError.NoError && signer == owner;
        return accepts ? magic : bytes4(0xffffffff);
    }
}
