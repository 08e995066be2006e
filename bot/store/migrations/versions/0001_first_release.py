"""The tables of the first release."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

COUNT = sa.BigInteger().with_variant(sa.Integer, "sqlite")
GENESIS = "0" * 64  # the head of an audit without a record


def upgrade() -> None:
    op.create_table(
        "claims",
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
    )
    retried = ["workspace", "claim_group", "failure_group", "at"]
    op.create_index("ix_claims_failure_group", "claims", retried)
    op.create_table(
        "cards",
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
    op.create_table(
        "approvals",
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
    op.create_table(
        "snapshots",
        sa.Column("fingerprint", sa.String(64), primary_key=True),
        sa.Column("ref", sa.String(255), nullable=False, index=True),
        sa.Column("snapshot", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "evidence",
        sa.Column("ref", sa.String(255), primary_key=True),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "delegations",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("delegator", sa.String(32), nullable=False, index=True),
        sa.Column("delegate", sa.String(32), nullable=False, index=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "tracked_objects",
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
        sa.Column("ending_unrecorded", sa.Boolean, nullable=False, index=True),
        sa.Column("next_check_at", sa.DateTime(timezone=True), index=True),
        sa.Column("planned_until", sa.DateTime(timezone=True)),
        sa.Column("snoozed_until", sa.DateTime(timezone=True)),
        sa.Column("snoozed_by", sa.String(32), nullable=False),
        sa.Column("assigned_until", sa.DateTime(timezone=True)),
        sa.Column("assignee", sa.String(32), nullable=False),
        sa.Column("assignee_name", sa.Text, nullable=False),
        sa.Column("muted_until", sa.DateTime(timezone=True)),
        sa.Column("mute_key", sa.String(255), nullable=False),
    )
    op.create_index("ix_tracked_objects_open", "tracked_objects", ["workspace", "kind", "open"])
    op.create_table(
        "mutes",
        sa.Column("workspace", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("actor_id", sa.String(32), nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "personal_snoozes",
        sa.Column("ref", sa.String(255), primary_key=True),
        sa.Column("user", sa.String(32), primary_key=True, index=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("number", COUNT, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("target", sa.String(255), nullable=False, index=True),
        sa.Column("dedupe_key", sa.String(160), nullable=False, index=True, unique=True),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    audit_head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", COUNT, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(64), nullable=False),
    )
    op.execute(sa.insert(audit_head).values(id=1, number=0, hash=GENESIS, signature=""))
    op.create_table(
        "outbox",
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
    )
    op.create_index("ix_outbox_waiting", "outbox", ["done_at", "channel", "number"])
    op.create_table(
        "deliveries",
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("process_id", sa.String(64), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "followed_operations",
        sa.Column("operation_id", sa.String(64), primary_key=True),
        sa.Column("ref", sa.String(255), nullable=False, index=True),
        sa.Column("run", sa.String(255), nullable=False, index=True),
        sa.Column("operation", sa.JSON, nullable=False),
        sa.Column("attempt_before", sa.BigInteger, nullable=False),
        sa.Column("is_reported", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), index=True),
        sa.Column("result", sa.JSON),
    )
    op.create_table(
        "poll_status",
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
    op.create_table(
        "troubles",
        sa.Column("key", sa.String(160), primary_key=True),
        sa.Column("trouble", sa.JSON, nullable=False),
        sa.Column("destinations", sa.JSON, nullable=False),
        sa.Column("recurs", sa.Boolean, nullable=False),
        sa.Column("well_since", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "write_probes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("filling", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "subscriptions",
        sa.Column("channel", sa.String(32), primary_key=True),
        sa.Column("actor_id", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "closed_channels",
        sa.Column("channel", sa.String(32), primary_key=True),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "home_views",
        sa.Column("user", sa.String(32), primary_key=True),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, index=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
    )
    op.create_table(
        "preferences",
        sa.Column("user", sa.String(32), primary_key=True),
        sa.Column("calls", sa.String(16), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "policies",
        sa.Column("number", COUNT, primary_key=True, autoincrement=True),
        sa.Column("fingerprint", sa.String(64), nullable=False, index=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.String(32), nullable=False),
        sa.Column("replica", sa.String(64), nullable=False),
        sa.Column("at_start", sa.Boolean, nullable=False),
    )
    mark_key = op.create_table(
        "mark_key",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(64), nullable=False),
    )
    op.execute(sa.insert(mark_key).values(id=1, key=secrets.token_hex(32)))
