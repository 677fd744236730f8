"""Gift links, gift tokens to other people, and what should not be forgotten"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TO_PERSON = sa.text("destination = 'person'")
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "token_transfer",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("payer", sa.String(), nullable=False),
        sa.Column("pay_to", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("valid_after", sa.BigInteger(), nullable=False),
        sa.Column("valid_before", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger()),
        sa.Column("transaction_hash", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_block", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("payer", "nonce"),
    )
    op.create_index("ix_token_transfer_transaction_id", "token_transfer", ["transaction_id"])
    op.create_index("ix_token_transfer_payer", "token_transfer", ["payer", "purpose", "id"])
    op.create_index("ix_token_transfer_payer_state", "token_transfer", ["payer", "state"])
    op.create_index("ix_token_transfer_state_due", "token_transfer", ["state", "due_at"])
    op.create_table(
        "gift",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("key_address", sa.String(), nullable=False, unique=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("sender_name", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("return_nonce", sa.String(), nullable=False),
        sa.Column("return_signature", sa.String(), nullable=False),
        sa.Column("wrap_id", sa.BigInteger(), sa.ForeignKey("token_transfer.id"), nullable=False),
        sa.Column("claim_id", sa.BigInteger(), sa.ForeignKey("token_transfer.id")),
        sa.Column("return_id", sa.BigInteger(), sa.ForeignKey("token_transfer.id")),
        sa.Column("look_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_gift_sender", "gift", ["sender", "id"])
    op.create_index("ix_gift_look_at", "gift", ["look_at"])
    op.create_index("ix_payment_person", "payment", ["payee", "id"], sqlite_where=TO_PERSON, postgresql_where=TO_PERSON)
    _what_lies_about()


def _what_lies_about() -> None:
    op.create_table(
        "reminder",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("wallet", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_reminder_matter", "reminder", ["kind", "subject", "since"], unique=True)
    op.create_index("ix_reminder_wallet", "reminder", ["wallet", "ended_at", "id"])
    op.create_index("ix_reminder_look_at", "reminder", ["look_at"])
    op.create_table(
        "jar_watch",
        sa.Column("channel_id", sa.String(), sa.ForeignKey("channel.id"), primary_key=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("look_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_jar_watch_look_at", "jar_watch", ["look_at"])
    op.create_table(
        "reminder_cursor",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_index("ix_payment_person", "payment")
    for table in ("reminder_cursor", "jar_watch", "reminder", "gift", "token_transfer"):
        op.drop_table(table)
