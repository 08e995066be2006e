"""Who asks in Slack, from where, and with which file."""

from dataclasses import dataclass, replace
from typing import Self

from bot.domain.objects import ObjectId, Value


class Actor(Value):
    """The Slack person who asks. Permission belongs to the id; the name is for display."""

    id: str
    name: str = ""
    team: str = ""


class SlackLocation(Value):
    """Where in Slack a person asked, and so where the answer goes.

    ``card`` is the ts of the card whose button they pressed or under which they wrote, ``thread``
    that of any thread they wrote in; ``response_url`` answers only them, for 30 minutes.
    ``channel_name`` is for display, where Slack tells it.
    """

    channel: str = ""
    card: str = ""
    thread: str = ""
    response_url: str = ""
    channel_name: str = ""


class SlackFile(Value):
    """A file in Slack, by its id; the name is for display."""

    id: ObjectId
    name: str = ""


@dataclass(frozen=True, slots=True)
class Requester:
    """The person who asks, and where."""

    actor: Actor
    location: SlackLocation

    def under(self, card: str) -> Self:
        """Return the same requester, answered under the card with this ts."""
        return replace(self, location=self.location.model_copy(update={"card": card}))
