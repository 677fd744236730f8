// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Minimal soul-bound tokens
/// @dev Source: https://eips.ethereum.org/EIPS/eip-5192, written for ERC-721. Its interface id is 0xb45a3c0e.
interface IERC5192 {
    event Locked(uint256 tokenId);
    event Unlocked(uint256 tokenId);

    /// @return Whether the token can never change hands. Reverts for a token that does not exist.
    function locked(uint256 tokenId) external view returns (bool);
}
