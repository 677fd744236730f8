"""Refunds of what is free in a channel, which the hub brings to the chain"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "refund_relay",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("channel_id", sa.String(), sa.ForeignKey("channel.id"), nullable=False),
        sa.Column("charged", sa.BigInteger(), nullable=False),
        sa.Column("asked", sa.BigInteger()),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger()),
        sa.Column("reason", sa.String()),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
    )
    for column in ("channel_id", "state", "transaction_id"):
        op.create_index(f"ix_refund_relay_{column}", "refund_relay", [column])


def downgrade() -> None:
    op.drop_table("refund_relay")
