"""How the watch of each workspace fares."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.domain.models import Round
from bot.store.tables import rounds
from bot.store.times import kept, utc, utc_or_none


class Rounds:
    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert = dialect.insert

    def of(self, workspace: str) -> Round | None:
        """How the watch of a workspace fares; None if it never began."""
        return next((each for each in self.all() if each.workspace == workspace), None)

    def all(self) -> list[Round]:
        with self.engine.begin() as connection:
            return [_round(row) for row in connection.execute(sa.select(rounds)).all()]

    def ended(self, of: Round) -> None:
        """Write down how a round went; when the watch began stays as it was."""
        row = of.model_dump() | {"since": kept(of.since), "ended_at": kept(of.ended_at)}
        told = {key: row[key] for key in ("ended_at", "trouble", "replica")}
        insert = self._insert(rounds).values(row)
        with self.engine.begin() as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["workspace"], set_=told)
            )


def _round(row: sa.Row[Any]) -> Round:
    return Round(
        workspace=row.workspace,
        since=utc(row.since),
        ended_at=utc_or_none(row.ended_at),
        trouble=row.trouble,
        replica=row.replica,
    )
