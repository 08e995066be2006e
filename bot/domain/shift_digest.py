"""The digest of a shift: decisions, retries, and what is still open."""

from datetime import datetime

from bot.domain.mutes import Mute
from bot.domain.objects import Value


class DeciderCounts(Value):
    """How many decisions a person took from here, by the names of the actions."""

    name: str
    decisions: dict[str, int]


class RetrierCounts(Value):
    """How many runs a person retried from here."""

    name: str
    retried: int


class OverdueTask(Value):
    """An overdue task, when it was due, and how severe the finding behind it is: "" if unknown."""

    name: str
    due: datetime
    severity: str = ""


class ClaimedObject(Value):
    """An open task or run that somebody has claimed, by their name."""

    name: str
    assignee: str


class ShiftSummary(Value):
    """What is handed over: what happened from ``since`` to ``until``, and what is open now.

    ``decided_outside`` counts the tasks that somebody decided, and not from here; nobody decided
    those that were ``auto_approved`` or ``cancelled`` at their due dates. ``median`` is the number
    of seconds that the ``timed`` ones waited for their decision. ``oldest_overdue`` are the first
    few of the ``overdue`` ones. ``failed`` are runs of workflows, ``failed_playbooks`` those of
    playbooks, which are not known where those are ``playbooks_unlisted``. Of the ``retried`` runs
    ``recovered`` have finished since. After ``failed_afterwards`` decisions the run failed.
    ``break_glass_users`` names those who decided alone, once for each time. ``claimed`` are the
    open objects that somebody takes care of, ``muted`` the workflows that were muted in the shift.
    ``stale_since`` is since when SecMaster can't be read, None if it can.
    """

    since: datetime
    until: datetime
    deciders: tuple[DeciderCounts, ...] = ()
    decided_outside: int = 0
    auto_approved: int = 0
    cancelled: int = 0
    median: float = 0
    timed: int = 0
    waiting: int = 0
    overdue: int = 0
    oldest_overdue: tuple[OverdueTask, ...] = ()
    failed: int = 0
    failed_playbooks: int = 0
    playbooks_unlisted: bool = False
    retriers: tuple[RetrierCounts, ...] = ()
    retried: int = 0
    recovered: int = 0
    failed_afterwards: int = 0
    break_glass_users: tuple[str, ...] = ()
    claimed: tuple[ClaimedObject, ...] = ()
    muted: tuple[Mute, ...] = ()
    stale_since: datetime | None = None

    @property
    def quiet(self) -> bool:
        """Whether nothing happened and nothing is overdue."""
        return not (
            self.deciders
            or self.decided_outside
            or self.auto_approved
            or self.cancelled
            or self.retriers
            or self.failed_afterwards
            or self.break_glass_users
            or self.overdue
        )
