"""What must hold when all has come to rest, whatever was done to the hub before."""

from collections import Counter
from dataclasses import dataclass, field

from web3.logs import DISCARD

from taesan.auditing import audit
from taesan.settlement import batcher
from tests.chaos.world import World


@dataclass
class Verdict:
    """:ivar lost: payments that were accepted and are not in the books, or in no batch's leaf
    :ivar doubled: that are there twice. :ivar wrong: whatever else does not hold"""

    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)

    def check(self, what: str, expected: object, found: object) -> None:
        if expected != found:
            self.wrong.append(f"{what}: expected {expected}, found {found}")

    @property
    def is_sound(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)


def judge(world: World) -> Verdict:
    """To be asked when the world has come to rest."""
    verdict = Verdict()
    _payments(world, verdict)
    _sums(world, verdict)
    _tokens(world, verdict)
    _batches(world, verdict)
    _nonces(world, verdict)
    # The books, their hashes, kept figures, roots and proofs again from the first; and each balance against the chain.
    verdict.wrong += audit(world.stage.hub).differences[:5]
    verdict.wrong += world.traffic.wrong[:5]
    world.traffic.wrong.clear()
    return verdict


def _payments(world: World, verdict: Verdict) -> None:
    """Accepted: once in the books, and once among the leaves of all settled batches. Refused: nowhere. Nothing else is there."""
    rows = world.rows("SELECT channel_id, idempotency_key, public_id, cumulative FROM payment")
    found = Counter(tuple(row) for row in rows)
    keys = Counter((channel, key) for channel, key, _, _ in rows)
    leaf_of: dict[str, bytes] = {}
    leaves: Counter[bytes] = Counter()
    with world.stage.hub.db.read() as session:
        for batch in _settled(world):
            of_batch = {p.public_id: batcher.leaf_of(p) for p in batcher.payments_of(session, batch)}
            leaf_of |= of_batch
            leaves.update(of_batch.values())
    accepted = world.traffic.accepted
    for paid in accepted:
        times, in_leaves = found[paid.channel, paid.key, paid.id, paid.cumulative], leaves[leaf_of.get(paid.id, b"")]
        verdict.lost += times == 0 or in_leaves == 0
        verdict.doubled += times > 1 or keys[paid.channel, paid.key] > 1 or in_leaves > 1
    verdict.check("payments in the books", len(accepted), len(rows))
    verdict.check("leaves of all batches", len(accepted), leaves.total())
    refused = [refusal for refusal in world.traffic.refused if keys[refusal]]
    verdict.check("refused payments in the books", [], refused[:3])


def _settled(world: World) -> list[int]:
    return [id_ for (id_,) in world.rows("SELECT id FROM batch WHERE state = 'posted' ORDER BY id")]


def _sums(world: World, verdict: Verdict) -> None:
    """By hand, past the service's own audit."""
    sums = "SELECT asset, SUM(posting.amount) FROM posting JOIN account ON account.id = account_id GROUP BY asset"
    verdict.check("sums of the books", [0], sorted({int(total) for _, total in world.rows(sums)}))


def _tokens(world: World, verdict: Verdict) -> None:
    """minted − burned = Σ confirmed claims − Σ redemptions."""
    claims = world.number("SELECT SUM(claimed) FROM entitlement")
    redeemed = world.number("SELECT SUM(amount) FROM redemption WHERE state = 'confirmed'")
    supply = world.chain.read("gift_token", "totalSupply")
    verdict.check("gift tokens minted less burned", claims - redeemed, supply)


def _batches(world: World, verdict: Verdict) -> None:
    """The chain has settled each batch once, in their order."""
    address, abi = world.chain.contracts.settlement.address, world.chain.contracts.settlement.abi
    events = world.chain.web3.eth.contract(address=address, abi=abi).events.BatchSettled()
    logs = world.chain.web3.eth.get_logs({"address": address, "fromBlock": 0, "topics": [events.topic]})
    settled = [e["args"]["batchId"] for e in events.process_receipt({"logs": logs}, errors=DISCARD)]  # type: ignore[typeddict-item]
    verdict.check("batches settled on chain", _settled(world), settled)


def _nonces(world: World, verdict: Verdict) -> None:
    """No transaction of ours waits for one that is missing, and the next nonce is the chain's."""
    signer = world.stage.hub.signer.address
    ours = world.number("SELECT next_nonce FROM signer_account WHERE address = :address", address=signer)
    verdict.check("next nonce", world.chain.web3.eth.get_transaction_count(world.stage.hub.signer.address), ours)  # type: ignore[arg-type]
    pool = world.chain.ask("txpool_status")
    verdict.check("transactions in the pool", (0, 0), (int(pool["pending"], 16), int(pool["queued"], 16)))
