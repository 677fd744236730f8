"""Transfers that payers have authorised (x402 `exact`), gathered by the hub"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "direct_payment",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("merchant_id", sa.String(), sa.ForeignKey("merchant.id"), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("payer", sa.String(), nullable=False),
        sa.Column("pay_to", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("valid_after", sa.BigInteger(), nullable=False),
        sa.Column("valid_before", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("name", sa.String()),
        sa.Column("reference", sa.String()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger()),
        sa.Column("transaction_hash", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_block", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("payer", "nonce", "token"),
        sa.UniqueConstraint("payer", "name"),
    )
    op.create_index("ix_direct_payment_merchant_id", "direct_payment", ["merchant_id", "id"])
    op.create_index("ix_direct_payment_payer_state", "direct_payment", ["payer", "state"])
    op.create_index("ix_direct_payment_merchant_state", "direct_payment", ["merchant_id", "state"])
    op.create_index("ix_direct_payment_state_due", "direct_payment", ["state", "due_at"])
    op.create_index("ix_direct_payment_transaction_id", "direct_payment", ["transaction_id"])


def downgrade() -> None:
    op.drop_table("direct_payment")
