"""Render what the bot posts by itself: reminders, results of retries, summaries, warnings."""

from collections.abc import Sequence
from datetime import datetime

from bot.domain.approvals import ApprovalRequest
from bot.domain.cards import Card
from bot.domain.objects import RUN_KINDS, ByKind
from bot.domain.reasons import ChannelRefusal
from bot.domain.slack import Destination, DestinationKind
from bot.domain.snapshots import Snapshot, kind_of
from bot.domain.tracking import RanOutTask, TrackedObject
from bot.messages import evidence
from bot.messages.blocks import Message, context, link, new_message, section, text_message
from bot.messages.catalogue import N_, Catalogue
from bot.messages.lists import SHOW, object_row
from bot.messages.text import (
    ago_token,
    code,
    date_token,
    destination_name,
    inline,
    mention_all,
    mention_user,
)
from bot.policy.routes import Route
from bot.secmaster import DueHandle, Task

SUMMED = 12  # objects that a summary shows
ERROR = 400
STILL_OPEN = ByKind(
    task=N_("*{name}* is still waiting."),
    instance=N_("*{name}* is still failed."),
    playbook=N_("*{name}* is still failed."),
)
SNOOZE_OVER = ByKind(
    task=N_("Snooze over: *{name}* is still waiting."),
    instance=N_("Snooze over: *{name}* is still failed."),
    playbook=N_("Snooze over: *{name}* is still failed."),
)
NAMELESS = ByKind(task=N_("the task"), instance=N_("the run"), playbook=N_("the playbook run"))


def auto_approves(snapshot: Snapshot) -> bool:
    """Whether SecMaster approves a task by itself at its due date, if nobody decides."""
    return isinstance(snapshot, Task) and snapshot.due_handle == DueHandle.CONTINUE


def reminder(
    catalogue: Catalogue, mentions: Sequence[str], snapshots: Sequence[Snapshot], now: datetime
) -> Message:
    """Say when tasks are due and what happens then; louder where they are approved."""
    lines = [
        " · ".join([_due_line(catalogue, snapshot, now), *evidence.row_facts(catalogue, snapshot)])
        for snapshot in snapshots
    ]
    if len(lines) > 1:
        count = len(lines)
        head = catalogue.ngettext(
            "{count} task needs a decision:", "{count} tasks need a decision:", count
        )
        rest = count - SUMMED
        lines = [head, *lines[:SUMMED]]
        if rest > 0:
            lines.append(catalogue.ngettext("and {count} more", "and {count} more", rest))
    return text_message(mention_all(mentions) + "\n".join(lines))


def _due_line(catalogue: Catalogue, snapshot: Snapshot, now: datetime) -> str:
    name, due = inline(snapshot.name), snapshot.due_date if isinstance(snapshot, Task) else None
    if not isinstance(snapshot, Task) or due is None:
        return "⏰ " + catalogue.gettext("*{name}* is still waiting.", name=name)
    times = {"when": date_token(due), "ago": ago_token(due)}
    if due < now:
        # What SecMaster does at a due date that has passed has not happened, or it would not wait.
        return "⏰ " + catalogue.gettext(
            "*{name}* was due {when} ({ago}) and is still waiting.", name=name, **times
        )
    if snapshot.due_handle == DueHandle.CONTINUE:
        return "🚨 " + catalogue.gettext(
            "*{name}* will be auto-approved {when} ({ago}) unless someone decides.",
            name=name,
            **times,
        )
    if snapshot.due_handle == DueHandle.INTERRUPT:
        return "⏰ " + catalogue.gettext(
            "*{name}* will be cancelled automatically {when} ({ago}) unless someone decides.",
            name=name,
            **times,
        )
    return "⏰ " + catalogue.gettext(
        "*{name}* is due {when} ({ago}), and nobody has decided yet.", name=name, **times
    )


def escalated(
    catalogue: Catalogue, cause: str, mentions: Sequence[str], snapshot: Snapshot
) -> Message:
    """Say in the thread of an object's card that it was escalated to here; ``cause`` says why."""
    state = catalogue.gettext(STILL_OPEN[kind_of(snapshot)], name=inline(snapshot.name))
    facts = " · ".join(evidence.row_facts(catalogue, snapshot))
    return text_message(f"{mention_all(mentions)}⬆️ {cause} {state} {facts}".rstrip())


