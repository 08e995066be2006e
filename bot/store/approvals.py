"""Approvals of actions that need several people: count, withdraw, decline and revoke them.

Everything here happens inside the caller's transaction, which locks the object: so approvals,
withdrawals and claims of one object come one after another, in whichever process.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.approvals import (
    Approval,
    ApprovalChange,
    ApprovalRequest,
    NotChanged,
    OpenRequest,
    RequestEnded,
    RequestRemains,
    earlier_end,
    standing,
    turn_of,
)
from bot.domain.claims import AddedApproval, NotCounted, Taken, WaitingFor
from bot.domain.objects import Ref
from bot.domain.operations import Operation, PolicyTerms
from bot.domain.reasons import OutcomeReason
from bot.domain.snapshots import StoredSnapshot, parse
from bot.domain.stages import Stages, stage_at, strictest
from bot.secmaster import DueHandle
from bot.store.tables import approvals
from bot.store.times import from_db, to_utc

Row = sa.Row[Any]


def lock_object(connection: sa.Connection, ref: Ref | str) -> None:
    """Keep others from approving or claiming an object until the transaction ends.

    A text locks whatever it names; whoever locks several things locks the object first.
    """
    if connection.dialect.name == "postgresql":
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:ref, 0))")
        connection.execute(lock, {"ref": str(ref)})
    else:
        delete(connection, sa.false())  # a transaction begins with the first write there


def add_approval(
    connection: sa.Connection,
    operation: Operation,
    key: str,
    snapshot: StoredSnapshot,
    at: datetime,
) -> AddedApproval:
    """Count an operation as an approval, where several people are needed or have begun to approve.

    ``key`` is the claim's key, ``snapshot`` what is approved.
    """
    fingerprint = snapshot.fingerprint
    rows = _valid_rows(connection, approvals.c.ref == str(operation.ref), at)
    same = [row for row in rows if row.action == operation.action]
    other = [row for row in rows if row not in same and row.key == key]
    ended = _request(other) if other else None
    if ended:  # whoever wants another action declines this one
        delete(connection, approvals.c.request_id == ended.id)
    # A run that failed once more has another key, and another fingerprint than the one approved.
    outdated = [
        row
        for row in same
        if (row.key, row.decision_fingerprint) != (key, fingerprint)
        or _has_other_stages(operation, row)
    ]
    _delete_rows(connection, outdated)
    valid = [row for row in same if row not in outdated]
    terms = operation.terms
    result: AddedApproval
    dropped: list[Row] = []
    if terms.break_glass_channel:
        result = _taken(operation, valid, None)
    elif terms.approvals == 1 and not valid and terms.stages[0].is_for(terms.roles):
        result = _taken(operation, valid, 0)
    else:
        stages = strictest(terms.stages, [_operation(row).terms.stages for row in valid])
        valid, dropped = _split(stages, valid)
        _delete_rows(connection, dropped)
        result = _count(connection, operation, (key, snapshot), at, valid)
    return replace(
        result,
        ended_request=ended,
        outdated_approvals=_co_approvers(operation, outdated),
        dropped_approvals=_co_approvers(operation, dropped),
    )


def _has_other_stages(operation: Operation, row: Row) -> bool:
    """Whether an approval was given under a rule with another number of stages.

    What it counted for then is nothing that this rule asks for. Whoever decides alone needs none.
    """
    terms = operation.terms
    return not terms.break_glass_channel and len(terms.stages) != len(_operation(row).terms.stages)


def _split(stages: Stages, rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the approvals that stand, and those of stages before which another one is open."""
    ids = {approval.operation_id for approval in standing(stages, _approvals(rows))}
    valid = [row for row in rows if row.operation_id in ids]
    return valid, [row for row in rows if row not in valid]


def _delete_rows(connection: sa.Connection, rows: Sequence[Row]) -> None:
    for row in rows:
        delete(connection, (approvals.c.key == row.key) & (approvals.c.actor_id == row.actor_id))


