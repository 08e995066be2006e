"""The history of each task and instance: what happened, when, by whom, and how they came in."""

from collections import defaultdict
from dataclasses import dataclass

from bot.sandbox.secmaster.wire import Clock, Person, stamp

NOBODY = Person("", "", via="")


@dataclass(frozen=True)
class Event:
    """One event; ``what`` is a phrase such as ``retried``, ``at`` a time as SecMaster writes it.

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
        self, id_: str, what: str, by: Person = NOBODY, *, detail: str = "", at: str = ""
    ) -> None:
        """Record an event ``at`` a time as SecMaster writes it, by default now."""
        event = Event(at or stamp(self._clock()), what, by.name, by.via, detail)
        self.events[id_].append(event)

    def forget(self, id_: str) -> None:
        """Drop the events of a deleted object."""
        self.events.pop(id_, None)
