"""Persons, their wallets, and what moved in their small money"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

SUMMED = ("kind", "asset", "exponent", "merchant", "category", "source", "amount", "duplicate_of")
DUPLICATE = sa.text("duplicate_of IS NOT NULL")
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("redated", sa.BigInteger()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_person_redated", "person", ["redated"])
    op.create_table(
        "person_wallet",
        sa.Column("wallet", sa.String(), primary_key=True),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_person_wallet_owner", "person_wallet", ["owner"])
    op.create_index("ix_gateway_payment_all_of_customer", "gateway_payment", ["customer_id", "id"])
    op.create_index("ix_redemption_holder", "redemption", ["holder", "id"])
    _movements()
    _what_is_under_way()


def _movements() -> None:
    op.create_table(
        "movement",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("merchant", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("exponent", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("wallet", sa.String()),
        sa.Column("duplicate_of", sa.BigInteger()),
        sa.UniqueConstraint("owner", "source", "kind", "key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_movement_owner", "movement", ["owner", "id"])
    op.create_index("ix_movement_day", "movement", ["owner", "day", "id", *SUMMED])
    op.create_index("ix_movement_merchant", "movement", ["owner", "merchant", "day", "id"])
    op.create_index(
        "ix_movement_duplicate_of", "movement", ["duplicate_of"], sqlite_where=DUPLICATE, postgresql_where=DUPLICATE
    )


def _what_is_under_way() -> None:
    op.create_table(
        "insights_cursor",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=False),
        sa.Column("gateway_payment_id", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "insights_filling",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("wallet", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("subject", sa.BigInteger(), nullable=False),
        sa.Column("after", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_insights_filling_owner", "insights_filling", ["owner"])
    op.create_table(
        "insights_erasure",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("wallet", sa.String()),
        sa.Column("after", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_insights_erasure_owner", "insights_erasure", ["owner"])


def downgrade() -> None:
    for table in ("insights_erasure", "insights_filling", "insights_cursor", "movement", "person_wallet", "person"):
        op.drop_table(table)
    op.drop_index("ix_redemption_holder", "redemption")
    op.drop_index("ix_gateway_payment_all_of_customer", "gateway_payment")
