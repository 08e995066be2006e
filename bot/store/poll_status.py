"""How polling each workspace goes."""

from typing import Any

import sqlalchemy as sa

from bot.domain.watch_status import FailedAnswer, PollStatus
from bot.store.repository import Repository
from bot.store.tables import poll_status
from bot.store.times import from_db, from_db_or_none, to_utc


class PollStatuses(Repository):
    """The table of poll statuses, one a workspace."""

    def get(self, workspace: str) -> PollStatus | None:
        """Return how polling a workspace goes; None if it never began."""
        return next((status for status in self.all() if status.workspace == workspace), None)

    def all(self) -> list[PollStatus]:
        """Return how polling goes, for each workspace."""
        with self.engine.begin() as connection:
            rows = connection.execute(sa.select(poll_status)).all()
        return [
            PollStatus(
                workspace=row.workspace,
                since=from_db(row.since),
                attempted_at=from_db(row.attempted_at),
                last_success_at=from_db_or_none(row.last_success_at),
                failing_since=from_db_or_none(row.failing_since),
                answer=_answer(row.answer),
                playbooks_listed_at=from_db_or_none(row.playbooks_listed_at),
                playbooks_answer=_answer(row.playbooks_answer),
                replica=row.replica,
            )
            for row in rows
        ]

    def save(self, status: PollStatus) -> None:
        """Record how a poll went; since when the workspace is polled stays as it was."""
        row = status.model_dump() | {
            "since": to_utc(status.since),
            "attempted_at": to_utc(status.attempted_at),
            "last_success_at": to_utc(status.last_success_at),
            "failing_since": to_utc(status.failing_since),
            "answer": _dumped(status.answer),
            "playbooks_listed_at": to_utc(status.playbooks_listed_at),
            "playbooks_answer": _dumped(status.playbooks_answer),
        }
        changes = {key: row[key] for key in row if key not in {"workspace", "since"}}
        insert = self._insert(poll_status).values(row)
        with self.engine.begin() as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["workspace"], set_=changes)
            )


def _answer(value: dict[str, Any] | None) -> FailedAnswer | None:
    return FailedAnswer.model_validate(value) if value else None


def _dumped(answer: FailedAnswer | None) -> dict[str, Any] | None:
    return answer.model_dump(mode="json") if answer else None
