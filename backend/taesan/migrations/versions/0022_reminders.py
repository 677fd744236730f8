"""Reminders of conversions that are held, cashback that is not paid, and points that expire"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

CURSORS = ("conversion_id", "reward_id")


def upgrade() -> None:
    for name in CURSORS:
        op.add_column("reminder_cursor", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    _index_matters("wallet", "kind", "subject", "since")


def downgrade() -> None:
    _index_matters("kind", "subject", "since")
    for name in CURSORS:
        op.drop_column("reminder_cursor", name)


def _index_matters(*columns: str) -> None:
    op.drop_index("ix_reminder_matter", "reminder")
    op.create_index("ix_reminder_matter", "reminder", columns, unique=True)
