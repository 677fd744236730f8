"""What merchants have given back to somebody is found at once"""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_refund_account", "refund", ["account", "is_reward", "id"])


def downgrade() -> None:
    op.drop_index("ix_refund_account", "refund")
