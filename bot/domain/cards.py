"""Cards and their buttons: which message shows which object, and what a button carries."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from bot.domain.approvals import ApprovalRequest, RequestNews
from bot.domain.objects import Ref, Value
from bot.domain.operations import Operation, StandingOperation
from bot.domain.snapshots import Snapshot, decision_fingerprint, rendered_fingerprint
from bot.domain.tracking import Assignment, TrackedObject

VANISHED = "vanished"  # the rendered fingerprint of an object that is gone
STALE = "stale"  # and that of one which could not be read: its cards are drawn again once it can


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
    to a decision; "" where unknown. A message with a ``card_group`` may show several objects, and
    is the card of each of them; only one that ``gathers`` takes in more. ``mentions`` are the
    people and user groups that it mentioned, ``intended_channel`` is the channel it was meant for
    where that one is closed, ``escalated_from`` the route that it was escalated from,
    ``escalated_by`` who had that done before its time and for which reason, and ``late_since`` when
    it should have come, where it came long after that.
    """

    ref: Ref
    channel: str
    ts: str
    title: str = ""
    rendered_fingerprint: str = ""
    decision_fingerprint: str = ""
    card_group: str = ""
    gathers: bool = True
    mentions: tuple[str, ...] = ()
    intended_channel: str = ""
    escalated_from: str = ""
    escalated_by: str = ""
    escalation_reason: str = ""
    late_since: datetime | None = None


def in_channel(cards: Sequence[Card], channel: str) -> Card | None:
    """Return the first of an object's cards in a channel, or else its first anywhere."""
    return next((card for card in cards if card.channel == channel), cards[0] if cards else None)


@dataclass(frozen=True, slots=True)
class CardGroup:
    """The cards of one channel that objects with one ``key`` may share.

    What was escalated, or intended for another channel, is not mixed with what was not.
    """

    channel: str
    key: str
    intended_channel: str = ""
    escalated_from: str = ""


@dataclass(frozen=True, slots=True)
class GroupState:
    """What a message is drawn from that shows several objects: tasks, or runs of one definition.

    ``refs`` are all of them, in the order of its rows, and ``open`` is how many of them still wait
    for a person. ``objects`` are those of them that are tracked, up to some number, and
    ``requests`` the approval requests about these.
    """

    refs: tuple[Ref, ...]
    open: int
    objects: tuple[TrackedObject, ...]
    requests: Mapping[Ref, tuple[ApprovalRequest, ...]]


@dataclass(frozen=True, slots=True)
class DecidedTask:
    """A decision on a task that let a run continue, and the cards of the task, newest first."""

    operation: Operation
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class CardState:
    """What the cards of an object are drawn from; ``snapshot`` is None where it is gone.

    ``cards`` are newest first. ``standing_operation`` is what was last done to the object from
    here, or may have been. ``request_news`` is what was last done to an approval request, if that
    was to withdraw from it or to decline it. ``names`` are the names of the files that were
    attached from here, and of the run that waits for a task, by id. ``assignment`` is its claim
    that holds now. ``groups`` are the groups of those cards that show other objects too, by channel
    and ts. ``decision`` is the one that let a run continue, ``linked_cards`` are those of what came
    of the decision on a task, by reference. ``stale``: SecMaster can't be read, and the snapshot is
    the one that was read last.
    """

    ref: Ref
    snapshot: Snapshot | None
    cards: tuple[Card, ...] = ()
    standing_operation: StandingOperation | None = None
    requests: tuple[ApprovalRequest, ...] = ()
    request_news: RequestNews | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    snoozed_until: datetime | None = None
    snoozed_by: str = ""
    assignment: Assignment | None = None
    groups: Mapping[tuple[str, str], GroupState] = field(default_factory=dict)
    decision: DecidedTask | None = None
    linked_cards: Mapping[str, tuple[Card, ...]] = field(default_factory=dict)
    stale: bool = False

    @property
    def counted_requests(self) -> tuple[ApprovalRequest, ...]:
        """The requests with those approvals alone that were given to the object as it is."""
        if self.snapshot is None:
            return ()
        return tuple(request.counted_for(self.snapshot) for request in self.requests)

    @property
    def rendered_fingerprint(self) -> str:
        """The rendered fingerprint of a card that shows this."""
        if self.stale:
            return STALE
        return rendered_fingerprint(self.snapshot) if self.snapshot else VANISHED

    @property
    def decision_fingerprint(self) -> str:
        """The decision fingerprint of a card that shows this; "" where the object is gone."""
        return decision_fingerprint(self.snapshot) if self.snapshot else ""
