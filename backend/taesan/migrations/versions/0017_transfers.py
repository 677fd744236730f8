"""Invoices paid by plain transfers"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HELD = sa.text("held_until IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "transfer_offer",
        sa.Column("invoice_id", sa.String(), primary_key=True),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "ix_transfer_offer_held",
        "transfer_offer",
        ["address", "amount"],
        unique=True,
        sqlite_where=HELD,
        postgresql_where=HELD,
    )
    op.create_index("ix_transfer_offer_amount", "transfer_offer", ["address", "amount", "invoice_id"])
    op.create_index("ix_transfer_offer_due", "transfer_offer", ["held_until"], sqlite_where=HELD, postgresql_where=HELD)
    op.create_table(
        "transfer",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("key", sa.String(), nullable=False, unique=True),
        sa.Column("merchant_id", sa.String(), sa.ForeignKey("merchant.id"), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.String()),
        sa.Column("state", sa.String(), nullable=False, index=True),
        sa.Column("transaction_hash", sa.String(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("mined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_transfer_merchant_id", "transfer", ["merchant_id", "id"])
    op.create_index("ix_transfer_merchant_state", "transfer", ["merchant_id", "state", "id"])
    op.add_column(
        "merchant_settings", sa.Column("takes_transfers", sa.Boolean(), nullable=False, server_default=sa.true())
    )


def downgrade() -> None:
    op.drop_column("merchant_settings", "takes_transfers")
    op.drop_table("transfer")
    op.drop_table("transfer_offer")
