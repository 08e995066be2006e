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

# ``seen`` is the digest of all that a card shows, ``sight`` that of what of it matters; ``open``
# is whether that may still change, ``looked_at`` when its object was last held against it.
# A message that gathers the failures of one workflow, its ``gathers``, has a row for each of them.
# ``mention`` is whom it called when it was posted; ``meant`` and ``origin`` are why it is there.
cards = sa.Table(
    "cards",
    metadata,
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("ts", sa.String(32), primary_key=True),
    sa.Column("ref", sa.String(255), primary_key=True, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("seen", sa.String(64), nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("sight", sa.String(64), nullable=False),
    sa.Column("gathers", sa.String(255), nullable=False),
    sa.Column("mention", sa.Text, nullable=False),
    sa.Column("meant", sa.String(32), nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
)

# Who has said yes to an action that asks for several people: one row for each person, and one
# for each right that was used. They are taken out once it was sent, or is over.
votes = sa.Table(
    "votes",
    metadata,
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

# What was seen of an object, by the digest of what mattered about it.
sights = sa.Table(
    "sights",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("ref", sa.String(255), nullable=False, index=True),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)

# Who lent their rights to whom, until when; what was taken back ends when it was.
delegations = sa.Table(
    "delegations",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("lender", sa.String(32), nullable=False, index=True),
    sa.Column("borrower", sa.String(32), nullable=False, index=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
)

# What the watch knows of SecMaster: one row for each object that it has come across. ``digest`` is
# that of the row in SecMaster's list, ``snapshot`` the object as it was read last. ``stale`` is a
# change that its cards do not show yet; ``next_at`` is when it is to be thought of next, for a
# reminder or an escalation. A ``backlog`` row was there before the watch began.
known = sa.Table(
    "known",
    metadata,
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
    sa.Index("ix_known_open", "workspace", "noun", "open"),
)

# SQLite keeps a whole number as its own key only if it is called INTEGER.
COUNT = sa.BigInteger().with_variant(sa.Integer, "sqlite")

# Only ever added to, and each record is chained to the one before: see ``chain``. What stands
# beside ``record`` repeats it, to be searched for. ``once`` is the operation and its outcome.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("number", COUNT, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("target", sa.String(255), nullable=False, index=True),
    sa.Column("once", sa.String(160), nullable=False, index=True, unique=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

# One row: the last record's number and hash, which tell when the tail was cut off. Whoever
# writes a record holds it, so that numbers have no gaps.
audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", COUNT, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

# What is to be posted, in the order in which it was written down: each once, whoever writes it
# down again. ``channel`` may be a person, for our chat with them. ``sending_at`` is when somebody
# began to post it, ``sending_by`` which process: who finds it set looks in Slack first.
outbox = sa.Table(
    "outbox",
    metadata,
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
    sa.Index("ix_outbox_waiting", "done_at", "channel", "number"),
)

# Runs that were retried from here, until the thread has been told how they ended.
follows = sa.Table(
    "follows",
    metadata,
    sa.Column("operation_id", sa.String(64), primary_key=True),
    sa.Column("ref", sa.String(255), nullable=False, index=True),
    sa.Column("operation", sa.JSON, nullable=False),
    sa.Column("retries", sa.Integer, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)

# How the watch fares, for each workspace.
rounds = sa.Table(
    "rounds",
    metadata,
    sa.Column("workspace", sa.String(64), primary_key=True),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    sa.Column("trouble", sa.Text, nullable=False),
    sa.Column("replica", sa.String(64), nullable=False),
)

# Channels that asked for what comes, beside the policy's routes.
subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("actor_id", sa.String(32), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)

# Channels where nothing can be posted any more, since when, and when that was last tried.
closed = sa.Table(
    "closed",
    metadata,
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
)

# What somebody's Home shows, and when they opened it last.
homes = sa.Table(
    "homes",
    metadata,
    sa.Column("user", sa.String(32), primary_key=True),
    sa.Column("wanted", sa.JSON, nullable=False),
    sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("shown", sa.String(64), nullable=False),
)
