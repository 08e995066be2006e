"""What happened to each task and instance: when, by whom, and by which way in."""

from collections import defaultdict
from dataclasses import dataclass

from bot.sandbox.secmaster.wire import Clock, Person, stamp

ITSELF = Person("", "", via="")


@dataclass(frozen=True)
class Event:
    """One thing that happened; ``what`` is a phrase such as ``retried``, ``at`` a wire time.

    ``via`` is ``console``, or the proof and the key of an API call, or "" for what nobody did.
    """

    at: str
    what: str
    by: str
    via: str
    detail: str


class History:
    """The events of every object by its id, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self.events: defaultdict[str, list[Event]] = defaultdict(list)
        self._clock = clock

    def add(
        self, id_: str, what: str, by: Person = ITSELF, *, detail: str = "", at: str = ""
    ) -> None:
        """Write down what happened ``at`` a wire time, now unless told."""
        event = Event(at or stamp(self._clock()), what, by.name, by.via, detail)
        self.events[id_].append(event)

    def forget(self, id_: str) -> None:
        self.events.pop(id_, None)
