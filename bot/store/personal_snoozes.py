"""Who is not to be told of which object until when: snoozes that are for one person alone."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.domain.objects import Ref
from bot.store import tracked
from bot.store.repository import Repository
from bot.store.tables import personal_snoozes
from bot.store.times import from_db, to_utc


def begin(  # noqa: PLR0913, PLR0917 - a row
    connection: sa.Connection,
    insert: Callable[..., Any],
    ref: Ref,
    user: str,
    until: datetime,
    at: datetime,
) -> bool:
    """Snooze an object for a person; False if it is not tracked as open.

    In the caller's transaction; ``insert`` is the INSERT of the connection's dialect.
    """
    if not any(row.open for row in tracked.get(connection, [ref])):
        return False
    over = personal_snoozes.c.until <= to_utc(at)
    connection.execute(sa.delete(personal_snoozes).where(over))
    row = {"ref": str(ref), "user": user, "until": to_utc(until)}
    statement = insert(personal_snoozes).values(row)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["ref", "user"], set_={"until": row["until"]}
        )
    )
    return True


def end(connection: sa.Connection, ref: Ref, user: str, at: datetime) -> bool:
    """End a person's snooze of an object in the caller's transaction; False if there is none."""
    row = (personal_snoozes.c.ref == str(ref)) & (personal_snoozes.c.user == user)
    deleted = connection.execute(
        sa.delete(personal_snoozes).where(row).returning(personal_snoozes.c.until)
    )
    return any(from_db(row.until) > at for row in deleted)


class PersonalSnoozes(Repository):
    """Reads the table of personal snoozes."""

    def of(self, user: str, at: datetime) -> dict[Ref, datetime]:
        """Return the objects that a person has snoozed for themselves, and until when."""
        query = sa.select(personal_snoozes.c.ref, personal_snoozes.c.until).where(
            personal_snoozes.c.user == user, personal_snoozes.c.until > to_utc(at)
        )
        with self.engine.begin() as connection:
            rows = connection.execute(query).all()
        return {ref: from_db(row.until) for row in rows if (ref := Ref.parse(row.ref))}
