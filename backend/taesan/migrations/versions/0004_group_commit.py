"""Payments that are booked in groups: their keys and answers stand in their rows, accounts are known by number"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
PAYMENT_COLUMNS = {
    "idempotency_key": sa.String(),
    "entry_id": sa.BigInteger(),
    "jar_gathered": sa.BigInteger(),
    "jar_payments": sa.Integer(),
    "jar_fired": sa.BigInteger(),
}
FILLED = {"idempotency_key": "", "entry_id": "0"}


def upgrade() -> None:
    connection = op.get_bind()
    for name, type_ in PAYMENT_COLUMNS.items():
        # Columns with a default instead of a new table: others refer to these rows.
        op.add_column("payment", sa.Column(name, type_, nullable=name not in FILLED, server_default=FILLED.get(name)))
    for name in ("account_id", "jar_account_id"):
        op.add_column("channel", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.drop_column("channel", "voucher_signature")
    op.drop_index("ix_posting_account", "posting")
    op.create_table(
        "balance",
        sa.Column("account_id", BIG_ID, primary_key=True, autoincrement=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount BETWEEN 0 AND 9223372036854775807", name="not_overdrawn"),
    )
    op.execute("INSERT INTO balance SELECT id, balance * side FROM account")
    op.drop_column("account", "balance")
    op.create_table(
        "turnover",
        sa.Column("entry_kind", sa.String(), primary_key=True),
        sa.Column("account_kind", sa.String(), primary_key=True),
        sa.Column("asset", sa.String(), primary_key=True),
        sa.Column("debit", sa.BigInteger(), nullable=False),
        sa.Column("credit", sa.BigInteger(), nullable=False),
    )
    op.execute(
        "INSERT INTO turnover SELECT journal_entry.kind, account.kind, account.asset, "
        "SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END), SUM(CASE WHEN amount < 0 THEN -amount ELSE 0 END) "
        "FROM posting JOIN journal_entry ON journal_entry.id = posting.entry_id "
        "JOIN account ON account.id = posting.account_id GROUP BY journal_entry.kind, account.kind, account.asset"
    )
    _open_accounts(connection)
    _move_answers(connection)
    op.create_index("ix_payment_key", "payment", ["channel_id", "idempotency_key"], unique=True)
    op.drop_index("ix_payment_batch", "payment")
    batched = sa.text("batch_id IS NOT NULL")
    op.create_index("ix_payment_batch", "payment", ["batch_id", "id"], sqlite_where=batched, postgresql_where=batched)
    to_merchant = sa.text("merchant_id IS NOT NULL")
    op.create_index(
        "ix_payment_merchant",
        "payment",
        ["merchant_id", "id"],
        sqlite_where=to_merchant,
        postgresql_where=to_merchant,
    )


def _open_accounts(connection: sa.Connection) -> None:
    assets = connection.execute(sa.text("SELECT DISTINCT asset FROM account")).scalars().all()
    if not assets:  # nobody has deposited yet, but somebody may be about to
        of_chain = "SELECT 'eip155:' || chain_id || '/erc20:' || asset FROM chain_binding"
        assets = connection.execute(sa.text(of_chain)).scalars().all()
    for kind, column in (("channel", "account_id"), ("jar", "jar_account_id")):
        for asset in assets:
            connection.execute(
                sa.text(
                    "INSERT INTO account (name, kind, asset, side) "
                    "SELECT :kind || ':' || id || ':' || :asset, :kind, :asset, -1 FROM channel "
                    "WHERE :kind || ':' || id || ':' || :asset NOT IN (SELECT name FROM account)"
                ),
                {"kind": kind, "asset": asset},
            )
            connection.execute(
                sa.text(
                    f"UPDATE channel SET {column} = (SELECT account.id FROM account "
                    "WHERE account.name = :kind || ':' || channel.id || ':' || :asset)"
                ),
                {"kind": kind, "asset": asset},
            )

    connection.execute(
        sa.text("INSERT INTO balance SELECT id, 0 FROM account WHERE id NOT IN (SELECT account_id FROM balance)")
    )


def _move_answers(connection: sa.Connection) -> None:
    connection.execute(
        sa.text(
            "UPDATE payment SET idempotency_key = public_id, entry_id = "
            "(SELECT journal_entry.id FROM journal_entry WHERE journal_entry.ref = 'payment:' || payment.public_id)"
        )
    )
    kept = connection.execute(sa.text("SELECT key, body FROM idempotency_key WHERE scope LIKE 'payment:%'")).all()
    answers = [(key, json.loads(body) if isinstance(body, str) else body) for key, body in kept]
    rows = [
        {
            "id": body["id"],
            "key": key,
            "gathered": jar and int(jar["gathered"]),
            "payments": jar and jar["payments"],
            "fired": jar and jar["fired"] and int(jar["fired"]),
        }
        for key, body in answers
        for jar in [body["jar"]]
    ]
    if rows:
        connection.execute(
            sa.text(
                "UPDATE payment SET idempotency_key = :key, jar_gathered = :gathered, jar_payments = :payments, "
                "jar_fired = :fired WHERE public_id = :id"
            ),
            rows,
        )
    connection.execute(sa.text("DELETE FROM idempotency_key WHERE scope LIKE 'payment:%'"))


def downgrade() -> None:
    op.drop_table("turnover")
    op.drop_index("ix_payment_batch", "payment")
    op.create_index("ix_payment_batch", "payment", ["batch_id", "id"])
    op.drop_index("ix_payment_merchant", "payment")
    op.drop_index("ix_payment_key", "payment")
    op.add_column("account", sa.Column("balance", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE account SET balance = side * (SELECT amount FROM balance WHERE balance.account_id = account.id)")
    op.drop_table("balance")
    op.create_index("ix_posting_account", "posting", ["account_id", "entry_id"])
    op.add_column("channel", sa.Column("voucher_signature", sa.String(), nullable=True))
    op.execute(
        "UPDATE channel SET voucher_signature = (SELECT signature FROM payment "
        "WHERE payment.channel_id = channel.id AND payment.cumulative = channel.charged)"
    )
    for name in ("account_id", "jar_account_id"):
        op.drop_column("channel", name)
    for name in PAYMENT_COLUMNS:
        op.drop_column("payment", name)
