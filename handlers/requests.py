"""What people ask for, once their words or their press made sense."""

from dataclasses import dataclass, field

from bot.domain.actions import Action
from bot.domain.approvals import ApprovalIntent
from bot.domain.batches import BatchQuery
from bot.domain.objects import ListQuery, ObjectId, ObjectKind, Ref
from bot.domain.slack import SlackFile


@dataclass(frozen=True, slots=True)
class ShowHelp:
    pass


@dataclass(frozen=True, slots=True)
class Whoami:
    pass


@dataclass(frozen=True, slots=True)
class ShowCard:
    ref: Ref


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """Somebody wants one of the nine actions, having ``seen`` what has this digest.

    With ``glass`` they want to decide alone what asks for several people.
    """

    action: Action
    ref: Ref
    params: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    files: tuple[SlackFile, ...] = ()
    decision_fingerprint: str = ""
    break_glass: bool = False


@dataclass(frozen=True, slots=True)
class ChangeApproval:
    """Somebody takes their yes back, or refuses what waits for more people.

    A button names the action that it is about; words mean the only one that waits.
    """

    intent: ApprovalIntent
    ref: Ref
    reason: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class ExplainPolicy:
    """Somebody wants to know which rule lets or stops them; without a noun it is either."""

    id: ObjectId
    kinds: tuple[ObjectKind, ...] = ("task", "instance")


@dataclass(frozen=True, slots=True)
class ShowAudit:
    """Somebody wants the story of one object."""

    id: ObjectId
    kinds: tuple[ObjectKind, ...] = ("task", "instance")


@dataclass(frozen=True, slots=True)
class ReloadPolicy:
    pass


@dataclass(frozen=True, slots=True)
class ShowStatus:
    """Somebody wants to know how the watch fares."""


@dataclass(frozen=True, slots=True)
class ShowDigest:
    """Somebody wants to know what a hand-over now would tell."""


@dataclass(frozen=True, slots=True)
class ShowOnCall:
    """Somebody wants to know who is on call, and what waits for them."""


@dataclass(frozen=True, slots=True)
class ShowRoutes:
    """Somebody wants to know where cards go: all of them, or that of one object."""

    id: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class SetSubscription:
    """Somebody wants this channel told of all that comes, or no longer."""

    subscribe: bool


@dataclass(frozen=True, slots=True)
class CreateDelegation:
    """Somebody lends their rights: ``until`` as they wrote it."""

    delegate: str
    until: str


@dataclass(frozen=True, slots=True)
class RevokeDelegation:
    delegate: str


@dataclass(frozen=True, slots=True)
class ListDelegations:
    """Somebody wants to know what they lent and were lent."""


Request = (
    ShowHelp
    | Whoami
    | ListQuery
    | BatchQuery
    | ShowCard
    | ActionRequest
    | ChangeApproval
    | ExplainPolicy
    | ShowAudit
    | ReloadPolicy
    | ShowStatus
    | ShowDigest
    | ShowOnCall
    | ShowRoutes
    | SetSubscription
    | CreateDelegation
    | RevokeDelegation
    | ListDelegations
)
