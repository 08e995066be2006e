"""The values that cross seams: what is acted on, who asks, where, and how it ended.

Knows no Slack client, no HTTP and no database. All are frozen, and all can be written to the
database as JSON and read back by a newer version.
"""

import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

Noun = Literal["task", "instance"]

# SecMaster's ids are UUIDs; anything longer or stranger is not one, and would not fit a button.
ObjectId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


def visible(text: str) -> str:
    """The text without what no eye sees: control and formatting characters, and space around."""
    kept = (each for each in text if each in "\n\t\u200d" or unicodedata.category(each)[0] != "C")
    return "".join(kept).strip()


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Ref(Value):
    """A task or instance of one SecMaster workspace, known here by its alias."""

    noun: Noun
    id: ObjectId
    workspace: ObjectId = "main"

    def __str__(self) -> str:
        """What a button carries: opaque and versioned, so that old cards keep their buttons."""
        return f"1:{self.noun}:{self.workspace}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a button's value; None for one that this version cannot read."""
        version, _, rest = text.partition(":")
        noun, _, rest = rest.partition(":")
        workspace, _, object_id = rest.partition(":")
        try:
            found = cls.model_validate({"noun": noun, "workspace": workspace, "id": object_id})
        except ValidationError:
            return None
        return found if version == "1" else None


class Actor(Value):
    """The Slack person who asks. Permission belongs to the id; the name is for reading."""

    id: str
    name: str = ""
    team: str = ""


class Place(Value):
    """Where somebody asked, and so where the answer goes.

    ``card`` is the ts of the card they pressed on or wrote under, ``thread`` that of any thread
    they wrote in; ``response_url`` answers only them, for 30 minutes.
    """

    channel: str = ""
    card: str = ""
    thread: str = ""
    response_url: str = ""


class File(Value):
    """A file that somebody put into Slack, by its id; its name is for reading."""

    id: ObjectId
    name: str = ""


class Listing(Value):
    """One page of a list: of what, in which state, whose name holds which text, from where on."""

    noun: Noun
    filter: str = ""
    text: str = ""
    offset: int = 0


class Operation(Value):
    """One action asked for by one person, as it is recorded before it is acknowledged.

    ``id`` comes from what can happen only once (a click, a command, a modal): the same id is
    the same operation. ``rule`` is the rule that allowed it. ``launch`` names the run of the
    process that accepted it: another run finding it knows that it has been recovered. A
    ``file`` is brought to SecMaster first, and its id there then is among the ``params``.
    """

    id: str
    action: str
    ref: Ref
    actor: Actor
    place: Place
    params: dict[str, str] = {}
    reason: str = ""
    file: File | None = None
    rule: str = ""
    accepted_at: datetime
    launch: str = ""

    @property
    def reference(self) -> str:
        """Six characters that name this operation in comments, logs and threads."""
        return self.id[:6]


class State(StrEnum):
    """How an operation ended, or that it has not."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Outcome(Value):
    """What became of an operation at SecMaster.

    ``failed`` means that it certainly did not happen; ``unknown`` that nobody could tell.
    ``trouble`` names the kind of failure, for whoever words it; ``code`` and ``message`` are
    SecMaster's own. ``seen`` is the status that stood in the way, ``by`` and ``at`` who brought
    it about and when, as far as SecMaster tells.
    """

    state: State
    trouble: str = ""
    code: str = ""
    message: str = ""
    status: int | None = None
    request_id: str = ""
    seen: str = ""
    by: str = ""
    at: datetime | None = None


class Verdict(Value):
    """Somebody's operation that stands: shown on the card, and told to whoever came second."""

    operation: Operation
    state: State
    at: datetime


class Card(Value):
    """One message in Slack that shows one task or instance; ``seen`` is what of it, "" unknown."""

    ref: Ref
    channel: str
    ts: str
    title: str = ""
    seen: str = ""
