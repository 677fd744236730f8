"""The chain's clock. Brownie's own `chain.mine(timestamp=…)` fails on anvil."""

from brownie import chain, web3

MINUTE = 60
DAY = 24 * 60 * MINUTE


def now() -> int:
    """The latest block's time, in unix seconds."""
    return int(chain[-1].timestamp)


def travel_to(timestamp: int) -> None:
    """Mine a block at exactly this time; later ones follow after it."""
    response = web3.provider.make_request("evm_mine", [timestamp])
    assert "error" not in response, response
    assert now() == timestamp


def travel(seconds: int) -> None:
    travel_to(now() + seconds)
