"""What each payment changes or looks up stands in narrow rows: hundreds on a page, and pages are what a commit writes"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNBATCHED, BATCHED = sa.text("batch_id IS NULL"), sa.text("batch_id IS NOT NULL")
TO_MERCHANT = sa.text("merchant_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "charged",
        sa.Column("account_id", BIG_ID, primary_key=True, autoincrement=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO charged SELECT account_id, charged FROM channel")
    op.drop_column("channel", "charged")
    op.create_table(
        "jar_count",
        sa.Column("account_id", BIG_ID, primary_key=True, autoincrement=False),
        sa.Column("payments", sa.Integer(), nullable=False),
    )
    op.execute(
        "INSERT INTO jar_count SELECT jar_account_id, payment_count FROM jar JOIN channel ON channel.id = channel_id"
    )
    op.drop_column("jar", "payment_count")
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_payment("account_id", "(SELECT account_id FROM channel WHERE channel.id = channel_id)")
        _rebuild_posting(with_rowid=False)
    else:
        op.add_column("payment", sa.Column("account_id", sa.BigInteger(), nullable=True))
        op.execute("UPDATE payment SET account_id = channel.account_id FROM channel WHERE channel.id = channel_id")
        op.alter_column("payment", "account_id", nullable=False)
        op.drop_constraint("payment_channel_id_cumulative_key", "payment")
        op.create_unique_constraint("payment_account_id_cumulative_key", "payment", ["account_id", "cumulative"])
        op.drop_index("ix_payment_key", "payment")
        op.create_index("ix_payment_key", "payment", ["account_id", "idempotency_key"], unique=True)


def downgrade() -> None:
    op.add_column("channel", sa.Column("charged", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE channel SET charged = (SELECT amount FROM charged WHERE charged.account_id = channel.account_id)"
    )
    op.drop_table("charged")
    op.add_column("jar", sa.Column("payment_count", sa.Integer(), nullable=False, server_default="0"))
    # Since then a jar has a row only if its payer set a rule, and a count only if something was paid into it.
    op.execute(
        "INSERT INTO jar (channel_id, round_up_step, trigger_count, trigger_value, updated_at) "
        "SELECT id, 1000000, 100, 1000000, opened_at FROM channel JOIN jar_count ON jar_count.account_id = jar_account_id "
        "WHERE id NOT IN (SELECT channel_id FROM jar)"
    )
    op.execute(
        "UPDATE jar SET payment_count = coalesce((SELECT payments FROM jar_count JOIN channel "
        "ON channel.jar_account_id = jar_count.account_id WHERE channel.id = jar.channel_id), 0)"
    )
    op.drop_table("jar_count")
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_payment("channel_id", None)
        _rebuild_posting(with_rowid=True)
    else:
        op.drop_index("ix_payment_key", "payment")
        op.create_index("ix_payment_key", "payment", ["channel_id", "idempotency_key"], unique=True)
        op.drop_constraint("payment_account_id_cumulative_key", "payment")
        op.create_unique_constraint("payment_channel_id_cumulative_key", "payment", ["channel_id", "cumulative"])
        op.drop_column("payment", "account_id")


def _rebuild_payment(channel: str, account_id: str | None) -> None:
    """SQLite cannot drop a table's constraint. :param channel: the column by which a payment's channel is looked up"""
    columns = [column for column in _payment_columns() if column.name != "account_id" or account_id]
    names = [column.name for column in columns]
    op.create_table(
        "new_payment",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        *columns,
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"]),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchant.id"]),
        sa.UniqueConstraint("public_id"),
        sa.UniqueConstraint(channel, "cumulative"),
    )
    values = ", ".join(account_id if name == "account_id" and account_id else name for name in names)
    op.execute(f"INSERT INTO new_payment (id, {', '.join(names)}) SELECT id, {values} FROM payment")
    op.drop_table("payment")
    op.rename_table("new_payment", "payment")
    op.create_index("ix_payment_batch", "payment", ["batch_id", "id"], sqlite_where=BATCHED)
    op.create_index("ix_payment_key", "payment", [channel, "idempotency_key"], unique=True)
    op.create_index("ix_payment_merchant", "payment", ["merchant_id", "id"], sqlite_where=TO_MERCHANT)
    op.create_index("ix_payment_unbatched", "payment", ["id"], sqlite_where=UNBATCHED)


def _payment_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("channel_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("cumulative", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("merchant_id", sa.String(), nullable=True),
        sa.Column("payee", sa.String(), nullable=False),
        sa.Column("purchase_value", sa.BigInteger(), nullable=True),
        sa.Column("purchase_currency", sa.String(), nullable=True),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("jar_gathered", sa.BigInteger(), nullable=True),
        sa.Column("jar_payments", sa.Integer(), nullable=True),
        sa.Column("jar_fired", sa.BigInteger(), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
    ]


def _rebuild_posting(with_rowid: bool) -> None:
    """Its key alone is its order, so one tree is enough."""
    connection = op.get_bind()
    of_postings = sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'posting'")
    triggers = list(connection.execute(of_postings).scalars())
    op.create_table(
        "new_posting",
        sa.Column("entry_id", sa.BigInteger(), primary_key=True),
        sa.Column("line", sa.Integer(), primary_key=True),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=with_rowid,
    )
    op.execute("INSERT INTO new_posting SELECT entry_id, line, account_id, amount FROM posting ORDER BY entry_id, line")
    for action in ("update", "delete", "replace"):
        op.execute(f"DROP TRIGGER posting_no_{action}")
    op.drop_table("posting")
    op.rename_table("new_posting", "posting")
    for trigger in triggers:
        op.execute(trigger)
