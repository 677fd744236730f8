"""x402 `batch-settlement` ids and digests of the same cases, computed by everybody who computes them: our contract, our
backend, and both SDKs.

A case is JSON in the SDKs' spelling, so that the npm SDK's process reads it as it stands. An answer is 0x-hex.
"""

import random
from collections.abc import Sequence
from typing import Any

from eth_account.messages import _hash_eip191_message, encode_typed_data
from web3 import Web3
from x402.mechanisms.evm.batch_settlement.authorizer_signer import sign_claim_batch, sign_refund
from x402.mechanisms.evm.batch_settlement.client.voucher import sign_voucher
from x402.mechanisms.evm.batch_settlement.types import ChannelConfig, VoucherClaim
from x402.mechanisms.evm.batch_settlement.utils import compute_channel_id

from taesan.chain.contracts import artifact
from taesan.chain.deployment import CANONICAL
from taesan.channels import vouchers
from taesan.core.crypto import Domain
from tests.support.chain import ARTIFACTS, CHAIN_ID, Chain
from tests.support.commands import run_node

Json = dict[str, Any]
Answers = dict[str, str]
"""What was asked for (`channel`, `voucher`, `refund`, `claims`) → 0x-hex."""

CHAIN_IDS = (CHAIN_ID, 1, 1337, 8453, 84532, 2**32 + 1)
MAX_CLAIMS = 5
CALLS_AT_ONCE = 200


# ---------------------------------------------------------------------- the cases


def random_cases(seed: int, count: int) -> list[Json]:
    """Every value is at an edge of its type about one time in four."""
    source = random.Random(seed)

    def number(bits: int) -> int:
        edges = (0, 1, 2**bits - 1, 2 ** (bits - 1))
        return source.choice(edges) if source.random() < 0.25 else source.getrandbits(source.randint(1, bits))

    def hexadecimal(size: int) -> str:
        return "0x" + number(8 * size).to_bytes(size, "big").hex()

    def config() -> Json:
        roles = ("payer", "payerAuthorizer", "receiver", "receiverAuthorizer", "token")
        addresses = {role: Web3.to_checksum_address(hexadecimal(20)) for role in roles}
        return addresses | {"withdrawDelay": number(40), "salt": hexadecimal(32)}

    def claim() -> Json:
        return {
            "voucher": {"channel": config(), "maxClaimableAmount": str(number(128))},
            "signature": hexadecimal(65),
            "totalClaimed": str(number(128)),
        }

    return [
        {
            "chainId": source.choice(CHAIN_IDS),
            "config": config(),
            "channelId": hexadecimal(32),
            "maxClaimableAmount": str(number(128)),
            "refund": {"nonce": str(number(256)), "amount": str(number(128))},
            "claims": [claim() for _ in range(source.randint(1, MAX_CLAIMS))],
        }
        for _ in range(count)
    ]


def differences(answers: dict[str, Sequence[Answers]]) -> list[str]:
    """Who answers otherwise than the first, in which case, to what. Who does not compute something is not asked for it."""
    (first, expected), *others = answers.items()
    return [
        f"case {number}, {what}: {value} by {name}, {case[what]} by {first}"
        for name, given in others
        for number, (case, answer) in enumerate(zip(expected, given, strict=True))
        for what, value in answer.items()
        if value != case[what]
    ]


# ------------------------------------------------------------------- our contract


def by_contract(chain: Chain, cases: Sequence[Json]) -> list[Answers]:
    """Asks the contract at its canonical address, on a chain of each case's id."""
    contract = chain.web3.eth.contract(
        address=Web3.to_checksum_address(CANONICAL["PaymentChannels"]),
        abi=artifact(ARTIFACTS, "PaymentChannels")["abi"],
    )
    answers: list[Answers] = [{} for _ in cases]
    try:
        for chain_id in CHAIN_IDS:
            chain.ask("anvil_setChainId", chain_id)
            asked = [
                (number, what, contract.encode_abi(function, arguments))
                for number, case in enumerate(cases)
                if case["chainId"] == chain_id
                for what, function, arguments in _questions(case)
            ]
            results = _call_together(chain, contract.address, [data for _, _, data in asked])
            for (number, what, _), result in zip(asked, results, strict=True):
                answers[number][what] = "0x" + result.hex()
    finally:
        chain.ask("anvil_setChainId", CHAIN_ID)
    return answers


