// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IUniswapV3Pool} from "./interfaces/IUniswapV3.sol";

/// @title The mean price of a Uniswap v3 pool over time
/// @dev A pool sums up its tick, the logarithm of the price to the base 1.0001, second by second. The mean of it is the
///      geometric mean of the price: to move it, a price has to be held for long, against everybody who trades against it.
library MeanPrice {
    /// @dev 1 / 1.0001 with 128 binary digits.
    uint256 private constant STEP = 340248342086729790484326174814286782777;
    uint256 private constant ONE = 1 << 128;

    /// @return The mean tick of the last `window` seconds, rounded down. Reverts ("OLD") if the pool does not remember so far.
    function meanTick(IUniswapV3Pool pool, uint32 window) internal view returns (int256) {
        uint32[] memory ages = new uint32[](2);
        ages[0] = window;
        (int56[] memory sums,) = pool.observe(ages);
        int256 sum = int256(sums[1]) - sums[0];
        int256 mean = sum / int256(uint256(window));
        return sum < 0 && sum % int256(uint256(window)) != 0 ? mean - 1 : mean;
    }

    /// @return What `amount` (of at most 96 bits) is worth at `tick`, rounded down.
    /// @param ofToken0 Whether the amount is of the pool's token0, of whose price the tick is the logarithm.
    function worth(uint96 amount, int256 tick, bool ofToken0) internal pure returns (uint256) {
        int256 power = ofToken0 ? tick : -tick;
        // 1.0001^-|power|: at most one, so that it fits 128 bits with all its digits behind the point.
        uint256 inverse = _inverse(uint256(power < 0 ? -power : power));
        if (power < 0) return (uint256(amount) * inverse) >> 128;
        return (uint256(amount) << 128) / inverse;
    }

    /// @dev By squaring, rounded down. What a product loses is less than 2^-128, against prices that stay far above it.
    function _inverse(uint256 power) private pure returns (uint256 product) {
        // All factors but `ONE` have at most 128 bits, so no product passes 256.
        uint256 square = STEP;
        product = ONE;
        for (; power != 0; power >>= 1) {
            if (power & 1 == 1) product = product == ONE ? square : (product * square) >> 128;
            square = (square * square) >> 128;
        }
    }
}
