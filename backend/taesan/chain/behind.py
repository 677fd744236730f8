"""Whether a database is behind its chain as only one that was put back to an older state can be."""

from sqlalchemy import select

from taesan.chain.contracts import Contracts
from taesan.chain.models import SignerAccount
from taesan.chain.rpc import Node
from taesan.core.db import Database


def why_behind(db: Database, node: Node, contracts: Contracts, signer_address: str) -> str | None:
    """What the chain knows and the database does not, if anything; to be asked before the chain's nonce is adopted.

    A transaction's nonce is stored before it is sent. So more of them are mined than were given out here only if rows are
    missing, or if somebody uses the key elsewhere: looking closely then does no harm.
    """
    mined = node.next_nonce(signer_address)  # first: a worker beside us may store the next one meanwhile
    with db.read() as session:
        row = session.get(SignerAccount, signer_address)
        given_out = None if row is None else row.next_nonce
        is_new = session.scalar(select(SignerAccount).limit(1)) is None
    if given_out is not None:
        return f"nonces of {signer_address}: {given_out} given out, {mined} mined" if mined > given_out else None
    if not is_new:
        return None  # the operator has another key now
    settlement = contracts.deployment.settlement
    answer = node.call(settlement, contracts.encode("settlement", "lastBatchId"))
    (settled,) = contracts.decode_result("settlement", "lastBatchId", answer)
    return f"new to a chain with {settled} settled batches" if settled else None
