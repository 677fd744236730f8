// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

/// @title What others do instead: each account fetches its share with a proof, in a transaction of its own
/// @dev For comparison only. The design of Uniswap's MerkleDistributor, a bit an account, on OpenZeppelin's parts.
contract MerkleDistributor {
    using BitMaps for BitMaps.BitMap;
    using SafeERC20 for IERC20;

    event Fetched(uint256 index, address account, uint256 amount);

    IERC20 public immutable token;
    bytes32 public immutable root;
    BitMaps.BitMap private _claimed;

    constructor(IERC20 token_, bytes32 root_) {
        (token, root) = (token_, root_);
    }

    function claim(uint256 index, address account, uint256 amount, bytes32[] calldata proof) external {
        require(!_claimed.get(index), "claimed already");
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(index, account, amount))));
        require(MerkleProof.verifyCalldata(proof, root, leaf), "no proof");
        _claimed.set(index);
        token.safeTransfer(account, amount);
        emit Fetched(index, account, amount);
    }
}
