"""Who has said yes so far to an action that asks for several people.

Everything here happens inside the caller's transaction, which holds the object: so votes,
withdrawals and the taking of the key come one after another, whoever is at it and wherever.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bot.domain.models import Ballot, Operation, Ref, Terms, Vote
from bot.store.tables import votes
from bot.store.times import utc

Row = sa.Row[Any]


@dataclass(frozen=True, slots=True)
class Poll:
    """What a yes came to.

    It may be ``enough`` to be sent, and ``backing`` are the others who said yes to the same;
    otherwise ``ballot`` is what it waits for. ``ended`` is another action's ballot that it put
    an end to, ``outdated`` who said yes to something that has changed since. ``trouble`` names
    why it does not count: voted (they have said so), same_right (the right they use was used),
    too_old (it would be over by now), over (it was counted before, and is over), too_late (it
    is being sent).
    """

    enough: bool = False
    backing: tuple[Vote, ...] = ()
    ballot: Ballot | None = None
    ended: Ballot | None = None
    outdated: tuple[Vote, ...] = ()
    trouble: str = ""


def hold(connection: sa.Connection, ref: Ref | str) -> None:
    """Let nobody else vote on this object, or take its keys, until the transaction ends.

    Or of what is named so: all that hold several hold the object first.
    """
    if connection.dialect.name == "postgresql":
        lock = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:ref, 0))")
        connection.execute(lock, {"ref": str(ref)})
    else:
        drop(connection, sa.false())  # a transaction begins with the first write there


def poll(
    connection: sa.Connection, operation: Operation, key: str, sight: str, at: datetime
) -> Poll:
    """Count somebody's yes, where several people are needed or have begun to say it."""
    standing = _rows(connection, votes.c.ref == str(operation.ref), at)
    same = [row for row in standing if _asked(row).action == operation.action]
    ended = _ballot([row for row in standing if row not in same and row.key == key])
    if ended:  # to want something else is to refuse
        drop(connection, votes.c.ballot == ended.id)
    # A run that failed once more has another key, and was another sight.
    outdated = [row for row in same if (row.key, row.sight) != (key, sight)]
    for row in outdated:
        drop(connection, (votes.c.key == row.key) & (votes.c.actor_id == row.actor_id))
    valid = [row for row in same if row not in outdated]
    if operation.terms.glass:
        counted = Poll(enough=True, backing=_others(operation, valid))
    elif operation.terms.approvals == 1 and not valid:
        counted = Poll(enough=True)
    else:
        counted = _count(connection, operation, (key, sight), at, valid)
    return replace(counted, ended=ended, outdated=_others(operation, outdated))


def _count(
    connection: sa.Connection,
    operation: Operation,
    about: tuple[str, str],
    at: datetime,
    valid: list[Row],
) -> Poll:
    """Add a yes to those that are valid, and say whether it is enough now."""
    mine = _vote(operation, at)
    own = [row for row in valid if row.actor_id == operation.actor.id]
    if any(row.authority == mine.authority for row in valid if row not in own):
        return Poll(trouble="same_right")
    lasting = timedelta(seconds=operation.terms.expires)
    if not own and operation.accepted_at + lasting <= at:  # as what is not counted any more
        return Poll(trouble="too_old")
    if not own:
        _add(connection, operation, about, mine, valid)
        valid = _rows(connection, votes.c.key == about[0], at)
    ballot = _ballot(valid, operation.terms.approvals)
    if ballot and len(ballot.votes) >= ballot.needed:
        return Poll(enough=True, backing=_others(operation, valid))
    again = own and _asked(own[0]).id != operation.id
    return Poll(ballot=ballot, trouble="voted" if again else "")


def _add(
    connection: sa.Connection,
    operation: Operation,
    about: tuple[str, str],
    mine: Vote,
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
        "ballot": opened.ballot if opened else operation.id,
        "ref": str(operation.ref),
        "operation": operation.model_dump(mode="json"),
        "sight": sight,
        "at": mine.at,
        "expires_at": utc(opened.expires_at) if opened else mine.at + lasting,
    }
    # What ran out and was not swept up yet must not stand in the way.
    own = (votes.c.actor_id == operation.actor.id) | (votes.c.authority == mine.authority)
    drop(connection, (votes.c.key == key) & own)
    connection.execute(sa.insert(votes).values(row))


def joined(connection: sa.Connection, operation: Operation) -> Ballot | None:
    """The ballot that the yes of just this operation stands in; None if it was taken out."""
    about = sa.select(votes).where(votes.c.ref == str(operation.ref)).order_by(votes.c.at)
    rows = connection.execute(about).all()
    own = [row.ballot for row in rows if _asked(row).id == operation.id]
    return _ballot([row for row in rows if row.ballot in own])


def changed(connection: sa.Connection, operation: Operation, key: str, sight: str) -> bool:
    """Whether those who backed an operation said yes to something else than there is now."""
    backing = votes.c.actor_id.in_([vote.actor.id for vote in operation.backing])
    other = (votes.c.key == key) & backing & (votes.c.sight != sight)
    return connection.execute(sa.select(votes.c.key).where(other)).first() is not None


