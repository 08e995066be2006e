"""What people ask for by words and by buttons alike, as values.

What only a command asks for stands beside its row.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from bot.domain.actions import Action
from bot.domain.approvals import ApprovalIntent
from bot.domain.objects import Ref
from bot.domain.slack import SlackFile


@dataclass(frozen=True, slots=True)
class ShowCard:
    """Post an object's card."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """Carry out an action of the table.

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


class SnoozeChoice(StrEnum):
    """How long to snooze an object, as the menu of its card writes it."""

    ONE_HOUR = "1h"
    OTHER = "xh"
    END = "0h"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a menu option's text; None for one that this version does not know."""
        try:
            return cls(text)
        except ValueError:
            return None
