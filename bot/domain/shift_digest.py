"""What the digest of a shift says: decisions, retries, and what is still open."""

from datetime import datetime

from bot.domain.objects import Value


class DeciderCounts(Value):
    """How much somebody decided from here."""

    name: str
    approved: int = 0
    terminated: int = 0


class RetrierCounts(Value):
    name: str
    retried: int


class OverdueTask(Value):
    """A task that is overdue, since when."""

    name: str
    due: datetime


class ShiftSummary(Value):
    """What is handed over: what happened ``since`` then ``until`` then, and how it stands now.

    ``elsewhere`` were decided, and by nobody here; ``median`` is how many seconds the ``timed``
    ones took to be decided. ``late`` are the oldest of the ``overdue``. Of the ``retried`` runs
    ``recovered`` are no longer failed. ``glass`` are those who decided alone, once for each time.
    ``unread_since`` is since when SecMaster could not be read, if it could not.
    """

    since: datetime
    until: datetime
    deciders: tuple[DeciderCounts, ...] = ()
    decided_outside: int = 0
    median: float = 0
    timed: int = 0
    waiting: int = 0
    overdue: int = 0
    oldest_overdue: tuple[OverdueTask, ...] = ()
    failed: int = 0
    retriers: tuple[RetrierCounts, ...] = ()
    retried: int = 0
    recovered: int = 0
    break_glass_users: tuple[str, ...] = ()
    stale_since: datetime | None = None

    @property
    def quiet(self) -> bool:
        return not (
            self.deciders
            or self.decided_outside
            or self.retriers
            or self.break_glass_users
            or self.overdue
        )
