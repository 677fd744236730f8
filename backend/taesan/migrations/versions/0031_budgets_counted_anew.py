"""Budgets that are to be counted anew are found at once"""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_budget_counted", "budget", ["counted"])


def downgrade() -> None:
    op.drop_index("ix_budget_counted", "budget")
