"""Times as the tables keep them: SQLite keeps no zone, so all are in UTC."""

from datetime import UTC, datetime


def from_db(at: datetime) -> datetime:
    """A time that was read, with its zone again."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def from_db_or_none(at: datetime | None) -> datetime | None:
    return from_db(at) if at else None


def to_utc(at: datetime | None) -> datetime | None:
    """A time to be written down."""
    return at.astimezone(UTC) if at else None
