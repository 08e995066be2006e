"""The ids by which the policy names people, user groups and channels of Slack."""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator

from bot.domain.slack import Destination, DestinationKind

PERSON, USERGROUP = DestinationKind.PERSON, DestinationKind.USERGROUP
CHANNEL = DestinationKind.CHANNEL

# What such an id is called, how one looks, and where people find it.
NOUNS = {
    PERSON: ("member id", "U0123ABCD", "open the person's profile in Slack, ⋮, Copy member ID"),
    USERGROUP: ("user group's id", "S0123ABCD", "it stands in the group's address"),
    CHANNEL: ("channel's id", "C0123ABCD", "it stands in the channel's details"),
}


class NotAnId(ValueError):
    """A text is no id of these kinds, such as a name or an address."""

    def __init__(self, text: str, kinds: tuple[DestinationKind, ...]) -> None:
        nouns, examples, _ = zip(*(NOUNS[kind] for kind in kinds), strict=True)
        where = "; ".join(NOUNS[kind][2] for kind in kinds)
        super().__init__(
            f"{text!r} is no {' or '.join(nouns)}, such as {' or '.join(examples)}: {where}"
        )
        self.text = text
        self.kinds = kinds


def _slack_id(*kinds: DestinationKind) -> Callable[[str], str]:
    """Return a check that a text is an id of Slack of one of these kinds."""

    def check(text: str) -> str:
        is_id = re.fullmatch(r"[A-Z][A-Z0-9]{2,}", text)
        if not is_id or Destination.parse(text).kind not in kinds:
            raise NotAnId(text, kinds)
        return text

    return check


CHECK_CHANNEL = _slack_id(CHANNEL)
CHECK_USER = _slack_id(PERSON)
CHECK_USERGROUP = _slack_id(USERGROUP)
CHECK_MENTION = _slack_id(PERSON, USERGROUP)
ChannelId = Annotated[str, AfterValidator(CHECK_CHANNEL)]
UserId = Annotated[str, AfterValidator(CHECK_USER)]
UsergroupId = Annotated[str, AfterValidator(CHECK_USERGROUP)]
MentionId = Annotated[str, AfterValidator(CHECK_MENTION)]
