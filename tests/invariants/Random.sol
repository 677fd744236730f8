// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title All choices of an action, drawn from the one word that forge gives it
abstract contract Random {
    uint256 private _state;

    function _seed(uint256 seed) internal {
        _state = uint256(keccak256(abi.encode(seed)));
    }

    /// @return Below `bound`; 0 for 0.
    function _below(uint256 bound) internal returns (uint256) {
        if (bound < 2) return 0;
        _state = uint256(keccak256(abi.encode(_state)));
        return _state % bound;
    }

    function _oneIn(uint256 n) internal returns (bool) {
        return _below(n) == 0;
    }

    function _word() internal returns (bytes32) {
        return bytes32(_below(type(uint256).max));
    }

    /// @dev From one unit to about a hundred dollars, small ones as likely as large ones.
    function _amount() internal returns (uint128) {
        return uint128(1 + _below(10 ** (1 + _below(8))));
    }

    /// @dev Any part of it, often all. At least 1 unless it is 0.
    function _partOf(uint256 whole) internal returns (uint128) {
        return uint128(whole == 0 || _oneIn(3) ? whole : 1 + _below(whole));
    }
}
