"""Who asks in Slack, from where, and with which file; and whom a message is for."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Self

from pydantic import Field

from bot.domain.deliveries import Trace
from bot.domain.objects import ObjectId, Value

# By how much Slack's clock may differ from ours: its requests are accepted so early or late.
# https://docs.slack.dev/authentication/verifying-requests-from-slack
CLOCK_SKEW = timedelta(minutes=5)
MAX_FILE_MEGABYTES = 20  # of a file that is brought to SecMaster: all of it is in memory on its way
EVENTS_PATH = "/slack/events"  # where Slack is told to post


class DestinationKind(StrEnum):
    """What a message can be for; UNKNOWN is an id that Slack gives to none of these."""

    CHANNEL = "channel"
    PERSON = "person"
    USERGROUP = "usergroup"
    DIRECT_MESSAGE = "direct_message"
    UNKNOWN = "unknown"


def code_text(code: str) -> str:
    """Return a code of Slack's as sentences name it; "" is an answer that could not be read."""
    return code or "unreadable answer"


# By its first letter an id of Slack says what it names; private channels may be C or G, people U
# or W.
KIND_BY_LETTER = {
    "C": DestinationKind.CHANNEL,
    "G": DestinationKind.CHANNEL,
    "U": DestinationKind.PERSON,
    "W": DestinationKind.PERSON,
    "S": DestinationKind.USERGROUP,
    "D": DestinationKind.DIRECT_MESSAGE,
}


@dataclass(frozen=True, slots=True)
class Destination:
    """Whom a message is for: a channel, a person, each member of a user group.

    A direct message is our channel with a person, where somebody asked from there.
    """

    kind: DestinationKind
    id: str

    @classmethod
    def parse(cls, id_: str) -> Self:
        """Return what an id of Slack names; no other code looks at the letters of an id."""
        return cls(KIND_BY_LETTER.get(id_[:1], DestinationKind.UNKNOWN), id_)


class Actor(Value):
    """The Slack person who asks. Permission belongs to the id; the name is for display.

    A person of an Enterprise Grid may have two ids, of which ``id`` is the organisation's;
    ``alias`` is the other one, where they asked by that. Slack could not say who somebody is who
    is not ``is_identified``: nothing may be recorded in their name.
    """

    id: str
    name: str = ""
    team: str = ""
    alias: str = ""
    is_identified: bool = Field(default=True, exclude=True)


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

    @property
    def is_private(self) -> bool:
        """Whether they pressed a button of a message in a channel that they alone see."""
        is_channel = Destination.parse(self.channel).kind is DestinationKind.CHANNEL
        return is_channel and bool(self.response_url) and not self.card


class SlackFile(Value):
    """A file in Slack, by its id; the name is for display."""

    id: ObjectId
    name: str = ""


@dataclass(frozen=True, slots=True)
class FormInput:
    """What a person put into one input of a form: a text, the values of options, or files."""

    text: str = ""
    options: tuple[str, ...] = ()
    files: tuple[SlackFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Requester:
    """The person who asks, and where; ``trace`` follows the delivery in which they do."""

    actor: Actor
    location: SlackLocation
    trace: Trace = field(default_factory=Trace, compare=False, repr=False)

    def under(self, card: str) -> Self:
        """Return the same requester, answered under the card with this ts."""
        return replace(self, location=self.location.model_copy(update={"card": card}))
