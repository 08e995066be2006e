"""What workflows need before they are launched: a name to run under, tables, a configuration.

Launching them is the app's: that has an order among all else that is opened.
"""

import asyncio
import logging

import sqlalchemy as sa
from dbos import DBOSClient, DBOSConfig

from bot.operations.unfinished import FaultlessSerializer
from bot.settings import Settings
from bot.store import NameInUse, ReplicaName, unhurried

log = logging.getLogger(__name__)

# Raised only when a workflow that is under way could not go on with the new code. By default it
# would be a hash of the code, and every upgrade would strand what is pending.
WORKFLOWS_VERSION = "1"


async def take_name(engine: sa.Engine, name: str, wait: float) -> ReplicaName:
    """Take a replica's name; raises NameInUse.

    On Postgres it is waited for, since a predecessor that is gone may hold it for so many seconds.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + (wait if engine.dialect.name == "postgresql" else 0)
    while True:
        try:
            return await asyncio.to_thread(ReplicaName, engine, name)
        except NameInUse:
            if loop.time() >= until:
                raise
        log.warning(
            "the replica's name is held: waiting for its process to end",
            extra={"replica": name, "seconds": round(until - loop.time())},
        )
        await asyncio.sleep(1)


def migrate_workflows(engine: sa.Engine) -> None:
    """Bring DBOS's tables on Postgres to its version, which may take long; blocks.

    Its launch would do the same, in the time that a statement usually has.
    """
    if engine.dialect.name == "postgresql":
        with unhurried(engine):
            client = DBOSClient(system_database_engine=engine)
            client._sys_db.run_migrations()  # noqa: SLF001 - its own DBOS.migrate opens another engine


def dbos_config(settings: Settings, engine: sa.Engine) -> DBOSConfig:
    """Return how workflows are run: in our database, on few threads, under the replica's name."""
    return {
        "name": "secmaster-bot",
        "system_database_url": settings.database_url,
        "system_database_engine": engine,
        "application_version": WORKFLOWS_VERSION,
        # Stable over restarts: a process takes up what the one of its name left behind.
        "executor_id": settings.bot_replica,
        "serializer": FaultlessSerializer(),
        # A connection that only listens would never notice that nobody speaks any more, and
        # nothing of ours waits for a notification.
        "use_listen_notify": False,
        # Unbounded, its threads wait in line for the database and for each other: on two cores
        # four of them halved the slowest of fifty acknowledgements.
        "max_executor_threads": 4 if engine.dialect.name == "sqlite" else 16,
        # A shutdown waits for one turn of it. We use none of what it looks for, and with nobody to
        # notify it asks the database nothing.
        "notification_listener_polling_interval_sec": 0.05,
        "console_log_level": "WARNING",
        "log_level": "WARNING",
    }
