"""The bot's tables. Those of the durable workflows beside them belong to DBOS."""

import sqlalchemy as sa

metadata = sa.MetaData()

VERSION_TABLE = "secmaster_bot_version"
UNRELEASED_VERSION_TABLE = "bot_schema_version"  # of builds from before the first release

# SQLite keeps a whole number as its own key only if it is called INTEGER.
COUNT = sa.BigInteger().with_variant(sa.Integer, "sqlite")

# One row for each key of which only one operation may be sent: the first to insert it holds it.
# The columns between ``ref`` and ``operation`` repeat parts of it: by them retries are counted.
# ``covers`` are the other objects that its retry works on too: those are not retried meanwhile.
claims = sa.Table(
    "claims",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("ref", sa.String(255), nullable=False, index=True),
    sa.Column("workspace", sa.String(64), nullable=False),
    sa.Column("claim_group", sa.String(32), nullable=False),
    sa.Column("failure_group", sa.String(255), nullable=False),
    sa.Column("operation_id", sa.String(64), nullable=False, index=True),
    sa.Column("operation", sa.JSON, nullable=False),
    sa.Column("covers", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Index("ix_claims_failure_group", "workspace", "claim_group", "failure_group", "at"),
)

# ``rendered_fingerprint`` covers all that a card shows, ``decision_fingerprint`` what of it matters
# to a decision; ``read_at`` is when SecMaster's last answer came that it is drawn from. ``open`` is
# whether its object may still change, ``checked_at`` when that was last compared with the card. A
# message that shows several objects, those of its ``card_group``, has a row for each of them, and
# only one that ``gathers`` takes in more. ``mentions`` are those whom it mentioned when it was
# posted; ``intended_channel`` and ``escalated_from`` say why it is in its channel, the latter with
# who had it escalated and why, and ``late_since`` when it should have come.
cards = sa.Table(
    "cards",
    metadata,
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("ts", sa.String(32), primary_key=True),
    sa.Column("ref", sa.String(255), primary_key=True, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("rendered_fingerprint", sa.String(64), nullable=False),
    sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("decision_fingerprint", sa.String(64), nullable=False),
    sa.Column("card_group", sa.String(255), nullable=False),
    sa.Column("gathers", sa.Boolean, nullable=False),
    sa.Column("mentions", sa.Text, nullable=False),
    sa.Column("intended_channel", sa.String(32), nullable=False),
    sa.Column("escalated_from", sa.Text, nullable=False),
    sa.Column("escalated_by", sa.String(32), nullable=False),
    sa.Column("escalation_reason", sa.Text, nullable=False),
    sa.Column("late_since", sa.DateTime(timezone=True)),
)

# The approvals of actions that need several: one row for each person, and one for each right that
# was used, with the number of the stage, from 0, that it counted for. They are deleted once the
# action was sent, or its request is over. ``due_handle`` is what SecMaster does by itself when they
# expire, "" where nothing; ``reopenings`` is how often a full stage of the request opened again.
approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("actor_id", sa.String(32), primary_key=True),
    sa.Column("authority", sa.String(32), nullable=False),
    sa.Column("stage", sa.Integer, nullable=False),
    sa.Column("request_id", sa.String(64), nullable=False, index=True),
    sa.Column("ref", sa.String(255), nullable=False, index=True),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("operation_id", sa.String(64), nullable=False, index=True),
    sa.Column("operation", sa.JSON, nullable=False),
    sa.Column("decision_fingerprint", sa.String(64), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("due_handle", sa.String(16), nullable=False),
    sa.Column("reopenings", sa.Integer, nullable=False),
    sa.UniqueConstraint("key", "authority", name="one_approval_per_authority"),
)

# Objects as people saw them, by their decision fingerprint.
snapshots = sa.Table(
    "snapshots",
    metadata,
    sa.Column("fingerprint", sa.String(64), primary_key=True),
    sa.Column("ref", sa.String(255), nullable=False, index=True),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)

# What SecMaster knows around an object, as it was read last; ``complete`` is whether all of it
# could be read.
evidence = sa.Table(
    "evidence",
    metadata,
    sa.Column("ref", sa.String(255), primary_key=True),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("complete", sa.Boolean, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)

# Who delegated their rights to whom, until when; a revoked delegation ends when it was revoked.
delegations = sa.Table(
    "delegations",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("delegator", sa.String(32), nullable=False, index=True),
    sa.Column("delegate", sa.String(32), nullable=False, index=True),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
)

# What the poller knows of SecMaster: one row for each object that it has met. ``fingerprint`` is
# that of its row in SecMaster's list, ``snapshot`` the object as it was read last. ``stale`` marks
# a change that its cards do not show yet; ``next_check_at`` is when a reminder or an escalation
# may be due, and what was due until ``planned_until`` is in the outbox. A ``backlog`` row is older
# than the first poll. ``auto_approves`` is whether SecMaster approves a task at its due date, and
# ``run`` is the reference of the run that waits for it. ``assignee`` is who claimed it, until
# ``assigned_until``. ``mute_key`` names the workflow whose mute it fell under last, until
# ``muted_until``.
tracked_objects = sa.Table(
    "tracked_objects",
    metadata,
    sa.Column("ref", sa.String(255), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("workspace", sa.String(64), nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("stale", sa.Boolean, nullable=False),
    sa.Column("backlog", sa.Boolean, nullable=False),
    sa.Column("failure_group", sa.String(255), nullable=False, index=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("open_since", sa.DateTime(timezone=True), nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True)),
    sa.Column("due_at", sa.DateTime(timezone=True)),
    sa.Column("auto_approves", sa.Boolean, nullable=False),
    sa.Column("run", sa.String(255), nullable=False, index=True),
    sa.Column("settled_at", sa.DateTime(timezone=True), index=True),
    # A task that ran out, which the audit has not yet.
    sa.Column("ending_unrecorded", sa.Boolean, nullable=False, default=False, index=True),
    sa.Column("next_check_at", sa.DateTime(timezone=True), index=True),
    sa.Column("planned_until", sa.DateTime(timezone=True)),
    sa.Column("snoozed_until", sa.DateTime(timezone=True)),
    sa.Column("snoozed_by", sa.String(32), nullable=False),
    sa.Column("assigned_until", sa.DateTime(timezone=True)),
    sa.Column("assignee", sa.String(32), nullable=False),
    sa.Column("assignee_name", sa.Text, nullable=False),
    sa.Column("muted_until", sa.DateTime(timezone=True)),
    sa.Column("mute_key", sa.String(255), nullable=False),
    sa.Index("ix_tracked_objects_open", "workspace", "kind", "open"),
)

# Workflows whose failures and tasks get no cards until a time.
mutes = sa.Table(
    "mutes",
    metadata,
    sa.Column("workspace", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("actor_id", sa.String(32), nullable=False),
    sa.Column("actor_name", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
)

# Objects that a person is not to be told of until a time; others still are.
personal_snoozes = sa.Table(
    "personal_snoozes",
    metadata,
    sa.Column("ref", sa.String(255), primary_key=True),
    sa.Column("user", sa.String(32), primary_key=True, index=True),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
)

# Only ever added to, and each record is chained to the one before: see ``audit_log``. The columns
# beside ``record`` repeat parts of it for queries. ``dedupe_key`` is the operation and its outcome.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("number", COUNT, primary_key=True, autoincrement=False),
    sa.Column("at", sa.String(32), nullable=False),
    sa.Column("target", sa.String(255), nullable=False, index=True),
    sa.Column("dedupe_key", sa.String(160), nullable=False, index=True, unique=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)

# One row: the last record's number and hash, which show when the last records were cut off.
# Whoever writes a record locks it, so that numbers have no gaps. ``signature`` is "" where there is
# no key, and for ever after a head that the key did not sign.
audit_head = sa.Table(
    "audit_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", COUNT, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("signature", sa.String(64), nullable=False),
)

# What is to be posted, in the order in which it was recorded: each ``dedupe_key`` once.
# ``channel`` may be a person, for our direct messages with them. ``sending_at`` is when posting
# began, ``sending_by`` in which process: whoever finds it set looks in Slack first.
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("number", COUNT, primary_key=True, autoincrement=True),
    sa.Column("dedupe_key", sa.String(255), nullable=False, unique=True),
    sa.Column("channel", sa.String(32), nullable=False),
    sa.Column("notification", sa.JSON, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
    sa.Column("sending_at", sa.DateTime(timezone=True)),
    sa.Column("sending_by", sa.String(64), nullable=False),
    sa.Column("tried_at", sa.DateTime(timezone=True)),
    sa.Column("done_at", sa.DateTime(timezone=True)),
    sa.Index("ix_outbox_waiting", "done_at", "channel", "number"),
)

# Messages to us, so that each is answered once: by which process, and when it was. Only what died
# in between is taken over by another.
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("key", sa.String(32), primary_key=True),
    sa.Column("process_id", sa.String(64), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("answered_at", sa.DateTime(timezone=True)),
)

# Retries and decisions whose run is followed until it ends or waits for another task: ``run`` is
# its reference. ``is_reported`` is whether it was said that the run takes long. ``result`` is what
# came of the operation, once that is known.
followed_operations = sa.Table(
    "followed_operations",
    metadata,
    sa.Column("operation_id", sa.String(64), primary_key=True),
    sa.Column("ref", sa.String(255), nullable=False, index=True),
    sa.Column("run", sa.String(255), nullable=False, index=True),
    sa.Column("operation", sa.JSON, nullable=False),
    sa.Column("attempt_before", sa.BigInteger, nullable=False),
    sa.Column("is_reported", sa.Boolean, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ended_at", sa.DateTime(timezone=True), index=True),
    sa.Column("result", sa.JSON(none_as_null=True)),
)

# How polling goes, for each workspace; ``answer`` is what SecMaster said to the poll that failed.
poll_status = sa.Table(
    "poll_status",
    metadata,
    sa.Column("workspace", sa.String(64), primary_key=True),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("last_success_at", sa.DateTime(timezone=True)),
    sa.Column("failing_since", sa.DateTime(timezone=True)),
    sa.Column("answer", sa.JSON),
    sa.Column("playbooks_listed_at", sa.DateTime(timezone=True)),
    sa.Column("playbooks_answer", sa.JSON),
    sa.Column("replica", sa.String(64), nullable=False),
)

# What keeps the bot from its work and people were told of: each once, until it is over.
troubles = sa.Table(
    "troubles",
    metadata,
    sa.Column("key", sa.String(160), primary_key=True),
    sa.Column("trouble", sa.JSON, nullable=False),
    sa.Column("destinations", sa.JSON, nullable=False),
    sa.Column("recurs", sa.Boolean, nullable=False),
    sa.Column("well_since", sa.DateTime(timezone=True)),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
)

# Empty but for a moment: a row is written and taken back to see whether that is possible.
write_probes = sa.Table(
    "write_probes",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("filling", sa.LargeBinary, nullable=False),
)

# Channels that subscribed to all that arrives, beside the policy's routes.
subscriptions = sa.Table(
    "subscriptions",
    metadata,
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("actor_id", sa.String(32), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)

# Channels where nothing can be posted any more, since when, and when that was last tried.
closed_channels = sa.Table(
    "closed_channels",
    metadata,
    sa.Column("channel", sa.String(32), primary_key=True),
    sa.Column("code", sa.String(64), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
)

# What each person's Home shows, and when they opened it last.
home_views = sa.Table(
    "home_views",
    metadata,
    sa.Column("user", sa.String(32), primary_key=True),
    sa.Column("options", sa.JSON, nullable=False),
    sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
)

# How each person wants to be called for approvals, who chose something else than what rules say.
preferences = sa.Table(
    "preferences",
    metadata,
    sa.Column("user", sa.String(32), primary_key=True),
    sa.Column("calls", sa.String(16), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)

# The policies that were put in force, in their order: by whom, and by which replica's file,
# which it may have found at its start, or read again because it was asked to.
policies = sa.Table(
    "policies",
    metadata,
    sa.Column("number", COUNT, primary_key=True, autoincrement=True),
    sa.Column("fingerprint", sa.String(64), nullable=False, index=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("actor_id", sa.String(32), nullable=False),
    sa.Column("replica", sa.String(64), nullable=False),
    sa.Column("at_start", sa.Boolean, nullable=False),
)

# One row: the secret that the marks in the metadata of our messages are made with. After a crash
# another process finds them again by it.
mark_key = sa.Table(
    "mark_key",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key", sa.String(64), nullable=False),
)
