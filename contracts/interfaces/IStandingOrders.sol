// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IBadges} from "./IBadges.sol";
import {IGiftSettlement} from "./IGiftSettlement.sol";
import {IUniswapV3Factory, IUniswapV3SwapCallback} from "./IUniswapV3.sol";

/// @title Turns a payer's gift tokens into what she has signed for, out of her own wallet
/// @notice A payer signs a rule once: what her small change becomes, in which shares, for whom, and how much a day. She
///         gives this contract an allowance of gift tokens. From then on the hub's operator can carry the rule out, and
///         nothing else: not to another recipient, not into another asset, not in other shares, not more a day, not
///         at a price further from the market's than she allows. What fails leaves the tokens where they are: in her wallet.
/// @dev All amounts are in minor units, the gift token's unless said otherwise; shares and slippage in ten-thousandths.
///      Kinds of destination:
///      `wallet`       the tokens stay: nothing to convert;
///      `savings`      shares of the savings vault for `recipient`;
///      `swap`         `token`, bought with the reserve asset in its listed pool, for `recipient`;
///      `cash`         the reserve asset for `recipient`;
///      `person`       the gift tokens for `recipient`;
///      `collectible`  the collectible whose id is `token` as a number: its price to `recipient`, who offers it; the badge to the payer.
interface IStandingOrders is IUniswapV3SwapCallback {
    // ----------------------------------------------------------------- types

    /// @param share In ten-thousandths of what has gathered.
    /// @param slippage How far below the pool's mean price a swap may end, its fee included.
    struct Destination {
        string kind;
        uint16 share;
        address recipient;
        address token;
        uint16 slippage;
    }

    /// @notice What the payer signs (EIP-712). Source, trigger and filter are words that the hub computes by; this contract
    ///         only has them signed.
    /// @param id The payer's own number, used once for ever: what was moved and cancelled is counted by it.
    /// @param perDay The most that is moved for this rule on a day (UTC), and of it each destination its share.
    /// @param validUntil Unix seconds.
    struct Rule {
        address payer;
        uint64 id;
        string gather;
        string fires;
        string only;
        Destination[] destinations;
        uint96 perDay;
        uint64 validUntil;
    }

    /// @notice An EIP-2612 permit of the gift token for this contract. None if `deadline` is 0.
    struct Permit {
        uint256 value;
        uint256 deadline;
        uint8 v;
        bytes32 r;
        bytes32 s;
    }

    /// @param number The hub's own, running for each rule: each is carried out once.
    /// @param destination Which of the rule's.
    /// @param minimum Of what is bought, by the operator's quote. It can only make the payer's own limit stricter.
    /// @param deadline Unix seconds; after it this conversion is not carried out.
    struct Conversion {
        Rule rule;
        bytes signature;
        Permit permit;
        uint64 number;
        uint8 destination;
        uint96 amount;
        uint256 minimum;
        uint64 deadline;
    }

    // ---------------------------------------------------------------- errors

    error StandingOrders_ZeroAddress();
    error StandingOrders_CallerNotOperator(address caller);
    error StandingOrders_CallerNotAdmin(address caller);
    error StandingOrders_CallerNotSelf(address caller);
    error StandingOrders_CallerNotPool(address caller);
    /// @dev The settlement is paused: its operator's key may be in wrong hands.
    error StandingOrders_Paused();
    /// @dev With less, a conversion could run dry and look as if it had failed.
    error StandingOrders_NeedsMoreGas(uint256 gasNeeded);
    error StandingOrders_InvalidSignature(address payer);
    error StandingOrders_Expired(uint256 deadline);
    error StandingOrders_Cancelled(address payer, uint64 id);
    error StandingOrders_AlreadyConverted(address payer, uint64 id, uint64 number);
    error StandingOrders_UnknownDestination(uint8 destination);
    error StandingOrders_UnknownKind(string kind);
    error StandingOrders_ZeroAmount();
    error StandingOrders_ExceedsDay(uint256 moved, uint256 limit);
    error StandingOrders_NoPool(address token);
    error StandingOrders_PoolListed(address token);
    /// @dev The pool's liquidity ends before all is sold.
    error StandingOrders_TooThin(uint256 sold, uint256 amount);
    error StandingOrders_TooLittleReceived(uint256 received, uint256 minimum);
    error StandingOrders_NotOffered(uint256 collectible, address beneficiary);
    error StandingOrders_TooLittlePaid(uint256 amount, uint256 price);
    error StandingOrders_AwardedBefore(uint256 collectible);

    // ---------------------------------------------------------------- events

    /// @param amount Gift tokens that left the payer's wallet.
    /// @param received Of what the destination's kind is about: shares, the bought token, the reserve asset, gift tokens, badges.
    event Converted(
        address indexed payer,
        uint64 indexed id,
        uint64 indexed number,
        uint8 destination,
        uint256 amount,
        uint256 received
    );
    /// @notice The tokens are in the payer's wallet as before.
    /// @param reason The revert data's first 256 bytes.
    event NotConverted(address indexed payer, uint64 indexed id, uint64 indexed number, bytes reason);
    event RuleCancelled(address indexed payer, uint64 indexed id);
    event PoolListed(address indexed token, address pool);
    event CollectibleOffered(uint256 indexed collectible, address beneficiary, uint256 price);

    // ------------------------------------------------------------ conversions

    /// @notice Carries out each conversion by itself; one that fails is told by `NotConverted` and is no matter to the others.
    ///         The settlement's settlers only, and not while it is paused.
    function convert(Conversion[] calldata conversions) external;

    /// @notice One of them, in a frame of its own. Only for this contract itself.
    function convertOne(Conversion calldata conversion) external;

    /// @notice Ends one of the caller's rules, for ever.
    function cancel(uint64 id) external;

    // --------------------------------------------------------------- listings

    /// @notice Names the pool in which `token` is bought: Uniswap's own for the reserve asset and this fee. The settlement's
    ///         admin only, once a token: who has signed for a token knows for good in which market it is bought.
    function listPool(address token, uint24 fee) external;

    /// @notice Offers a collectible at a price in gift tokens, paid to `beneficiary`; a price of 0 takes it back. Settlers only: it
    ///         moves nothing that a payer has not signed for that beneficiary.
    function offer(uint256 collectible, address beneficiary, uint96 price) external;

    // ------------------------------------------------------------------ views

    /// @notice What a payer signs for a rule.
    function hashRule(Rule calldata rule) external view returns (bytes32 digest);

    /// @notice The least of `token` that a swap of `amount` may bring a payer who allows `slippage`: by the pool's mean price
    ///         over the last `window` seconds, which nobody can move in a moment.
    function leastFor(address token, uint96 amount, uint16 slippage) external view returns (uint256);

    function settlement() external view returns (IGiftSettlement);
    function badges() external view returns (IBadges);
    function factory() external view returns (IUniswapV3Factory);
    function window() external view returns (uint32);
    function pools(address token) external view returns (address pool);
    function offers(uint256 collectible) external view returns (address beneficiary, uint96 price);
    function cancelled(address payer, uint64 id) external view returns (bool);
    function converted(address payer, uint64 id, uint64 number) external view returns (bool);
    /// @return What was moved for a rule on the current day (UTC).
    function movedToday(address payer, uint64 id) external view returns (uint256);
}
