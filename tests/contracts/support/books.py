"""The invariants that hold in every block, whatever a test has done."""

from collections.abc import Callable
from typing import Any

from brownie import Multicall3, chain, web3
from eth_abi import decode
from eth_utils import to_bytes, to_checksum_address, to_hex

from scripts.deploy import Deployment
from support.events import emitted_ever, plain

View = tuple[Any, str]
"""A contract, and a view's call data."""


Check = Callable[[list[bytes], int], None]
"""Given what the views have told in a block."""

Asked = Callable[[], list[tuple[list[View], Check]]]
"""Finds out what to ask in every block: takes its time, which a test that mines no block is spared."""


def assert_settlement_is_solvent(hub: Deployment, since: int = 0) -> None:
    """In every block after `since`: reserve ≥ liabilities = supply + unclaimed + credits."""
    _assert_in_every_block(since, lambda: [_solvency(hub)])


def assert_escrow_is_covered(channels: Any, asset: Any, since: int = 0) -> None:
    """In every block after `since`: escrowed asset ≥ what payers can withdraw + what receivers can settle."""
    _assert_in_every_block(since, lambda: [_cover(channels, asset)])


def assert_both(hub: Deployment, since: int) -> None:
    """Solvency, and the cover of the hub's channels in its asset, asked for together: a test's time goes here."""
    _assert_in_every_block(since, lambda: [_solvency(hub), _cover(hub.channels, hub.asset)])


def _assert_in_every_block(since: int, find_out: Asked) -> None:
    blocks = range(since + 1, chain.height + 1)
    asked = find_out() if blocks else []
    for block in blocks:
        results = iter(_read([view for views, _ in asked for view in views], block))
        for views, check in asked:
            check([next(results) for _ in views], block)


def _solvency(hub: Deployment) -> tuple[list[View], Check]:
    settlement = hub.settlement
    merchants = {event["merchant"] for event in emitted_ever(settlement, "RedeemedToCredit")}
    for event in emitted_ever(settlement, "BatchSettled"):
        merchants |= {f"0x{credit >> 96:040x}" for credit in event["credits"]}
    views = [
        (hub.asset, hub.asset.balanceOf.encode_input(settlement)),
        (settlement, settlement.liabilities.encode_input()),
        (settlement, settlement.unclaimed.encode_input()),
        (hub.gift_token, hub.gift_token.totalSupply.encode_input()),
        *((settlement, settlement.credits.encode_input(to_checksum_address(merchant))) for merchant in merchants),
    ]

    def check(results: list[bytes], block: int) -> None:
        reserve, liabilities, *parts = (int.from_bytes(result) for result in results)
        assert liabilities == sum(parts), f"the books do not balance in block {block}"
        assert reserve >= liabilities, f"insolvent in block {block}"

    return views, check


def _cover(channels: Any, asset: Any) -> tuple[list[View], Check]:
    opened = [event for event in emitted_ever(channels, "ChannelOpened") if event["config"][4] == plain(asset)]
    ids = {event["channelId"] for event in opened}
    receivers = {event["receiver"] for event in opened}
    views: list[View] = [(asset, asset.balanceOf.encode_input(channels))]
    views += [(channels, channels.channels.encode_input(channel_id)) for channel_id in ids]
    views += [(channels, channels.receivers.encode_input(receiver, asset)) for receiver in receivers]

    def check(results: list[bytes], block: int) -> None:
        escrow, *rest = results
        pairs = [decode(["uint128", "uint128"], result) for result in rest]
        assert all(taken <= total for total, taken in pairs[: len(ids)]), f"overclaimed in block {block}"
        # A channel's second number is claimed out of the first; a receiver's second is settled out of the first.
        owed = sum(total - taken for total, taken in pairs)
        assert int.from_bytes(escrow) >= owed, f"escrow short in block {block}"

    return views, check


def _read(views: list[View], block: int) -> list[bytes]:
    """All the views at the end of a block, in one call."""
    multicall = Multicall3[0]  # deployed before each module's hub
    calls = [(contract, False, data) for contract, data in views]
    call = {"to": multicall.address, "data": multicall.aggregate3.encode_input(calls)}
    answer = web3.provider.make_request("eth_call", [call, to_hex(block)])
    (results,) = decode(["(bool,bytes)[]"], to_bytes(hexstr=answer["result"]))
    assert all(success and result for success, result in results), f"a view without an answer in block {block}"
    return [result for _, result in results]
