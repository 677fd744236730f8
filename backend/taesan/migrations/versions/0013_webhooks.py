"""Merchants' webhooks: endpoints, deliveries, attempts"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ENABLED, DUE = sa.text("disabled_at IS NULL"), sa.text("next_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("merchant_id", sa.String(), sa.ForeignKey("merchant.id"), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String()),
        sa.Column("event_types", sa.String(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("previous_secret", sa.String()),
        sa.Column("previous_secret_until", sa.DateTime(timezone=True)),
        sa.Column("payment_cursor", sa.BigInteger()),
        sa.Column("failing_since", sa.DateTime(timezone=True)),
        sa.Column("disabled_at", sa.DateTime(timezone=True)),
        sa.Column("disabled_reason", sa.String()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_webhook_endpoint_merchant", "webhook_endpoint", ["merchant_id", "id"])
    op.create_index(
        "ix_webhook_endpoint_enabled", "webhook_endpoint", ["id"], sqlite_where=ENABLED, postgresql_where=ENABLED
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("body", sa.Text()),
        sa.Column("first_payment", sa.BigInteger()),
        sa.Column("last_payment", sa.BigInteger()),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True)),
        sa.Column("claim", sa.String()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_webhook_delivery_endpoint", "webhook_delivery", ["endpoint_id", "id"])
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["endpoint_id", "next_at"],
        sqlite_where=DUE,
        postgresql_where=DUE,
    )
    op.create_table(
        "webhook_attempt",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False, index=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.String()),
        sa.Column("answer", sa.String(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("webhook_attempt")
    op.drop_table("webhook_delivery")
    op.drop_table("webhook_endpoint")
