"""Vouchers of contract wallets"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BY_CONTRACT = sa.text("secured IS NOT NULL")


def upgrade() -> None:
    op.add_column("channel", sa.Column("secured", sa.BigInteger()))
    op.create_index("ix_channel_secured", "channel", ["id"], sqlite_where=_BY_CONTRACT, postgresql_where=_BY_CONTRACT)
    op.add_column("batch_claim", sa.Column("secured", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "wallet_claim",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("channel_id", sa.String(), sa.ForeignKey("channel.id"), nullable=False),
        sa.Column("cumulative", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger()),
        sa.Column("reason", sa.String()),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    )
    for column in ("channel_id", "state", "transaction_id"):
        op.create_index(f"ix_wallet_claim_{column}", "wallet_claim", [column])


def downgrade() -> None:
    op.drop_table("wallet_claim")
    op.drop_column("batch_claim", "secured")
    op.drop_index("ix_channel_secured", "channel")
    op.drop_column("channel", "secured")
