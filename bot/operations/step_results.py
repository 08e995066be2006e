"""What a step that touches SecMaster or Slack learned, as it is recorded."""

from enum import StrEnum

from bot.domain.models import Ballot, Outcome, State, Value, Verdict, Vote
from bot.secmaster import Refused, SecMasterError, Unavailable

LONGEST_WAIT = 60.0  # seconds, whatever Retry-After says


class Kind(StrEnum):
    """What a step learned.

    ``SETTLED`` is final either way. ``TROUBLE`` means that nothing was sent and that it may be
    tried again; ``DOUBT`` that something was sent and nobody knows what became of it;
    ``UNCHANGED`` that SecMaster does not show it, yet.
    """

    SETTLED = "settled"
    TROUBLE = "trouble"
    DOUBT = "doubt"
    UNCHANGED = "unchanged"


class Answer(Value):
    """``wait`` is how many seconds SecMaster asked to be left alone."""

    kind: Kind
    outcome: Outcome
    wait: float = 0


class Sight(Value):
    """What the look before the write showed, in as far as a later step needs it."""

    retry_count: int = 0
    card: str = ""
    permalink: str = ""
    status: str = ""
    digest: str = ""


class Prepared(Value):
    """What stands before a write: the ``sight``, or an ``answer`` why it can't be sent now.

    ``holder`` is who has taken the key before, ``backing`` are the others whose yes it needed;
    ``ended`` is what it put an end to, ``outdated`` who said yes to something that has changed.
    """

    answer: Answer | None = None
    sight: Sight = Sight()
    holder: Verdict | None = None
    backing: tuple[Vote, ...] = ()
    ended: Ballot | None = None
    outdated: tuple[Vote, ...] = ()


def troubled(error: SecMasterError, *, sent: bool) -> Answer:
    """Sort an error: a no is final, anything else passes, and ``sent`` leaves a doubt."""
    outcome = Outcome(
        state=State.FAILED,
        trouble=type(error).__name__,
        code=error.code,
        message=error.message,
        status=error.status,
        request_id=error.request_id,
    )
    if sent:
        doubt = outcome.model_copy(update={"state": State.UNKNOWN})
        return Answer(kind=Kind.DOUBT, outcome=doubt)
    if isinstance(error, Refused):
        return settled(outcome)
    wait = error.retry_after if isinstance(error, Unavailable) else None
    return Answer(kind=Kind.TROUBLE, outcome=outcome, wait=min(wait or 0, LONGEST_WAIT))


def settled(outcome: Outcome) -> Answer:
    return Answer(kind=Kind.SETTLED, outcome=outcome)
