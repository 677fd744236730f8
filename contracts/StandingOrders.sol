// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {MeanPrice} from "./MeanPrice.sol";
import {SignatureCheck} from "./SignatureCheck.sol";
import {IBadges} from "./interfaces/IBadges.sol";
import {IGiftSettlement} from "./interfaces/IGiftSettlement.sol";
import {ISavingsVault} from "./interfaces/ISavingsVault.sol";
import {IStandingOrders} from "./interfaces/IStandingOrders.sol";
import {IUniswapV3Factory, IUniswapV3Pool, IUniswapV3SwapCallback} from "./interfaces/IUniswapV3.sol";

/// @title Carries out what payers have signed that their gift tokens become
/// @dev It swaps in Uniswap's pool itself, not by a router: routers differ from chain to chain, pools do not, and none needs
///      an allowance. Between two transactions this contract holds nothing. Its roles are the settlement's.
///      Never: tokens of somebody who has not signed, a recipient who is not in the rule, a balance of its own, an upgrade.
contract StandingOrders is IStandingOrders, EIP712, ReentrancyGuard {
    using BitMaps for BitMaps.BitMap;
    using SafeERC20 for IERC20;

    // --------------------------------------------------------------- storage

    /// @dev For one conversion. The dearest, a swap through several steps of the price, takes less than half of it.
    uint256 private constant CONVERSION_GAS = 1_000_000;
    uint256 private constant REASON_BYTES = 256;
    uint256 private constant WHOLE = 10_000;
    uint256 private constant ROUNDING = 2;
    /// @dev Uniswap's bounds of a price's root: without limit.
    uint160 private constant LOWEST = 4295128740;
    uint160 private constant HIGHEST = 1461446703485210103287273052203988822378723970341;

    bytes32 private constant SETTLER_ROLE = keccak256("SETTLER_ROLE");
    bytes32 private constant ADMIN_ROLE = 0x00;
    bytes32 private constant DESTINATION_TYPEHASH =
        keccak256("Destination(string kind,uint16 share,address recipient,address token,uint16 slippage)");
    bytes32 private constant RULE_TYPEHASH = keccak256(
        "Rule(address payer,uint64 id,string gather,string fires,string only,Destination[] destinations,uint96 perDay,"
        "uint64 validUntil)"
        "Destination(string kind,uint16 share,address recipient,address token,uint16 slippage)"
    );

    /// @dev What was moved on which day (days since 1970-01-01, UTC). One slot.
    struct Day {
        uint64 number;
        uint128 moved;
    }

    /// @dev One slot.
    struct Offer {
        address beneficiary;
        uint96 price;
    }

    /// @inheritdoc IStandingOrders
    IGiftSettlement public immutable settlement;
    /// @inheritdoc IStandingOrders
    IBadges public immutable badges;
    /// @inheritdoc IStandingOrders
    IUniswapV3Factory public immutable factory;
    /// @inheritdoc IStandingOrders
    uint32 public immutable window;
    ISavingsVault private immutable _vault;
    IERC20 private immutable _token;
    IERC20 private immutable _asset;

    /// @inheritdoc IStandingOrders
    mapping(address token => address) public pools;
    /// @inheritdoc IStandingOrders
    mapping(uint256 collectible => Offer) public offers;
    /// @inheritdoc IStandingOrders
    mapping(address payer => mapping(uint64 id => bool)) public cancelled;
    mapping(address payer => mapping(uint64 id => BitMaps.BitMap)) private _converted;
    mapping(address payer => mapping(uint64 id => Day)) private _days;
    mapping(address payer => mapping(uint64 id => mapping(uint256 destination => Day))) private _daysOf;

    modifier onlyOperator() {
        if (!_hasRole(SETTLER_ROLE, msg.sender)) revert StandingOrders_CallerNotOperator(msg.sender);
        _;
    }

    /// @param factory_ Uniswap v3's; zero where there is none, and then nothing is bought.
    /// @param window_ Over how many seconds a price's mean is taken.
    constructor(
        IGiftSettlement settlement_, ISavingsVault vault_, IBadges badges_, IUniswapV3Factory factory_, uint32 window_
    ) EIP712("Taesan StandingOrders", "1") {
        if (address(settlement_) == address(0) || address(vault_) == address(0) || address(badges_) == address(0)) {
            revert StandingOrders_ZeroAddress();
        }
        if (window_ == 0) revert StandingOrders_ZeroAmount();
        (settlement, _vault, badges, factory, window) = (settlement_, vault_, badges_, factory_, window_);
        (_token, _asset) = (settlement_.token(), settlement_.asset());
        // Once for all: between two calls nothing lies here that the vault could take.
        _token.forceApprove(address(vault_), type(uint256).max);
    }

    // ------------------------------------------------------------ conversions

    /// @inheritdoc IStandingOrders
    function convert(Conversion[] calldata conversions) external onlyOperator nonReentrant {
        if (Pausable(address(settlement)).paused()) revert StandingOrders_Paused();
        for (uint256 i = 0; i < conversions.length; ++i) {
            // A call hands on at most 63/64 of the gas; the rest is for what comes between here and there.
            uint256 gasNeeded = CONVERSION_GAS * 64 / 63 + 50_000;
            if (gasleft() < gasNeeded) revert StandingOrders_NeedsMoreGas(gasNeeded);
            Rule calldata rule = conversions[i].rule;
            (bool success, bytes memory reason) = _try(abi.encodeCall(this.convertOne, (conversions[i])));
            if (!success) emit NotConverted(rule.payer, rule.id, conversions[i].number, reason);
        }
    }

    /// @inheritdoc IStandingOrders
    function convertOne(Conversion calldata conversion) external {
        if (msg.sender != address(this)) revert StandingOrders_CallerNotSelf(msg.sender);
        Rule calldata rule = conversion.rule;
        _check(rule, conversion.signature);
        if (block.timestamp > conversion.deadline) revert StandingOrders_Expired(conversion.deadline);
        if (conversion.amount == 0) revert StandingOrders_ZeroAmount();
        if (conversion.destination >= rule.destinations.length) {
            revert StandingOrders_UnknownDestination(conversion.destination);
        }
        BitMaps.BitMap storage done = _converted[rule.payer][rule.id];
        if (done.get(conversion.number)) {
            revert StandingOrders_AlreadyConverted(rule.payer, rule.id, conversion.number);
        }
        done.set(conversion.number);
        _permit(rule.payer, conversion.permit);

        Destination calldata destination = rule.destinations[conversion.destination];
        bytes32 kind = keccak256(bytes(destination.kind));
        uint256 amount = conversion.amount;
        if (kind == keccak256("collectible")) amount = _priceOf(destination, amount);
        _count(rule, conversion.destination, amount);
        uint256 received = _carryOut(conversion, destination, kind, amount);
        emit Converted(rule.payer, rule.id, conversion.number, conversion.destination, amount, received);
    }

    /// @inheritdoc IStandingOrders
    function cancel(uint64 id) external {
        cancelled[msg.sender][id] = true;
        emit RuleCancelled(msg.sender, id);
    }

    /// @inheritdoc IUniswapV3SwapCallback
    /// @dev Only a listed pool, and it calls only whoever swaps in it. There is nothing here but what is being swapped.
    function uniswapV3SwapCallback(int256 amount0Delta, int256 amount1Delta, bytes calldata data) external {
        if (msg.sender != pools[abi.decode(data, (address))]) revert StandingOrders_CallerNotPool(msg.sender);
        _asset.safeTransfer(msg.sender, uint256(amount0Delta > 0 ? amount0Delta : amount1Delta));
    }

    // --------------------------------------------------------------- listings

    /// @inheritdoc IStandingOrders
    function listPool(address token, uint24 fee) external {
        if (!_hasRole(ADMIN_ROLE, msg.sender)) revert StandingOrders_CallerNotAdmin(msg.sender);
        if (pools[token] != address(0)) revert StandingOrders_PoolListed(token);
        address pool = address(factory) == address(0) ? address(0) : factory.getPool(address(_asset), token, fee);
        if (pool == address(0)) revert StandingOrders_NoPool(token);
        pools[token] = pool;
        emit PoolListed(token, pool);
    }

    /// @inheritdoc IStandingOrders
    function offer(uint256 collectible, address beneficiary, uint96 price) external onlyOperator {
        if (beneficiary == address(0)) revert StandingOrders_ZeroAddress();
        offers[collectible] = Offer(beneficiary, price);
        emit CollectibleOffered(collectible, beneficiary, price);
    }

    // ----------------------------------------------------------------- views

    /// @inheritdoc IStandingOrders
    function hashRule(Rule calldata rule) public view returns (bytes32) {
        bytes32[] memory destinations = new bytes32[](rule.destinations.length);
        for (uint256 i = 0; i < destinations.length; ++i) destinations[i] = _hash(rule.destinations[i]);
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    RULE_TYPEHASH,
                    rule.payer,
                    rule.id,
                    keccak256(bytes(rule.gather)),
                    keccak256(bytes(rule.fires)),
                    keccak256(bytes(rule.only)),
                    keccak256(abi.encodePacked(destinations)),
                    rule.perDay,
                    rule.validUntil
                )
            )
        );
    }

    /// @inheritdoc IStandingOrders
    function leastFor(address token, uint96 amount, uint16 slippage) public view returns (uint256) {
        address pool = pools[token];
        if (pool == address(0)) revert StandingOrders_NoPool(token);
        int256 tick = MeanPrice.meanTick(IUniswapV3Pool(pool), window);
        uint256 worth = MeanPrice.worth(amount, tick, address(_asset) < token);
        return worth * (slippage < WHOLE ? WHOLE - slippage : 0) / WHOLE;
    }

    /// @inheritdoc IStandingOrders
    function converted(address payer, uint64 id, uint64 number) external view returns (bool) {
        return _converted[payer][id].get(number);
    }

    /// @inheritdoc IStandingOrders
    function movedToday(address payer, uint64 id) external view returns (uint256) {
        Day memory day = _days[payer][id];
        return day.number == block.timestamp / 1 days ? day.moved : 0;
    }

    // ----------------------------------------------------------------- inner

    function _hasRole(bytes32 role, address account) private view returns (bool) {
        return IAccessControl(address(settlement)).hasRole(role, account);
    }

    function _hash(Destination calldata d) private pure returns (bytes32) {
        return keccak256(
            abi.encode(DESTINATION_TYPEHASH, keccak256(bytes(d.kind)), d.share, d.recipient, d.token, d.slippage)
        );
    }

    function _check(Rule calldata rule, bytes calldata signature) private view {
        if (block.timestamp > rule.validUntil) revert StandingOrders_Expired(rule.validUntil);
        if (cancelled[rule.payer][rule.id]) revert StandingOrders_Cancelled(rule.payer, rule.id);
        if (!SignatureCheck.isValid(rule.payer, hashRule(rule), signature)) {
            revert StandingOrders_InvalidSignature(rule.payer);
        }
    }

    /// @dev Anybody can use up a permit before us, and one is sent again with each retry: what counts is the allowance.
    function _permit(address payer, Permit calldata permit) private {
        if (permit.deadline == 0) return;
        try IERC20Permit(address(_token)).permit(
            payer, address(this), permit.value, permit.deadline, permit.v, permit.r, permit.s
        ) {} catch {}
    }

    /// @dev What has gathered is split without losing a unit, so that a destination can be some rounding above its share of a
    ///      day. The sum of all is not.
    function _count(Rule calldata rule, uint256 index, uint256 amount) private {
        _countDay(_days[rule.payer][rule.id], amount, rule.perDay);
        uint256 share = uint256(rule.perDay) * rule.destinations[index].share / WHOLE + ROUNDING;
        _countDay(_daysOf[rule.payer][rule.id][index], amount, share);
    }

    function _countDay(Day storage day, uint256 amount, uint256 limit) private {
        uint64 today = uint64(block.timestamp / 1 days);
        uint256 moved = amount + (day.number == today ? day.moved : 0);
        if (moved > limit) revert StandingOrders_ExceedsDay(moved, limit);
        (day.number, day.moved) = (today, uint128(moved)); // fits: at most the limit, of 96 bits
    }

    function _carryOut(Conversion calldata conversion, Destination calldata to, bytes32 kind, uint256 amount)
        private
        returns (uint256)
    {
        Rule calldata rule = conversion.rule;
        if (to.recipient == address(0)) revert StandingOrders_ZeroAddress();
        if (kind == keccak256("person")) return _give(rule.payer, to.recipient, amount);
        if (kind == keccak256("collectible")) return _collect(rule, conversion.number, to, amount);
        _give(rule.payer, address(this), amount);
        if (kind == keccak256("savings")) return _vault.deposit(amount, to.recipient);
        if (kind == keccak256("cash")) {
            settlement.redeem(amount, to.recipient);
            return amount;
        }
        if (kind == keccak256("swap")) return _swap(to, amount, conversion.minimum);
        revert StandingOrders_UnknownKind(to.kind);
    }

    function _give(address payer, address to, uint256 amount) private returns (uint256) {
        _token.safeTransferFrom(payer, to, amount);
        return amount;
    }

    function _priceOf(Destination calldata to, uint256 amount) private view returns (uint256) {
        uint256 collectible = uint160(to.token);
        Offer memory offered = offers[collectible];
        if (offered.price == 0 || offered.beneficiary != to.recipient) {
            revert StandingOrders_NotOffered(collectible, to.recipient);
        }
        if (amount < offered.price) revert StandingOrders_TooLittlePaid(amount, offered.price);
        return offered.price;
    }

    function _collect(Rule calldata rule, uint64 number, Destination calldata to, uint256 price)
        private
        returns (uint256)
    {
        uint256 collectible = uint160(to.token);
        _give(rule.payer, to.recipient, price);
        bytes32 milestone = keccak256(abi.encode(address(this), rule.id, number));
        if (!badges.award(rule.payer, collectible, milestone)) revert StandingOrders_AwardedBefore(collectible);
        return 1;
    }

    /// @dev Sells the reserve asset that the tokens are redeemed for. What came is what the recipient has more of.
    function _swap(Destination calldata to, uint256 amount, uint256 minimum) private returns (uint256 received) {
        uint256 least = leastFor(to.token, uint96(amount), to.slippage); // fits: it was given in 96 bits
        if (minimum > least) least = minimum;
        settlement.redeem(amount, address(this));
        uint256 before = IERC20(to.token).balanceOf(to.recipient);
        bool assetFirst = address(_asset) < to.token;
        (int256 amount0, int256 amount1) = IUniswapV3Pool(pools[to.token]).swap(
            to.recipient, assetFirst, int256(amount), assetFirst ? LOWEST : HIGHEST, abi.encode(to.token)
        );
        uint256 sold = uint256(assetFirst ? amount0 : amount1);
        if (sold != amount) revert StandingOrders_TooThin(sold, amount);
        received = IERC20(to.token).balanceOf(to.recipient) - before;
        if (received < least) revert StandingOrders_TooLittleReceived(received, least);
    }

    /// @dev Calls this contract itself. Of the reason no more is copied than is told, so that no one can make it dear.
    function _try(bytes memory data) private returns (bool success, bytes memory reason) {
        assembly ("memory-safe") {
            success := call(CONVERSION_GAS, address(), 0, add(data, 0x20), mload(data), 0, 0)
        }
        if (success) return (true, "");
        uint256 size;
        assembly ("memory-safe") {
            size := returndatasize()
        }
        reason = new bytes(size < REASON_BYTES ? size : REASON_BYTES);
        assembly ("memory-safe") {
            returndatacopy(add(reason, 0x20), 0, mload(reason))
        }
    }
}
