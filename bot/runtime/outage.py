"""Since when something fails."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Outage:
    """What fails now: ``problem`` is how, "" while all is well; ``since`` when that began."""

    problem: str = ""
    since: datetime | None = None

    def note(self, problem: str, at: datetime) -> None:
        """Record how an attempt went; "" is well."""
        self.since = (self.since or at) if problem else None
        self.problem = problem
