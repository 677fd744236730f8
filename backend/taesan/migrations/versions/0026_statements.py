"""Imported statements, and what is the same in two sources"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
IS_DUPLICATE = sa.text("duplicate_of IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "statement_import",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String()),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("first_day", sa.Date()),
        sa.Column("last_day", sa.Date()),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("owner", "digest"),
    )
    op.create_index("ix_statement_import_owner", "statement_import", ["owner", "id"])
    op.create_index("ix_statement_import_fingerprint", "statement_import", ["owner", "fingerprint"])
    op.create_table(
        "statement_line",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("import_id", sa.BigInteger(), sa.ForeignKey("statement_import.id"), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
    )
    op.create_index("ix_statement_line_owner", "statement_line", ["owner", "key", "import_id"], unique=True)
    op.create_index("ix_statement_line_import", "statement_line", ["import_id"])
    op.create_table(
        "statement_mapping",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_statement_mapping_owner", "statement_mapping", ["owner", "fingerprint"], unique=True)
    _duplicates()


def _duplicates() -> None:
    op.create_table(
        "duplicate_verdict",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("other", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_duplicate_verdict_owner", "duplicate_verdict", ["owner", "line", "other"], unique=True)
    op.create_table(
        "duplicate_cursor",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("movement_id", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_movement_amount", "movement", ["owner", "asset", "amount", "day"])
    op.create_index(
        "ix_movement_duplicate", "movement", ["owner", "id"], sqlite_where=IS_DUPLICATE, postgresql_where=IS_DUPLICATE
    )


def downgrade() -> None:
    for index in ("ix_movement_duplicate", "ix_movement_amount"):
        op.drop_index(index, "movement")
    for table in ("duplicate_cursor", "duplicate_verdict", "statement_mapping", "statement_line", "statement_import"):
        op.drop_table(table)
