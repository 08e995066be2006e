"""The values that cross seams: what is acted on, who asks, where, and how it ended.

Knows no Slack client, no HTTP and no database. All are frozen, and all can be written to the
database as JSON and read back by a newer version.
"""

import re
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
        """Opaque and versioned: what buttons and the database carry is read for ever."""
        return f"1:{self.noun}:{self.workspace}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read it back; None for one that this version cannot read."""
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
    they wrote in; ``response_url`` answers only them, for 30 minutes. The channel's name is for
    reading, where Slack tells it.
    """

    channel: str = ""
    card: str = ""
    thread: str = ""
    response_url: str = ""
    channel_name: str = ""


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


class Terms(Value):
    """Under which terms a rule allows something.

    So many distinct people must ask for it within ``expires`` seconds. ``glass`` is the channel
    that is told when somebody decides alone all the same, ``lender`` who lent them the right.
    ``comment`` is whether SecMaster is to keep a comment that names who decided. More than
    ``brake`` retries of what ``gathers`` names within ``brake_within`` seconds ask for a second
    person; ``braked`` is that they did.
    """

    approvals: int = 1
    expires: float = 3600
    may_break: bool = False
    glass: str = ""
    lender: str = ""
    comment: Literal["always", "reason", "never"] = "reason"
    policy: str = ""
    identity: str = ""
    gathers: str = ""
    brake: int = 0
    brake_within: float = 0
    braked: bool = False


class Say(StrEnum):
    """What somebody says to an action that asks for several people."""

    YES = "yes"
    WITHDRAW = "withdraw"
    REFUSE = "refuse"


class Vote(Value):
    """One person's yes: by which operation, when, why, and by whose right if not their own.

    ``sight`` is the digest of what they said yes to.
    """

    operation: str
    actor: Actor
    at: datetime
    reason: str = ""
    lender: str = ""
    sight: str = ""

    @property
    def authority(self) -> str:
        """Whose right it is that was used: it counts once, whoever uses it."""
        return self.lender or self.actor.id


class Ballot(Value):
    """An action that waits for more people: who has said yes, of how many, and until when.

    ``id`` is the operation that opened it; ``braked`` is that only the retry brake asks for it,
    after ``brake`` retries of its workflow within ``brake_within`` seconds.
    """

    id: str
    action: str
    votes: tuple[Vote, ...]
    needed: int
    expires_at: datetime
    may_break: bool = False
    braked: bool = False
    brake: int = 0
    brake_within: float = 0


class Operation(Value):
    """One action asked for by one person, as it is recorded before it is acknowledged.

    ``id`` comes from what can happen only once (a click, a command, a modal): the same id is
    the same operation. ``rule`` is the rule that allowed it, under its ``terms``. ``launch``
    names the run of the process that accepted it: another run finding it knows that it has been
    recovered. A ``file`` is brought to SecMaster first, and its id there then is among the
    ``params``. ``seen`` is the digest of what the card showed, "" where nobody can tell;
    ``backing`` are the others whose yes it needed, ``struck`` those whose yes it found to count
    no longer, since they may not say it any more. One of many names the message that tells of
    the ``batch`` by its ts.

    A flow that is under way must take the same course after an upgrade: whatever decides about
    its course is recorded here, and the default is how it was before.
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
    terms: Terms = Terms()
    say: Say = Say.YES
    seen: str = ""
    backing: tuple[Vote, ...] = ()
    struck: tuple[Vote, ...] = ()
    batch: str = ""
    accepted_at: datetime
    launch: str = ""

    @property
    def reference(self) -> str:
        """Six characters that name this operation in comments, logs and threads."""
        return self.id[:6]


class State(StrEnum):
    """How an operation ended, or that it has not.

    ``doubt`` is a write that was sent and whose fate is being looked for; ``counted`` a yes that
    waits for others.
    """

    PENDING = "pending"
    DOUBT = "doubt"
    COUNTED = "counted"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Outcome(Value):
    """What became of an operation at SecMaster.

    ``failed`` means that it certainly did not happen; ``unknown`` that nobody could tell.
    ``trouble`` names the kind of failure, for whoever words it; ``code`` and ``message`` are
    SecMaster's own. ``seen`` is the status that stood in the way, ``by`` and ``at`` who brought
    it about and when, as far as SecMaster tells. ``before`` and ``after`` are the statuses
    around the write, ``sight`` the digest of what was read right before it; ``took`` is seconds
    since it was accepted. ``follow`` is the retry count of a run before it was retried, where the
    run is to be followed to its end.
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
    changes: tuple["Change", ...] = ()
    ballot: Ballot | None = None
    ended: Ballot | None = None
    outdated: tuple[Vote, ...] = ()
    before: str = ""
    after: str = ""
    sight: str = ""
    took: float = 0
    follow: int | None = None


class Change(Value):
    """One thing about an object that is no longer as it was shown."""

    label: str
    before: str = ""
    after: str = ""


class Verdict(Value):
    """Somebody's operation that stands: shown on the card, and told to whoever came second."""

    operation: Operation
    state: State
    at: datetime


class Loan(Value):
    """Rights that somebody lends somebody else."""

    lender: str
    borrower: str
    until: datetime


class Seen(Value):
    """An object as it was read: the digest of what of it matters, and all of it as JSON."""

    digest: str = ""
    snapshot: str = ""


class Shown(Value):
    """What a button carries: the object, and the digest of what the card showed of it."""

    ref: Ref
    seen: str = ""

    def __str__(self) -> str:
        return f"2:{str(self.ref)[2:]}:{self.seen}" if self.seen else str(self.ref)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a button's value, an older card's too; None for one that can't be read here."""
        version, _, rest = text.partition(":")
        if version != "2":
            ref = Ref.parse(text)
            return cls(ref=ref) if ref else None
        named, _, seen = rest.rpartition(":")
        ref = Ref.parse(f"1:{named}")
        return cls(ref=ref, seen=seen) if ref and re.fullmatch(r"[0-9a-f]{32}", seen) else None


class Card(Value):
    """One message in Slack that shows one task or instance.

    ``seen`` is the digest of all that it shows, ``sight`` that of what of it matters; "" unknown.
    A message that ``gathers`` the failures of one workflow is the card of each of them;
    ``mention`` are those whom it called, ``meant`` is the channel it was for, where that is closed,
    and ``origin`` the route that it was escalated from.
    """

    ref: Ref
    channel: str
    ts: str
    title: str = ""
    seen: str = ""
    sight: str = ""
    gathers: str = ""
    mention: tuple[str, ...] = ()
    meant: str = ""
    origin: str = ""


class Follow(Value):
    """A run that was retried from here, to be followed to its end.

    ``retries`` is its retry count before; ``at`` is when it was looked at last.
    """

    operation: Operation
    retries: int
    at: datetime


class Round(Value):
    """How the watch of a workspace fares: since when, when its last good round ended, and why not.

    ``replica`` is who did it.
    """

    workspace: str
    since: datetime
    ended_at: datetime | None = None
    trouble: str = ""
    replica: str = ""
