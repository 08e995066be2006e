"""What Slack delivers, followed from its arrival to the end of all work that it started."""

import time
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.reasons import RefusalReason


class DeliveryKind(StrEnum):
    """What a person did in Slack. BATCH: one of several objects of a form; OTHER is not served."""

    COMMAND = "command"
    MENTION = "mention"
    BUTTON = "button"
    FORM = "form"
    BATCH = "batch"
    SHORTCUT = "shortcut"
    HOME = "home"
    OTHER = "other"


class DeliveryOutcome(StrEnum):
    """What became of a delivery.

    REFUSED is the policy's no. INVALID could not be understood, or is not complete. UNAVAILABLE:
    Slack or SecMaster could not be asked. LATE: Slack had to be answered before it was recorded or
    known. FAILED is a fault of ours or of the database.
    """

    DONE = "done"
    REFUSED = "refused"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"
    LATE = "late"
    FAILED = "failed"
    IGNORED = "ignored"  # nothing that the bot serves, or another delivery is answered


@dataclass(slots=True, eq=False)
class Trace:
    """One delivery as it is logged and counted; whoever works on it adds what they know.

    ``command`` is the bot's own name for what was asked, ``operation`` the id of what was recorded
    or refused, ``target`` what that is about. It ``sends`` where it asks for something to be sent
    to SecMaster. ``pending`` counts what is not done yet, of which the acknowledgement is the
    first; ``acknowledged`` is how many seconds that took.
    """

    kind: DeliveryKind = DeliveryKind.OTHER
    command: str = ""
    operation: str = ""
    target: str = ""
    sends: bool = False
    outcome: DeliveryOutcome = DeliveryOutcome.DONE
    reason: RefusalReason | None = None
    pending: int = 1
    acknowledged: float = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> float:
        """Return how many seconds ago it arrived."""
        return time.monotonic() - self.began

    def fail(self, outcome: DeliveryOutcome, reason: RefusalReason | None = None) -> None:
        """Note what kept it from being done: the first failure tells."""
        if self.outcome is DeliveryOutcome.DONE:
            self.outcome, self.reason = outcome, reason
