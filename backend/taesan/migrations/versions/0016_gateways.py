"""Gateways, their customers and payments"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING, LINKED = sa.text("drawn_at IS NULL AND refunded_at IS NULL"), sa.text("wallet IS NOT NULL")


def upgrade() -> None:
    op.add_column("channel", sa.Column("gateway_id", sa.String()))
    op.add_column("wallet_claim", sa.Column("max_claimable", sa.BigInteger()))
    op.create_table(
        "gateway",
        sa.Column("id", sa.String(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False, unique=True),
        sa.Column("channel_id", sa.String(), sa.ForeignKey("channel.id"), unique=True),
        sa.Column("signed", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("drawn", sa.BigInteger(), nullable=False),
        sa.Column("drawn_since", sa.DateTime(timezone=True)),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("waiting_amount", sa.BigInteger(), nullable=False),
        sa.Column("lost", sa.BigInteger(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("previous_secret", sa.String()),
        sa.Column("previous_secret_until", sa.DateTime(timezone=True)),
        sa.Column("pepper", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_gateway_waiting", "gateway", ["waiting", "id"])
    op.create_table(
        "gateway_customer",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("gateway_id", sa.String(), sa.ForeignKey("gateway.id"), nullable=False),
        sa.Column("name_hash", sa.String(), nullable=False),
        sa.Column("wallet", sa.String()),
        sa.Column("payments", sa.Integer(), nullable=False),
        sa.Column("released", sa.BigInteger(), nullable=False),
        sa.Column("owed", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.String(), unique=True),
        sa.Column("code_expires_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("gateway_id", "name_hash"),
    )
    op.create_index(
        "ix_gateway_customer_wallet",
        "gateway_customer",
        ["wallet", "id"],
        sqlite_where=LINKED,
        postgresql_where=LINKED,
    )
    op.create_table(
        "gateway_payment",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("gateway_id", sa.String(), sa.ForeignKey("gateway.id"), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("merchant_id", sa.String(), sa.ForeignKey("merchant.id")),
        sa.Column("reference", sa.String()),
        sa.Column("purchase_value", sa.BigInteger(), nullable=False),
        sa.Column("purchase_currency", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("paid_back", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True)),
        sa.Column("refunded_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("gateway_id", "name"),
    )
    op.create_index("ix_gateway_payment_gateway", "gateway_payment", ["gateway_id", "id"])
    for name, column in (("waiting", "gateway_id"), ("customer", "customer_id")):
        op.create_index(
            f"ix_gateway_payment_{name}",
            "gateway_payment",
            [column, "id"],
            sqlite_where=WAITING,
            postgresql_where=WAITING,
        )


def downgrade() -> None:
    op.drop_table("gateway_payment")
    op.drop_table("gateway_customer")
    op.drop_table("gateway")
    op.drop_column("wallet_claim", "max_claimable")
    op.drop_column("channel", "gateway_id")
