"""The policies that were put in force, in their order: the last one counts, for every replica."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot.store import audit_log
from bot.store.repository import Repository
from bot.store.tables import policies
from bot.store.times import from_db, to_utc


@dataclass(frozen=True, slots=True)
class PolicySource:
    """A policy's text, and who put it in force where: a person by their id, or "operator".

    ``at_start``: a replica found it at its start, and nobody asked to reload it.
    """

    text: str
    fingerprint: str
    at: datetime
    actor_id: str
    replica: str
    at_start: bool = False


@dataclass(frozen=True, slots=True)
class RecordedPolicy:
    """A policy that was put in force; a later one has a higher ``number``."""

    number: int
    source: PolicySource


class Policies(Repository):
    """The table of policies, which only grows."""

    def newest_number(self) -> int:
        """Return the number of the policy in force; 0 if none is on record."""
        with self.engine.begin() as connection:
            return _newest_number(connection)

    def newest(self) -> RecordedPolicy | None:
        """Return the policy in force; None if none is on record."""
        query = sa.select(policies).order_by(policies.c.number.desc()).limit(1)
        with self.engine.begin() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        source = PolicySource(
            row.text, row.fingerprint, from_db(row.at), row.actor_id, row.replica, row.at_start
        )
        return RecordedPolicy(row.number, source)

    def was_in_force(self, fingerprint: str, text: str) -> bool:
        """Return whether a policy is on record; another version gives its text another name."""
        same = (policies.c.fingerprint == fingerprint) | (policies.c.text == text)
        with self.engine.begin() as connection:
            return connection.execute(sa.select(policies.c.number).where(same)).first() is not None

    def put_in_force(
        self, source: PolicySource, entry: Mapping[str, Any] | None, *, before: int | None = None
    ) -> int | None:
        """Record a policy, with its record for the audit if it has one; return its number.

        None if that record was added before, by the same request; or if the policy that it was to
        replace, by its number ``before``, is not the newest any more.
        """
        row = {
            "text": source.text,
            "fingerprint": source.fingerprint,
            "at": to_utc(source.at),
            "actor_id": source.actor_id,
            "replica": source.replica,
            "at_start": source.at_start,
        }
        with self.engine.begin() as connection:
            if entry is not None and not audit_log.append(connection, entry):
                return None
            # The record has locked the audit's head, so that no other policy comes between.
            if before is not None and before != _newest_number(connection):
                connection.rollback()
                return None
            number: int = connection.execute(
                sa.insert(policies).values(row).returning(policies.c.number)
            ).scalar_one()
        return number


def _newest_number(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.max(policies.c.number))).scalar() or 0
