"""Figures that are kept instead of counted, and an index for each list and search"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COUNTS = {
    "payments": "SELECT count(*) FROM payment",
    "payments_batched": "SELECT count(*) FROM payment WHERE batch_id IS NOT NULL",
    "payments_settled": "SELECT coalesce(sum(payment_count), 0) FROM batch WHERE state = 'posted'",
    "payers": "SELECT count(DISTINCT payer) FROM channel JOIN charged ON charged.account_id = channel.account_id "
    "WHERE charged.amount > 0",
    "firings": "SELECT count(*) FROM jar_firing",
    "merchants": "SELECT count(*) FROM merchant",
    "transactions": "SELECT count(*) FROM chain_transaction WHERE state IN ('confirmed', 'reverted') AND gas_used IS NOT NULL",
}
GAS = "SELECT 'gas:' || kind, sum(gas_used) FROM chain_transaction WHERE state = 'confirmed' GROUP BY kind"
INDEXES = (
    ("ix_batch_entitlement_account", "batch_entitlement", ["account", "batch_id"]),
    ("ix_channel_state", "channel", ["state"]),
    ("ix_jar_firing_payment_id", "jar_firing", ["payment_id"]),
    ("ix_login_session_expires_at", "login_session", ["expires_at"]),
    ("ix_siwe_nonce_expires_at", "siwe_nonce", ["expires_at"]),
)
# Name → table, columns before and after: with what orders the list.
WIDENED = {
    "ix_channel_payer": ("channel", ["payer"], ["payer", "account_id"]),
    "ix_jar_firing_batch_id": ("jar_firing", ["batch_id"], ["batch_id", "id"]),
    "ix_jar_firing_channel_id": ("jar_firing", ["channel_id"], ["channel_id", "id"]),
    "ix_payout_merchant_id": ("payout", ["merchant_id"], ["merchant_id", "id"]),
    "ix_redemption_merchant_id": ("redemption", ["merchant_id"], ["merchant_id", "id"]),
}


def upgrade() -> None:
    op.create_table(
        "counter",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    for name, count in COUNTS.items():
        op.execute(f"INSERT INTO counter SELECT '{name}', ({count})")
    op.execute(f"INSERT INTO counter {GAS}")
    op.add_column("batch", sa.Column("payer_count", sa.Integer(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE batch SET payer_count = "
        "(SELECT count(DISTINCT channel_id) FROM payment WHERE payment.batch_id = batch.id)"
    )
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)
    for name, (table, _, after) in WIDENED.items():
        op.drop_index(name, table)
        op.create_index(name, table, after)


def downgrade() -> None:
    for name, (table, before, _) in WIDENED.items():
        op.drop_index(name, table)
        op.create_index(name, table, before)
    for name, table, _ in INDEXES:
        op.drop_index(name, table)
    op.drop_column("batch", "payer_count")
    op.drop_table("counter")
