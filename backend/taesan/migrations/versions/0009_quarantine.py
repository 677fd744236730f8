"""Channels in quarantine, what operators did, and channels of which much waits"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# Partial indexes of a few channels each: name → column, condition.
FEW = {
    "ix_channel_quarantine": sa.text("quarantine_id IS NOT NULL"),
    "ix_channel_pressing": sa.text("pressing IS NOT NULL"),
}


def upgrade() -> None:
    op.add_column("channel", sa.Column("missing", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("channel", sa.Column("quarantine_id", sa.BigInteger()))
    op.add_column("channel", sa.Column("pressing", sa.BigInteger()))
    for name, where in FEW.items():
        op.create_index(name, "channel", ["id"], sqlite_where=where, postgresql_where=where)
    op.add_column("batch_claim", sa.Column("lost", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("jar_firing", sa.Column("returned", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "quarantine",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("channel_id", sa.String(), sa.ForeignKey("channel.id"), nullable=False, index=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("payments", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False, index=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "operator_action",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operator", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
    )
    _refuse_changes("operator_action")


def _refuse_changes(table: str) -> None:
    """As for the books (0002)."""
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
        return
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("operator_action")
    op.drop_table("quarantine")
    op.drop_column("jar_firing", "returned")
    op.drop_column("batch_claim", "lost")
    for name in FEW:
        op.drop_index(name, "channel")
    for column in ("pressing", "quarantine_id", "missing"):
        op.drop_column("channel", column)
