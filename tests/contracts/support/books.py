"""The invariants that hold in every block, whatever a test has done."""

from typing import Any

from brownie import accounts, chain
from eth_abi import decode
from eth_utils import to_checksum_address

from scripts.deploy import Deployment
from support.events import emitted_ever, plain


def assert_settlement_is_solvent(hub: Deployment, since: int = 0) -> None:
    """In every block after `since`: reserve ≥ liabilities = supply + unclaimed + credits."""
    settlement = hub.settlement
    merchants = {to_checksum_address(event["merchant"]) for event in emitted_ever(settlement, "RedeemedToCredit")}
    for event in emitted_ever(settlement, "BatchSettled"):
        merchants |= {to_checksum_address(f"{credit >> 96:040x}") for credit in event["credits"]}
    calls = [settlement.liabilities.encode_input(), settlement.unclaimed.encode_input()]
    calls += [settlement.credits.encode_input(merchant) for merchant in merchants]
    for block in range(since + 1, chain.height + 1):
        liabilities, unclaimed, *credits = _read(settlement, calls, "uint256", block)
        supply = hub.gift_token.totalSupply(block_identifier=block)
        reserve = hub.asset.balanceOf(settlement, block_identifier=block)
        assert liabilities == supply + unclaimed + sum(credits), f"the books do not balance in block {block}"
        assert reserve >= liabilities, f"insolvent in block {block}"


def assert_escrow_is_covered(channels: Any, asset: Any, since: int = 0) -> None:
    """In every block after `since`: escrowed asset ≥ what payers can withdraw + what receivers can settle."""
    opened = [event for event in emitted_ever(channels, "ChannelOpened") if event["config"][4] == plain(asset)]
    ids = {event["channelId"] for event in opened}
    receivers = {event["receiver"] for event in opened}
    calls = [channels.channels.encode_input(channel_id) for channel_id in ids]
    calls += [channels.receivers.encode_input(receiver, asset) for receiver in receivers]
    for block in range(since + 1, chain.height + 1):
        pairs = _read(channels, calls, "(uint128,uint128)", block)
        assert all(taken <= total for total, taken in pairs[: len(ids)]), f"overclaimed in block {block}"
        # A channel's second number is claimed out of the first; a receiver's second is settled out of the first.
        owed = sum(total - taken for total, taken in pairs)
        assert asset.balanceOf(channels, block_identifier=block) >= owed, f"escrow short in block {block}"


def _read(contract: Any, calls: list[str], result_type: str, block: int) -> list[Any]:
    """All the views in one call, by the contract's own multicall."""
    results = contract.multicall.call(calls, {"from": accounts[0]}, block_identifier=block)
    return [decode([result_type], bytes(result))[0] for result in results]
