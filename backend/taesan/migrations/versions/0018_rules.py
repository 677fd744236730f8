"""Signed rules, what they have gathered, and firings without a payment."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NEVER_ENDED, DUE = sa.text("ended_at IS NULL"), sa.text("due_at IS NOT NULL")
LOOSE = sa.text("payment_id IS NULL AND batch_id IS NULL AND NOT returned")


def upgrade() -> None:
    op.create_table(
        "signed_rule",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("channel_id", sa.String(), sa.ForeignKey("channel.id"), nullable=False),
        sa.Column("payer", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("gather", sa.String(), nullable=False),
        sa.Column("fires", sa.String(), nullable=False),
        sa.Column("only_for", sa.String(), nullable=False),
        sa.Column("destinations", sa.JSON(), nullable=False),
        sa.Column("per_day", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("payer", "number"),
    )
    op.create_index("ix_signed_rule_channel", "signed_rule", ["channel_id", "id"])
    op.create_index("ix_signed_rule_due", "signed_rule", ["due_at"], sqlite_where=DUE, postgresql_where=DUE)
    op.create_index(
        "ix_signed_rule_until",
        "signed_rule",
        ["valid_until"],
        sqlite_where=NEVER_ENDED,
        postgresql_where=NEVER_ENDED,
    )
    op.create_table(
        "rule_state",
        sa.Column("rule_id", BIG_ID, primary_key=True, autoincrement=False),
        sa.Column("payments", sa.Integer(), nullable=False),
        sa.Column("gathered", sa.BigInteger(), nullable=False),
        sa.Column("fired", sa.BigInteger(), nullable=False),
        sa.Column("released", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("of_day", sa.BigInteger(), nullable=False),
        sa.Column("of_month", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "rule_note",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("payments", sa.Integer(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_rule_note_rule", "rule_note", ["rule_id", "id"])
    op.add_column("jar_count", sa.Column("ruled", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("jar_firing") as table:
        table.alter_column("payment_id", existing_type=sa.String(), nullable=True)
        table.add_column(sa.Column("after_id", sa.BigInteger()))
        table.add_column(sa.Column("rule_id", sa.BigInteger()))
        table.add_column(sa.Column("fired_before", sa.BigInteger()))
    op.create_index("ix_jar_firing_loose", "jar_firing", ["id"], sqlite_where=LOOSE, postgresql_where=LOOSE)
    op.add_column("payment", sa.Column("rule_id", sa.BigInteger()))
    op.add_column("payment", sa.Column("purchase_merchant", sa.String()))
    op.add_column("payment", sa.Column("purchase_category", sa.String()))


def downgrade() -> None:
    for column in ("purchase_category", "purchase_merchant", "rule_id"):
        op.drop_column("payment", column)
    op.drop_index("ix_jar_firing_loose", "jar_firing")
    with op.batch_alter_table("jar_firing") as table:
        for column in ("fired_before", "rule_id", "after_id"):
            table.drop_column(column)
        table.alter_column("payment_id", existing_type=sa.String(), nullable=False)
    op.drop_column("jar_count", "ruled")
    for name in ("rule_note", "rule_state", "signed_rule"):
        op.drop_table(name)