def _count(
    connection: sa.Connection,
    operation: Operation,
    target: tuple[str, StoredSnapshot],
    at: datetime,
    valid: list[Row],
) -> AddedApproval:
    """Add an approval to the valid ones, and return whether it is enough now.

    ``target`` is what is approved: key and snapshot. It fills the stage whose turn it is by what
    is stored, and no other.
    """
    terms = operation.terms
    stages = strictest(terms.stages, [_operation(row).terms.stages for row in valid])
    number = min(turn_of(stages, _approvals(valid)), len(stages) - 1)
    approval = _approval(operation, at, number)
    previous = [row for row in valid if row.actor_id == operation.actor.id]
    if any(row.authority == approval.authority for row in valid if row not in previous):
        return NotCounted(OutcomeReason.SAME_AUTHORITY, _request(valid))
    lifetime = timedelta(seconds=terms.expires)
    if not previous and operation.accepted_at + lifetime <= at:  # it would not count any more
        return NotCounted(OutcomeReason.TOO_OLD)
    if not previous and not stage_at(stages, number).is_for(terms.roles):
        request = _request(valid, stages) if valid else None
        return NotCounted(OutcomeReason.NOT_YOUR_TURN, request)
    if not previous:
        _insert(connection, operation, target, approval, valid)
        valid = _valid_rows(connection, approvals.c.key == target[0], at)
    request = _request(valid, stages)
    if request.turn == len(stages):
        return _taken(operation, valid, previous[0].stage if previous else number)
    if previous and previous[0].operation_id != operation.id:
        return NotCounted(OutcomeReason.ALREADY_APPROVED, request)
    return WaitingFor(request)


def _taken(operation: Operation, rows: Sequence[Row], stage: int | None) -> Taken:
    """Return that an operation may be sent, with the co-approvers that these approvals name.

    ``stage`` is the one that it counted for.
    """
    changes = {"co_approvers": _co_approvers(operation, rows), "stage": stage}
    return Taken(operation.model_copy(update=changes))


def _insert(
    connection: sa.Connection,
    operation: Operation,
    target: tuple[str, StoredSnapshot],
    approval: Approval,
    valid: Sequence[Row],
) -> None:
    """Record an approval; the first one opens the request and sets when it expires.

    That is at the task's due date at the latest, if SecMaster then ends the task by itself. Another
    due date is another fingerprint: what was approved before does not count any more.
    """
    key, snapshot = target
    first = valid[0] if valid else None
    if first:
        expires_at, due_handle = from_db(first.expires_at), first.due_handle
    else:
        expires_at, due_handle = earlier_end(
            parse(operation.ref.kind, snapshot.snapshot),
            approval.at,
            approval.at + timedelta(seconds=operation.terms.expires),
        )
    row = {
        "key": key,
        "actor_id": operation.actor.id,
        "authority": approval.authority,
        "stage": approval.stage,
        "request_id": first.request_id if first else operation.id,
        "ref": str(operation.ref),
        "action": operation.action,
        "operation_id": operation.id,
        "operation": operation.model_dump(mode="json"),
        "decision_fingerprint": snapshot.fingerprint,
        "at": approval.at,
        "expires_at": to_utc(expires_at),
        "due_handle": due_handle or "",
        "reopenings": first.reopenings if first else 0,
    }
    # An expired approval that was not deleted yet must not stand in the way.
    conflicting = (approvals.c.actor_id == operation.actor.id) | (
        approvals.c.authority == approval.authority
    )
    delete(connection, (approvals.c.key == key) & conflicting)
    connection.execute(sa.insert(approvals).values(row))


def request_of(connection: sa.Connection, operation: Operation) -> ApprovalRequest | None:
    """Return the request in which an operation counts as an approval; None if in none now."""
    request_id = sa.select(approvals.c.request_id).where(approvals.c.operation_id == operation.id)
    query = sa.select(approvals).where(approvals.c.request_id.in_(request_id))
    rows = connection.execute(query.order_by(approvals.c.at)).all()
    return _request(rows) if rows else None


