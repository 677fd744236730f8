"""What tiers do to round-ups: how many times as much a payer's gather, by each programme that she has a tier in. The domain that gives tiers
writes it here, where the intake reads it."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, Index, case, delete, select, update
from sqlmodel import Field, Session, SQLModel, col

from taesan.jars.sources import Perks


class RoundUpPerk(SQLModel, table=True):
    """:ivar owner: of the programme: a merchant's id, or `sources.HUB`. :ivar multiplier: in ten-thousandths"""

    __tablename__ = "round_up_perk"
    __table_args__ = (Index("ix_round_up_perk_owner", "owner", "tier"),)

    payer: str = Field(primary_key=True)
    owner: str = Field(primary_key=True)
    tier: int
    multiplier: int = Field(sa_column=Column(BigInteger, nullable=False))


def give(session: Session, payer: str, owner: str, tier: int, multiplier: int) -> None:
    """:param tier: 0: none any more"""
    if tier:
        session.merge(RoundUpPerk(payer=payer, owner=owner, tier=tier, multiplier=multiplier))
    else:
        one = col(RoundUpPerk.payer) == payer, col(RoundUpPerk.owner) == owner
        session.execute(delete(RoundUpPerk).where(*one))


def redefine(session: Session, owner: str, multipliers: Sequence[int]) -> None:
    """Of all tiers of a programme, from the lowest: who has a higher one has the last."""
    tier = col(RoundUpPerk.tier)
    lower = [(tier == level, multiplier) for level, multiplier in enumerate(multipliers[:-1], start=1)]
    last = multipliers[-1]
    by_tier = case(*lower, else_=last) if lower else last
    session.execute(update(RoundUpPerk).where(col(RoundUpPerk.owner) == owner).values(multiplier=by_tier))


def of_payer(session: Session, payer: str) -> Perks:
    rows = select(col(RoundUpPerk.owner), col(RoundUpPerk.multiplier)).where(col(RoundUpPerk.payer) == payer)
    return dict(map(tuple, session.execute(rows)))
