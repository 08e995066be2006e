"""Convert times to and from the tables: SQLite stores no zone, so all of them are in UTC."""

from datetime import UTC, datetime


def from_db(at: datetime) -> datetime:
    """Return a time that was read, with its zone."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def from_db_or_none(at: datetime | None) -> datetime | None:
    """Return a time that was read, with its zone; None for NULL."""
    return from_db(at) if at else None


def to_utc(at: datetime | None) -> datetime | None:
    """Return a time as it is written, in UTC; None for NULL."""
    return at.astimezone(UTC) if at else None
