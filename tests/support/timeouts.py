"""How long the bot lets things take in tests."""

from dataclasses import replace
from typing import Any

from bot.runtime.timeouts import (
    DatabaseTimeouts,
    EvidenceTimeouts,
    RetrySchedule,
    SocketTimeouts,
    Timeouts,
)

PATIENCE = 20  # seconds, where a machine that has other things to do may be slow
# Long enough for a test's trouble to pass, short enough to be waited for.
QUICK_TIMEOUTS = Timeouts(
    retry=RetrySchedule(pauses=(0.05,), budget=PATIENCE, settle=0.14, settle_unreached=0.1),
    socket=SocketTimeouts(open=PATIENCE, pauses=(0.05,), refused=0.05, steady=0),
    database=DatabaseTimeouts(take_over=0),
    render_interval=0.05,
    post_interval=0.01,
    takeover=0,
    before_ack=PATIENCE,
    optional=PATIENCE,
    answer=PATIENCE,
    sweep=0.5,  # a start that lasts longer on a busy machine would be taken for one broken off
    follow_policy=1,
    # Cards stay as they were posted, but in the stories that are about what comes in later.
    evidence=EvidenceTimeouts(read=PATIENCE, at_once=0, interval=0),
)


COMPLETING_TIMEOUTS = replace(QUICK_TIMEOUTS, evidence=replace(QUICK_TIMEOUTS.evidence, at_once=2))
"""With cards that are completed with what SecMaster knows around their objects."""


def quick_retries(**changes: Any) -> Timeouts:
    """Return the quick timeouts with another way to try again."""
    return replace(QUICK_TIMEOUTS, retry=replace(QUICK_TIMEOUTS.retry, **changes))
