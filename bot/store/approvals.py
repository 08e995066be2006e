"""Who has said yes so far to an action that asks for several people.

Everything here happens inside the caller's transaction, which holds the object: so votes,
withdrawals and the taking of the key come one after another, whoever is at it and wherever.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.approvals import Approval, ApprovalRequest, ApprovalResult
from bot.domain.objects import Ref
from bot.domain.operations import Operation, PolicyTerms
from bot.domain.reasons import OutcomeReason
from bot.store.tables import approvals
from bot.store.times import from_db

Row = sa.Row[Any]


def lock_object(connection: sa.Connection, ref: Ref | str) -> None:
    """Let nobody else vote on this object, or take its keys, until the transaction ends.

    Or of what is named so: all that hold several hold the object first.
    """
    if connection.dialect.name == "postgresql":
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:ref, 0))")
        connection.execute(lock, {"ref": str(ref)})
    else:
        delete(connection, sa.false())  # a transaction begins with the first write there


def add_approval(
    connection: sa.Connection, operation: Operation, key: str, sight: str, at: datetime
) -> ApprovalResult:
    """Count somebody's yes, where several people are needed or have begun to say it."""
    standing = _rows(connection, approvals.c.ref == str(operation.ref), at)
    same = [row for row in standing if _asked(row).action == operation.action]
    ended = _ballot([row for row in standing if row not in same and row.key == key])
    if ended:  # to want something else is to refuse
        delete(connection, approvals.c.request_id == ended.id)
    # A run that failed once more has another key, and was another sight.
    outdated = [row for row in same if (row.key, row.decision_fingerprint) != (key, sight)]
    for row in outdated:
        delete(connection, (approvals.c.key == row.key) & (approvals.c.actor_id == row.actor_id))
    valid = [row for row in same if row not in outdated]
    if operation.terms.break_glass_channel:
        counted = ApprovalResult(enough=True, co_approvers=_others(operation, valid))
    elif operation.terms.approvals == 1 and not valid:
        counted = ApprovalResult(enough=True)
    else:
        counted = _count(connection, operation, (key, sight), at, valid)
    return replace(counted, ended_request=ended, outdated_approvals=_others(operation, outdated))


def _count(
    connection: sa.Connection,
    operation: Operation,
    about: tuple[str, str],
    at: datetime,
    valid: list[Row],
) -> ApprovalResult:
    """Add a yes to those that are valid, and say whether it is enough now."""
    mine = _vote(operation, at)
    own = [row for row in valid if row.actor_id == operation.actor.id]
    if any(row.authority == mine.authority for row in valid if row not in own):
        return ApprovalResult(reason=OutcomeReason.SAME_AUTHORITY)
    lasting = timedelta(seconds=operation.terms.expires)
    if not own and operation.accepted_at + lasting <= at:  # as what is not counted any more
        return ApprovalResult(reason=OutcomeReason.TOO_OLD)
    if not own:
        _add(connection, operation, about, mine, valid)
        valid = _rows(connection, approvals.c.key == about[0], at)
    ballot = _ballot(valid, operation.terms.approvals)
    if ballot and len(ballot.approvals) >= ballot.needed:
        return ApprovalResult(enough=True, co_approvers=_others(operation, valid))
    again = own and _asked(own[0]).id != operation.id
    return ApprovalResult(
        request=ballot, reason=OutcomeReason.ALREADY_APPROVED if again else OutcomeReason.NONE
    )


def _add(
    connection: sa.Connection,
    operation: Operation,
    about: tuple[str, str],
    mine: Approval,
    valid: Sequence[Row],
) -> None:
    """Write a yes down; the first one opens the ballot and says until when it is open."""
    key, sight = about
    opened = valid[0] if valid else None
    lasting = timedelta(seconds=operation.terms.expires)
    row = {
        "key": key,
        "actor_id": operation.actor.id,
        "authority": mine.authority,
        "request_id": opened.request_id if opened else operation.id,
        "ref": str(operation.ref),
        "operation": operation.model_dump(mode="json"),
        "decision_fingerprint": sight,
        "at": mine.at,
        "expires_at": from_db(opened.expires_at) if opened else mine.at + lasting,
    }
    # What ran out and was not swept up yet must not stand in the way.
    own = (approvals.c.actor_id == operation.actor.id) | (approvals.c.authority == mine.authority)
    delete(connection, (approvals.c.key == key) & own)
    connection.execute(sa.insert(approvals).values(row))


def request_of(connection: sa.Connection, operation: Operation) -> ApprovalRequest | None:
    """The ballot that the yes of just this operation stands in; None if it was taken out."""
    about = (
        sa.select(approvals).where(approvals.c.ref == str(operation.ref)).order_by(approvals.c.at)
    )
    rows = connection.execute(about).all()
    own = [row.request_id for row in rows if _asked(row).id == operation.id]
    return _ballot([row for row in rows if row.request_id in own])


def approved_other_version(
    connection: sa.Connection, operation: Operation, key: str, sight: str
) -> bool:
    """Whether those who backed an operation said yes to something else than there is now."""
    backing = approvals.c.actor_id.in_([vote.actor.id for vote in operation.co_approvers])
    other = (approvals.c.key == key) & backing & (approvals.c.decision_fingerprint != sight)
    return connection.execute(sa.select(approvals.c.key).where(other)).first() is not None