def approved_other_version(
    connection: sa.Connection, operation: Operation, key: str, fingerprint: str
) -> bool:
    """Whether co-approvers of an operation approved another fingerprint than this one."""
    co_approvers = approvals.c.actor_id.in_([each.actor.id for each in operation.co_approvers])
    other = (
        (approvals.c.key == key) & co_approvers & (approvals.c.decision_fingerprint != fingerprint)
    )
    return connection.execute(sa.select(approvals.c.key).where(other)).first() is not None


def claim_keys(connection: sa.Connection, operation: Operation) -> set[str]:
    """Return the keys under which an operation's action has approvals."""
    query = sa.select(approvals.c.key).where(_of_action(operation))
    return set(connection.execute(query).scalars())


def withdraw(connection: sa.Connection, operation: Operation, at: datetime) -> ApprovalChange:
    """Withdraw the person's approval of an action, and end its request if none is left.

    Where a stage is open again by it, the approvals of later stages are dropped: they were given
    after it was full.
    """
    by_person = _of_action(operation) & (approvals.c.actor_id == operation.actor.id)
    withdrawn = _valid_rows(connection, by_person, at)
    if not withdrawn:
        return NotChanged(OutcomeReason.NO_REQUEST)
    request_id = withdrawn[0].request_id
    previous = _valid_rows(connection, approvals.c.request_id == request_id, at)
    delete(connection, by_person & (approvals.c.request_id == request_id))
    rows = [row for row in previous if row.actor_id != operation.actor.id]
    remaining, dropped = _split(_request(rows).stages, rows) if rows else ([], [])
    _delete_rows(connection, dropped)
    _count_reopening(connection, previous, remaining)
    if remaining:
        return RequestRemains(_request(remaining), _approvals(dropped))
    return RequestEnded(_request([*withdrawn, *dropped]))


def decline(connection: sa.Connection, operation: Operation, at: datetime) -> ApprovalChange:
    """End the latest request for an action."""
    rows = _valid_rows(connection, _of_action(operation), at)
    if not rows:
        return NotChanged(OutcomeReason.NO_REQUEST)
    ended = _request([row for row in rows if row.request_id == rows[-1].request_id])
    delete(connection, approvals.c.request_id == ended.id)
    return RequestEnded(ended)


def lapse(connection: sa.Connection, request_id: str, at: datetime) -> ApprovalRequest | None:
    """End a request that has expired, and return it; None if it has not, or is over already."""
    expired = (approvals.c.request_id == request_id) & (approvals.c.expires_at <= at)
    rows = connection.execute(sa.select(approvals).where(expired).order_by(approvals.c.at)).all()
    delete(connection, expired)
    return _request(rows) if rows else None


def open_requests(connection: sa.Connection, ref: Ref, at: datetime) -> tuple[ApprovalRequest, ...]:
    """Return the requests that wait for approvals on an object, oldest first."""
    rows = _valid_rows(connection, approvals.c.ref == str(ref), at)
    request_ids = dict.fromkeys(row.request_id for row in rows)
    return tuple(_request([row for row in rows if row.request_id == id_]) for id_ in request_ids)


def all_open(connection: sa.Connection, at: datetime) -> list[tuple[str, OpenRequest]]:
    """Return every request that waits for approvals with the key of its claim, oldest first."""
    rows = _valid_rows(connection, sa.true(), at)
    requests = []
    for request_id in dict.fromkeys(row.request_id for row in rows):
        own_rows = [row for row in rows if row.request_id == request_id]
        first = _operation(own_rows[0])
        request = _request(own_rows)
        open_request = OpenRequest(first.ref, request, first.location, first.batch_ts)
        requests.append((own_rows[0].key, open_request))
    return requests