def escalation_cause(
    catalogue: Catalogue,
    card: Card,
    routes: Sequence[Route],
    requests: Sequence[ApprovalRequest] = (),
) -> str:
    """Say from which route a card was escalated, and what is missing after how long.

    Or who had it escalated before that, and why. ``requests`` are the object's open approval
    requests.
    """
    origin = card.escalated_from
    route = next((route for route in routes if route.name == origin), None)
    # People and groups would be called by their own names.
    place = destination_name(route.destination) if route and route.channel else inline(origin, 60)
    if card.escalated_by:
        person = mention_user(card.escalated_by)
        text = catalogue.gettext("Escalated from {place} by {person}.", place=place, person=person)
        return f"{text} “{inline(card.escalation_reason)}”" if card.escalation_reason else text
    if route is None or route.escalate is None:
        return catalogue.gettext("Escalated from {place}.", place=place)
    after = catalogue.duration(route.escalate.after)
    if card.ref.kind in RUN_KINDS:
        return catalogue.gettext(
            "Escalated from {place}: still failed after {duration}.", place=place, duration=after
        )
    if not requests:
        return catalogue.gettext(
            "Escalated from {place}: no decision after {duration}.", place=place, duration=after
        )
    request = max(requests, key=lambda request: len(request.approvals))
    return catalogue.gettext(
        "Escalated from {place}: no decision after {duration} ({count} of {needed} approvals).",
        place=place,
        duration=after,
        count=len(request.approvals),
        needed=request.needed,
    )


def snooze_ended(catalogue: Catalogue, snoozed_by: str, snapshot: Snapshot) -> Message:
    """Tell whoever snoozed an object that the snooze is over."""
    mention = f"{mention_user(snoozed_by)} " if snoozed_by else ""
    name = inline(snapshot.name)
    text = catalogue.gettext(SNOOZE_OVER[kind_of(snapshot)], name=name)
    return text_message(f"🔔 {mention}{text}")


def ran_out(catalogue: Catalogue, tasks: Sequence[RanOutTask]) -> Message:
    """Say how tasks ended that nobody decided in time, a line each."""
    lines = []
    for task in tasks:
        params = {"name": inline(task.name), "when": date_token(task.at)}
        if task.is_approved:
            line = catalogue.gettext(
                "*{name}* was auto-approved by SecMaster, {when}: nobody decided.", **params
            )
        else:
            line = catalogue.gettext(
                "*{name}* expired: cancelled automatically by SecMaster, {when}.", **params
            )
        lines.append(f"⌛ {line}")
    return text_message("\n".join(lines))


def backlog(  # noqa: PLR0913 - one number each
    catalogue: Catalogue,
    *,
    tasks: int,
    failed: int,
    overdue: int,
    root: str,
    reminds: bool,
    failed_playbooks: int = 0,
) -> Message:
    """Say how much was open when the poller saw SecMaster for the first time.

    ``root`` is what is typed before a command; ``reminds``: there are reminders of these tasks.
    """
    sentences = [catalogue.gettext("Now watching SecMaster.")]
    if tasks and overdue:
        sentences.append(
            catalogue.ngettext(
                "{count} task was already waiting ({overdue} overdue); it won't be posted.",
                "{count} tasks were already waiting ({overdue} overdue); they won't be posted.",
                tasks,
                overdue=catalogue.number(overdue),
            )
        )
    elif tasks:
        sentences.append(
            catalogue.ngettext(
                "{count} task was already waiting; it won't be posted.",
                "{count} tasks were already waiting; they won't be posted.",
                tasks,
            )
        )
    if tasks and reminds:
        sentences.append(catalogue.gettext("Reminders of due dates still come."))
    if failed:
        sentences.append(
            catalogue.ngettext(
                "{count} run had already failed; it won't be posted.",
                "{count} runs had already failed; they won't be posted.",
                failed,
            )
        )
    if failed_playbooks:
        sentences.append(
            catalogue.ngettext(
                "{count} playbook run had already failed; it won't be posted.",
                "{count} playbook runs had already failed; they won't be posted.",
                failed_playbooks,
            )
        )
    commands = [code(f"{root} task list")] * bool(tasks)
    commands += [code(f"{root} instance list failed")] * bool(failed)
    commands += [code(f"{root} playbook list failed")] * bool(failed_playbooks)
    if commands:
        commands_text = catalogue.all_of(commands)
        sentences.append(catalogue.gettext("See {commands}.", commands=commands_text))
    return text_message(f"👋 {' '.join(sentences)}")


