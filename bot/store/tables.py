"""The bot's own tables. The durable flows' tables beside them belong to DBOS."""

import sqlalchemy as sa

metadata = sa.MetaData()

# One row for each thing of which only one may be sent: the first to insert it holds it.
claims = sa.Table(
    "claims",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("ref", sa.String(255), nullable=False, index=True),
    sa.Column("operation_id", sa.String(64), nullable=False),
    sa.Column("operation", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)

# ``seen`` is what a card shows, ``open`` whether that may still change, ``looked_at`` when its
# object was last held against it.
cards = sa.Table(
    "cards",
    metadata,
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("ts", sa.String(32), primary_key=True),
    sa.Column("ref", sa.String(255), nullable=False, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("seen", sa.String(64), nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False, index=True),
)

# Only ever added to.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("operation_id", sa.String(64), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("ref", sa.String(255), nullable=False, index=True),
    sa.Column("actor_id", sa.String(32), nullable=False),
    sa.Column("actor_name", sa.Text, nullable=False),
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("params", sa.JSON, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.UniqueConstraint("operation_id", "outcome", name="audit_once"),
)
