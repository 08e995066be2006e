"""Render what the bot posts by itself: reminders, results of retries, summaries, warnings."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.reasons import ChannelRefusal
from bot.domain.slack import Destination, DestinationKind
from bot.domain.snapshots import Snapshot
from bot.domain.tracking import RetryResult, TrackedObject
from bot.messages.blocks import Message, context, link, new_message, section, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.fields import INSTANCE_STATES, state_name
from bot.messages.lists import SHOW, object_row
from bot.messages.text import (
    code,
    code_block,
    date_token,
    destination_name,
    inline,
    mention_all,
    mention_user,
    relative_time,
)
from bot.secmaster import DueHandle, InstanceStatus, Task

SUMMED = 12  # objects that a summary shows
ERROR = 400


def auto_approves(snapshot: Snapshot) -> bool:
    """Whether SecMaster lets a task go on by itself at its due date: silence approves it."""
    return isinstance(snapshot, Task) and snapshot.due_handle == DueHandle.CONTINUE


def reminder(
    catalogue: Catalogue, mentions: Sequence[str], snapshot: Snapshot, now: datetime
) -> Message:
    """Say that a task is due or overdue; louder where silence approves it."""
    due = snapshot.due_date if isinstance(snapshot, Task) else None
    when = f"{date_token(due)} ({relative_time(catalogue, due, now)})" if due else "soon"
    if due and due < now:
        text = f"⏰ *Overdue* since {when}, and nobody has decided."
    elif auto_approves(snapshot):
        text = (
            f"🚨 *Goes on by itself {when}*: if nobody decides before, silence approves "
            f"*{inline(snapshot.name)}*."
        )
    else:
        interrupts = isinstance(snapshot, Task) and snapshot.due_handle == DueHandle.INTERRUPT
        consequence = " Then it is interrupted." if interrupts else ""
        text = f"⏰ Due {when}, and nobody has decided yet.{consequence}"
    return text_message(f"{mention_all(mentions)}{text}")


def escalated(
    catalogue: Catalogue, route: str, mentions: Sequence[str], snapshot: Snapshot
) -> Message:
    """Say that an object is shown here as well, since nobody acted on it by its first route."""
    cause = _escalation_text(catalogue, route)
    return text_message(f"{mention_all(mentions)}{cause} {inline(snapshot.name)} still waits.")


def snooze_ended(catalogue: Catalogue, snoozed_by: str, snapshot: Snapshot) -> Message:
    """Tell whoever snoozed an object that the snooze is over."""
    mention = f"{mention_user(snoozed_by)} " if snoozed_by else ""
    return text_message(f"🔔 {mention}The snooze is over: *{inline(snapshot.name)}* still waits.")


def retry_ended(catalogue: Catalogue, result: RetryResult) -> Message:
    """Say how a run ended that was retried from Slack."""
    status = result.status
    duration = catalogue.duration(timedelta(seconds=result.seconds))
    mention = f"{mention_user(result.actor_id)} " if result.actor_id else ""
    # A thread may be that of several, and a fallback channel knows of none.
    name = f": {inline(result.name)}" if result.name else ""
    if status == InstanceStatus.FINISHED:
        return text_message(f"{mention}✅ *The retry finished* after {duration}{name}.")
    if status != InstanceStatus.FAILED:
        state = state_name(catalogue, INSTANCE_STATES, status)
        return text_message(f"{mention}The retry ended after {duration}, {state}{name}.")
    node = f" at {inline(result.node)}" if result.node else ""
    error = f"\n{code_block(result.error, ERROR)}" if result.error else ""
    return text_message(
        f"{mention}🔴 *The retry failed again*{node} after {duration}{name}.{error}"
    )


def backlog(
    catalogue: Catalogue, *, tasks: int, failed: int, overdue: int, oldest: datetime | None
) -> Message:
    """Say how much was open when the poller saw SecMaster for the first time."""
    counts = [
        _counted(tasks, "task waits", "tasks wait"),
        _counted(failed, "run failed", "runs failed"),
        _counted(overdue, "is overdue", "are overdue"),
    ]
    since = f" The oldest is from {date_token(oldest)}." if oldest else ""
    return text_message(
        f"👋 I watch SecMaster from now on. Before that, {', '.join(filter(None, counts))}.{since} "
        "These get no card of their own; the lists have them, and what comes from now on is "
        "brought here."
    )


def channel_closed(catalogue: Catalogue, destination: Destination, error_code: str) -> Message:
    """Tell the admins that nothing can be posted in a channel or to somebody.

    ``error_code`` is Slack's word for why, a ChannelRefusal, or ours for an empty user group.
    """
    name = destination_name(destination)
    if error_code == ChannelRefusal.NOT_NAMED:
        return text_message(
            f"⚠️ The policy does not name {name}, so I post nothing there. What was on its way goes "
            "to the fallback channel, if there is one. Add it to `[channels] allow`, or end its "
            "subscription there with `unwatch`."
        )
    if error_code == ChannelRefusal.SHARED:
        return text_message(
            f"⚠️ Another organisation shares {name}, so I post nothing there. Its cards go to the "
            "fallback channel, if there is one. Set `shared = true` under `[channels]` if that "
            "organisation may read them, or change its route."
        )
    if destination.kind is DestinationKind.USERGROUP:
        return text_message(
            f"⚠️ Nobody is in {name} ({code(error_code)}). What is for it goes to "
            "the fallback channel, if there is one, until somebody is. Add people to it, or change "
            "its route."
        )
    if destination.kind is DestinationKind.PERSON:
        return text_message(
            f"⚠️ I can't write to {name} any more ({code(error_code)}). What is for them goes to "
            "the fallback channel, if there is one, until I can again. If they have left, change "
            "the route that names them."
        )
    return text_message(
        f"⚠️ I can't post in {name} any more ({code(error_code)}). Its cards go "
        "to the fallback channel, if there is one, until it is open to me again. Invite me, or "
        "change its route."
    )


def quiet_summary(
    catalogue: Catalogue, open_objects: Sequence[TrackedObject], total: int, now: datetime
) -> Message:
    """Sum up quiet hours: what still waits, of ``total`` objects that came."""
    count = len(open_objects)
    head = f"🌅 *During quiet hours {total} came; {count} still wait{'s' * (count == 1)}.*"
    rows = [
        block
        for tracked in open_objects[:SUMMED]
        for block in object_row(catalogue, tracked.snapshot, tracked.ref.workspace, now, SHOW)
    ]
    rest = count - SUMMED
    more = [context(f"and {rest} more, in the lists")] if rest > 0 else []
    return new_message(head, section(head), *rows, *more)


def with_origin(
    catalogue: Catalogue,
    message: Message,
    intended_channel: str,
    *,
    escalated_from: str = "",
    late_since: datetime | None = None,
    is_unread: bool = False,
) -> Message:
    """Put above a message why it stands here.

    ``intended_channel`` is the closed channel or the empty user group it was for,
    ``escalated_from`` the route it was escalated from, ``late_since`` when it should have come;
    without all three the message is unchanged. One that ``is_unread`` says what was known before
    SecMaster could not be read.
    """
    notes = []
    if intended_channel:
        destination = Destination.parse(intended_channel)
        is_group = destination.kind is DestinationKind.USERGROUP
        cause = "which nobody is in" if is_group else "where I can't post"
        notes.append(f"↪️ Meant for {destination_name(destination)}, {cause}.")
    if escalated_from:
        notes.append(_escalation_text(catalogue, escalated_from))
    if late_since:
        notes.append(f"🕰️ This comes late: it was due {date_token(late_since)}.")
    if is_unread:
        notes.append("⚠️ SecMaster can't be read now; this is what was known before.")
    if not notes:
        return message
    return Message(message.text, (context(" ".join(notes)), *message.blocks))


def outside_thread(catalogue: Catalogue, message: Message, name: str, permalink: str) -> Message:
    """Put above a message for a thread that takes no replies what it is about, with a link.

    ``name`` is that of the thread's object, "" where it is not known.
    """
    name = name or "a message here"
    about = link(permalink, name) or inline(name)
    note = context(f"↪️ About {about}, whose thread takes no replies.")
    return Message(message.text, (note, *message.blocks))


def _escalation_text(catalogue: Catalogue, route: str) -> str:
    return f"⬆️ Escalated from {inline(route, 60)}: nobody has acted in time."


def _counted(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}" if number else ""
