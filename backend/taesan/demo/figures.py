"""A run's figures, read from the hub's database and from the chain itself, and held against what the client counted."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from sqlalchemy import distinct, func, select
from sqlmodel import Session, col

from taesan.chain.contracts import Contracts, Deployment
from taesan.chain.models import ChainTransaction
from taesan.chain.rpc import Node
from taesan.core.db import Database
from taesan.demo.replay import Told
from taesan.ledger.audit import Report
from taesan.payments.models import Payment
from taesan.settings import Settings
from taesan.settlement.models import BatchClaim


@dataclass(frozen=True)
class Figures:
    """Amounts in minor units of the asset. From the database: payments, payers, claims. From the chain: all else.

    :ivar transactions: by kind, mined. :ivar gas: by kind, what the receipts say
    :ivar claims: how often a channel was claimed in a batch
    """

    round_ups: int
    gathered: int
    small: int
    payers: int
    claims: int
    batches: int
    settled_payments: int
    transactions: dict[str, int]
    gas: dict[str, int]
    deposited: int
    minted: int
    token_holders: int
    redeemed: int
    paid_out: int

    @property
    def payments(self) -> int:
        return self.round_ups + self.small

    @property
    def settlement_gas_per_payment(self) -> int:
        return self.gas["batch"] // max(self.payments, 1)

    @property
    def all_gas_per_payment(self) -> int:
        return sum(self.gas.values()) // max(self.payments, 1)


def recompute(settings: Settings, told: Told) -> tuple[Figures, list[str]]:
    """The figures, and every difference between database, chain and client."""
    node = Node(settings.rpc_url)
    contracts = Contracts(Deployment.load(settings.deployment_file), settings.artifacts_dir)
    db = Database(settings.database_url)
    report = Report()
    try:
        with db.read() as session:
            figures = _read(session, node, contracts, report)
    finally:
        db.close()
    for what, counted, found in (
        ("round-ups", told.round_ups, figures.round_ups),
        ("purchases below $5", told.small, figures.small),
        ("payers", len(told.payers), figures.payers),
        ("gathered", told.gathered, figures.gathered),
        ("deposited", told.deposited, figures.deposited),
        ("minted", told.fired, figures.minted),
        ("redeemed", told.redeemed, figures.redeemed),
        ("paid out", told.paid_out, figures.paid_out),
        ("payments settled on chain", len(told.payments), figures.settled_payments),
    ):
        report.check(f"{what}, as the client counted", counted, found)
    return figures, report.differences


def _read(session: Session, node: Node, contracts: Contracts, report: Report) -> Figures:
    by_destination = {
        destination: (count, amount)
        for destination, count, amount in session.execute(
            select(col(Payment.destination), func.count(), func.sum(Payment.amount)).group_by(col(Payment.destination))
        )
    }
    (round_ups, gathered), (small, _) = (by_destination.get(to, (0, 0)) for to in ("jar", "merchant"))
    events: Counter[str] = Counter()
    amounts: dict[str, int] = defaultdict(int)
    holders, settled_payments = set(), 0
    logs = node.logs(contracts.watched, contracts.deployment.block_number, int(node.head()["number"]))
    for event in filter(None, map(contracts.decode_log, logs)):
        events[event.name] += 1
        amounts[event.name] += event.args.get("amount", event.args.get("value", 0))
        settled_payments += event.args.get("paymentCount", 0)
        if event.name == "gift_token.Minted":
            holders.add(event.args["to"])
    transactions, gas = _transactions(session, node, report)
    report.check("batch transactions", transactions["batch"], events["settlement.BatchSettled"])
    return Figures(
        round_ups=round_ups,
        gathered=gathered,
        small=small,
        payers=session.scalar(select(func.count(distinct(col(Payment.channel_id))))) or 0,
        claims=session.scalar(select(func.count()).select_from(BatchClaim)) or 0,
        batches=events["settlement.BatchSettled"],
        settled_payments=settled_payments,
        transactions=dict(transactions),
        gas=dict(gas),
        deposited=amounts["channels.Deposited"],
        minted=amounts["gift_token.Minted"],
        token_holders=len(holders),
        redeemed=amounts["settlement.RedeemedToCredit"],
        paid_out=amounts["settlement.CreditWithdrawn"],
    )


def _transactions(session: Session, node: Node, report: Report) -> tuple[Counter[str], Counter[str]]:
    """How many the hub has on chain and their gas, by kind; the receipts are asked for again."""
    count: Counter[str] = Counter({"batch": 0})
    gas: Counter[str] = Counter({"batch": 0})
    for row in session.scalars(select(ChainTransaction)):
        receipt = node.receipt(row.hash)
        if receipt is None and row.state == "reverted" and row.gas_used is None:
            continue  # given up: somebody else used the operator's key, and its nonce, on this chain
        if receipt is None:
            report.differences.append(f"transaction {row.hash} ({row.kind}) is {row.state} here and not on the chain")
            continue
        report.check(f"gas of {row.hash}", receipt["gasUsed"], row.gas_used)
        count[row.kind] += 1
        gas[row.kind] += receipt["gasUsed"]
    return count, gas
