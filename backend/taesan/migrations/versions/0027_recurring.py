"""Standing costs of persons, and what they have said about them"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "recurring",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("merchant", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("asset", sa.String(), nullable=False),
        sa.Column("exponent", sa.Integer(), nullable=False),
        sa.Column("cadence", sa.String(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("yearly", sa.BigInteger(), nullable=False),
        sa.Column("about", sa.Boolean(), nullable=False),
        sa.Column("was", sa.BigInteger()),
        sa.Column("changed_on", sa.Date()),
        sa.Column("trial_amount", sa.BigInteger()),
        sa.Column("trial_day", sa.Date()),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("next_due", sa.Date(), nullable=False),
        sa.Column("over_after", sa.Date(), nullable=False),
        sa.Column("charges", sa.JSON(), nullable=False),
        sa.Column("verdict", sa.String()),
        sa.Column("judged_at", sa.DateTime(timezone=True)),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_recurring_owner", "recurring", ["owner", "merchant", "id"])
    op.create_table(
        "recurring_cursor",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("recurring_cursor")
    op.drop_table("recurring")
