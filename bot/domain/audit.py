"""What the audit has of an operation: how an attempt went, and how the operation ended."""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.operations import Outcome, StandingOperation

# The actor's id in a record of whoever starts the process, or may send it a signal.
OPERATOR = "operator"


class AuditOutcome(StrEnum):
    """What became of an attempt; the texts are recorded for people, so they never change.

    ALLOWED: it may be sent. REFUSED: the policy said no, before the acknowledgement or right before
    the write. LOST: another came first. COUNTED: an approval that waits for others.
    REVOKED: an approval that no longer counts, since its giver may not give it any more. DONE,
    FAILED and UNKNOWN are the ends of what was ALLOWED, FAILED also that of what never was.
    """

    ALLOWED = "allowed"
    REFUSED = "refused"
    LOST = "lost"
    COUNTED = "counted"
    WITHDRAWN = "withdraw"
    DECLINED = "refuse"
    REVOKED = "struck"
    LAPSED = "lapsed"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RecordedOutcome:
    """How an operation ended, as far as the audit tells: its reason, and not SecMaster's message.

    ``holder`` is the operation that had come first, as it was then.
    """

    outcome: Outcome
    holder: StandingOperation | None = None
