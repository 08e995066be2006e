"""Say how a task ended that was not decided from here: by whom, or that nobody decided in time."""

from datetime import datetime

from bot.domain.endings import NOBODY, TaskEnding
from bot.messages.catalogue import N_, Catalogue
from bot.messages.text import date_token, inline

# In a message, and in a cell of a table, which has no room for a time.
RAN_OUT = {
    TaskEnding.CANCELLED: N_("Expired: cancelled automatically by SecMaster, {when}."),
    TaskEnding.AUTO_APPROVED: N_("Nobody decided: approved automatically by SecMaster, {when}."),
}
RAN_OUT_LABELS = {
    TaskEnding.CANCELLED: N_("Expired: cancelled automatically by SecMaster"),
    TaskEnding.AUTO_APPROVED: N_("Nobody decided: approved automatically by SecMaster"),
}


def decided_elsewhere(
    catalogue: Catalogue, ending: TaskEnding | None, decider: str, at: datetime | None
) -> str:
    """Say who decided a task outside Slack, or that nobody did until it was due.

    ``decider`` is whom SecMaster names, "" for nobody.
    """
    when = date_token(at)
    if decider.casefold() not in NOBODY:
        return catalogue.gettext(
            "Decided outside Slack by {person}, {when}.", person=inline(decider, 80), when=when
        )
    if ending in RAN_OUT:
        return f"⌛ {catalogue.gettext(RAN_OUT[ending], when=when)}"
    return catalogue.gettext("Decided outside Slack or automatically, {when}.", when=when)


def decided_label(catalogue: Catalogue, ending: TaskEnding | None, decider: str, state: str) -> str:
    """Say the same as plain text in a few words; ``state`` is what the task is now."""
    if decider.casefold() not in NOBODY:
        return catalogue.gettext(
            "Already decided by {decider}: {state}", decider=decider, state=state
        )
    if ending in RAN_OUT_LABELS:
        return catalogue.gettext(RAN_OUT_LABELS[ending])
    return catalogue.gettext("Already decided: {state}", state=state)
