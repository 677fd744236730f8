"""Breaks the contracts on purpose, one check at a time, and asks whether the invariants notice.

`make mutants` runs it; see README.md beside this file. A mutant is a replacement in the source and a sentence that says
which promise it breaks. It is compiled with the settings of the deployed contracts, into a folder of its own, and one
campaign with a fixed seed runs against it. What the campaign does not notice, the suite does not protect.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from run import BUILD, ROOT, Campaign, compile_suite

DEPLOYED = ["PaymentChannels", "GiftSettlement", "ERC3009DepositCollector", "TrickToken", "ContractWallet"]
"""What the suite deploys. The gift token is within the settlement contract."""

SEED = 20_260_101
WORST_SHARE = 14 / 15

Edit = tuple[str, str, str]
"""File in contracts/, the text there, the text instead."""


@dataclass(frozen=True)
class Mutant:
    breaks: str
    edits: tuple[Edit, ...]

    def sources(self) -> dict[str, str]:
        """The changed files. A text that is not there exactly once is an error: the mutant would break nothing."""
        changed: dict[str, str] = {}
        for file, old, new in self.edits:
            path = f"contracts/{file}.sol"
            source = changed.get(path) or (ROOT / path).read_text()
            if source.count(old) != 1:
                sys.exit(f"{self.breaks}: {source.count(old)} times in {path}, not once:\n{old}")
            changed[path] = source.replace(old, new)
        return changed


def mutant(breaks: str, file: str, *texts: str) -> Mutant:
    """`texts` are old, new, old, new, … within one file."""
    return Mutant(breaks, tuple((file, old, new) for old, new in zip(texts[::2], texts[1::2], strict=True)))


# --------------------------------------------------------------------- the mutants

CHANNELS, PACKED, SETTLEMENT, TOKEN = "PaymentChannels", "PackedClaims", "GiftSettlement", "GiftToken"

MUTANTS = [
    # ------------------------------------------------------------ packed claims
    mutant(
        "packed: anybody's signature will do (signer not in the state's key)",
        PACKED,
        "keccak256(abi.encode(signer, payee, channelId))",
        "keccak256(abi.encode(signer == address(0), payee, channelId))",
        "mstore(0x20, payee)",
        "mstore(0x00, 0)\n                mstore(0x20, payee)",
    ),
    mutant(
        "packed: any receiver claims any channel (payee not in the state's key)",
        PACKED,
        "keccak256(abi.encode(signer, payee, channelId))",
        "keccak256(abi.encode(signer, payee == 0, channelId))",
        "mstore(0x20, payee)",
        "mstore(0x20, 0)",
    ),
    mutant(
        "packed: any token is paid out for any other (token not in the payee)",
        PACKED,
        "keccak256(abi.encode(receiver, token))",
        "keccak256(abi.encode(receiver, token == address(0)))",
    ),
    mutant(
        "packed: what should stay unclaimed is claimed too",
        PACKED,
        "sub(shr(shift, total), shr(shift, shl(sub(256, shift), total)))",
        "shr(shift, total)",
    ),
    mutant(
        "packed: more than the deposit can be claimed",
        PACKED,
        "if or(iszero(gt(total, before)), gt(total, and(state, LOWER_HALF))) {",
        "if iszero(gt(total, before)) {",
    ),
    mutant(
        "packed: an older voucher takes a claim back",
        PACKED,
        "if or(iszero(gt(total, before)), gt(total, and(state, LOWER_HALF))) {",
        "if gt(total, and(state, LOWER_HALF)) {",
    ),
    mutant(
        "packed: a failed recovery leaves v where the signer belongs",
        PACKED,
        "pop(staticcall(gas(), 1, 0x00, 0x80, 0x00, 0x20))",
        "pop(staticcall(gas(), 1, 0x00, 0x80, 0x20, 0x20))\n                mstore(0x00, mload(0x20))",
    ),
    mutant(
        "packed: the state is written without its balance",
        PACKED,
        "sstore(slot, or(and(state, LOWER_HALF), shl(128, total)))",
        "sstore(slot, shl(128, total))",
    ),
    mutant(
        "packed: a skipped entry is paid all the same",
        PACKED,
        "total := before // and so nothing changes",
        "",
    ),
    mutant("packed: amounts may have more than 128 bits", PACKED, " || width > 16", ""),
    mutant("packed: rests of entries are accepted", PACKED, " || (claims.length - 1) % size != 0", ""),
    mutant(
        "packed: the wrong entries are reported as skipped",
        PACKED,
        "mstore(note, div(sub(mload(note), claims.offset), size))",
        "mstore(note, add(1, div(sub(mload(note), claims.offset), size)))",
    ),
    mutant(
        "packed: another chain's vouchers count after a fork (domain kept)",
        CHANNELS,
        'constructor() EIP712("x402 Batch Settlement", "1") {}',
        'bytes32 private immutable _kept;\n    constructor() EIP712("x402 Batch Settlement", "1") { _kept = _domainSeparatorV4(); }',
        "PackedClaims.claimAll(claims, _domainSeparatorV4(),",
        "PackedClaims.claimAll(claims, _kept,",
    ),
    mutant(
        "packed: what was paid out at once waits to be paid again",
        CHANNELS,
        "if (amount != 0) IERC20(token).safeTransfer(msg.sender, amount);",
        "if (amount != 0) IERC20(token).safeTransfer(msg.sender, amount);\n"
        "        receivers[msg.sender][token].totalClaimed += uint128(amount);",
    ),
    # -------------------------------------------------------------- open claims
    mutant(
        "claim: no signature is needed",
        CHANNELS,
        "if (!_isVoucherSignature(config, getVoucherDigest(channelId, maxClaimableAmount), voucherClaim.signature)) {",
        "if (false) {",
    ),
    mutant("claim: more than the voucher says", CHANNELS, "if (totalClaimed > maxClaimableAmount) {", "if (false) {"),
    mutant(
        "claim: more than the deposit",
        CHANNELS,
        "if (totalClaimed > balance) revert PaymentChannels_ClaimExceedsBalance(channelId, totalClaimed, balance);",
        "",
    ),
    mutant(
        "claim: a repeated claim is not passed over",
        CHANNELS,
        "if (totalClaimed <= claimedBefore) return;",
        "if (totalClaimed < claimedBefore) return;\n        if (totalClaimed == claimedBefore) revert PaymentChannels_ZeroAmount();",
    ),
    mutant(
        "claim: the whole is credited again, not the difference",
        CHANNELS,
        "uint128 amount = totalClaimed - claimedBefore;",
        "uint128 amount = totalClaimed;",
    ),
    mutant(
        "claim: strangers may claim and refund",
        CHANNELS,
        "if (msg.sender != config.receiver && msg.sender != config.receiverAuthorizer) {",
        "if (false) {",
    ),
    mutant(
        "claim by signature: others' channels ride along",
        CHANNELS,
        "if (voucherClaims[i].voucher.channel.receiverAuthorizer != authorizer) {",
        "if (false) {",
    ),
    mutant(
        "claim by signature: the authorizer need not sign",
        CHANNELS,
        "if (authorizer == address(0) || !SignatureCheck.isValid(authorizer, digest, authorizerSignature)) {",
        "if (authorizer == address(0)) {",
    ),
    mutant(
        "claim: the payer's wallet is not asked",
        "SignatureCheck",
        "return success && result.length >= 32\n"
        "            && abi.decode(result, (bytes32)) == bytes32(IERC1271.isValidSignature.selector);",
        "return success;",
    ),
    mutant("settle: a receiver is paid again and again", CHANNELS, "state.totalSettled += amount;", ""),
    # ---------------------------------------------------------------- deposits
    mutant(
        "deposit: what was announced is credited, not what arrived",
        CHANNELS,
        "uint128 received = SafeCast.toUint128(token.balanceOf(address(this)) - balanceBefore);",
        "uint128 received = token.balanceOf(address(this)) == balanceBefore ? 0 : amount;",
    ),
    mutant(
        "deposit: a deposit inside another is counted twice",
        CHANNELS,
        "collector, bytes calldata collectorData)\n        external\n        nonReentrant",
        "collector, bytes calldata collectorData)\n        external",
    ),
    mutant(
        "deposit: a second one replaces the first",
        CHANNELS,
        "channel.balance = balance + received;",
        "channel.balance = received > channel.totalClaimed ? received : balance;",
    ),
    mutant(
        "deposit: anybody spends a payer's authorisation past the channels",
        "ERC3009DepositCollector",
        "if (msg.sender != channels) revert DepositCollector_CallerNotChannels(msg.sender);",
        "",
    ),
    mutant(
        "deposit: the authorisation does not name its channel",
        "ERC3009DepositCollector",
        "bytes32 nonce = keccak256(abi.encode(channelId, salt));",
        "bytes32 nonce = keccak256(abi.encode(salt));",
    ),
    mutant(
        "ERC-3009: an authorisation can be used again",
        "ERC3009",
        "_authorizationUsed[authorizer][nonce] = true;",
        "",
    ),
    mutant(
        "ERC-3009: an authorisation never ends",
        "ERC3009",
        "if (block.timestamp >= validBefore) revert ERC3009_Expired(validBefore);",
        "",
    ),
    mutant(
        "ERC-3009: anybody takes a payment in the payee's place",
        "ERC3009",
        "if (msg.sender != payee) revert ERC3009_CallerNotPayee(msg.sender, payee);",
        "",
    ),
    # --------------------------------------------------- withdrawals and refunds
    mutant(
        "withdraw: no delay, so that vouchers on their way lose their cover",
        CHANNELS,
        "if (block.timestamp < finalizableAt) revert PaymentChannels_WithdrawDelayNotOver(channelId, finalizableAt);",
        "",
    ),
    mutant(
        "withdraw: a second late, the delay is over for nobody",
        CHANNELS,
        "if (block.timestamp < finalizableAt)",
        "if (block.timestamp <= finalizableAt)",
    ),
    mutant(
        "withdraw: what was announced is paid, though claimed meanwhile",
        CHANNELS,
        "uint128 amount = pending.amount < available ? pending.amount : available;",
        "uint128 amount = pending.amount < channel.balance ? pending.amount : channel.balance;",
    ),
    mutant(
        "withdraw: one announcement pays again and again",
        CHANNELS,
        "delete pendingWithdrawals[channelId];\n        Pac",
        "Pac",
    ),
    mutant(
        "withdraw: strangers announce for the payer",
        CHANNELS,
        "if (msg.sender != config.payer) revert PaymentChannels_CallerNotPayer(channelId, msg.sender);",
        "",
    ),
    mutant(
        "refund: the same money stays announced for withdrawal",
        CHANNELS,
        "if (pendingAmount != 0) {\n            if (pendingAmount",
        "if (false) {\n            if (pendingAmount",
    ),
    mutant("refund: claimed money is given back", CHANNELS, "if (amount > available) amount = available;", ""),
    mutant("refund: a signature can be used again", CHANNELS, "refundNonce[channelId] = nonce + 1;", ""),
    # ---------------------------------------------------------------- settlement
    mutant(
        "settle: anybody settles",
        SETTLEMENT,
        "        external\n        onlyRole(SETTLER_ROLE)\n        whenNotPaused\n    {",
        "        external\n        whenNotPaused\n    {",
    ),
    mutant(
        "settle: a pause does not stop it",
        SETTLEMENT,
        "        onlyRole(SETTLER_ROLE)\n        whenNotPaused\n    {",
        "        onlyRole(SETTLER_ROLE)\n    {",
    ),
    mutant(
        "settle: a batch settles twice",
        SETTLEMENT,
        "if (batch.id < expected) revert GiftSettlement_AlreadySettled(batch.id);",
        "",
    ),
    mutant(
        "settle: batches may be left out",
        SETTLEMENT,
        "if (batch.id > expected) revert GiftSettlement_BatchOutOfOrder(batch.id, expected);",
        "",
    ),
    mutant(
        "settle: more is owed than the reserve holds",
        SETTLEMENT,
        "if (reserve < owed) revert GiftSettlement_Insolvent(reserve, owed);",
        "",
    ),
    mutant(
        "settle: what holders are entitled to is not a liability",
        SETTLEMENT,
        "uint256 value = _credit(batch.credits) + batch.entitled;",
        "uint256 value = _credit(batch.credits);",
    ),
    mutant(
        "settle: what is minted with a batch is not taken from what was set aside",
        SETTLEMENT,
        "_takeFromUnclaimed(token.mintUpTo(mints));",
        "token.mintUpTo(mints);",
    ),
    mutant(
        "settle: no limit to a batch",
        SETTLEMENT,
        "if (value > perBatch) revert GiftSettlement_ExceedsBatchLimit(value, perBatch);",
        "",
    ),
    mutant(
        "settle: no limit to a day",
        SETTLEMENT,
        "if (owedToday > perDay) revert GiftSettlement_ExceedsDayLimit(owedToday, perDay);",
        "",
    ),
    mutant(
        "settle: the day's count starts anew with each batch",
        SETTLEMENT,
        "(today == before >> 96 ? uint96(before) : 0)",
        "(today != before >> 96 ? uint96(before) : 0)",
    ),
    mutant("settle: the root is not kept", SETTLEMENT, "batches[batch.id] = batch.root;", ""),
    # -------------------------------------------------------------- entitlements
    mutant(
        "claim: a forged proof mints",
        SETTLEMENT,
        "if (!MerkleProof.verifyCalldata(proof, batches[batchId], _leaf(account, cumulative))) {",
        "if (false) {",
    ),
    mutant(
        "claim many: a forged proof mints",
        SETTLEMENT,
        "if (MerkleProof.processMultiProofCalldata(proof, proofFlags, leaves) != batches[batchId]) {",
        "if (MerkleProof.processMultiProofCalldata(proof, proofFlags, leaves) == 0) {",
    ),
    mutant(
        "claim: a false root mints more than was set aside",
        SETTLEMENT,
        "if (minted > unclaimedBefore) revert GiftSettlement_ExceedsEntitled(minted, unclaimedBefore);",
        "if (minted > unclaimedBefore) minted = unclaimedBefore;",
    ),
    mutant(
        "claim: what is claimed stays set aside",
        SETTLEMENT,
        "_totals.unclaimed = uint96(unclaimedBefore - minted); // fits: less than before",
        "",
    ),
    mutant(
        "mint: the whole entitlement again, not the difference",
        TOKEN,
        "let amount := sub(cumulative, shr(128, state))",
        "let amount := cumulative",
    ),
    mutant(
        "mint: what was minted is not remembered (packing)",
        TOKEN,
        "sstore(holder, add(state, or(shl(128, amount), amount)))",
        "sstore(holder, add(state, amount))",
    ),
    mutant(
        "mint: anybody mints",
        TOKEN,
        "external onlyMinter returns (uint256 minted) {",
        "external returns (uint256 minted) {",
    ),
    mutant("burn: anybody burns", TOKEN, "uint256 amount) external onlyMinter {", "uint256 amount) external {"),
    mutant(
        "transfer: more than is held",
        TOKEN,
        "if (balance < value) revert ERC20InsufficientBalance(from, balance, value);",
        "",
    ),
    # --------------------------------------------------------- redeem and payout
    mutant("redeem: nothing is burned", SETTLEMENT, "token.burn(msg.sender, amount);", ""),
    mutant(
        "redeem: a pause stops holders",
        SETTLEMENT,
        "function redeem(uint256 amount, address to) external nonReentrant {",
        "function redeem(uint256 amount, address to) external nonReentrant whenNotPaused {",
    ),
    mutant(
        "redeem: the token's caller comes back in",
        SETTLEMENT,
        "function redeem(uint256 amount, address to) external nonReentrant {",
        "function redeem(uint256 amount, address to) external {",
    ),
    mutant(
        "redeem by signature: the authorisation does not name its merchant",
        SETTLEMENT,
        "bytes32 nonce = keccak256(abi.encode(merchant, salt));",
        "bytes32 nonce = keccak256(abi.encode(salt));",
    ),
    mutant("redeem by signature: nothing is burned", SETTLEMENT, "token.burn(address(this), amount);", ""),
    mutant("payout: liabilities stay", SETTLEMENT, "_totals.liabilities -= SafeCast.toUint96(amount);", ""),
    mutant(
        "payout: its liability is gone before the money is, for whoever settles in between",
        SETTLEMENT,
        "asset.safeTransfer(to, amount);\n        _totals.liabilities -= SafeCast.toUint96(amount);",
        "_totals.liabilities -= SafeCast.toUint96(amount);\n        asset.safeTransfer(to, amount);",
    ),
    mutant("payout: a credit can be withdrawn again", SETTLEMENT, "credits[merchant] = credit - amount;", ""),
    mutant(
        "payout: strangers decide when a merchant is paid",
        SETTLEMENT,
        "if (msg.sender != merchant && !hasRole(SETTLER_ROLE, msg.sender)) {",
        "if (false) {",
    ),
    mutant(
        "unpause: whoever can stop the hub can set it going",
        SETTLEMENT,
        "function unpause() external onlyRole(DEFAULT_ADMIN_ROLE) {",
        "function unpause() external onlyRole(PAUSER_ROLE) {",
    ),
    mutant(
        "limits: the settler sets its own",
        SETTLEMENT,
        "function setLimits(uint96 perBatch, uint96 perDay) external onlyRole(DEFAULT_ADMIN_ROLE) {",
        "function setLimits(uint96 perBatch, uint96 perDay) external onlyRole(SETTLER_ROLE) {",
    ),
]


# ------------------------------------------------------------------------ compile


def artifact(name: str) -> dict[str, Any]:
    """What Brownie made of a contract."""
    found: dict[str, Any] = json.loads((ROOT / "build" / "contracts" / f"{name}.json").read_text())
    return found


def compile_changed(sources: dict[str, str], artifacts: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Creation code of the deployed contracts that the changed files have a part in."""
    affected = [name for name in DEPLOYED if sources.keys() & made_of(artifacts[name])]
    if not affected:
        sys.exit(f"no deployed contract is made of {list(sources)}")
    paths = {artifacts[name]["sourcePath"]: name for name in affected}
    compiler = artifacts[affected[0]]["compiler"]
    request = {
        "language": "Solidity",
        "sources": {path: {"content": sources.get(path) or (ROOT / path).read_text()} for path in {*paths, *sources}},
        "settings": {
            "evmVersion": compiler["evm_version"],
            "optimizer": compiler["optimizer"],
            "viaIR": True,  # Brownie does not note it; `check_settings` would notice another
            "remappings": ["@openzeppelin=node_modules/@openzeppelin"],
            "outputSelection": {path: {name: ["evm.bytecode.object"]} for path, name in paths.items()},
        },
    }
    solc = ROOT / "scripts" / "solc" / "solc-v0.8.37"
    process = subprocess.run(
        [solc, "--standard-json"], input=json.dumps(request), cwd=ROOT, capture_output=True, text=True, check=True
    )
    answer = json.loads(process.stdout)
    errors = [error["formattedMessage"] for error in answer.get("errors", ()) if error["severity"] == "error"]
    if errors:
        raise ValueError(errors[0])
    return {name: answer["contracts"][path][name]["evm"]["bytecode"]["object"] for path, name in paths.items()}