def keys(connection: sa.Connection, operation: Operation) -> set[str]:
    """What is voted on where somebody wants an operation's action."""
    rows = connection.execute(sa.select(votes).where(votes.c.ref == str(operation.ref)))
    return {row.key for row in rows if _asked(row).action == operation.action}


def withdraw(connection: sa.Connection, operation: Operation, at: datetime) -> Poll | None:
    """Take somebody's yes back; None if there is none."""
    own = (votes.c.ref == str(operation.ref)) & (votes.c.actor_id == operation.actor.id)
    mine = [row for row in _rows(connection, own, at) if _asked(row).action == operation.action]
    if not mine:
        return None
    drop(connection, own & (votes.c.ballot == mine[0].ballot))
    left = _ballot(_rows(connection, votes.c.ballot == mine[0].ballot, at))
    return Poll(ballot=left, ended=None if left else _ballot(mine))


def refuse(connection: sa.Connection, operation: Operation, at: datetime) -> Poll | None:
    """End what waits for more people; None if nothing does."""
    rows = _rows(connection, votes.c.ref == str(operation.ref), at)
    ended = _last([row for row in rows if _asked(row).action == operation.action])
    if ended is None:
        return None
    drop(connection, votes.c.ballot == ended.id)
    return Poll(ended=ended)


def lapse(connection: sa.Connection, ballot: str, at: datetime) -> Ballot | None:
    """End a ballot whose time is over, and return it; None if it is not, or no longer open."""
    over = (votes.c.ballot == ballot) & (votes.c.expires_at <= at)
    lapsed = _ballot(connection.execute(sa.select(votes).where(over).order_by(votes.c.at)).all())
    drop(connection, over)
    return lapsed


def standing(connection: sa.Connection, ref: Ref, at: datetime) -> tuple[Ballot, ...]:
    """What waits for more people on this object."""
    rows = _rows(connection, votes.c.ref == str(ref), at)
    opened = dict.fromkeys(row.ballot for row in rows)
    found = (_ballot([row for row in rows if row.ballot == each]) for each in opened)
    return tuple(ballot for ballot in found if ballot)


def strike(connection: sa.Connection, ref: Ref, struck: Sequence[Vote]) -> list[Operation]:
    """Drop these votes, and return the operations by which they were cast."""
    gone = {vote.operation for vote in struck}
    rows = connection.execute(sa.select(votes).where(votes.c.ref == str(ref))).all()
    cast = [(row, _asked(row)) for row in rows if _asked(row).id in gone]
    for row, _operation in cast:
        drop(connection, (votes.c.key == row.key) & (votes.c.actor_id == row.actor_id))
    return [operation for _row, operation in cast]


def _last(rows: Sequence[Row]) -> Ballot | None:
    """Of several ballots the one that was voted on last."""
    return _ballot([row for row in rows if row.ballot == rows[-1].ballot])


def _rows(connection: sa.Connection, which: sa.ColumnElement[bool], at: datetime) -> list[Row]:
    """Votes that still count, oldest first."""
    query = sa.select(votes).where(which, votes.c.expires_at > at)
    return list(connection.execute(query.order_by(votes.c.at, votes.c.actor_id)).all())


def drop(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Forget votes: of what was sent, is over, or can't be any more."""
    connection.execute(sa.delete(votes).where(which))


def _ballot(rows: Sequence[Row], needed: int = 1) -> Ballot | None:
    """Return them as a ballot; of the rules that people voted under the strictest counts.

    Whoever votes anew does so under a rule that may have changed: so many are ``needed`` there.
    """
    if not rows:
        return None
    asked = [_asked(row) for row in rows]
    braked = next((each.terms for each in asked if each.terms.braked), Terms())
    return Ballot(
        id=rows[0].ballot,
        action=asked[0].action,
        votes=_votes(rows),
        needed=max(needed, *(each.terms.approvals for each in asked)),
        expires_at=utc(rows[0].expires_at),
        may_break=any(each.terms.may_break for each in asked),
        braked=braked.braked,
        brake=braked.brake,
        brake_within=braked.brake_within,
    )


def _votes(rows: Sequence[Row]) -> tuple[Vote, ...]:
    cast = ((row, _vote(_asked(row), utc(row.at))) for row in rows)
    return tuple(vote.model_copy(update={"sight": row.sight}) for row, vote in cast)


def _others(operation: Operation, rows: Sequence[Row]) -> tuple[Vote, ...]:
    return _votes([row for row in rows if row.actor_id != operation.actor.id])


def _vote(operation: Operation, at: datetime) -> Vote:
    return Vote(
        operation=operation.id,
        actor=operation.actor,
        at=at,
        reason=operation.reason,
        lender=operation.terms.lender,
    )


def _asked(row: Row) -> Operation:
    return Operation.model_validate(row.operation)
