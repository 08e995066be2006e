"""How long everything may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long everything may take; all of it in seconds.

    ``pauses`` lie between the rounds of an operation that SecMaster's trouble keeps waiting; when
    they are used up it is given up. A doubtful write is looked for during ``trust`` before it is
    believed lost and sent again: longer than a gateway goes on working on what it took. ``redraw``
    is the least between two drawings of one object's cards, ``pace`` that between two messages
    that the bot posts into a channel by itself: Slack takes one a second, and people's come first.
    Posting one of those may last ``post``, waiting for Slack's limit included; what another
    process is posting is taken over after ``takeover``, which is longer.
    Each thing that is asked before an acknowledgement may take ``ask``, for Slack waits three
    seconds and recording needs some of them; what is only nice to have may take ``aside``.
    """

    pauses: tuple[float, ...] = (1, 2, 4, 8, 15, 30, *(60,) * 9)
    settle: float = 60
    render_interval: float = 1
    post_interval: float = 1.2
    post: float = 15
    takeover: float = 20
    before_ack: float = 0.8
    optional: float = 0.5

    @property
    def seconds(self) -> float:
        return sum(self.pauses)
