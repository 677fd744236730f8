// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SignatureCheck} from "./SignatureCheck.sol";
import {IGiftToken} from "./interfaces/IGiftToken.sol";
import {ISavingsVault} from "./interfaces/ISavingsVault.sol";

/// @title Savings in gift tokens, with a yield that sponsors put in and that drips over time
/// @dev What the vault accounts for, `_held`, is the savers' `totalAssets` + what is still `undripped`. Only deposits,
///      withdrawals and sponsorships change it, so no plain transfer moves the price of a share, and no transaction
///      moves it faster than the drip. The classic inflation attack is left without its donation, and virtual shares
///      (a million to the minor unit) make what remains of it, by the drip, cost a million times what it breaks.
///      Relies on the gift token to move exactly the amounts that it is asked to move.
///      Never: an owner, an upgrade, a pause, a fee, a way out for anybody's tokens but by its saver.
contract SavingsVault is ISavingsVault, ERC4626, ERC20Permit, ReentrancyGuard {
    using Math for uint256;

    bytes32 private constant REDEEM_TYPEHASH =
        keccak256("Redeem(address owner,address receiver,uint256 shares,uint256 nonce,uint256 deadline)");

    // --------------------------------------------------------------- storage

    /// @inheritdoc ISavingsVault
    /// @dev A million times the virtual shares, which therefore never gather more than a millionth of the drip. Without
    ///      it, whoever kept one share in an empty vault would let nearly all of the drip run into the virtual shares.
    uint256 public constant DRIP_MIN_SHARES = 1e12;
    /// @inheritdoc ISavingsVault
    uint32 public immutable dripDuration;

    uint128 private _held;
    // `_pot` drips evenly from `_dripStart` to `_dripEnd`. While the drip waits for savers, only their distance counts.
    uint128 private _pot;
    uint64 private _dripStart;
    uint64 private _dripEnd;

    constructor(IGiftToken asset_, uint32 dripDuration_, string memory name_, string memory symbol_)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
        ERC4626(asset_)
    {
        if (address(asset_) == address(0)) revert SavingsVault_ZeroAddress();
        if (dripDuration_ == 0) revert SavingsVault_ZeroDuration();
        dripDuration = dripDuration_;
    }

    // --------------------------------------------------------------- sponsors

    /// @inheritdoc ISavingsVault
    function sponsor(uint256 amount) external nonReentrant {
        SafeERC20.safeTransferFrom(IERC20(asset()), msg.sender, address(this), amount);
        _sponsor(msg.sender, amount);
    }

    /// @inheritdoc ISavingsVault
    function sponsorSurplus() external nonReentrant returns (uint256 amount) {
        amount = IERC20(asset()).balanceOf(address(this)) - _held;
        _sponsor(address(0), amount);
    }

    // ----------------------------------------------------------------- savers

    /// @inheritdoc ISavingsVault
    function depositWithAuthorization(
        address saver, address receiver, uint256 assets, uint256 validAfter, uint256 validBefore, bytes32 salt,
        bytes calldata signature
    ) external nonReentrant returns (uint256 shares) {
        shares = previewDeposit(assets);
        _bookDeposit(assets, shares);
        bytes32 nonce = keccak256(abi.encode(receiver, salt));
        IGiftToken(asset()).receiveWithAuthorization(
            saver, address(this), assets, validAfter, validBefore, nonce, signature
        );
        _mint(receiver, shares);
        emit Deposit(saver, receiver, assets, shares);
    }

    /// @inheritdoc ISavingsVault
    function redeemWithSignature(
        address owner, address receiver, uint256 shares, uint256 deadline, bytes calldata signature
    ) external returns (uint256 assets) {
        if (block.timestamp > deadline) revert SavingsVault_Expired(deadline);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(REDEEM_TYPEHASH, owner, receiver, shares, _useNonce(owner), deadline))
        );
        if (!SignatureCheck.isValid(owner, digest, signature)) revert SavingsVault_InvalidSignature(owner);
        uint256 maxShares = maxRedeem(owner);
        if (shares > maxShares) revert ERC4626ExceededMaxRedeem(owner, shares, maxShares);
        assets = previewRedeem(shares);
        _withdraw(owner, receiver, owner, assets, shares);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc ISavingsVault
    function undripped() public view returns (uint256) {
        if (_waits()) return _pot;
        if (block.timestamp >= _dripEnd) return 0;
        // Rounded up: what has dripped is rounded down, never more than there is.
        return uint256(_pot).mulDiv(_dripEnd - block.timestamp, _dripEnd - _dripStart, Math.Rounding.Ceil);
    }

    /// @inheritdoc ISavingsVault
    function dripTimeLeft() public view returns (uint256) {
        if (_waits()) return _dripEnd - _dripStart;
        return block.timestamp >= _dripEnd ? 0 : _dripEnd - block.timestamp;
    }

    /// @inheritdoc IERC4626
    function totalAssets() public view override(ERC4626, IERC4626) returns (uint256) {
        return _held - undripped();
    }

    /// @inheritdoc IERC4626
    /// @dev What the accounting's 128 bits have room for.
    function maxDeposit(address) public view override(ERC4626, IERC4626) returns (uint256) {
        return type(uint128).max - _held;
    }

    /// @inheritdoc IERC4626
    function maxMint(address receiver) public view override(ERC4626, IERC4626) returns (uint256) {
        return _convertToShares(maxDeposit(receiver), Math.Rounding.Floor);
    }

    /// @notice The gift token's, and six more: see `_decimalsOffset`.
    function decimals() public view override(ERC20, ERC4626, IERC20Metadata) returns (uint8) {
        return super.decimals();
    }

    // ----------------------------------------------------------------- inner

    function _deposit(address caller, address receiver, uint256 assets, uint256 shares) internal override nonReentrant {
        _bookDeposit(assets, shares);
        super._deposit(caller, receiver, assets, shares);
    }

    function _withdraw(address caller, address receiver, address owner, uint256 assets, uint256 shares)
        internal
        override
        nonReentrant
    {
        uint256 sharesLeft = totalSupply() - shares;
        if (sharesLeft < DRIP_MIN_SHARES) _schedule(sharesLeft == 0 ? totalAssets() - assets : 0);
        _held = SafeCast.toUint128(_held - assets);
        super._withdraw(caller, receiver, owner, assets, shares);
    }

    function _bookDeposit(uint256 assets, uint256 shares) private {
        if (shares == 0) revert SavingsVault_ZeroShares(assets);
        if (_waits()) _schedule(0); // the drip may go on with these shares, and then from now
        _held = SafeCast.toUint128(_held + assets);
    }

    function _sponsor(address from, uint256 amount) private {
        if (amount == 0) revert SavingsVault_ZeroAmount();
        _held = SafeCast.toUint128(_held + amount);
        emit Sponsored(from, amount);
        _schedule(amount);
    }

    /// @dev Whether the drip stands still, for want of savers.
    function _waits() private view returns (bool) {
        return totalSupply() < DRIP_MIN_SHARES;
    }

    /// @dev Starts the drip anew from now, with what is left of it and `added`; nothing of it has dripped at this moment.
    ///      Whatever makes the drip wait or go on calls this first, so that no waiting time counts as dripping time.
    function _schedule(uint256 added) private {
        uint256 left = undripped();
        uint256 pot = left + added;
        // The average, rounded down: dust moves the end by nothing, however often it comes. No less than a second while
        // there is a pot, for neither part of the average is.
        uint256 time = pot == 0 ? 0 : (left * dripTimeLeft() + added * dripDuration) / pot;
        _pot = SafeCast.toUint128(pot);
        _dripStart = uint64(block.timestamp);
        _dripEnd = uint64(block.timestamp + time);
        emit DripScheduled(pot, block.timestamp + time);
    }

    /// @dev A million virtual shares: see the head.
    function _decimalsOffset() internal pure override returns (uint8) {
        return 6;
    }
}
