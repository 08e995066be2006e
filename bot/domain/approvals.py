"""Approvals of an action that needs several people, and the request that collects them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.domain.objects import Value
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import Actor


class ApprovalIntent(StrEnum):
    """What somebody says to an action that asks for several people."""

    GIVE = "yes"
    WITHDRAW = "withdraw"
    DECLINE = "refuse"


class Approval(Value):
    """One person's yes: by which operation, when, why, and by whose right if not their own.

    ``sight`` is the digest of what they said yes to.
    """

    operation_id: str
    actor: Actor
    at: datetime
    reason: str = ""
    delegator: str = ""
    decision_fingerprint: str = ""

    @property
    def authority(self) -> str:
        """Whose right it is that was used: it counts once, whoever uses it."""
        return self.delegator or self.actor.id


class ApprovalRequest(Value):
    """An action that waits for more people: who has said yes, of how many, and until when.

    ``id`` is the operation that opened it; ``braked`` is that only the retry brake asks for it,
    after ``brake`` retries of its workflow within ``brake_within`` seconds.
    """

    id: str
    action: str
    approvals: tuple[Approval, ...]
    needed: int
    expires_at: datetime
    break_glass_allowed: bool = False
    brake_applied: bool = False
    brake_retries: int = 0
    brake_within: float = 0


@dataclass(frozen=True, slots=True)
class ApprovalResult:
    """What a yes came to.

    It may be ``enough`` to be sent, and ``backing`` are the others who said yes to the same;
    otherwise ``ballot`` is what it waits for. ``ended`` is another action's ballot that it put
    an end to, ``outdated`` who said yes to something that has changed since. ``trouble`` names
    why it does not count: voted (they have said so), same_right (the right they use was used),
    too_old (it would be over by now), over (it was counted before, and is over), too_late (it
    is being sent).
    """

    enough: bool = False
    co_approvers: tuple[Approval, ...] = ()
    request: ApprovalRequest | None = None
    ended_request: ApprovalRequest | None = None
    outdated_approvals: tuple[Approval, ...] = ()
    reason: OutcomeReason = OutcomeReason.NONE
