"""Cards and their buttons: which message shows which object, and what a button carries."""

import re
from typing import Self

from bot.domain.objects import Ref, Value


class ButtonValue(Value):
    """What a button carries: the object, and the decision fingerprint that its card showed."""

    ref: Ref
    decision_fingerprint: str = ""

    def __str__(self) -> str:
        if not self.decision_fingerprint:
            return str(self.ref)
        return f"2:{str(self.ref)[2:]}:{self.decision_fingerprint}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a button's text, an older card's too; None for one that can't be read."""
        version, _, rest = text.partition(":")
        if version != "2":
            ref = Ref.parse(text)
            return cls(ref=ref) if ref else None
        ref_text, _, fingerprint = rest.rpartition(":")
        ref = Ref.parse(f"1:{ref_text}")
        if ref is None or not re.fullmatch(r"[0-9a-f]{32}", fingerprint):
            return None
        return cls(ref=ref, decision_fingerprint=fingerprint)


class Card(Value):
    """One message in Slack that shows one task or instance.

    ``rendered_fingerprint`` covers all that it shows, ``decision_fingerprint`` what of it matters
    to a decision; "" where unknown. A message with a ``failure_group`` shows the failures of one
    workflow, and is the card of each of them. ``mentions`` are the people and user groups that it
    mentioned, ``intended_channel`` is the channel it was meant for where that one is closed, and
    ``escalated_from`` the route that it was escalated from.
    """

    ref: Ref
    channel: str
    ts: str
    title: str = ""
    rendered_fingerprint: str = ""
    decision_fingerprint: str = ""
    failure_group: str = ""
    mentions: tuple[str, ...] = ()
    intended_channel: str = ""
    escalated_from: str = ""
