// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC3009} from "contracts/interfaces/IERC3009.sol";
import {IGiftSettlement} from "contracts/interfaces/IGiftSettlement.sol";
import {IGiftToken} from "contracts/interfaces/IGiftToken.sol";
import {IPaymentChannels} from "contracts/interfaces/IPaymentChannels.sol";
import {Random} from "./Random.sol";
import {Signing} from "./Signing.sol";
import {Villain} from "./Villain.sol";
import {vm} from "./Vm.sol";
import {Why} from "./Why.sol";

/// @dev What `GiftSettlement` has beyond its own interface, from OpenZeppelin.
interface ISettlement is IGiftSettlement {
    function paused() external view returns (bool);
    function grantRole(bytes32 role, address account) external;
    function SETTLER_ROLE() external view returns (bytes32);
    function multicall(bytes[] calldata calls) external returns (bytes[] memory results);
}

/// @dev contracts/mocks/TrickToken.sol
interface ITrickToken is IERC20, IERC3009 {
    function mint(address account, uint256 amount) external;
    function setFee(uint256 bps) external;
    function setHook(address target, bytes calldata data) external;
    function setHookBefore(address target, bytes calldata data) external;
}

/// @title The contracts, the people, and the ghosts: what the contracts should hold, and what was ever signed and promised
abstract contract World is Random {
    using Signing for Signing.Signature;

    // -------------------------------------------------------------- contracts

    IPaymentChannels internal channels;
    ISettlement internal settlement;
    IGiftToken internal gift;
    /// @dev The reserve asset. It can call back in the middle of a transfer; the fee is `trick`'s alone.
    ITrickToken internal dollar;
    ITrickToken internal trick;
    address internal collector;
    Villain internal villain;
    /// @dev An ERC-1271 wallet that pays.
    address internal wallet;

    // ----------------------------------------------------------------- people

    address internal admin;
    address internal settler;
    address internal sponsor;
    address internal stranger;
    address internal shop; // a receiver besides the settlement contract
    address internal hubAuthorizer;
    address internal shopAuthorizer;
    /// @dev The first are entitled by settlements, the last two are the settlement contract and the villain.
    address[] internal holders;
    address[] internal merchants;
    mapping(address account => uint256 key) internal keyOf;
    uint256 internal constant ENTITLED_HOLDERS = 6;

    // ----------------------------------------------------- ghosts of channels

    struct Channel {
        IPaymentChannels.ChannelConfig config;
        bytes32 id;
        uint256 key; // signs the vouchers; 0: nobody has it
        bool packable; // its signer is a key pair
        // what the contract should hold
        uint128 balance;
        uint128 claimed;
        uint128 pending;
        uint40 announcedAt;
        uint256 refundNonce;
        // what happened
        uint128[] vouchers;
        uint128 signed; // the most that was ever signed
        uint256 paid; // what left it for its receiver
        uint256[] salts; // of its deposits' authorisations
    }

    struct Waiting {
        uint128 claimed;
        uint128 settled;
    }

    Channel[] internal pool;
    mapping(address receiver => mapping(address token => Waiting)) internal waiting;
    address[] internal receiversSeen;
    uint256 internal trickFee;
    uint256 internal nextSalt = 1;

    // --------------------------------------------------- ghosts of settlement

    struct Settled {
        bytes32 root;
        bytes32[4] leaves;
        address[4] accounts;
        uint96[4] cumulative;
        bytes32 payments;
    }

    struct GiftUse {
        address holder;
        address merchant;
        uint256 amount;
        bytes32 salt;
    }

    Settled[] internal settled; // batch n stands at n - 1
    mapping(address account => uint256) internal minted;
    mapping(address account => uint256) internal entitled; // the most that a settled batch ever promised it
    mapping(address account => uint256) internal giftOf;
    mapping(address merchant => uint256) internal creditOf;
    mapping(uint256 day => uint256) internal owedOn;
    uint256 internal supply;
    uint256 internal unclaimed;
    uint256 internal liabilities;
    uint256 internal entitledEver;
    uint256 internal mintedEver;
    uint96 internal batchLimit = 5_000e6;
    uint96 internal dayLimit = 12_000e6;
    bool internal paused;
    GiftUse[] internal giftUses;

    // ------------------------------------------------------------- and of both

    mapping(address account => uint256) internal dollarsOf;
    uint256 internal clock = 1_800_000_000;

    // ------------------------------------------------------------------ tally

    mapping(bytes32 action => mapping(bytes32 why => uint256)) private _tally;
    bytes32[2][] private _tallied;

    // ------------------------------------------------------------------ set-up

    constructor() {
        vm.warp(clock);
        admin = _person("admin");
        settler = _person("settler");
        sponsor = _person("sponsor");
        stranger = _person("stranger");
        shop = _person("shop");
        hubAuthorizer = _person("hub's authorizer");
        shopAuthorizer = _person("shop's authorizer");

        dollar = ITrickToken(_deploy("TrickToken", ""));
        trick = ITrickToken(_deploy("TrickToken", ""));
        channels = IPaymentChannels(_deploy("PaymentChannels", ""));
        collector = _deploy("ERC3009DepositCollector", abi.encode(channels));
        settlement = ISettlement(
            _deploy(
                "GiftSettlement",
                abi.encode(dollar, channels, admin, settler, batchLimit, dayLimit, "Gift Token", "GIFT")
            )
        );
        gift = settlement.token();
        villain = new Villain();
        // It has come by a settler's key, or rather is a settler's contract: what it can do with that is bounded.
        bytes32 role = settlement.SETTLER_ROLE();
        vm.prank(admin);
        settlement.grantRole(role, address(villain));

        for (uint256 i = 0; i < 3; ++i) holders.push(_person(string.concat("payer ", vm.toString(i))));
        uint256 owner = _key("owner of the wallet");
        keyOf[vm.addr(owner)] = owner;
        wallet = _deploy("ContractWallet", abi.encode(vm.addr(owner)));
        keyOf[wallet] = owner;
        holders.push(wallet);
        holders.push(_person("friend"));
        holders.push(address(villain)); // the last of the entitled
        for (uint256 i = 0; i < 3; ++i) merchants.push(_person(string.concat("merchant ", vm.toString(i))));
        merchants.push(address(villain));
        for (uint256 i = 0; i < 3; ++i) holders.push(merchants[i]);
        holders.push(address(settlement));

        receiversSeen.push(address(settlement));
        receiversSeen.push(shop);
        receiversSeen.push(address(villain));
        _openPool();
    }

    function _openPool() private {
        address hub = address(settlement);
        address owner = vm.addr(keyOf[wallet]);
        // The first half pays the hub in dollars, in all ways to authorise it.
        _add(holders[0], _person("hot key 0"), hub, address(0), dollar, 15 minutes);
        _add(holders[0], _person("hot key 0"), hub, address(0), dollar, 1 days);
        _add(holders[1], _person("hot key 1"), hub, hubAuthorizer, dollar, 15 minutes);
        _add(holders[1], _person("hot key 1"), hub, hubAuthorizer, dollar, 30 days);
        _add(holders[2], address(0), hub, address(0), dollar, 1 days);
        _add(holders[2], holders[2], hub, hubAuthorizer, dollar, 15 minutes);
        _add(wallet, address(0), hub, hubAuthorizer, dollar, 15 minutes);
        _add(wallet, owner, hub, address(0), dollar, 15 minutes);
        // Elsewhere, or in another token.
        _add(holders[0], _person("hot key 0"), shop, shopAuthorizer, dollar, 15 minutes);
        _add(holders[1], address(0), shop, address(0), dollar, 1 days);
        _add(holders[2], _person("hot key 2"), shop, hub, dollar, 15 minutes);
        _add(holders[0], _person("hot key 0"), hub, hubAuthorizer, trick, 15 minutes);
        _add(holders[1], _person("hot key 1"), shop, shopAuthorizer, trick, 15 minutes);
        _add(holders[2], _person("hot key 2"), address(villain), address(0), trick, 15 minutes);
        _add(holders[2], address(0), address(villain), shopAuthorizer, dollar, 15 minutes);
        // Hot keys that nobody has: what a failed recovery could be mistaken for.
        _add(holders[0], address(27), hub, address(0), dollar, 15 minutes);
        _add(holders[1], address(28), hub, address(0), dollar, 15 minutes);
    }

    function _add(
        address payer, address authorizer, address receiver, address receiverAuthorizer, ITrickToken token, uint40 delay
    ) private {
        Channel storage channel = pool.push();
        channel.config = IPaymentChannels.ChannelConfig(
            payer, authorizer, receiver, receiverAuthorizer, address(token), delay, bytes32(pool.length)
        );
        channel.id = Signing.channelId(Signing.channelsDomain(address(channels)), channel.config);
        address signer = authorizer == address(0) ? payer : authorizer;
        channel.key = keyOf[signer];
        channel.packable = channel.key != 0 && vm.addr(channel.key) == signer;
    }

    function _person(string memory name) private returns (address account) {
        uint256 key = _key(name);
        account = vm.addr(key);
        keyOf[account] = key;
    }

    function _key(string memory name) internal pure returns (uint256) {
        return uint256(keccak256(bytes(name))) >> 1;
    }

    /// @dev From what Brownie compiled; a mutant's folder has its own.
    function _deploy(string memory name, bytes memory arguments) private returns (address deployed) {
        string memory folder = vm.envOr("INVARIANTS_CONTRACTS", "build/contracts");
        string memory artifact = vm.readFile(string.concat(folder, "/", name, ".json"));
        string memory code = vm.parseJsonString(artifact, ".bytecode");
        bytes memory creation = bytes.concat(vm.parseBytes(string.concat("0x", code)), arguments);
        assembly ("memory-safe") {
            deployed := create(0, add(creation, 0x20), mload(creation))
        }
        require(deployed != address(0), string.concat("cannot deploy ", name));
    }

    // ------------------------------------------------------------------ calls

    /// @dev Every action starts so: forge need not keep the clock from call to call.
    modifier action(uint256 seed) {
        vm.warp(clock);
        _seed(seed);
        _;
    }

    function _advance(uint256 to) internal {
        if (to > clock) clock = to;
        vm.warp(clock);
    }

    function _call(address from, address target, bytes memory data) internal returns (bool success, bytes memory result) {
        vm.prank(from);
        (success, result) = target.call(data);
    }

    /// @dev As `_call`, with the outcome that the ghosts foresee.
    /// @param why It has to be refused, or `Why.NOT_REFUSED`.
    function _expect(bytes32 name, bytes32 why, address from, address target, bytes memory data)
        internal
        returns (bytes memory result)
    {
        bool success;
        (success, result) = _call(from, target, data);
        _outcome(name, why, success, result);
    }

    function _outcome(bytes32 name, bytes32 why, bool success, bytes memory result) internal {
        if (success && why != Why.NOT_REFUSED) {
            revert(string.concat(_text(name), ": went through, but had to be refused: ", _text(why)));
        }
        if (!success && why == Why.NOT_REFUSED) {
            revert(string.concat(_text(name), ": refused, but had to go through: ", vm.toString(result)));
        }
        if (_tally[name][why]++ == 0) _tallied.push([name, why]);
    }

    /// @dev Adds to the campaign's count, which the runner sums up: a line for each action and outcome of this run.
    function _writeTally(string memory path) internal {
        for (uint256 i = 0; i < _tallied.length; ++i) {
            (bytes32 name, bytes32 why) = (_tallied[i][0], _tallied[i][1]);
            string memory count = vm.toString(_tally[name][why]);
            vm.writeLine(path, string.concat(_text(name), "|", _text(why), "|", count));
        }
    }

    function _text(bytes32 word) private pure returns (string memory) {
        uint256 length;
        while (length < 32 && word[length] != 0) ++length;
        bytes memory text = new bytes(length);
        for (uint256 i = 0; i < length; ++i) text[i] = word[i];
        return string(text);
    }

    // ----------------------------------------------------------------- ghosts

    function _available(Channel storage channel) internal view returns (uint128) {
        return channel.balance - channel.claimed;
    }

    /// @dev The real token's move is the contracts' business: here it is what should have happened.
    function _moveDollars(address from, address to, uint256 amount) internal {
        dollarsOf[from] -= amount;
        dollarsOf[to] += amount;
    }

    function _giveDollars(address to, uint256 amount) internal {
        dollar.mint(to, amount);
        dollarsOf[to] += amount;
    }

    function _moveGift(address from, address to, uint256 amount) internal {
        giftOf[from] -= amount;
        giftOf[to] += amount;
    }

    /// @dev A channel's money goes back to its payer.
    function _giveBack(Channel storage channel, uint128 amount) internal {
        channel.balance -= amount;
        if (channel.config.token == address(dollar)) _moveDollars(address(channels), channel.config.payer, amount);
    }

    function _domain() internal view returns (bytes32) {
        return Signing.channelsDomain(address(channels));
    }

    /// @dev A channel that pays the hub in dollars, or, one time in three, any at all.
    function _anyChannel() internal returns (Channel storage) {
        return pool[_below(_oneIn(3) ? pool.length : 8)];
    }

    /// @dev One with something unclaimed, if one turns up in a few tries.
    function _fullChannel() internal returns (Channel storage channel) {
        channel = _anyChannel();
        for (uint256 i = 0; i < 4 && channel.balance == channel.claimed; ++i) channel = _anyChannel();
    }

    function _anyHolder() internal returns (address) {
        return holders[_below(holders.length)];
    }

    function _anyMerchant() internal returns (address) {
        return merchants[_below(merchants.length)];
    }
}
