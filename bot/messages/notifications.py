"""What the bot says by itself: reminders, how a retry ended, what waited before, what is closed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.notifications import (
    BacklogNotification,
    CardNotification,
    ChannelClosedNotification,
    ReminderNotification,
    RetryEndedNotification,
    SnoozeEndedNotification,
)
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import TrackedObject
from bot.messages.blocks import Message, context, new_message, section
from bot.messages.cards import INSTANCE_STATES
from bot.messages.lists import SHOW, object_row
from bot.messages.text import (
    code,
    code_block,
    date_token,
    format_duration,
    inline,
    mention_all,
    mention_user,
    relative_time,
)
from bot.secmaster import DueHandle, InstanceStatus, Task

SUMMED = 12  # objects that a summary shows
ERROR = 400


def auto_approves(snapshot: Snapshot) -> bool:
    """Whether silence approves it."""
    return isinstance(snapshot, Task) and snapshot.due_handle == DueHandle.CONTINUE


def reminder(notice: ReminderNotification, snapshot: Snapshot, now: datetime) -> Message:
    """That something is due; louder where silence approves it."""
    due = snapshot.due_date if isinstance(snapshot, Task) else None
    when = f"{date_token(due)} ({relative_time(due, now)})" if due else "soon"
    called = mention_all(notice.mentions)
    if due and due < now:
        said = f"⏰ *Overdue* since {when}, and nobody has decided."
    elif auto_approves(snapshot):
        said = (
            f"🚨 *Goes on by itself {when}*: if nobody decides before, silence approves "
            f"*{inline(snapshot.name)}*."
        )
    else:
        interrupted = isinstance(snapshot, Task) and snapshot.due_handle == DueHandle.INTERRUPT
        then = " Then it is interrupted." if interrupted else ""
        said = f"⏰ Due {when}, and nobody has decided yet.{then}"
    return _one(f"{called}{said}")


def escalated(notice: CardNotification, snapshot: Snapshot) -> Message:
    """That it was brought here a second time, since nobody acted."""
    why = _escalated(notice.escalated_from)
    return _one(f"{mention_all(notice.mentions)}{why} {inline(snapshot.name)} still waits.")


def _escalated(origin: str) -> str:
    return f"⬆️ Escalated from {inline(origin, 60)}: nobody has acted in time."


def snooze_ended(notice: SnoozeEndedNotification, snapshot: Snapshot) -> Message:
    who = f"{mention_user(notice.snoozed_by)} " if notice.snoozed_by else ""
    return _one(f"🔔 {who}The snooze is over: *{inline(snapshot.name)}* still waits.")


def retry_ended(notice: RetryEndedNotification) -> Message:
    """How a run ended that was retried from here."""
    took = format_duration(timedelta(seconds=notice.seconds))
    by = f"{mention_user(notice.actor_id)} " if notice.actor_id else ""
    # A thread may be that of several, and a fallback channel knows of none.
    of = f": {inline(notice.name)}" if notice.name else ""
    if notice.status == InstanceStatus.FINISHED:
        return _one(f"{by}✅ *The retry finished* after {took}{of}.")
    if notice.status != InstanceStatus.FAILED:
        state = INSTANCE_STATES.get(notice.status, inline(notice.status, 40))
        return _one(f"{by}The retry ended after {took}, {state}{of}.")
    at = f" at {inline(notice.node)}" if notice.node else ""
    error = f"\n{code_block(notice.error, ERROR)}" if notice.error else ""
    return _one(f"{by}🔴 *The retry failed again*{at} after {took}{of}.{error}")


def backlog(notice: BacklogNotification) -> Message:
    """What was there before the watch began."""
    parts = [
        _counted(notice.tasks, "task waits", "tasks wait"),
        _counted(notice.failed, "run failed", "runs failed"),
        _counted(notice.overdue, "is overdue", "are overdue"),
    ]
    since = f" The oldest is from {date_token(notice.oldest)}." if notice.oldest else ""
    return _one(
        f"👋 I watch SecMaster from now on. Before that, {', '.join(filter(None, parts))}.{since} "
        "These get no card of their own; the lists have them, and what comes from now on is "
        "brought here."
    )


def _counted(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}" if number else ""


def channel_closed(notice: ChannelClosedNotification) -> Message:
    """That a channel takes nothing any more, or that nobody is in a group; for the admins."""
    channel, why = _place(notice.channel), notice.code
    if notice.channel[0] == "S":
        return _one(
            f"⚠️ Nobody is in {channel} ({code(why)}). What is for it goes to the fallback channel, "
            "if there is one, until somebody is. Add people to it, or change its route."
        )
    return _one(
        f"⚠️ I can't post in {channel} any more ({code(why)}). Its cards go to the "
        "fallback channel, if there is one, until it is open to me again. Invite me, or change "
        "its route."
    )


def quiet_summary(waiting: Sequence[TrackedObject], came: int, now: datetime) -> Message:
    """What came during quiet hours and still waits."""
    still = len(waiting)
    head = f"🌅 *During quiet hours {came} came; {still} still wait{'s' * (still == 1)}.*"
    rows = [
        part
        for each in waiting[:SUMMED]
        for part in object_row(each.snapshot, each.ref.workspace, now, SHOW)
    ]
    left = still - SUMMED
    more = [context(f"and {left} more, in the lists")] if left > 0 else []
    return new_message(head, section(head), *rows, *more)


def with_origin(message: Message, meant: str, origin: str = "") -> Message:
    """The same, saying why it stands here: ``meant`` for a closed channel, or escalated."""
    said = []
    if meant:
        why = "which nobody is in" if meant[0] == "S" else "where I can't post"
        said.append(f"↪️ Meant for {_place(meant)}, {why}.")
    if origin:
        said.append(_escalated(origin))
    if not said:
        return message
    return Message(message.text, (context(" ".join(said)), *message.blocks))


def _place(channel: str) -> str:
    """A channel by its name, whose chat with us it is, or a user group."""
    if channel[0] in "UWS":
        return mention_all([channel]).strip()
    return f"<#{inline(channel, 40)}>"


def _one(text: str) -> Message:
    return new_message(text, section(text))
