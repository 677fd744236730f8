"""Invoices, refunds, payouts by schedule"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TO_INVOICE = sa.text("destination = 'invoice'")
OPEN = sa.text("state = 'open'")
LEFT = sa.text("left_over > 0")
SCHEDULED = sa.text("period IS NOT NULL")
DUE = sa.text("next_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "invoice",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("merchant_id", sa.String(), sa.ForeignKey("merchant.id"), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("quote", sa.BigInteger(), nullable=False),
        sa.Column("rate", sa.String()),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("reference", sa.String()),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True)),
        sa.Column("paid_by", sa.String()),
    )
    op.create_index("ix_invoice_merchant_id", "invoice", ["merchant_id", "id"])
    op.create_index("ix_invoice_merchant_state", "invoice", ["merchant_id", "state", "id"])
    op.create_index("ix_invoice_open", "invoice", ["expires_at"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index(
        "ix_payment_invoice",
        "payment",
        ["reference"],
        unique=True,
        sqlite_where=TO_INVOICE,
        postgresql_where=TO_INVOICE,
    )
    op.add_column("redemption", sa.Column("invoice_id", sa.String()))
    op.create_table(
        "refund",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("merchant_id", sa.String(), sa.ForeignKey("merchant.id"), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False, index=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("covered", sa.BigInteger(), nullable=False),
        sa.Column("left_over", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String()),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch_id", sa.BigInteger()),
    )
    op.create_index("ix_refund_merchant_id", "refund", ["merchant_id", "id"])
    op.create_index("ix_refund_waiting", "refund", ["address", "id"], sqlite_where=LEFT, postgresql_where=LEFT)
    op.create_table(
        "batch_refund",
        sa.Column("batch_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("refund_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
    )
    op.add_column("payout", sa.Column("period", sa.String()))
    op.create_index(
        "ix_payout_period",
        "payout",
        ["merchant_id", "period"],
        unique=True,
        sqlite_where=SCHEDULED,
        postgresql_where=SCHEDULED,
    )
    op.create_table(
        "merchant_settings",
        sa.Column("merchant_id", sa.String(), sa.ForeignKey("merchant.id"), primary_key=True),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("every", sa.String(), nullable=False),
        sa.Column("weekday", sa.Integer()),
        sa.Column("at_least", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True)),
    )
    op.create_index(
        "ix_merchant_settings_next_at", "merchant_settings", ["next_at"], sqlite_where=DUE, postgresql_where=DUE
    )


def downgrade() -> None:
    op.drop_table("merchant_settings")
    op.drop_index("ix_payout_period", "payout")
    op.drop_column("payout", "period")
    op.drop_table("batch_refund")
    op.drop_table("refund")
    op.drop_column("redemption", "invoice_id")
    op.drop_index("ix_payment_invoice", "payment")
    op.drop_table("invoice")