def revoke(connection: sa.Connection, ref: Ref, revoked: Sequence[Approval]) -> list[Operation]:
    """Delete approvals, and return the operations that gave them."""
    operation_ids = [approval.operation_id for approval in revoked]
    condition = (approvals.c.ref == str(ref)) & approvals.c.operation_id.in_(operation_ids)
    rows = connection.execute(sa.select(approvals).where(condition)).all()
    for request_id in {row.request_id for row in rows}:
        in_request = sa.select(approvals).where(approvals.c.request_id == request_id)
        previous = connection.execute(in_request.order_by(approvals.c.at)).all()
        remaining = [row for row in previous if row.operation_id not in operation_ids]
        _count_reopening(connection, previous, remaining)
    delete(connection, condition)
    return [_operation(row) for row in rows]


def _count_reopening(
    connection: sa.Connection, previous: Sequence[Row], remaining: Sequence[Row]
) -> None:
    """Count in the remaining approvals of a request if a stage is open again without the others.

    By that count those whose turn it is are called again.
    """
    if not remaining:
        return
    stages = _request(previous).stages
    if turn_of(stages, _approvals(remaining)) < turn_of(stages, _approvals(previous)):
        in_request = approvals.c.request_id == remaining[0].request_id
        reopenings = remaining[0].reopenings + 1
        connection.execute(sa.update(approvals).where(in_request).values(reopenings=reopenings))


def delete(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> None:
    """Delete the approvals that meet a condition."""
    connection.execute(sa.delete(approvals).where(condition))


def _of_action(operation: Operation) -> sa.ColumnElement[bool]:
    """Return the condition for approvals of an operation's action on its object."""
    return (approvals.c.ref == str(operation.ref)) & (approvals.c.action == operation.action)


def _valid_rows(
    connection: sa.Connection, condition: sa.ColumnElement[bool], at: datetime
) -> list[Row]:
    """Return the approvals that meet a condition and have not expired, oldest first."""
    query = sa.select(approvals).where(condition, approvals.c.expires_at > at)
    return list(connection.execute(query.order_by(approvals.c.at, approvals.c.actor_id)).all())


def _request(rows: Sequence[Row], stages: Stages | None = None) -> ApprovalRequest:
    """Return the request that approvals form; of the rules they were given under the strictest.

    There is at least one approval. ``stages`` are those of a rule that may have changed since.
    """
    operations = [_operation(row) for row in rows]
    brake = next((op.terms for op in operations if op.terms.brake_applied), PolicyTerms())
    return ApprovalRequest(
        id=rows[0].request_id,
        action=operations[0].action,
        approvals=_approvals(rows),
        stages=strictest(
            stages or operations[-1].terms.stages,
            [operation.terms.stages for operation in operations],
        ),
        expires_at=from_db(rows[0].expires_at),
        due_handle=DueHandle(rows[0].due_handle) if rows[0].due_handle else None,
        break_glass_allowed=any(operation.terms.break_glass_allowed for operation in operations),
        brake_applied=brake.brake_applied,
        brake_retries=brake.brake_retries,
        brake_within=brake.brake_within,
        reopenings=rows[0].reopenings,
    )


def _approvals(rows: Sequence[Row]) -> tuple[Approval, ...]:
    return tuple(
        _approval(_operation(row), from_db(row.at), row.stage).model_copy(
            update={"decision_fingerprint": row.decision_fingerprint}
        )
        for row in rows
    )


def _co_approvers(operation: Operation, rows: Sequence[Row]) -> tuple[Approval, ...]:
    """Return the approvals by other people than the operation's."""
    return _approvals([row for row in rows if row.actor_id != operation.actor.id])


def _approval(operation: Operation, at: datetime, stage: int) -> Approval:
    return Approval(
        operation_id=operation.id,
        actor=operation.actor,
        at=at,
        reason=operation.reason,
        delegator=operation.terms.delegator,
        stage=stage,
    )


def _operation(row: Row) -> Operation:
    return Operation.model_validate(row.operation)
