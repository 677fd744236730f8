"""What tiers do to round-ups"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

WHOLE = 10_000


def upgrade() -> None:
    perk = op.create_table(
        "round_up_perk",
        sa.Column("payer", sa.String(), primary_key=True),
        sa.Column("owner", sa.String(), primary_key=True),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("multiplier", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_round_up_perk_owner", "round_up_perk", ["owner", "tier"])
    bind = op.get_bind()
    programmes = bind.execute(sa.text("SELECT owner, definition FROM loyalty_programme ORDER BY id"))
    tiers = {
        owner: (json.loads(told) if isinstance(told, str) else told)["tiers"] for owner, told in programmes
    }  # of the newest
    members = bind.execute(sa.text("SELECT owner, payer, tier FROM loyalty_member WHERE tier > 0"))
    rows = [
        {"payer": payer, "owner": owner or "hub", "tier": tier, "multiplier": _multiplier(tiers[owner], tier)}
        for owner, payer, tier in members
    ]
    if rows:
        op.bulk_insert(perk, rows)


def _multiplier(tiers: list[dict[str, int]], tier: int) -> int:
    return tiers[min(tier, len(tiers)) - 1]["round_up"] if tiers else WHOLE


def downgrade() -> None:
    op.drop_table("round_up_perk")
