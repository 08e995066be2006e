"""One engine for the bot's tables and the durable flows', on SQLite or Postgres."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


def connect(url: str) -> sa.Engine:
    """Open ``sqlite:///file`` or ``postgresql://…``."""
    if url.startswith("postgresql"):
        address = sa.make_url(url).set(drivername="postgresql+psycopg")
        return sa.create_engine(address, pool_size=10, max_overflow=5, pool_pre_ping=True)
    # One writer connection: with more, writers wait for each other's locks by polling, and at
    # eight starts at once the slowest took over a second.
    engine = sa.create_engine(
        url, pool_size=1, max_overflow=0, connect_args={"check_same_thread": False}
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = "IMMEDIATE"
    connection.execute("PRAGMA busy_timeout=30000")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA journal_mode=WAL")
    # An acknowledged click must survive a power cut too, not only a kill.
    connection.execute("PRAGMA synchronous=FULL")


def migrate(engine: sa.Engine) -> None:
    """Bring the bot's tables to this version's shape."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # Replicas may start together.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7362001)"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
