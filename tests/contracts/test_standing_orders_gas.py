"""What a conversion costs, ten at once, each for the second time: the first writes new slots. The figures stand in docs/benchmarks/conversions.md."""

import re
from pathlib import Path

import pytest

from support import DOLLAR
from support.clock import DAY, now, travel_to
from support.orders import refusals, to

MOST = 1.02
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "conversions.md"


def told(kind: str) -> int:
    return int(re.search(rf"^\| {kind} \| ([\d,]+) \|", PAGE.read_text(), re.MULTILINE)[1].replace(",", ""))


@pytest.mark.parametrize("kind", ["person", "cash", "savings", "swap", "collectible"])
def test_ten_conversions_cost_what_is_told(rule, orders, badges, dex, admin, settler, payer, merchant, kind):
    badges.createCollectible(1_001, 0, {"from": admin})
    orders.offer(1_001, merchant, DOLLAR, {"from": settler})
    token = {"swap": dex.weth.address, "collectible": f"0x{1_001:040x}"}.get(kind, "0x" + "00" * 20)
    one = rule.with_(destinations=(to(kind, merchant, token=token, slippage=500),))
    travel_to((now() // DAY + 1) * DAY)
    orders.convert([one.conversion(DOLLAR, number) for number in range(256, 266)], {"from": settler})

    tx = orders.convert([one.conversion(DOLLAR, number) for number in range(266, 276)], {"from": settler})

    assert refusals(tx) == []
    each = tx.gas_used // 10
    print(f"gas of {kind}: {each:,}")
    assert each <= told(kind) * MOST
    assert each >= told(kind) / MOST, "cheaper now: write it down"
