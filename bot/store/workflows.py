"""The tables of the durable workflows, as far as they say who carries an operation out.

They are DBOS's own, which alone writes them.
"""

import sqlalchemy as sa

from bot.domain.operations import Runner
from bot.store.engine import is_name_held
from bot.store.repository import Repository

STOPPED = ("CANCELLED", "ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


class Workflows(Repository):
    """The table of workflows."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        names = ("workflow_uuid", "status", "executor_id")
        self._status = sa.table(
            "workflow_status",
            *(sa.column(name, sa.String) for name in names),
            schema="dbos" if engine.dialect.name == "postgresql" else None,
        )

    def runner(self, operation_id: str) -> Runner:
        """Return whether somebody carries an operation out, or will."""
        table = self._status
        query = sa.select(table).where(table.c.workflow_uuid == operation_id)
        with self.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or row.status in STOPPED:
            return Runner.STOPPED
        if row.status != "PENDING" or is_name_held(self.engine, row.executor_id):
            return Runner.ALIVE
        return Runner.ABSENT