def made_of(contract: dict[str, Any]) -> set[str]:
    """The files that a contract's code comes from, those of contracts that it creates too."""
    paths = set(contract["allSourcePaths"].values())
    return paths | (made_of(artifact("GiftToken")) if contract["contractName"] == "GiftSettlement" else set())


def check_settings(artifacts: dict[str, dict[str, Any]]) -> None:
    """Unchanged sources have to give the deployed code, or the mutants would differ in more than their mutation."""
    path = "contracts/PaymentChannels.sol"
    code = compile_changed({path: (ROOT / path).read_text()}, artifacts)["PaymentChannels"]
    deployed = artifacts["PaymentChannels"]["bytecode"]
    without_metadata = len(deployed) - 2 * 53
    if code[:without_metadata] != deployed[:without_metadata]:
        sys.exit("compiled here, PaymentChannels is not what Brownie compiled: are the settings the same?")


# ---------------------------------------------------------------------------- run


@dataclass
class Verdict:
    mutant: Mutant
    killed: bool
    by: str
    calls: int


def judge(number: int, each: Mutant, options: argparse.Namespace, artifacts: dict[str, dict[str, Any]]) -> Verdict:
    folder = BUILD / "mutants" / str(number)
    folder.mkdir(parents=True)
    try:
        codes = {name: artifacts[name]["bytecode"] for name in DEPLOYED} | compile_changed(each.sources(), artifacts)
    except ValueError as error:
        return Verdict(each, False, f"does not compile: {error}", 0)
    for name, code in codes.items():
        (folder / f"{name}.json").write_text(json.dumps({"bytecode": code}))
    campaign = Campaign(
        options.seed,
        options.runs,
        options.depth,
        contracts=str(folder.relative_to(ROOT)),
        shrinks=False,
        name=f"mutant-{number}",
    ).run()
    if campaign.passed:
        return Verdict(each, False, f"not noticed in {campaign.calls:,} calls", campaign.calls)
    broken = "invariant_promises" not in campaign.output or "setUp()" in campaign.output
    return Verdict(each, not broken, campaign.output[-500:] if broken else campaign.reason, campaign.calls)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="mutants whose sentence contains this")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--depth", type=int, default=500)
    options = parser.parse_args()

    chosen = [each for each in MUTANTS if options.only in each.breaks]
    for each in chosen:
        each.sources()  # all of them before the first is compiled
    shutil.rmtree(BUILD / "mutants", ignore_errors=True)
    artifacts = {name: artifact(name) for name in DEPLOYED}
    compile_suite()
    check_settings(artifacts)
    started = time.monotonic()
    killed = 0
    with ThreadPoolExecutor(2) as pool:
        verdicts = pool.map(lambda pair: judge(*pair, options, artifacts), enumerate(chosen))
        for verdict in verdicts:
            killed += verdict.killed
            print(
                f"{'killed  ' if verdict.killed else 'SURVIVED'}  {verdict.mutant.breaks}\n            {verdict.by}",
                flush=True,
            )
    share = killed / len(chosen) if chosen else 0
    print(f"\n{killed} of {len(chosen)} mutants killed in {time.monotonic() - started:.0f} s, seed {options.seed}")
    return 0 if share >= WORST_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
