"""Who has said yes so far, what was seen, and who lent rights to whom.

Cards of before carry no digest of what they show: the next look at each draws it anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "votes",
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("actor_id", sa.String(32), primary_key=True),
        sa.Column("authority", sa.String(32), nullable=False),
        sa.Column("ballot", sa.String(64), nullable=False, index=True),
        sa.Column("ref", sa.String(255), nullable=False, index=True),
        sa.Column("operation", sa.JSON, nullable=False),
        sa.Column("sight", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("key", "authority", name="one_vote_a_right"),
    )
    op.create_table(
        "sights",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("ref", sa.String(255), nullable=False, index=True),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "delegations",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("lender", sa.String(32), nullable=False, index=True),
        sa.Column("borrower", sa.String(32), nullable=False, index=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("cards", sa.Column("sight", sa.String(64), nullable=False, server_default=""))
    op.execute("UPDATE cards SET seen = ''")
