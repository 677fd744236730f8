// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title What we ask of Uniswap v3's factory
interface IUniswapV3Factory {
    /// @return The only pool of these two tokens with this fee (hundredths of a basis point), or zero.
    function getPool(address tokenA, address tokenB, uint24 fee) external view returns (address);
}

/// @title What we ask of a Uniswap v3 pool
interface IUniswapV3Pool {
    function token0() external view returns (address);

    /// @notice The sums of the tick over time, as of each of these ages in seconds.
    function observe(uint32[] calldata secondsAgos)
        external
        view
        returns (int56[] memory tickCumulatives, uint160[] memory secondsPerLiquidityCumulativeX128s);

    /// @notice Pays `recipient`, then calls the caller back for what it owes.
    /// @param zeroForOne Whether token0 is sold.
    /// @param amountSpecified What is sold, if positive.
    /// @return amount0 What the pool got (positive) or gave (negative) of token0; likewise `amount1`.
    function swap(
        address recipient, bool zeroForOne, int256 amountSpecified, uint160 sqrtPriceLimitX96, bytes calldata data
    ) external returns (int256 amount0, int256 amount1);
}

/// @title What a pool calls whoever swaps in it
interface IUniswapV3SwapCallback {
    function uniswapV3SwapCallback(int256 amount0Delta, int256 amount1Delta, bytes calldata data) external;
}
