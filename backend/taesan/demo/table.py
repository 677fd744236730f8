"""The table at the end of a demo."""

from collections.abc import Iterable
from dataclasses import dataclass

from rich import box
from rich.table import Table

from taesan.demo.faucet import TransferGas
from taesan.demo.figures import Figures
from taesan.demo.progress import counted
from taesan.demo.purchases import Purchase

KINDS = {"batch": "batches", "deposits": "deposits", "redemptions": "redemptions", "payouts": "payouts"}
Row = tuple[str, str, str]


@dataclass(frozen=True)
class Outcome:
    """What a run came to. :ivar exponent: the asset's decimals. :ivar sound: nothing differs. :ivar killed: the hub was
    killed midway"""

    customers: int
    purchases: list[Purchase]
    figures: Figures
    transfers: TransferGas
    replay_s: float
    exponent: int
    sound: bool
    killed: bool

    @property
    def payments_per_payer(self) -> str:
        return f"{self.figures.payments / max(self.figures.payers, 1):.1f}"


def table(outcome: Outcome) -> Table:
    """Fits a terminal of 80 columns."""
    result = Table(title="What just happened", title_justify="left", show_header=False, show_edge=False, pad_edge=False)
    result.box = box.HORIZONTALS
    result.add_column(style="bold", no_wrap=True)
    result.add_column(justify="right", no_wrap=True)
    result.add_column(style="dim")
    for section in (_purchases, _chain, _gas, _money, _trust):
        for row in section(outcome):
            result.add_row(*row)
        result.add_section()
    return result


def footnote(outcome: Outcome) -> str:
    """What one has to know to read the gas figures rightly."""
    return (
        f"Gas as measured in this run, with only {outcome.payments_per_payer} payments a payer. A channel is opened once, and "
        "claimed at the same cost for one payment or for thousands: each payment more makes all of them cheaper."
    )


def _purchases(outcome: Outcome) -> Iterable[Row]:
    figures, purchases = outcome.figures, outcome.purchases
    days = f"{purchases[0].day} to {purchases[-1].day}" if purchases else "none"
    yield "customers", f"{outcome.customers:,}", "the first of CDNOW's 23,570"
    yield "purchases", f"{len(purchases):,}", days
    yield (
        "payments",
        f"{figures.payments:,}",
        f"{counted(figures.round_ups, 'round-ups')}, {counted(figures.small, 'purchases')} below $5",
    )
    yield "payers", f"{figures.payers:,}", f"{outcome.payments_per_payer} payments a payer"


def _chain(outcome: Outcome) -> Iterable[Row]:
    figures = outcome.figures
    kinds = ", ".join(counted(figures.transactions.get(kind, 0), name) for kind, name in KINDS.items())
    yield "batches", f"{figures.batches:,}", f"with {counted(figures.claims, 'claims')} from channels"
    yield "transactions", f"{sum(figures.transactions.values()):,}", kinds


def _gas(outcome: Outcome) -> Iterable[Row]:
    figures, transfers = outcome.figures, outcome.transfers
    yield "gas a payment", f"{figures.settlement_gas_per_payment:,}", "settled in batches, tokens minted"
    yield "  all the hub's", f"{figures.all_gas_per_payment:,}", "with deposits, redemptions and payouts"
    yield "  ERC-20 instead", f"{transfers.returning:,}", f"a transfer each; {transfers.fresh:,} to a new receiver"


def _money(outcome: Outcome) -> Iterable[Row]:
    figures = outcome.figures

    def dollars(amount: int) -> str:
        cents = amount * 100 // 10**outcome.exponent
        return f"${cents // 100:,}.{cents % 100:02}"

    yield "deposited", dollars(figures.deposited), "by one signature each, without gas for payers"
    yield "gathered", dollars(figures.gathered), "round-ups in jars"
    in_jars = dollars(figures.gathered - figures.minted)
    yield (
        "tokens minted",
        dollars(figures.minted),
        f"to {counted(figures.token_holders, 'holders')}; {in_jars} wait in jars",
    )
    yield "tokens redeemed", dollars(figures.redeemed), "at merchants, at face value"
    yield "paid out", dollars(figures.paid_out), "to merchants, in one transfer each"


def _trust(outcome: Outcome) -> Iterable[Row]:
    payments, seconds = outcome.figures.payments, outcome.replay_s
    rate = payments / seconds if seconds else 0
    yield "accepted a second", f"{rate:,.0f}", f"{payments:,} in {seconds:.1f} s, each durable when answered"
    if outcome.killed:
        yield "lost by kill -9", "none", f"all {payments:,} were asked for again, and are there"
    if outcome.sound:
        yield "books = chain", "[bold green]yes[/]", "every hash, signature, root, proof, balance"
    else:
        yield "books = chain", "[bold red]NO[/]", "see below"
