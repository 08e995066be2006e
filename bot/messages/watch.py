"""Say how polling goes, where cards go and why, and what subscriptions and snoozes changed."""

from collections.abc import Collection, Sequence
from datetime import datetime, time, timedelta
from typing import assert_never

from bot.domain.objects import OBJECT_KINDS, ObjectKind, Ref
from bot.domain.reasons import ChannelRefusal
from bot.domain.slack import Destination, DestinationKind
from bot.domain.troubles import DueTasks, Trouble, TroubleKind
from bot.domain.watch_status import PollStatus, WatchStatus
from bot.messages import troubles
from bot.messages.blocks import Message, text_message
from bot.messages.catalogue import Catalogue
from bot.messages.errors import CANNOT_POST, CANNOT_POST_DEFAULT
from bot.messages.text import (
    code,
    date_token,
    destination_name,
    inline,
    mention_user,
)
from bot.policy.routes import TAKEN, DigestSchedule, Route, RouteMatch

NO_TASKS = DueTasks()
NOT_WATCHING = (
    "Nothing watches SecMaster here: `[watch] every` is 0, or was when the bot started. So nobody "
    "is told when it can't be read."
)


def status(
    catalogue: Catalogue,
    watch_status: WatchStatus,
    policy_line: str,
    counted_kinds: Collection[ObjectKind] = OBJECT_KINDS,
    now_in_trouble: Sequence[Trouble] = (),
    due_tasks: DueTasks = NO_TASKS,
) -> Message:
    """Say how polling goes, what is open, what is queued, and which channels are closed.

    Of other kinds than the ``counted_kinds`` it is not said how many are open. What is
    ``now_in_trouble`` comes first, with the tasks that are approved by themselves meanwhile.
    ``policy_line`` says which policy is in force.
    """
    head = troubles.status_lines(catalogue, now_in_trouble)
    head += filter(None, [troubles.due_tasks_text(catalogue, due_tasks)])
    if not watch_status.interval:
        return text_message("\n".join([*head, NOT_WATCHING, policy_line]))
    if not watch_status.polls:
        begun = "The watch has not begun yet: its first round is under way."
        return text_message("\n".join([*head, begun, policy_line]))
    unreadable = {each.where for each in now_in_trouble if each.kind is TroubleKind.SECMASTER}
    lines = [
        *head,
        *(
            _poll_line(
                catalogue,
                poll,
                watch_status.behind[poll.workspace],
                is_over=bool(poll.failure) and poll.workspace not in unreadable,
            )
            for poll in watch_status.polls
        ),
    ]
    words = {"task": "tasks wait", "instance": "runs are failed"}
    for poll in watch_status.polls if counted_kinds else ():
        counts = (
            f"{watch_status.open[poll.workspace, kind]} {words[kind]}"
            for kind in OBJECT_KINDS
            if kind in counted_kinds
        )
        lines.append(f"{inline(poll.workspace, 60)}: {', '.join(counts)}.")
    lines.append(f"Messages to be posted: {watch_status.queued}.")
    for channel, error_code in watch_status.closed_channels:
        lines.append(
            f"⚠️ Closed to me: {_destination(catalogue, Destination.parse(channel))} ({code(error_code)})"
        )
    lines.append(policy_line)
    return text_message("\n".join(lines))


def _poll_line(catalogue: Catalogue, poll: PollStatus, behind: float, *, is_over: bool) -> str:
    """Say how polling one workspace goes, and by how many seconds it is behind.

    What the last poll met ``is_over`` where SecMaster has answered since.
    """
    name, replica = inline(poll.workspace, 60), inline(poll.replica, 40)
    success = poll.last_success_at
    last_round = f"last good round {date_token(success)}" if success else "no good round yet"
    delay = "not behind"
    if behind:
        delay = f"*behind by {catalogue.duration(timedelta(seconds=max(1, behind)))}*"
    trouble = ". SecMaster answers again, and is polled soon" if is_over else ""
    return (
        f"👁️ *{name}* is watched since {date_token(poll.since)} by {replica}; "
        f"{last_round}, {delay}{trouble}."
    )


