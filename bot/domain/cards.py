"""Cards and their buttons: which message shows which object, and what a button carries."""

import re
from typing import Self

from bot.domain.objects import Ref, Value


class ButtonValue(Value):
    """What a button carries: the object, and the digest of what the card showed of it."""

    ref: Ref
    decision_fingerprint: str = ""

    def __str__(self) -> str:
        return (
            f"2:{str(self.ref)[2:]}:{self.decision_fingerprint}"
            if self.decision_fingerprint
            else str(self.ref)
        )

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a button's value, an older card's too; None for one that can't be read here."""
        version, _, rest = text.partition(":")
        if version != "2":
            ref = Ref.parse(text)
            return cls(ref=ref) if ref else None
        named, _, seen = rest.rpartition(":")
        ref = Ref.parse(f"1:{named}")
        return (
            cls(ref=ref, decision_fingerprint=seen)
            if ref and re.fullmatch(r"[0-9a-f]{32}", seen)
            else None
        )


class Card(Value):
    """One message in Slack that shows one task or instance.

    ``seen`` is the digest of all that it shows, ``sight`` that of what of it matters; "" unknown.
    A message that ``gathers`` the failures of one workflow is the card of each of them;
    ``mention`` are those whom it called, ``meant`` is the channel it was for, where that is closed,
    and ``origin`` the route that it was escalated from.
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
