"""Conversions of gift tokens by signed rules"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "conversion",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("channel_id", sa.String(), sa.ForeignKey("channel.id"), nullable=False),
        sa.Column("payer", sa.String(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("destination", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("minimum", sa.String()),
        sa.Column("received", sa.String()),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), index=True),
        sa.Column("transaction_hash", sa.String()),
        sa.UniqueConstraint("rule_id", "batch_id", "destination"),
    )
    op.create_index("ix_conversion_batch", "conversion", ["batch_id"])
    op.create_index("ix_conversion_channel", "conversion", ["channel_id", "id"])
    op.create_index("ix_conversion_channel_state", "conversion", ["channel_id", "state"])
    op.create_index("ix_conversion_due", "conversion", ["due_at"], sqlite_where=DUE, postgresql_where=DUE)
    op.create_table(
        "gift_permit",
        sa.Column("payer", sa.String(), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "listed_pool",
        sa.Column("token", sa.String(), primary_key=True),
        sa.Column("pool", sa.String(), nullable=False),
    )


def downgrade() -> None:
    for name in ("listed_pool", "gift_permit", "conversion"):
        op.drop_table(name)