def claim_keys(connection: sa.Connection, operation: Operation) -> set[str]:
    """What is voted on where somebody wants an operation's action."""
    rows = connection.execute(sa.select(approvals).where(approvals.c.ref == str(operation.ref)))
    return {row.key for row in rows if _asked(row).action == operation.action}


def withdraw(
    connection: sa.Connection, operation: Operation, at: datetime
) -> ApprovalResult | None:
    """Take somebody's yes back; None if there is none."""
    own = (approvals.c.ref == str(operation.ref)) & (approvals.c.actor_id == operation.actor.id)
    mine = [row for row in _rows(connection, own, at) if _asked(row).action == operation.action]
    if not mine:
        return None
    delete(connection, own & (approvals.c.request_id == mine[0].request_id))
    left = _ballot(_rows(connection, approvals.c.request_id == mine[0].request_id, at))
    return ApprovalResult(request=left, ended_request=None if left else _ballot(mine))


def decline(connection: sa.Connection, operation: Operation, at: datetime) -> ApprovalResult | None:
    """End what waits for more people; None if nothing does."""
    rows = _rows(connection, approvals.c.ref == str(operation.ref), at)
    ended = _last([row for row in rows if _asked(row).action == operation.action])
    if ended is None:
        return None
    delete(connection, approvals.c.request_id == ended.id)
    return ApprovalResult(ended_request=ended)


def lapse(connection: sa.Connection, ballot: str, at: datetime) -> ApprovalRequest | None:
    """End a ballot whose time is over, and return it; None if it is not, or no longer open."""
    over = (approvals.c.request_id == ballot) & (approvals.c.expires_at <= at)
    lapsed = _ballot(
        connection.execute(sa.select(approvals).where(over).order_by(approvals.c.at)).all()
    )
    delete(connection, over)
    return lapsed


def open_requests(connection: sa.Connection, ref: Ref, at: datetime) -> tuple[ApprovalRequest, ...]:
    """What waits for more people on this object."""
    rows = _rows(connection, approvals.c.ref == str(ref), at)
    opened = dict.fromkeys(row.request_id for row in rows)
    found = (_ballot([row for row in rows if row.request_id == each]) for each in opened)
    return tuple(ballot for ballot in found if ballot)


def revoke(connection: sa.Connection, ref: Ref, struck: Sequence[Approval]) -> list[Operation]:
    """Drop these votes, and return the operations by which they were cast."""
    gone = {vote.operation_id for vote in struck}
    rows = connection.execute(sa.select(approvals).where(approvals.c.ref == str(ref))).all()
    cast = [(row, _asked(row)) for row in rows if _asked(row).id in gone]
    for row, _operation in cast:
        delete(connection, (approvals.c.key == row.key) & (approvals.c.actor_id == row.actor_id))
    return [operation for _row, operation in cast]


def _last(rows: Sequence[Row]) -> ApprovalRequest | None:
    """Of several ballots the one that was voted on last."""
    return _ballot([row for row in rows if row.request_id == rows[-1].request_id])


def _rows(connection: sa.Connection, which: sa.ColumnElement[bool], at: datetime) -> list[Row]:
    """Votes that still count, oldest first."""
    query = sa.select(approvals).where(which, approvals.c.expires_at > at)
    return list(connection.execute(query.order_by(approvals.c.at, approvals.c.actor_id)).all())


def delete(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Forget votes: of what was sent, is over, or can't be any more."""
    connection.execute(sa.delete(approvals).where(which))


def _ballot(rows: Sequence[Row], needed: int = 1) -> ApprovalRequest | None:
    """Return them as a ballot; of the rules that people voted under the strictest counts.

    Whoever votes anew does so under a rule that may have changed: so many are ``needed`` there.
    """
    if not rows:
        return None
    asked = [_asked(row) for row in rows]
    braked = next((each.terms for each in asked if each.terms.brake_applied), PolicyTerms())
    return ApprovalRequest(
        id=rows[0].request_id,
        action=asked[0].action,
        approvals=_votes(rows),
        needed=max(needed, *(each.terms.approvals for each in asked)),
        expires_at=from_db(rows[0].expires_at),
        break_glass_allowed=any(each.terms.break_glass_allowed for each in asked),
        brake_applied=braked.brake_applied,
        brake_retries=braked.brake_retries,
        brake_within=braked.brake_within,
    )


def _votes(rows: Sequence[Row]) -> tuple[Approval, ...]:
    cast = ((row, _vote(_asked(row), from_db(row.at))) for row in rows)
    return tuple(
        vote.model_copy(update={"decision_fingerprint": row.decision_fingerprint})
        for row, vote in cast
    )


def _others(operation: Operation, rows: Sequence[Row]) -> tuple[Approval, ...]:
    return _votes([row for row in rows if row.actor_id != operation.actor.id])


def _vote(operation: Operation, at: datetime) -> Approval:
    return Approval(
        operation_id=operation.id,
        actor=operation.actor,
        at=at,
        reason=operation.reason,
        delegator=operation.terms.delegator,
    )


def _asked(row: Row) -> Operation:
    return Operation.model_validate(row.operation)
