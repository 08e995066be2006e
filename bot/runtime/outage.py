"""Since when something fails."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Outage:
    """What fails now: ``problem`` is how, "" while all is well; ``since`` when that began.

    ``last_at`` is when it failed last, also after that is over.
    """

    problem: str = ""
    since: datetime | None = None
    last_at: datetime | None = None

    def note(self, problem: str, at: datetime) -> None:
        """Record how an attempt went; "" is well."""
        self.since = (self.since or at) if problem else None
        self.last_at = at if problem else self.last_at
        self.problem = problem