def channel_closed(catalogue: Catalogue, destination: Destination, error_code: str) -> Message:
    """Tell the admins that nothing can be posted in a channel or to somebody.

    ``error_code`` is Slack's word for why, a ChannelRefusal, or ours for an empty user group.
    """
    name, reason = destination_name(destination), code(error_code)
    if error_code == ChannelRefusal.NOT_NAMED:
        text = catalogue.gettext(
            "The policy does not name {place}, so nothing is posted there. Queued messages go to "
            "the fallback channel, if there is one. Add it to `[channels] allow`, or type "
            "`unwatch` there.",
            place=name,
        )
    elif error_code == ChannelRefusal.SHARED:
        text = catalogue.gettext(
            "Another organisation shares {place}, so nothing is posted there. Its cards go to the "
            "fallback channel, if there is one. Set `shared = true` under `[channels]` if that "
            "organisation may read them, or change its route.",
            place=name,
        )
    elif destination.kind is DestinationKind.USERGROUP:
        text = catalogue.gettext(
            "{place} has no members ({reason}). Its messages go to the fallback channel, if there "
            "is one, until it has. Add people to it, or change its route.",
            place=name,
            reason=reason,
        )
    elif destination.kind is DestinationKind.PERSON:
        text = catalogue.gettext(
            "Can't send messages to {place} ({reason}). They go to the fallback channel, if there "
            "is one, until that works again. If this person has left, change the route that names "
            "them.",
            place=name,
            reason=reason,
        )
    else:
        text = catalogue.gettext(
            "Can't post in {place} ({reason}). Its cards go to the fallback channel, if there is "
            "one, until that works again. Invite the bot, or change its route.",
            place=name,
            reason=reason,
        )
    return text_message(f"⚠️ {text}")


def quiet_summary(
    catalogue: Catalogue, open_objects: Sequence[TrackedObject], total: int, now: datetime
) -> Message:
    """Sum up quiet hours: what is still open, of ``total`` objects that came."""
    count = len(open_objects)
    text = catalogue.ngettext(
        "Quiet hours are over: {count} of {total} new items is still open.",
        "Quiet hours are over: {count} of {total} new items are still open.",
        count,
        total=catalogue.number(total),
    )
    rows = [
        block
        for tracked in open_objects[:SUMMED]
        for block in object_row(catalogue, tracked.snapshot, tracked.ref.workspace, now, SHOW)
    ]
    rest = count - SUMMED
    more = [context(catalogue.ngettext("and {count} more", "and {count} more", rest))]
    return new_message(f"🌅 {text}", section(f"🌅 *{text}*"), *rows, *(more if rest > 0 else []))


def with_origin(  # noqa: PLR0913 - a reason each
    catalogue: Catalogue,
    message: Message,
    intended_channel: str,
    *,
    escalation: str = "",
    late_since: datetime | None = None,
    is_unread: bool = False,
) -> Message:
    """Put above a message why it stands here.

    ``intended_channel`` is the closed channel or the empty user group it was for, ``escalation``
    says why it was escalated, ``late_since`` is when it should have come; without all three the
    message is unchanged. One that ``is_unread`` says what was known before SecMaster could not be
    read.
    """
    notes = []
    if intended_channel:
        destination = Destination.parse(intended_channel)
        place = destination_name(destination)
        if destination.kind is DestinationKind.USERGROUP:
            text = catalogue.gettext("Meant for {place}, which has no members.", place=place)
        else:
            text = catalogue.gettext("Meant for {place}, where the bot can't post.", place=place)
        notes.append(f"↪️ {text}")
    if escalation:
        notes.append(f"⬆️ {escalation}")
    if late_since:
        text = catalogue.gettext(
            "Delayed: this should have come {when}.", when=date_token(late_since)
        )
        notes.append(f"🕰️ {text}")
    if is_unread:
        text = catalogue.gettext("Can't reach SecMaster: this is what was last known.")
        notes.append(f"⚠️ {text}")
    if not notes:
        return message
    return Message(message.text, (context(" ".join(notes)), *message.blocks))


def outside_thread(catalogue: Catalogue, message: Message, name: str, permalink: str) -> Message:
    """Put above a message for a thread that takes no replies what it is about, with a link.

    ``name`` is that of the thread's object, "" where it is not known.
    """
    name = name or catalogue.gettext("a message in this channel")
    about = link(permalink, name) or inline(name)
    text = catalogue.gettext("About {subject}, whose thread takes no replies.", subject=about)
    return Message(message.text, (context(f"↪️ {text}"), *message.blocks))
