"""What the chain says of our key's nonces: adopting those that were used elsewhere, and finding out by what."""

from datetime import datetime

from taesan.chain import alarms
from taesan.chain.models import SignerAccount
from taesan.chain.rpc import Node, NodeFails
from taesan.core.db import Database, retried


@retried
def adopt(db: Database, node: Node, address: str, now: datetime) -> None:
    """Takes the chain's next nonce if it is ahead of ours, as it is for a key that was used elsewhere, or after an older
    database was put back. What waits in a pool counts: its nonce may be used up at any moment."""
    there = max(node.next_nonce(address), node.pending_nonce(address))
    with db.write() as session:
        row = session.get(SignerAccount, address)
        if row is None:
            session.add(SignerAccount(address=address, next_nonce=there))
        elif there > row.next_nonce:
            detail = (
                f"the chain counts {there} transactions of {address}, this database {row.next_nonce}: "
                "the key was used elsewhere, or the database is an older one"
            )
            alarms.raise_(session, alarms.NONCE_USED_ELSEWHERE, detail, now)
            row.next_nonce = there


def spender(node: Node, address: str, nonce: int, block: int) -> str | None:
    """The hash of the transaction by which a nonce was used up to a block; None if the node does not know any more.

    :raises NodeUnavailable: it does not answer
    """

    def is_used(number: int) -> bool:
        return number >= 0 and node.next_nonce(address, number) > nonce

    try:
        used, step = block, 1
        while is_used(used - step):
            used -= step
            step *= 2
        unused = max(used - step, -1)
        while used - unused > 1:
            middle = (used + unused) // 2
            used, unused = (middle, unused) if is_used(middle) else (used, middle)
        return node.transaction_at(used, address, nonce)
    except NodeFails:  # it keeps no states that old
        return None
