"""Who asks in Slack, from where, and with which file."""

from bot.domain.objects import ObjectId, Value


class Actor(Value):
    """The Slack person who asks. Permission belongs to the id; the name is for reading."""

    id: str
    name: str = ""
    team: str = ""


class SlackLocation(Value):
    """Where somebody asked, and so where the answer goes.

    ``card`` is the ts of the card they pressed on or wrote under, ``thread`` that of any thread
    they wrote in; ``response_url`` answers only them, for 30 minutes. The channel's name is for
    reading, where Slack tells it.
    """

    channel: str = ""
    card: str = ""
    thread: str = ""
    response_url: str = ""
    channel_name: str = ""


class SlackFile(Value):
    """A file that somebody put into Slack, by its id; its name is for reading."""

    id: ObjectId
    name: str = ""
