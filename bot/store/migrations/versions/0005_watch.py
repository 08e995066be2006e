"""What the watch knows and has to say, and cards that gather several failures."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

COUNT = sa.BigInteger().with_variant(sa.Integer, "sqlite")
CARD = "channel, ts, ref, title, at, seen, open, looked_at, sight"


def upgrade() -> None:
    _gather_cards()
    op.create_table(
        "known",
        sa.Column("ref", sa.String(255), primary_key=True),
        sa.Column("noun", sa.String(16), nullable=False),
        sa.Column("workspace", sa.String(64), nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("stale", sa.Boolean, nullable=False),
        sa.Column("backlog", sa.Boolean, nullable=False),
        sa.Column("gathers", sa.String(255), nullable=False, index=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True)),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("settled_at", sa.DateTime(timezone=True), index=True),
        sa.Column("next_at", sa.DateTime(timezone=True), index=True),
        sa.Column("snoozed_until", sa.DateTime(timezone=True)),
        sa.Column("snoozed_by", sa.String(32), nullable=False),
    )
    op.create_index("ix_known_open", "known", ["workspace", "noun", "open"])
    op.create_table(
        "outbox",
        sa.Column("number", COUNT, primary_key=True, autoincrement=True),
        sa.Column("once", sa.String(255), nullable=False, unique=True),
        sa.Column("channel", sa.String(32), nullable=False),
        sa.Column("notice", sa.JSON, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sending_at", sa.DateTime(timezone=True)),
        sa.Column("sending_by", sa.String(64), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True)),
        sa.Column("done_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_outbox_waiting", "outbox", ["done_at", "channel", "number"])
    op.create_table(
        "follows",
        sa.Column("operation_id", sa.String(64), primary_key=True),
        sa.Column("ref", sa.String(255), nullable=False, index=True),
        sa.Column("operation", sa.JSON, nullable=False),
        sa.Column("retries", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "rounds",
        sa.Column("workspace", sa.String(64), primary_key=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("trouble", sa.Text, nullable=False),
        sa.Column("replica", sa.String(64), nullable=False),
    )
    op.create_table(
        "subscriptions",
        sa.Column("channel", sa.String(32), primary_key=True),
        sa.Column("actor_id", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "closed",
        sa.Column("channel", sa.String(32), primary_key=True),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "homes",
        sa.Column("user", sa.String(32), primary_key=True),
        sa.Column("wanted", sa.JSON, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("shown", sa.String(64), nullable=False),
    )


def _gather_cards() -> None:
    """Let one message be the card of several objects: the key takes the object in.

    Made anew, since SQLite can't change a key.
    """
    op.drop_index("ix_cards_ref", "cards")
    op.drop_index("ix_cards_looked_at", "cards")
    op.rename_table("cards", "cards_before")
    op.create_table(
        "cards",
        sa.Column("channel", sa.String(32), primary_key=True),
        sa.Column("ts", sa.String(32), primary_key=True),
        sa.Column("ref", sa.String(255), primary_key=True, index=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.String(64), nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("sight", sa.String(64), nullable=False),
        sa.Column("gathers", sa.String(255), nullable=False, server_default=""),
        sa.Column("mention", sa.Text, nullable=False, server_default=""),
        sa.Column("meant", sa.String(32), nullable=False, server_default=""),
        sa.Column("origin", sa.Text, nullable=False, server_default=""),
    )
    op.execute(f"INSERT INTO cards ({CARD}) SELECT {CARD} FROM cards_before")  # noqa: S608 - ours
    op.drop_table("cards_before")
