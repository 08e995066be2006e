"""How the watch fares: a value for whoever words it, and for metrics."""

from dataclasses import dataclass

from bot.domain.models import Noun, Round


@dataclass(frozen=True, slots=True)
class Health:
    """``behind`` are seconds for each workspace since a round should have ended.

    ``open`` is how many objects wait, by workspace and noun; ``waiting`` what is to be posted,
    ``closed`` the channels that take nothing, each with why.
    """

    every: float
    rounds: tuple[Round, ...]
    behind: dict[str, float]
    open: dict[tuple[str, Noun], int]
    waiting: int
    closed: tuple[tuple[str, str], ...]
