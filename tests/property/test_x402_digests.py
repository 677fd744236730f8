"""Four who compute x402's ids and digests, and never a difference between them."""

import copy
import os
import secrets
from collections import Counter

import pytest
from x402.mechanisms.evm.batch_settlement.client import voucher as sdk_voucher

from tests.support.chain import Chain
from tests.support.digests import (
    CHAIN_IDS,
    MAX_CLAIMS,
    by_backend,
    by_contract,
    by_npm_sdk,
    by_python_sdk,
    differences,
    random_cases,
)
from tests.support.examples import examples

CASES = examples(250)


def test_contract_backend_and_both_sdks_agree_in_every_case(chain: Chain) -> None:
    seed = int(os.environ.get("TAESAN_TEST_SEED") or secrets.randbits(32))
    cases = random_cases(seed, CASES)
    answers = {
        "contract": by_contract(chain, cases),
        "backend": by_backend(cases),
        "PyPI x402": by_python_sdk(cases),
        "npm @x402/evm": by_npm_sdk(cases),
    }
    found = differences(answers)
    compared = Counter(what for given in answers.values() for answer in given for what in answer)
    print(f"x402 digests: {CASES:,} cases, {len(found)} differences {dict(compared)} (TAESAN_TEST_SEED={seed})")  # noqa: T201
    assert not found, (f"TAESAN_TEST_SEED={seed}", found[:5])
    assert compared == {"channel": 4 * CASES, "voucher": 4 * CASES, "refund": 3 * CASES, "claims": 3 * CASES}
    assert len({answer["claims"] for answer in answers["contract"]}) == CASES, "each case is one of its own"


def test_the_cases_reach_the_edges() -> None:
    cases = random_cases(1, CASES)
    assert {case["chainId"] for case in cases} == set(CHAIN_IDS)
    assert {len(case["claims"]) for case in cases} == set(range(1, MAX_CLAIMS + 1))
    assert {"0", str(2**128 - 1)} <= {case["maxClaimableAmount"] for case in cases}
    assert {"0", str(2**256 - 1)} <= {case["refund"]["nonce"] for case in cases}
    assert {0, 2**40 - 1} <= {case["config"]["withdrawDelay"] for case in cases}
    zero = "0x" + "0" * 40
    for role in ("payer", "payerAuthorizer", "receiver", "receiverAuthorizer", "token"):
        assert zero in {case["config"][role] for case in cases}


def test_a_changed_type_is_a_difference_in_every_case(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = random_cases(2, 20)
    right = by_backend(cases)
    changed = {"Voucher": [{"name": "channelId", "type": "bytes32"}, {"name": "maxClaimableAmount", "type": "uint256"}]}
    monkeypatch.setattr(sdk_voucher, "VOUCHER_TYPES", changed)
    found = differences({"PyPI x402": by_python_sdk(cases), "backend": right})
    assert len(found) == len(cases)
    assert all("voucher" in line for line in found)


def test_one_changed_value_is_one_difference(chain: Chain) -> None:
    cases = random_cases(3, 20)
    expected = {"contract": by_contract(chain, cases)}
    assert not differences(expected | {"npm @x402/evm": by_npm_sdk(cases)})
    for where, what in (("maxClaimableAmount", "voucher"), ("refund", "refund"), ("claims", "claims")):
        other = copy.deepcopy(cases)
        if where == "maxClaimableAmount":
            other[7][where] = str(int(other[7][where]) ^ 1)
        elif where == "refund":
            other[7][where]["nonce"] = str(int(other[7][where]["nonce"]) ^ 1)
        else:
            other[7][where][-1]["totalClaimed"] = str(int(other[7][where][-1]["totalClaimed"]) ^ 1)
        for name, given in (("npm @x402/evm", by_npm_sdk(other)), ("PyPI x402", by_python_sdk(other))):
            (found,) = differences(expected | {name: given})
            assert found.startswith(f"case 7, {what}: ")
