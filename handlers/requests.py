"""What people ask for, as values: what the parser reads from words, and buttons from presses."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from bot.domain.actions import Action
from bot.domain.approvals import ApprovalIntent
from bot.domain.batches import BatchQuery
from bot.domain.objects import ListQuery, ObjectId, ObjectKind, Ref
from bot.domain.slack import SlackFile


@dataclass(frozen=True, slots=True)
class ShowHelp:
    """Show how commands are written."""


@dataclass(frozen=True, slots=True)
class Whoami:
    """Show the requester their roles, and what they may do."""


@dataclass(frozen=True, slots=True)
class ShowCard:
    """Post an object's card."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """Carry out one of the nine actions.

    ``decision_fingerprint`` names the state that the person saw, "" if none is known;
    ``break_glass`` asks to decide alone what needs several people; ``confirmed`` says that the
    object's name was typed.
    """

    action: Action
    ref: Ref
    params: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    files: tuple[SlackFile, ...] = ()
    decision_fingerprint: str = ""
    break_glass: bool = False
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class ChangeApproval:
    """Withdraw one's approval, or decline an approval request.

    A button names the ``action`` that it is about; a command means the only one that waits.
    """

    intent: ApprovalIntent
    ref: Ref
    reason: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class ExplainPolicy:
    """Show which rules allow or refuse the requester an object's actions.

    Where the command names no kind, the id may be that of either.
    """

    id: ObjectId
    kinds: tuple[ObjectKind, ...] = ("task", "instance")


@dataclass(frozen=True, slots=True)
class ShowAudit:
    """Show the audit history of one object."""

    id: ObjectId
    kinds: tuple[ObjectKind, ...] = ("task", "instance")


@dataclass(frozen=True, slots=True)
class ReloadPolicy:
    """Reload the policy from its file."""


@dataclass(frozen=True, slots=True)
class ShowStatus:
    """Show how well SecMaster is being polled."""


@dataclass(frozen=True, slots=True)
class ShowDigest:
    """Show the digest that a hand-over at this moment would post."""


@dataclass(frozen=True, slots=True)
class ShowOnCall:
    """Show who is on call, and what waits for them."""


@dataclass(frozen=True, slots=True)
class ShowRoutes:
    """Show all routes, or those that the card of one object would take."""

    id: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class SetSubscription:
    """Subscribe the channel to everything that comes, or end its subscription."""

    subscribe: bool


@dataclass(frozen=True, slots=True)
class CreateDelegation:
    """Delegate the requester's rights; ``until`` is the moment as they wrote it."""

    delegate: str
    until: str


@dataclass(frozen=True, slots=True)
class RevokeDelegation:
    """End what the requester delegated to one person."""

    delegate: str


@dataclass(frozen=True, slots=True)
class ListDelegations:
    """Show what the requester delegated, and what was delegated to them."""


# Answered by one message to the requester alone.
AnsweredRequest = (
    ShowHelp
    | Whoami
    | ListQuery
    | BatchQuery
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
# The first two become operations, which report in a thread; the third posts a card for everybody.
Request = ActionRequest | ChangeApproval | ShowCard | AnsweredRequest


class SnoozeChoice(StrEnum):
    """How long to snooze an object, as the menu of its card writes it."""

    ONE_HOUR = "1h"
    UNTIL_MORNING = "9h"
    END = "0h"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a menu option's text; None for one that this version does not know."""
        try:
            return cls(text)
        except ValueError:
            return None
