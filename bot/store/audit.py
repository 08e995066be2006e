"""The audit's records of operations: added with each change of a claim, and read back from it.

How records are chained is not known here.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.approvals import Approval, ApprovalRequest, RequestEnded, RequestRemains
from bot.domain.audit import AuditOutcome, AuditQuery, RecordedOutcome
from bot.domain.objects import Ref, Value
from bot.domain.operations import (
    Operation,
    OperationState,
    Outcome,
    PolicyRefusal,
    StandingOperation,
)
from bot.domain.reasons import OutcomeReason
from bot.domain.snapshots import StoredSnapshot
from bot.store import audit_log
from bot.store.repository import Repository
from bot.store.snapshots import save as save_snapshot
from bot.store.tables import cards, snapshots, tracked_objects

# How an operation may have ended: of several records the last one tells.
ENDS = (
    AuditOutcome.DONE,
    AuditOutcome.FAILED,
    AuditOutcome.REFUSED,
    AuditOutcome.UNKNOWN,
    AuditOutcome.COUNTED,
    AuditOutcome.LOST,
)
OUTCOME_FACTS = ("reason_code", "code", "blocking_status", "decided_by", "task_ending")
UNRECORDED = {"id", "ref", "process_id", "accepted_at", "received_at"}  # or under another name
ANSWER_FACTS = ("status", "request_id", "status_before", "status_after")


def record(
    connection: sa.Connection,
    operation: Operation,
    outcome: AuditOutcome,
    at: datetime,
    **details: Any,
) -> bool:
    """Record an attempt in the caller's transaction, once for each outcome.

    Returns whether it was not on record yet.
    """
    fields = operation.model_dump(mode="json", exclude=UNRECORDED)
    fields["location"].pop("response_url")  # whoever has it can answer in our name
    entry = fields | {
        "at": at,
        "operation_id": operation.id,
        "outcome": outcome,
        "target": str(operation.ref),
        "accepted_at": operation.accepted_at.isoformat(),
    }
    entry |= {
        key: value.model_dump(mode="json") if isinstance(value, Value) else value
        for key, value in details.items()
        if value not in (None, "")
    }
    fingerprints = (entry.get("preflight_fingerprint"), operation.decision_fingerprint)
    if name := object_name(connection, operation.ref, *filter(None, fingerprints)):
        entry["object_name"] = name
    return audit_log.append(connection, entry)


def object_name(connection: sa.Connection, ref: Ref, *fingerprints: str) -> str:
    """Return the name of an object as one of these snapshots has it, or as it was last known.

    "" where it is not known here. The record has it, as the snapshot may be gone one day.
    """
    queries = [
        sa.select(snapshots.c.snapshot).where(snapshots.c.fingerprint == fingerprint)
        for fingerprint in fingerprints
    ]
    queries.append(sa.select(tracked_objects.c.snapshot).where(tracked_objects.c.ref == str(ref)))
    for query in queries:
        if text := connection.execute(query).scalar():
            return str(json.loads(text).get("name") or "")
    query = sa.select(cards.c.title).where(cards.c.ref == str(ref)).order_by(cards.c.at.desc())
    return str(connection.execute(query.limit(1)).scalar() or "")


def record_lost(
    connection: sa.Connection, operation: Operation, holder: StandingOperation, at: datetime
) -> None:
    """Record that another operation came first, and how far it was."""
    facts = {
        "operation_id": holder.operation.id,
        "state": holder.state,
        "at": holder.at.isoformat(),
    }
    detail = f"to {holder.operation.actor.id}"
    record(connection, operation, AuditOutcome.LOST, at, detail=detail, holder=facts)


def record_end(
    connection: sa.Connection, operation: Operation, outcome: Outcome, at: datetime
) -> bool:
    """Record how an operation ended; one that the policy refused has its reason as the detail.

    Returns whether it was not on record yet.
    """
    detail = " ".join(filter(None, (outcome.reason_code, outcome.code, outcome.message)))
    refusal = outcome.refusal
    return record(
        connection,
        operation,
        AuditOutcome.REFUSED if refusal else AuditOutcome(outcome.state),
        at,
        detail=refusal.reason if refusal else detail,
        allowed_roles=list(refusal.roles) if refusal else None,
        preflight_fingerprint=outcome.preflight_fingerprint,
        duration=outcome.duration,
        **{name: getattr(outcome, name) for name in (*OUTCOME_FACTS, *ANSWER_FACTS)},
    )


def is_counted_or_given_up(connection: sa.Connection, operation: Operation) -> bool:
    """Whether an operation was counted as an approval that waits for others, or was given up."""
    records = audit_log.find(connection, [operation.id], AuditOutcome.COUNTED, AuditOutcome.UNKNOWN)
    return bool(records)


def recorded_change(
    connection: sa.Connection, operation: Operation, outcome: AuditOutcome
) -> RequestRemains | RequestEnded | None:
    """Return the change of a request that an operation has on record; None if none."""
    records = audit_log.find(connection, [operation.id], outcome)
    if not records:
        return None
    [entry] = records
    if ended := entry.get("ended_request"):
        return RequestEnded(ApprovalRequest.model_validate(ended))
    dropped = map(Approval.model_validate, entry.get("dropped_approvals", ()))
    return RequestRemains(ApprovalRequest.model_validate(entry["request"]), tuple(dropped))


class Audit(Repository):
    """The table of audit records, as far as they are about operations."""

    def record(self, entry: Mapping[str, Any]) -> None:
        """Record what is not about a task or an instance."""
        with self.engine.begin() as connection:
            audit_log.append(connection, entry)

    def record_refusal(
        self, operation: Operation, refusal: PolicyRefusal, at: datetime, snapshot: StoredSnapshot
    ) -> None:
        """Record that the policy refused an operation; ``snapshot`` is what it was asked about."""
        with self.engine.begin() as connection:
            save_snapshot(connection, self._insert, operation.ref, snapshot, at)
            roles = list(refusal.roles) or None
            refused = AuditOutcome.REFUSED
            record(connection, operation, refused, at, detail=refusal.reason, allowed_roles=roles)

    def concluded(self, operation_ids: Collection[str]) -> set[str]:
        """Return which of these operations have their end on record, once they were allowed."""
        ends = (AuditOutcome.DONE, AuditOutcome.FAILED, AuditOutcome.REFUSED, AuditOutcome.UNKNOWN)
        with self.engine.begin() as connection:
            entries = audit_log.find(connection, operation_ids, *ends)
        return {entry["operation_id"] for entry in entries}

    def results(self, operation_ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """Return the records of what came of operations afterwards, by id, of those that have."""
        with self.engine.begin() as connection:
            entries = audit_log.find(connection, operation_ids, AuditOutcome.RESULT)
        return {entry["operation_id"]: entry for entry in entries}

    def entries(self, target: Ref | str) -> list[dict[str, Any]]:
        """Return every record about one object, oldest first."""
        return list(audit_log.entries(self.engine, target=str(target)))

    def entries_of(self, targets: Collection[str]) -> list[dict[str, Any]]:
        """Return every record about these objects, oldest first."""
        with self.engine.begin() as connection:
            return audit_log.about(connection, targets)

    def latest(self, query: AuditQuery) -> Iterator[dict[str, Any]]:
        """Yield the records of a query's target and times, latest first; blocks."""
        return audit_log.entries(
            self.engine,
            target=query.target,
            since=query.since,
            until=query.until,
            before=query.before,
            latest_first=True,
        )

    def outcomes(self, operation_ids: Sequence[str]) -> dict[str, RecordedOutcome]:
        """Return how operations ended, by id, of those that have.

        An approval that is counted has ended. One that lost has as well, unless its process died
        in that very moment: then it may be tried again.
        """
        with self.engine.begin() as connection:
            ends = audit_log.find(connection, operation_ids, *ENDS)
            holder_ids = [entry["holder"]["operation_id"] for entry in ends if "holder" in entry]
            holders = {
                entry["operation_id"]: entry
                for entry in audit_log.find(connection, holder_ids, AuditOutcome.ALLOWED)
            }
        return {entry["operation_id"]: _recorded_outcome(entry, holders) for entry in ends}


def _recorded_outcome(
    entry: Mapping[str, Any], holders: Mapping[str, Mapping[str, Any]]
) -> RecordedOutcome:
    """Return the outcome that a record tells of; ``holders`` are records by operation."""
    if entry["outcome"] == AuditOutcome.LOST:
        lost = Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.LOST)
        allowed = holders[entry["holder"]["operation_id"]]
        operation = Operation.model_validate(
            {**allowed, "id": allowed["operation_id"], "ref": Ref.parse(allowed["target"])}
        )
        return RecordedOutcome(lost, StandingOperation(operation=operation, **entry["holder"]))
    facts = {name: entry[name] for name in (*OUTCOME_FACTS, *ANSWER_FACTS) if name in entry}
    refused = entry["outcome"] == AuditOutcome.REFUSED
    state = OperationState.FAILED if refused else entry["outcome"]
    outcome = {"state": state, "approval_request": entry.get("request"), **facts}
    return RecordedOutcome(Outcome.model_validate(outcome))
