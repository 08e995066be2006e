"""Check the database."""

import asyncio
import os
from pathlib import Path

import sqlalchemy as sa

from bot.cli.doctor.results import CheckFailed, Result, note, ok
from bot.cli.doctor.subject import Subject
from bot.store import (
    UnsupportedDatabase,
    check_sessions,
    connect,
    network_file_system,
    readable_by_others,
    schema_versions,
    why_unusable,
)


async def check_database(subject: Subject) -> list[Result]:
    """Ask the database for the version of its tables; a file that is not there is not made."""
    try:
        return await asyncio.to_thread(_examine, subject.settings.database_url)
    except UnsupportedDatabase as error:
        raise CheckFailed(str(error)) from error
    except OSError as error:
        raise CheckFailed(f"DATABASE_URL can't be used: {error.strerror}") from error
    except sa.exc.SQLAlchemyError as error:
        raise CheckFailed(f"DATABASE_URL can't be used: {why_unusable(error)}") from error


def _examine(database_url: str) -> list[Result]:
    url = sa.make_url(database_url)
    file = Path(url.database or "") if url.drivername == "sqlite" else None
    if file and (file_system := network_file_system(file)):
        raise CheckFailed(
            f"{file} is on a network file system ({file_system}), where SQLite can damage it: "
            "move it to a local disk, or use Postgres"
        )
    if file and not file.exists():
        if not os.access(file.resolve().parent, os.W_OK):
            raise CheckFailed(f"DATABASE_URL can't be used: {file} can't be made")
        return [ok(f"{file} will be made")]
    engine = connect(database_url)
    try:
        check_sessions(engine)
        schema_versions(engine)
        if exposed := readable_by_others(engine):
            return [note(f"usable, and open to others until the next start: {exposed[0]}")]
    finally:
        engine.dispose()
    return [ok("usable")]
