"""When points were earned"""

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
    op.create_index("ix_loyalty_points_paid", "loyalty_points", ["member_id", "paid_at", "points"])


def downgrade() -> None:
    op.drop_index("ix_loyalty_points_paid", "loyalty_points")
    op.drop_column("loyalty_points", "paid_at")
