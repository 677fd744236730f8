"""Merchants where standing costs are to be looked for again"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "recurring_due",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("merchant", sa.String(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_recurring_due_owner", "recurring_due", ["owner"])


def downgrade() -> None:
    op.drop_table("recurring_due")
