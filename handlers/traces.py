"""Log and count what Slack delivers: one line and one count for each delivery, at its end."""

import logging

from bot.domain.deliveries import DeliveryOutcome, Trace
from bot.domain.slack import Requester
from handlers.context import AppContext
from handlers.payloads import Payload, Unreadable

log = logging.getLogger(__name__)


def acknowledge(app: AppContext, source: Payload | Unreadable | None, seconds: float) -> None:
    """Note that Slack has its answer, after so many seconds; ``source`` is what was delivered."""
    metrics = app.services.metrics
    if source is None:
        metrics.acknowledge(Trace().kind, seconds)
        metrics.deliver(Trace().kind, DeliveryOutcome.IGNORED)
        return
    trace = source.requester.trace
    metrics.acknowledge(trace.kind, seconds)
    trace.acknowledged = seconds
    finish(app, source.requester)


def finish(app: AppContext, requester: Requester) -> None:
    """Note that a part of a delivery's work is done; with the last of it, log and count it.

    Ids alone are logged, and words of the bot's own.
    """
    trace, location = requester.trace, requester.location
    trace.pending -= 1
    if trace.pending:
        return
    app.services.metrics.deliver(trace.kind, trace.outcome)
    if trace.reason:
        app.services.metrics.refuse(trace.reason)
    facts = {
        "delivery": trace.kind,
        "command": trace.command,
        "user": requester.actor.id,
        "channel": location.channel,
        "thread_ts": location.card or location.thread,
        "outcome": trace.outcome,
        "reason": trace.reason,
        "operation": trace.operation,
        "object": trace.target,
        "ms": round(trace.age * 1000),
        "acknowledged_ms": round(trace.acknowledged * 1000),
    }
    details = {name: fact for name, fact in facts.items() if fact not in ("", None)}
    log.info("request answered", extra=details)