def _questions(case: Json) -> list[tuple[str, str, list[Any]]]:
    """(what, the contract's function, its arguments)."""
    claims = [
        (
            (_tuple(claim["voucher"]["channel"]), int(claim["voucher"]["maxClaimableAmount"])),
            claim["signature"],
            int(claim["totalClaimed"]),
        )
        for claim in case["claims"]
    ]
    refund = [case["channelId"], int(case["refund"]["nonce"]), int(case["refund"]["amount"])]
    return [
        ("channel", "getChannelId", [_tuple(case["config"])]),
        ("voucher", "getVoucherDigest", [case["channelId"], int(case["maxClaimableAmount"])]),
        ("refund", "getRefundDigest", refund),
        ("claims", "getClaimBatchDigest", [claims]),
    ]


def _tuple(config: Json) -> tuple[Any, ...]:
    return tuple(config.values())


def _call_together(chain: Chain, to: str, calls: Sequence[str]) -> list[bytes]:
    multicall = chain.web3.eth.contract(
        address=Web3.to_checksum_address(CANONICAL["Multicall3"]), abi=artifact(ARTIFACTS, "Multicall3")["abi"]
    )
    results: list[bytes] = []
    for start in range(0, len(calls), CALLS_AT_ONCE):
        part = [(to, data) for data in calls[start : start + CALLS_AT_ONCE]]
        results += [bytes(data) for _, data in multicall.functions.tryAggregate(True, part).call()]
    return results


# -------------------------------------------------------------------- our backend


def by_backend(cases: Sequence[Json]) -> list[Answers]:
    """Channel ids and vouchers: refunds and claims by signature are not sent by the hub."""
    return [_backend_answer(case) for case in cases]


def _backend_answer(case: Json) -> Answers:
    domain = Domain("x402 Batch Settlement", "1", case["chainId"], CANONICAL["PaymentChannels"])
    voucher = vouchers.voucher_digest(domain, case["channelId"], int(case["maxClaimableAmount"]))
    config: Any = _tuple(case["config"])
    return {"channel": vouchers.channel_id(domain, config), "voucher": "0x" + voucher.hex()}


# ----------------------------------------------------------------------- the SDKs


class _DigestTaker:
    """Given to the SDK as a signer: its signature is the digest that it was asked to sign."""

    address = "0x" + "0" * 40

    def sign_typed_data(self, domain: Any, types: Any, primary_type: str, message: Any) -> Any:
        digest = bytes(_hash_eip191_message(encode_typed_data(domain, types, message)))
        # The client's signers give bytes, the authorizer's 0x-hex.
        return digest if primary_type == "Voucher" else "0x" + digest.hex()


def by_python_sdk(cases: Sequence[Json]) -> list[Answers]:
    """PyPI's `x402`."""
    return [_python_answer(case) for case in cases]


def _python_answer(case: Json) -> Answers:
    network, signer = f"eip155:{case['chainId']}", _DigestTaker()
    claims = [VoucherClaim.from_dict(claim) for claim in case["claims"]]
    refund = case["refund"]
    return {
        "channel": compute_channel_id(ChannelConfig.from_dict(case["config"]), case["chainId"]),
        "voucher": sign_voucher(signer, case["channelId"], case["maxClaimableAmount"], network).signature,
        "refund": sign_refund(signer, case["channelId"], refund["amount"], refund["nonce"], network),
        "claims": sign_claim_batch(signer, claims, network),
    }


def by_npm_sdk(cases: Sequence[Json]) -> list[Answers]:
    """npm's `@x402/evm`, all cases in one process."""
    return run_node("x402_digests.mjs", list(cases))
