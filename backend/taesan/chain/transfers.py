"""Transfers of the reserve asset to wallets, read off the chain."""

from collections import Counter
from collections.abc import Collection

from web3.types import LogReceipt

from taesan.chain.contracts import Contracts, Event
from taesan.chain.rpc import Node
from taesan.core.values import MAX_AMOUNT, hex_of

EVENT = "asset.Transfer"
WALLETS_AT_ONCE = 200


def to_wallets(
    node: Node, contracts: Contracts, wallets: Collection[str], first_block: int, last_block: int, least: int
) -> list[Event]:
    """Those in the blocks, in the chain's order, with the time of their block. Left out is what pays nobody: less than `least`,
    more than a row can hold, and what our own contracts send.

    An event's place is its recipient and the how-manieth to it in the transaction: the same on every fork, and whichever other
    wallets are asked for.
    """
    if not wallets or first_block > last_block:
        return []
    deployment = contracts.deployment
    own = {deployment.channels, deployment.settlement}
    times: dict[int, int] = {}
    places: Counter[tuple[str, str]] = Counter()
    events = []
    for log in _logs(node, contracts, sorted(wallets), first_block, last_block):
        args, transaction, number = contracts.decode_transfer(log), hex_of(log["transactionHash"]), log["blockNumber"]
        place = places[transaction, args["to"]]
        places[transaction, args["to"]] += 1
        if args["from"] in own or not least <= args["value"] <= MAX_AMOUNT:
            continue
        if number not in times:
            times[number] = int(node.block(number)["timestamp"])
        events.append(
            Event(
                name=EVENT,
                args=args,
                block_number=number,
                block_hash=hex_of(log["blockHash"]),
                transaction_hash=transaction,
                place=f"{args['to']}:{place}",
                block_time=times[number],
            )
        )
    return events


def _logs(node: Node, contracts: Contracts, wallets: list[str], first_block: int, last_block: int) -> list[LogReceipt]:
    found: list[LogReceipt] = []
    for start in range(0, len(wallets), WALLETS_AT_ONCE):
        to = ["0x" + wallet[2:].lower().rjust(64, "0") for wallet in wallets[start : start + WALLETS_AT_ONCE]]
        topics = [contracts.transfer_topic, None, to]
        found += node.logs([contracts.deployment.asset], first_block, last_block, topics)
    return sorted(found, key=lambda log: (log["blockNumber"], log["logIndex"]))
