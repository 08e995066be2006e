"""How long operations, reads and posts may take, and how often they are tried."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """How long one operation goes on while SecMaster is in trouble; all in seconds.

    ``pauses`` lie between its attempts, and the last of them is repeated until the ``budget`` is
    spent. A write in doubt is looked for during ``settle`` before it is believed lost and sent
    again: longer than a gateway goes on working on a request. ``settle_unreached`` is enough where
    the gateway says that it did not reach SecMaster. The thread is told of a doubt that lasts
    ``report_after``.
    """

    pauses: tuple[float, ...] = (1, 2, 4, 8, 15, 30, 60)
    budget: float = 600
    settle: float = 60
    settle_unreached: float = 5
    report_after: float = 5


@dataclass(frozen=True, slots=True)
class SocketTimeouts:
    """How long a connection in Socket Mode may take, and how often one is tried; all in seconds.

    One is opened, from asking for its address to Slack's hello, within ``open``. A silent one is
    pinged after ``ping``, and replaced if no answer comes in half of that. ``pauses`` lie between
    attempts, and the last of them is repeated; what a person has to mend is tried again every
    ``refused``. One that lasted for less than ``steady`` counts as a failed attempt. One that was
    replaced is kept for ``linger``: more may come over it. At the end what is under way may take
    ``answer``.
    """

    open: float = 10
    ping: float = 5
    pauses: tuple[float, ...] = (1, 2, 4, 8, 15, 30, 60)
    refused: float = 300
    steady: float = 30
    linger: float = 30
    answer: float = 3


@dataclass(frozen=True, slots=True)
class DatabaseTimeouts:
    """How long Postgres may take, and how long a lock in it outlives silence; all in seconds.

    Opening a connection may take ``connect``, one address at least 2; a statement or a commit
    ``statement``, and one of a migration ``migration``. The server gives a statement up a tenth
    earlier, and a transaction in which nothing is said after ``statement``.

    The holder of a lock confirms it every ``confirm``, each time within ``confirm_within``. It
    counts the lock as lost after a confirmation that failed, or ``held`` after it sent the last
    good one. The server ends a silent session, and frees its lock, no sooner than ``session``
    after it got that one: confirm + confirm_within <= held < session, so that whoever takes the
    lock is alone with it. What lies between the two is for what has begun by then, and for clocks
    that run differently. A start waits up to ``take_over``, which is more than ``session``, for
    the session of a predecessor to end.
    """

    connect: int = 5
    statement: float = 10
    migration: float = 3600
    confirm: float = 5
    confirm_within: float = 10
    held: float = 20
    session: float = 30
    take_over: float = 40


@dataclass(frozen=True, slots=True)
class EvidenceTimeouts:
    """How cards get what SecMaster knows around their objects; all in seconds.

    Each read may take ``read``. Cards are completed ``at_once`` side by side, 0 for none: people's
    clicks need SecMaster's connections too. After the first ``burst`` one begins every
    ``interval``: each may be an update in Slack, which takes fifty a minute. What could not be read
    is tried again after ``retry``, and a class of objects that can't be read here is not asked for
    again before that.
    """

    read: float = 3
    at_once: int = 2
    burst: int = 10
    interval: float = 1.5
    retry: float = 300


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long operations, reads and posts may take; all in seconds.

    ``retry`` is recorded with each operation: one that is under way keeps it. ``socket`` is for
    Socket Mode, ``database`` for Postgres, ``evidence`` for what stands around an object.
    ``render_interval`` is the least time between two renderings of one object's cards,
    ``post_interval`` that between two messages that the bot posts into a channel by itself: Slack
    takes one a second, and people's come first. Posting one of those may take ``post``, waiting
    for Slack's limit included; what another process is posting is taken over after ``takeover``,
    which is longer. Each call before an acknowledgement may take ``before_ack``, for Slack waits
    three seconds and recording needs some of them; calls that are only nice to have may take
    ``optional``. Reading an object for what the bot posts by itself may take ``read``. Slack has
    its answer within ``answer``, or is told that there was none in time.
    Each list of SecMaster is read to its end at least every ``full_scan``, whatever its count says.
    What a fault of the database left unfinished is looked for every ``sweep``, and whether another
    replica has put a policy in force every ``follow_policy``.
    People are told of what keeps the bot from its work when that has lasted for ``trouble``, and
    that it is over when it has been well for ``recovered``; for ``recurring`` where it came again
    within that time after its end. Troubles are looked for every ``trouble_check``.
    """

    retry: RetrySchedule = RetrySchedule()
    socket: SocketTimeouts = SocketTimeouts()
    database: DatabaseTimeouts = DatabaseTimeouts()
    evidence: EvidenceTimeouts = EvidenceTimeouts()
    render_interval: float = 1
    post_interval: float = 1.2
    post: float = 15
    takeover: float = 20
    before_ack: float = 0.8
    optional: float = 0.5
    read: float = 5
    full_scan: float = 600
    answer: float = 2.6
    sweep: float = 10
    follow_policy: float = 3
    trouble: float = 180
    recovered: float = 300
    recurring: float = 3600
    trouble_check: float = 10
