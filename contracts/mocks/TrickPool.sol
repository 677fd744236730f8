// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IUniswapV3Factory, IUniswapV3Pool, IUniswapV3SwapCallback} from "../interfaces/IUniswapV3.sol";
import {MeanPrice} from "../MeanPrice.sol";

/// @title A pool, and the factory that made it, that are not what Uniswap's are; for tests only
/// @dev Its mean price is one to one. It gives, asks for, and tells what it is told to.
contract TrickPool is IUniswapV3Factory, IUniswapV3Pool {
    address public token0;
    IERC20 private immutable _bought;
    uint256 public gives;
    uint256 public asks;
    uint256 public tells;
    bytes private _failure;

    constructor(address token0_, IERC20 bought) {
        (token0, _bought) = (token0_, bought);
    }

    function set(uint256 gives_, uint256 asks_, uint256 tells_, bytes calldata failure) external {
        (gives, asks, tells, _failure) = (gives_, asks_, tells_, failure);
    }

    function getPool(address, address, uint24) external view returns (address) {
        return address(this);
    }

    function observe(uint32[] calldata ages) external pure returns (int56[] memory, uint160[] memory) {
        return (new int56[](ages.length), new uint160[](ages.length));
    }

    function swap(address recipient, bool zeroForOne, int256, uint160, bytes calldata data)
        external
        returns (int256, int256)
    {
        bytes memory failure = _failure;
        if (failure.length != 0) {
            assembly ("memory-safe") {
                revert(add(failure, 0x20), mload(failure))
            }
        }
        _bought.transfer(recipient, gives);
        (int256 sold, int256 given) = (int256(asks), -int256(gives));
        IUniswapV3SwapCallback caller = IUniswapV3SwapCallback(msg.sender);
        if (zeroForOne) caller.uniswapV3SwapCallback(sold, given, data);
        else caller.uniswapV3SwapCallback(given, sold, data);
        return zeroForOne ? (int256(tells), given) : (given, int256(tells));
    }

    function worth(uint96 amount, int256 tick, bool ofToken0) external pure returns (uint256) {
        return MeanPrice.worth(amount, tick, ofToken0);
    }
}
