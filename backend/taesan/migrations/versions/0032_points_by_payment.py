"""When points were earned; what a member has is added up by indexes alone"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

NEVER = "1970-01-01 00:00:00.000000"  # until the next statement


def upgrade() -> None:
    column = sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False, server_default=NEVER)
    op.add_column("loyalty_points", column)
    paid = "SELECT accepted_at FROM payment WHERE payment.public_id = loyalty_points.source"
    op.execute(f"UPDATE loyalty_points SET paid_at = ({paid})")
    _member_index("member_id", "expires_at", "remaining")
    op.create_index("ix_loyalty_points_paid", "loyalty_points", ["member_id", "paid_at", "points"])


def downgrade() -> None:
    op.drop_index("ix_loyalty_points_paid", "loyalty_points")
    op.drop_column("loyalty_points", "paid_at")
    _member_index("member_id", "expires_at")


def _member_index(*columns: str) -> None:
    left = sa.text("remaining > 0")
    op.drop_index("ix_loyalty_points_member", "loyalty_points")
    op.create_index(
        "ix_loyalty_points_member", "loyalty_points", list(columns), sqlite_where=left, postgresql_where=left
    )
