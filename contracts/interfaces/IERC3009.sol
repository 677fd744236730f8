// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Transfers authorised by a signature (ERC-3009), in both signature forms
/// @notice The `bytes` forms also accept ERC-1271 contract wallets.
/// @dev Source: https://eips.ethereum.org/EIPS/eip-3009. Amounts are in the token's minor units, times in unix seconds.
interface IERC3009 {
    // ---------------------------------------------------------------- errors

    error ERC3009_NotYetValid(uint256 validAfter);
    error ERC3009_Expired(uint256 validBefore);
    error ERC3009_AuthorizationUsed(address authorizer, bytes32 nonce);
    error ERC3009_InvalidSignature(address authorizer);
    /// @dev `receiveWithAuthorization` may be called by the payee alone, so that nobody can front-run it.
    error ERC3009_CallerNotPayee(address caller, address payee);

    // ---------------------------------------------------------------- events

    event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
    event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);

    // ------------------------------------------------------------- functions

    /// @notice Moves `value` from `from` to `to`; anyone may relay it.
    function transferWithAuthorization(
        address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce,
        uint8 v, bytes32 r, bytes32 s
    ) external;

    /// @notice As above with the signature in one piece.
    function transferWithAuthorization(
        address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice Moves `value` from `from` to the caller, which must be `to`.
    function receiveWithAuthorization(
        address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce,
        uint8 v, bytes32 r, bytes32 s
    ) external;

    /// @notice As above with the signature in one piece.
    function receiveWithAuthorization(
        address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice Makes an unused nonce unusable.
    function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice As above with the signature in one piece.
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external;

    /// @return Whether the nonce is used or cancelled.
    function authorizationState(address authorizer, bytes32 nonce) external view returns (bool);
}
