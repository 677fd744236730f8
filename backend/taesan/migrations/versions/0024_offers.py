"""Collectibles that are offered"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "collectible_offer",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("event", sa.String(), nullable=False, unique=True),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("beneficiary", sa.String(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_collectible_offer_token", "collectible_offer", ["token"])


def downgrade() -> None:
    op.drop_table("collectible_offer")
