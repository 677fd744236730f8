"""Reports by e-mail: the address of who wants them, and how many mails were sent to those who have not confirmed"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "report_mail",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False, unique=True),
        sa.Column("code_hash", sa.String()),
        sa.Column("code_expires_at", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("doubtful", sa.Integer(), nullable=False),
        sa.Column("fault", sa.String()),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_report_mail_owner", "report_mail", ["owner"], unique=True)
    op.create_index("ix_report_mail_due_at", "report_mail", ["due_at"])
    op.create_table(
        "report_mail_limit",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_report_mail_limit_until", "report_mail_limit", ["until"])


def downgrade() -> None:
    for table in ("report_mail_limit", "report_mail"):
        op.drop_table(table)
