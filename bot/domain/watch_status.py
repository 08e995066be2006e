"""How the watch fares: a value for whoever words it, and for metrics."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.objects import ObjectKind, Value
from bot.domain.reasons import OutcomeReason


class PollStatus(Value):
    """How the watch of a workspace fares: since when, when its last good round ended, and why not.

    ``replica`` is who did it.
    """

    workspace: str
    since: datetime
    last_success_at: datetime | None = None
    failure: OutcomeReason = OutcomeReason.NONE
    replica: str = ""


@dataclass(frozen=True, slots=True)
class WatchStatus:
    """``behind`` are seconds for each workspace since a round should have ended.

    ``open`` is how many objects wait, by workspace and noun; ``waiting`` what is to be posted,
    ``closed`` the channels that take nothing, each with why.
    """

    interval: float
    polls: tuple[PollStatus, ...]
    behind: dict[str, float]
    open: dict[tuple[str, ObjectKind], int]
    queued: int
    closed_channels: tuple[tuple[str, str], ...]
