"""How the watch of each workspace fares."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain.watch_status import PollStatus
from bot.store.tables import poll_status
from bot.store.times import from_db, from_db_or_none, to_utc


class PollStatuses:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def get(self, workspace: str) -> PollStatus | None:
        """How the watch of a workspace fares; None if it never began."""
        return next((each for each in self.all() if each.workspace == workspace), None)

    def all(self) -> list[PollStatus]:
        with self.engine.begin() as connection:
            return [_round(row) for row in connection.execute(sa.select(poll_status)).all()]

    def save(self, of: PollStatus) -> None:
        """Write down how a round went; when the watch began stays as it was."""
        row = of.model_dump() | {
            "since": to_utc(of.since),
            "last_success_at": to_utc(of.last_success_at),
        }
        told = {key: row[key] for key in ("last_success_at", "failure", "replica")}
        insert = self._insert(poll_status).values(row)
        with self.engine.begin() as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["workspace"], set_=told)
            )


def _round(row: sa.Row[Any]) -> PollStatus:
    return PollStatus(
        workspace=row.workspace,
        since=from_db(row.since),
        last_success_at=from_db_or_none(row.last_success_at),
        failure=row.failure,
        replica=row.replica,
    )