def routes(
    catalogue: Catalogue,
    titled_routes: Sequence[tuple[str, Route]],
    digests: Sequence[DigestSchedule],
    *,
    subscribed: bool,
) -> Message:
    """List every route in its order, the digests, and whether this channel is subscribed."""
    lines = [
        f"*{inline(title, 60)}*: {_route_text(catalogue, route)}" for title, route in titled_routes
    ]
    for digest in digests:
        channel = destination_name(Destination.parse(digest.channel))
        zone = inline(digest.zone, 40)
        lines.append(f"*digest*: {channel} at {_times(*digest.at)} ({zone})")
    if subscribed:
        lines.append("*this channel* asked for all that comes (`unwatch` ends it)")
    return text_message(
        "\n".join(lines) or "There are no routes: cards are posted when somebody asks."
    )


def _route_text(catalogue: Catalogue, route: Route) -> str:
    objects = ["waiting tasks"] if route.tasks else []
    objects += [f"{status.lower()} runs" for status in route.instances]
    parts = [f"{' and '.join(objects)} → {_destination(catalogue, route.destination)}"]
    if conditions := route.when.model_dump(exclude_defaults=True):
        limits = []
        for key, value in conditions.items():
            values = value if isinstance(value, list | tuple) else [value]
            limits.append(f"{key} {code(' | '.join(map(str, values)))}")
        parts.append(f"where {', '.join(limits)}")
    if quiet := route.quiet:
        hours = f"{_times(quiet.start)} to {_times(quiet.until)}"
        parts.append(f"quiet {hours} ({inline(quiet.zone, 40)})")
    if route.remind:
        parts.append(f"reminds {', '.join(map(catalogue.duration, route.remind))} before it is due")
    if escalation := route.escalate:
        delay = catalogue.duration(escalation.after)
        parts.append(f"escalates to {inline(escalation.to)} after {delay}")
    if route.continues:
        parts.append("and goes on")
    return "; ".join(parts)


def _times(*times: time) -> str:
    return ", ".join(f"{moment:%H:%M}" for moment in times)


def _destination(catalogue: Catalogue, destination: Destination) -> str:
    """Name a channel, a person or a user group; a group is not mentioned."""
    if destination.kind is DestinationKind.USERGROUP:
        return f"each of {code(destination.id)}"
    return destination_name(destination)


def route_test(
    catalogue: Catalogue,
    ref: Ref,
    answers: Sequence[tuple[str, Route, RouteMatch]],
    subscribed: Sequence[str],
) -> Message:
    """Say which routes take an object and why the others do not.

    ``answers`` are each route with its title and how it matches; ``subscribed`` are the channels
    that asked for everything.
    """
    lines = [f"*Where {ref.kind} {code(ref.id)} goes*"]
    for title, route, match in answers:
        lines.append(
            f"{_match_text(catalogue, match)}: *{inline(title, 60)}*: {_route_text(catalogue, route)}"
        )
    lines += [
        f"✅ {destination_name(Destination.parse(channel))} asked for all that comes"
        for channel in subscribed
    ]
    if not any(match in TAKEN for _, _, match in answers) and not subscribed:
        lines.append("No card is posted for it.")
    return text_message("\n".join(lines))


def _match_text(catalogue: Catalogue, match: RouteMatch) -> str:
    match match:
        case RouteMatch.MATCHES:
            return "✅ takes it"
        case RouteMatch.UNCLEAR:
            return "✅ takes it as well, as letters of its name look like others"
        case RouteMatch.PASSED:
            return "▫️ is not asked: an earlier one took it"
        case RouteMatch.KIND:
            return "▫️ takes no such objects"
        case RouteMatch.STATUS:
            return "▫️ is for another status"
        case (
            RouteMatch.WORKSPACE
            | RouteMatch.BUSINESS_TYPE
            | RouteMatch.NAME
            | RouteMatch.RELATED_OBJECT
            | RouteMatch.WORKFLOW
            | RouteMatch.PLAYBOOK
        ):
            return f"▫️ wants another {match}"
        case _:
            assert_never(match)


