"""What each card shows, whether that may still change, and when it was last looked at.

Cards of before have seen nothing: the first look at each draws it, and sorts it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

LONG_AGO = "2000-01-01 00:00:00+00:00"


def upgrade() -> None:
    for column in (
        sa.Column("seen", sa.String(64), nullable=False, server_default=""),
        sa.Column("open", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False, server_default=LONG_AGO),
    ):
        op.add_column("cards", column)
    op.create_index("ix_cards_looked_at", "cards", ["looked_at"])
