"""What SecMaster knows around objects, as it was read last: a row for each object."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot.domain.evidence import is_complete, merged
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot, rendered_fingerprint, with_evidence
from bot.secmaster import Evidence, Task
from bot.store.repository import Repository
from bot.store.tables import cards, evidence, tracked_objects
from bot.store.times import to_utc

BATCH_SIZE = 500  # references in one statement: SQLite takes only so many values


def parse(text: str | None) -> Evidence | None:
    """Read stored evidence; None where there is none."""
    return Evidence.model_validate_json(text) if text else None


def of(connection: sa.Connection, ref: Ref) -> Evidence | None:
    """Return what is stored for an object; None where nothing is."""
    query = sa.select(evidence.c.evidence).where(evidence.c.ref == str(ref))
    return parse(connection.execute(query).scalar())


@dataclass(frozen=True, slots=True)
class SavedEvidence:
    """What is known after a reading was stored, and whether a card may look different for it."""

    evidence: Evidence
    changed: bool


class StoredEvidence(Repository):
    """The table of evidence."""

    def save(self, ref: Ref, reading: Evidence, at: datetime) -> SavedEvidence:
        """Store what was read around an object; what could not be read stays as it was."""
        with self.engine.begin() as connection:
            before = of(connection, ref)
            after = merged(before, reading)
            row = {
                "ref": str(ref),
                "evidence": after.model_dump_json(),
                "complete": is_complete(after),
                "at": to_utc(at),
            }
            insert = self._insert(evidence).values(row)
            upsert = insert.on_conflict_do_update(index_elements=["ref"], set_=row)
            connection.execute(upsert)
        return SavedEvidence(after, changed=_looks_different(before, after))

    def get(self, ref: Ref) -> Evidence | None:
        """Return what is stored for an object; None where nothing is."""
        with self.engine.begin() as connection:
            return of(connection, ref)

    def attach(self, objects: Mapping[Ref, Snapshot]) -> dict[Ref, Snapshot]:
        """Return snapshots with the evidence that is stored for each of them, in their order."""
        texts: dict[str, str] = {}
        names = [str(ref) for ref in objects]
        query = sa.select(evidence.c.ref, evidence.c.evidence)
        with self.engine.begin() as connection:
            for start in range(0, len(names), BATCH_SIZE):
                chosen = evidence.c.ref.in_(names[start : start + BATCH_SIZE])
                texts |= {row.ref: row.evidence for row in connection.execute(query.where(chosen))}
        return {
            ref: with_evidence(snapshot, parse(texts.get(str(ref))))
            for ref, snapshot in objects.items()
        }

    def unfinished(self, tried_before: datetime, limit: int) -> list[Ref]:
        """Return up to ``limit`` objects that have cards and no whole evidence, newest first.

        Their objects may still change, and nothing was tried since ``tried_before``.
        """
        missing = evidence.c.ref.is_(None)
        failed = sa.not_(evidence.c.complete) & (evidence.c.at < to_utc(tried_before))
        query = (
            sa.select(cards.c.ref)
            .select_from(cards.outerjoin(evidence, evidence.c.ref == cards.c.ref))
            # What was posted a moment ago is being completed.
            .where(cards.c.open, cards.c.at < to_utc(tried_before), missing | failed)
            .where(cards.c.decision_fingerprint != "")  # one that vanished has nothing around it
            .group_by(cards.c.ref)
            .order_by(sa.func.max(cards.c.at).desc())
            .limit(limit)
        )
        with self.engine.begin() as connection:
            rows: Sequence[str] = connection.execute(query).scalars().all()
        return [ref for name in rows if (ref := Ref.parse(name))]

    def purge(self, before: datetime, limit: int) -> int:
        """Delete up to ``limit`` rows read before a time whose objects nothing shows or follows."""
        unused = (
            (evidence.c.at < to_utc(before))
            & sa.not_(sa.exists().where(cards.c.ref == evidence.c.ref))
            & sa.not_(sa.exists().where(tracked_objects.c.ref == evidence.c.ref))
        )
        return self._delete(evidence, unused, limit)


def _looks_different(before: Evidence | None, after: Evidence) -> bool:
    if before is None:
        return True
    old, new = (rendered_fingerprint(Task(evidence=each)) for each in (before, after))
    return old != new