def subscribed(catalogue: Catalogue, actor: str) -> Message:
    """Tell a channel who subscribed it to everything that comes."""
    return text_message(
        f"🔔 {mention_user(actor)} had this channel told of all that comes in SecMaster."
    )


def unsubscribed(catalogue: Catalogue, actor: str) -> Message:
    """Tell a channel who ended its subscription."""
    return text_message(
        f"🔕 {mention_user(actor)} had this channel told no longer of what comes in SecMaster."
    )


def subscription_changed(catalogue: Catalogue, *, subscribed: bool) -> Message:
    """Tell whoever asked that a channel is subscribed, or is no longer."""
    if subscribed:
        return text_message(
            "This channel is told of all that comes from now on. `unwatch` ends it."
        )
    return text_message(
        "This channel is told no longer of what comes; the routes stay as they are."
    )


def subscription_unchanged(catalogue: Catalogue, *, subscribed: bool) -> Message:
    """Tell whoever asked that a channel was subscribed already, or was not."""
    if subscribed:
        return text_message("This channel is told of all that comes already. Nothing was changed.")
    return text_message("This channel had not asked for what comes. Nothing was changed.")


def subscription_undone(catalogue: Catalogue, channel: str, error_code: str) -> Message:
    """Tell whoever subscribed a channel that it takes no message, by Slack's error code."""
    reason = CANNOT_POST.get(error_code, CANNOT_POST_DEFAULT)
    name = destination_name(Destination.parse(channel))
    return text_message(
        f"🚫 {name} is told of nothing after all. {reason}. Then use `watch` there again."
    )


def channel_unknown(catalogue: Catalogue) -> Message:
    """Say that Slack did not tell in time what a channel is."""
    return text_message(
        "Slack did not say in time whether I may post here. Nothing was changed; try again."
    )


def not_here(catalogue: Catalogue) -> Message:
    """Say that only a channel can be subscribed."""
    return text_message("That is for a channel: here I could only tell you. Nothing was changed.")


def not_subscribable(catalogue: Catalogue, refusal: ChannelRefusal) -> Message:
    """Say why the policy lets nothing be posted in a channel, so that it can't be subscribed."""
    match refusal:
        case ChannelRefusal.NOT_NAMED:
            text = (
                "🚫 The policy does not name this channel for cards, so it was not subscribed. "
                "Whoever keeps the policy can add it to `[channels] allow`."
            )
        case ChannelRefusal.SHARED:
            text = (
                "🚫 Another organisation shares this channel, so it was not subscribed. Whoever "
                "keeps the policy can allow that with `shared = true` under `[channels]`."
            )
        case _:
            assert_never(refusal)
    return text_message(text)


def snoozed(catalogue: Catalogue, user: str, until: datetime) -> Message:
    """Tell a thread who snoozed its object, and until when."""
    return text_message(
        f"😴 {mention_user(user)} snoozed this until {date_token(until)}: no reminders until then."
    )


def snooze_ended(catalogue: Catalogue, user: str) -> Message:
    """Tell a thread who ended the snooze of its object."""
    return text_message(f"🔔 {mention_user(user)} ended the snooze: reminders come again.")


def with_auto_approval_warning(catalogue: Catalogue, message: Message, until: datetime) -> Message:
    """Add to a snooze's message that silence approves the task before the snooze is over."""
    return text_message(
        f"{message.text}\n⚠️ It goes on by itself before {date_token(until)}: reminders of that "
        "come all the same."
    )


def not_snoozable(catalogue: Catalogue) -> Message:
    """Say that an object waits for nobody, or is not watched, so that it can't be snoozed."""
    return text_message(
        "Nobody is waited for here any more, or I don't watch it, so there was nothing to snooze."
    )
