"""Which objects have cards that must follow them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "watched",
        sa.Column("ref", sa.String(255), primary_key=True),
        sa.Column("seen", sa.String(64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
