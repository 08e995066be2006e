"""Log and count operations: a line when one is recorded, and one when it has ended and was told.

Both have the operation's id, which is bound to all lines between them, and neither has anybody's
words: no reason, no comment, no name.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.actions import BY_NAME
from bot.domain.approvals import ApprovalIntent
from bot.domain.operations import Operation, Outcome
from bot.metrics import ending_of
from bot.operations.step_results import ResultKind, StepResult
from bot.services import Services

log = logging.getLogger(__name__)


@dataclass(slots=True)
class OperationTrace:
    """How one operation goes in this process; ``attempts`` counts pauses too, after a crash anew.

    ``recorded_at`` is None where another process, or this one before it broke off, recorded it;
    ``is_told`` says that its end is told here, and not read from the record of that step.
    """

    services: Services
    recorded_at: datetime | None = None
    attempts: int = 1
    is_told: bool = False

    def begin(self, operation: Operation) -> None:
        """Log that an operation is on record, or that it is taken up again."""
        facts: dict[str, object] = {
            "operation": operation.id,
            "action": operation.action,
            "object": str(operation.ref),
            "user": operation.actor.id,
            "channel": operation.location.channel,
            "thread_ts": operation.location.card or operation.location.thread,
            "delivery": operation.delivery,
        }
        if operation.intent is not ApprovalIntent.GIVE:
            facts["intent"] = operation.intent
        if self.services.is_resumed(operation):
            log.info("operation resumed", extra=facts)
            return
        self.recorded_at = self.services.clock.now()
        seconds = _seconds(operation.received_at, self.recorded_at)
        log.info("operation recorded", extra=facts | _milliseconds(ms=seconds))
        self.services.metrics.record(BY_NAME[operation.action], seconds)

    def note(self, result: StepResult) -> None:
        """Count what a step learned that was in vain."""
        reason = result.outcome.reason_code
        if result.kind is ResultKind.RETRYABLE:
            self.services.metrics.retry(reason)
        elif result.kind is ResultKind.IN_DOUBT:
            self.services.metrics.doubt(reason)

    async def tell(self) -> None:
        """Note that the end is told: an effect of the step that does so."""
        self.is_told = True

    def end(self, operation: Operation, outcome: Outcome) -> None:
        """Log and count that an operation has ended, unless that was done when it was told."""
        if not self.is_told:
            return
        now = self.services.clock.now()
        # Whoever lost to another has no conclusion of their own.
        concluded_at = operation.accepted_at + timedelta(seconds=outcome.duration)
        recorded_at = self.recorded_at or operation.accepted_at
        written = max(0.0, (concluded_at - recorded_at).total_seconds())
        replied = max(0.0, (now - concluded_at).total_seconds())
        ending, refusal = ending_of(operation, outcome), outcome.refusal
        facts = {
            "operation": operation.id,
            "action": operation.action,
            "object": str(operation.ref),
            "outcome": ending,
            "reason": outcome.reason_code,
            "refusal": refusal.reason if refusal else "",
            "code": outcome.code,
            "request_id": outcome.request_id,
        }
        details: dict[str, object] = {name: fact for name, fact in facts.items() if fact}
        times = _milliseconds(
            recorded_ms=_seconds(operation.received_at, self.recorded_at),
            written_ms=written,
            replied_ms=replied,
        )
        log.info("operation ended", extra=details | {"attempts": self.attempts} | times)
        self.services.metrics.end(BY_NAME[operation.action], ending, written, replied)
        if refusal:
            self.services.metrics.refuse(refusal.reason)


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds between two moments, None where one is not known; never below 0."""
    return max(0.0, (end - begin).total_seconds()) if begin and end else None


def _milliseconds(**seconds: float | None) -> dict[str, int]:
    return {name: round(value * 1000) for name, value in seconds.items() if value is not None}
