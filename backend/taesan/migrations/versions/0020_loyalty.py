"""Cashback campaigns, tiers, points, badges"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def _id() -> sa.Column[int]:
    return sa.Column("id", BIG_ID, primary_key=True, autoincrement=True)


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    op.add_column("refund", sa.Column("taken_off", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("refund", sa.Column("is_reward", sa.Boolean(), nullable=False, server_default=sa.false()))
    _campaigns()
    _programmes()
    op.create_table(
        "badge_update",
        _id(),
        sa.Column("tiers", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False, index=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), index=True),
        sa.Column("reason", sa.String()),
        sa.Column("made_at", MOMENT, nullable=False),
    )


def _campaigns() -> None:
    op.create_table(
        "campaign",
        _id(),
        sa.Column("public_id", sa.String(), nullable=False, unique=True),
        sa.Column("merchant_id", sa.String(), sa.ForeignKey("merchant.id"), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.Column("cap_payment", sa.BigInteger()),
        sa.Column("cap_payer", sa.BigInteger()),
        sa.Column("category", sa.String()),
        sa.Column("tiers_of", sa.String(), nullable=False),
        sa.Column("budget", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("rewards", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("from_payment", sa.BigInteger(), nullable=False),
        sa.Column("until_payment", sa.BigInteger()),
        sa.CheckConstraint("spent BETWEEN 0 AND budget", name="within_budget"),
    )
    op.create_index("ix_campaign_merchant_id", "campaign", ["merchant_id", "id"])
    op.create_index("ix_campaign_address", "campaign", ["address", "state"])
    _partial("ix_campaign_running", "campaign", ["ends_at"], "state = 'running'")
    op.create_table(
        "reward",
        _id(),
        sa.Column("source", sa.String(), nullable=False, unique=True),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("payer", sa.String(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("multiplier", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reversed", sa.BigInteger(), nullable=False),
        sa.Column("payout_id", sa.String()),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.CheckConstraint("reversed BETWEEN 0 AND amount", name="within_reward"),
    )
    op.create_index("ix_reward_campaign_id", "reward", ["campaign_id", "id"])
    op.create_index("ix_reward_campaign_payer", "reward", ["campaign_id", "payer"])
    op.create_index("ix_reward_payer", "reward", ["payer", "id"])
    op.create_index("ix_reward_payout_id", "reward", ["payout_id"])
    _partial("ix_reward_unpaid", "reward", ["address", "payer"], "payout_id IS NULL")
    op.create_table(
        "cashback",
        sa.Column("address", sa.String(), primary_key=True),
        sa.Column("payer", sa.String(), primary_key=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount >= 0", name="not_overdrawn"),
    )
    op.create_index("ix_cashback_payer", "cashback", ["payer"])
    _partial("ix_cashback_due", "cashback", ["amount"], "amount > 0")


def _programmes() -> None:
    op.create_table(
        "loyalty_follower",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "loyalty_followed",
        sa.Column("refund_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("after_payment", sa.BigInteger(), nullable=False),
        sa.Column("after_programme", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "loyalty_programme",
        _id(),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("definition", sa.JSON(), nullable=False),
        sa.Column("from_payment", sa.BigInteger(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
    )
    op.create_index("ix_loyalty_programme_owner", "loyalty_programme", ["owner", "id"])
    op.create_table(
        "loyalty_member",
        _id(),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("payer", sa.String(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("looked", sa.Integer(), nullable=False),
        sa.Column("noticed", sa.Integer()),
        sa.Column("look_at", MOMENT),
        sa.Column("badge", sa.Integer(), nullable=False),
        sa.Column("badge_due", MOMENT),
        sa.Column("since", MOMENT, nullable=False),
    )
    op.create_index("ix_loyalty_member_key", "loyalty_member", ["owner", "payer"], unique=True)
    op.create_index("ix_loyalty_member_owner", "loyalty_member", ["owner", "id"])
    op.create_index("ix_loyalty_member_payer", "loyalty_member", ["payer", "id"])
    _partial("ix_loyalty_member_look_at", "loyalty_member", ["look_at"], "look_at IS NOT NULL")
    _partial("ix_loyalty_member_badge", "loyalty_member", ["badge_due"], "badge_due IS NOT NULL")
    op.create_table(
        "loyalty_period",
        sa.Column("member_id", BIG_ID, primary_key=True, autoincrement=False),
        sa.Column("period", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "loyalty_change",
        _id(),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("before", sa.Integer(), nullable=False),
        sa.Column("after", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_index("ix_loyalty_change_member", "loyalty_change", ["member_id", "id"])
    op.create_table(
        "loyalty_points",
        _id(),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("tell_at", MOMENT),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("lapsed", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_loyalty_points_source", "loyalty_points", ["source", "member_id"], unique=True)
    _partial("ix_loyalty_points_member", "loyalty_points", ["member_id", "expires_at"], "remaining > 0")
    _partial("ix_loyalty_points_expires", "loyalty_points", ["expires_at"], "remaining > 0")
    _partial("ix_loyalty_points_tell", "loyalty_points", ["tell_at"], "tell_at IS NOT NULL")


def downgrade() -> None:
    for table in (
        "badge_update",
        "loyalty_points",
        "loyalty_change",
        "loyalty_period",
        "loyalty_member",
        "loyalty_programme",
        "loyalty_followed",
        "loyalty_follower",
        "cashback",
        "reward",
        "campaign",
    ):
        op.drop_table(table)
    op.drop_column("refund", "is_reward")
    op.drop_column("refund", "taken_off")
