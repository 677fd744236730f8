"""No error without a test: what the contracts can refuse with, some test here has made them refuse with."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PREFIXES = {
    "ERC3009",
    "PaymentChannels",
    "GiftSettlement",
    "GiftToken",
    "DepositCollector",
    "PackedClaims",
    "SavingsVault",
    "Badges",
    "StandingOrders",
    "TestDollar",
    "TrickReceiver",
}


def test_every_custom_error_is_expected_by_some_test():
    declared = {
        name
        for source in (ROOT / "contracts").rglob("*.sol")
        for name in re.findall(r"^\s*error (\w+)\(", source.read_text(), re.MULTILINE)
    }
    expected = {
        name
        for source in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r'reverts_with\(\s*"(\w+)"', source.read_text())
    }
    assert {name.split("_")[0] for name in declared} == PREFIXES
    assert declared - expected == set()
