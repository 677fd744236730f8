"""Several attempts of a transaction, alarms, and what is needed to find one's way back after a deep reorganisation"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chain_attempt",
        sa.Column("hash", sa.String(), primary_key=True),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False, index=True),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute(
        "INSERT INTO chain_attempt (hash, transaction_id, raw, made_at) "
        "SELECT hash, id, raw, signed_at FROM chain_transaction"
    )
    op.drop_column("chain_transaction", "raw")
    op.create_index("ix_chain_transaction_block_number", "chain_transaction", ["block_number"])
    op.create_index("ix_chain_transaction_nonce", "chain_transaction", ["sender", "nonce"])
    op.create_table(
        "chain_block",
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(), nullable=False),
    )
    op.execute("INSERT INTO chain_block (number, hash) SELECT block_number, block_hash FROM chain_cursor")
    op.create_table(
        "chain_event",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("event_key", sa.String(), nullable=False, index=True),
        sa.Column("block_number", sa.BigInteger(), nullable=False, index=True),
        sa.Column("transaction_hash", sa.String(), nullable=False),
        sa.Column("orphaned", sa.Boolean(), nullable=False, index=True),
    )
    op.add_column("chain_cursor", sa.Column("doubtful_until", sa.BigInteger()))
    op.create_table(
        "alarm",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    """Of several attempts the one is kept that the transaction names."""
    op.drop_table("alarm")
    op.drop_column("chain_cursor", "doubtful_until")
    op.drop_table("chain_event")
    op.drop_table("chain_block")
    op.drop_index("ix_chain_transaction_nonce", "chain_transaction")
    op.drop_index("ix_chain_transaction_block_number", "chain_transaction")
    op.add_column("chain_transaction", sa.Column("raw", sa.LargeBinary()))
    op.execute(
        "UPDATE chain_transaction SET raw = "
        "(SELECT raw FROM chain_attempt WHERE chain_attempt.hash = chain_transaction.hash)"
    )
    with op.batch_alter_table("chain_transaction") as table:
        table.alter_column("raw", nullable=False)
    op.drop_table("chain_attempt")
