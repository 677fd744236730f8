"""What a database restored to an older state learns from its chain"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "restoration",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "recovered_charge",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("channel_id", sa.String(), sa.ForeignKey("channel.id"), nullable=False),
        sa.Column("charged_from", sa.BigInteger(), nullable=False),
        sa.Column("charged_to", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_recovered_charge_channel_id", "recovered_charge", ["channel_id"])
    op.add_column("batch", sa.Column("recovered_root", sa.String()))
    op.add_column("batch", sa.Column("recovered_in", sa.String()))


def downgrade() -> None:
    op.drop_column("batch", "recovered_in")
    op.drop_column("batch", "recovered_root")
    op.drop_table("recovered_charge")
    op.drop_table("restoration")
