"""API keys have scopes, a name, an end and a last use; those that there are may do everything, as before"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COLUMNS = {
    "name": sa.String(),
    "scopes": sa.String(),
    "expires_at": sa.DateTime(timezone=True),
    "last_used_at": sa.DateTime(timezone=True),
}


def upgrade() -> None:
    for name, type_ in COLUMNS.items():
        op.add_column("api_key", sa.Column(name, type_))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("api_key", name)
