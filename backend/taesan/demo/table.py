"""The table at the end of a demo."""

from collections.abc import Iterable

from rich.table import Table

from taesan.demo.faucet import TransferGas
from taesan.demo.figures import Figures
from taesan.demo.purchases import Purchase
from taesan.demo.replay import Told

KINDS = {"batch": "batches", "deposits": "deposits", "redemptions": "redemptions", "payouts": "payouts"}


def table(
    purchases: list[Purchase],
    customers: int,
    figures: Figures,
    told: Told,
    transfers: TransferGas,
    exponent: int,
    books_equal_chain: bool,
) -> Table:
    """:param exponent: the asset's decimals"""
    result = Table(title="What just happened", title_justify="left", show_header=False, pad_edge=False)
    result.add_column(style="bold")
    result.add_column(justify="right")
    result.add_column(style="dim")
    for section in (
        _purchases(purchases, customers, figures),
        _chain(figures),
        _gas(figures, transfers),
        _money(figures, exponent),
    ):
        for row in section:
            result.add_row(*row)
        result.add_section()
    rate = figures.payments / told.replay_s if told.replay_s else 0
    result.add_row(
        "accepted a second",
        f"{rate:,.0f}",
        f"{figures.payments:,} payments in {told.replay_s:.1f} s, each durable when answered",
    )
    verdict = "[bold green]yes[/]" if books_equal_chain else "[bold red]NO[/]"
    result.add_row("books = chain", verdict, "every hash, signature, root, proof and balance checked by `taesan audit`")
    return result


Row = tuple[str, str, str]


def _purchases(purchases: list[Purchase], customers: int, figures: Figures) -> Iterable[Row]:
    days = f"{purchases[0].day} to {purchases[-1].day}" if purchases else "none"
    yield "customers", f"{customers:,}", "the first of CDNOW's 23,570"
    yield "purchases", f"{len(purchases):,}", days
    yield "payments", f"{figures.payments:,}", f"{figures.round_ups:,} round-ups, {figures.small:,} purchases below $5"
    yield "payers", f"{figures.payers:,}", f"{_per_payer(figures)} payments a payer"


def _chain(figures: Figures) -> Iterable[Row]:
    yield "batches", f"{figures.batches:,}", f"{figures.claims:,} channels claimed in them"
    kinds = ", ".join(f"{figures.transactions.get(kind, 0):,} {name}" for kind, name in KINDS.items())
    yield "transactions", f"{sum(figures.transactions.values()):,}", kinds


def _gas(figures: Figures, transfers: TransferGas) -> Iterable[Row]:
    claim = figures.gas["batch"] // max(figures.claims, 1)
    yield (
        "gas a payment: settled here",
        f"{figures.settlement_gas_per_payment:,}",
        "claims, credits, proofs and minting",
    )
    yield (
        "  with deposits, redemptions, payouts",
        f"{figures.all_gas_per_payment:,}",
        "a payer deposits once, then pays for years",
    )
    yield (
        "  one ERC-20 transfer each",
        f"{transfers.returning:,}",
        f"{transfers.fresh:,} to a new receiver; mean of {transfers.sample}, same chain",
    )
    yield "", "", f"{_per_payer(figures)} payments a payer; a claim costs about {claim:,} gas for one or for thousands"


def _money(figures: Figures, exponent: int) -> Iterable[Row]:
    def dollars(amount: int) -> str:
        return f"${amount / 10**exponent:,.2f}"

    yield "deposited", dollars(figures.deposited), "by one signature each, without gas"
    yield "gathered", dollars(figures.gathered), "round-ups in jars"
    yield "gift tokens minted", dollars(figures.minted), f"to {figures.token_holders:,} holders"
    yield "gift tokens redeemed", dollars(figures.redeemed), "at merchants, at face value"
    yield "paid out", dollars(figures.paid_out), "to merchants"


def _per_payer(figures: Figures) -> str:
    return f"{figures.payments / max(figures.payers, 1):.1f}"
