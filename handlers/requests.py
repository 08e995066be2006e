"""What people ask for, once their words or their press made sense."""

from dataclasses import dataclass, field

from bot.domain.actions import Action
from bot.domain.batches import Several
from bot.domain.models import File, Listing, Noun, ObjectId, Ref, Say


@dataclass(frozen=True, slots=True)
class Help:
    pass


@dataclass(frozen=True, slots=True)
class Whoami:
    pass


@dataclass(frozen=True, slots=True)
class Show:
    ref: Ref


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody wants one of the nine actions, having ``seen`` what has this digest.

    With ``glass`` they want to decide alone what asks for several people.
    """

    action: Action
    ref: Ref
    params: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    files: tuple[File, ...] = ()
    seen: str = ""
    glass: bool = False


@dataclass(frozen=True, slots=True)
class Unsay:
    """Somebody takes their yes back, or refuses what waits for more people.

    A button names the action that it is about; words mean the only one that waits.
    """

    say: Say
    ref: Ref
    reason: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """Somebody wants to know which rule lets or stops them; without a noun it is either."""

    id: ObjectId
    nouns: tuple[Noun, ...] = ("task", "instance")


@dataclass(frozen=True, slots=True)
class Audit:
    """Somebody wants the story of one object."""

    id: ObjectId
    nouns: tuple[Noun, ...] = ("task", "instance")


@dataclass(frozen=True, slots=True)
class Reload:
    pass


@dataclass(frozen=True, slots=True)
class Status:
    """Somebody wants to know how the watch fares."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """Somebody wants to know what a hand-over now would tell."""


@dataclass(frozen=True, slots=True)
class OnCall:
    """Somebody wants to know who is on call, and what waits for them."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Somebody wants to know where cards go: all of them, or that of one object."""

    id: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Somebody wants this channel told of all that comes, or no longer."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class Lend:
    """Somebody lends their rights: ``until`` as they wrote it."""

    borrower: str
    until: str


@dataclass(frozen=True, slots=True)
class TakeBack:
    borrower: str


@dataclass(frozen=True, slots=True)
class Loans:
    """Somebody wants to know what they lent and were lent."""


Request = (
    Help
    | Whoami
    | Listing
    | Several
    | Show
    | Ask
    | Unsay
    | Why
    | Audit
    | Reload
    | Status
    | HandOver
    | OnCall
    | Routes
    | Subscribe
    | Lend
    | TakeBack
    | Loans
)
