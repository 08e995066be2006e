"""Say how polling goes, where cards go and why, and what subscriptions and snoozes changed."""

from collections.abc import Collection, Sequence
from datetime import datetime, time, timedelta
from typing import Any, assert_never

from slack_sdk.models.blocks import (
    InputBlock,
    Option,
    PlainTextInputElement,
    PlainTextObject,
    RadioButtonsElement,
)
from slack_sdk.models.views import View

from bot.domain.mutes import Mute
from bot.domain.objects import OBJECT_KINDS, ByKind, ObjectKind, Ref
from bot.domain.reasons import ChannelRefusal
from bot.domain.slack import Destination, DestinationKind
from bot.domain.troubles import DueTasks, Trouble, TroubleKind
from bot.domain.watch_status import FailedAnswer, PollStatus, WatchStatus
from bot.messages import escalations, mutes, troubles
from bot.messages.blocks import Message, plain_name, text_message
from bot.messages.catalogue import N_, Catalogue
from bot.messages.errors import posting_problem
from bot.messages.text import (
    ago_token,
    bold,
    clip,
    code,
    date_token,
    destination_name,
    inline,
    mention_user,
)
from bot.policy.routes import TAKEN, DigestSchedule, Grouping, Route, RouteMatch, ThreadDetail

NO_TASKS = DueTasks()
NOT_WATCHING = N_(
    "SecMaster is not polled: `[watch] every` is 0, or was when the bot started. Nobody is "
    "notified when it is unreachable."
)
SNOOZE_FORM = "snooze"  # its callback id
SNOOZE_LENGTH, SNOOZE_SCOPE = "length", "scope"  # its inputs
FOR_ALL, FOR_ME = "all", "me"
WHERE = ByKind(
    task=N_("Where the task {name} goes"),
    instance=N_("Where the run {name} goes"),
    playbook=N_("Where the playbook run {name} goes"),
)

MATCH_TEXTS: dict[RouteMatch, str] = {
    RouteMatch.MATCHES: N_("It matches."),
    RouteMatch.UNCLEAR: N_("It may match: letters of the name look like others."),
    RouteMatch.UNREAD: N_("What it asks about the alert or incident can't be read."),
    RouteMatch.REMAINING: N_(
        "What it asks about the alert or incident can't be read, and no other route matches."
    ),
    RouteMatch.PASSED: N_("Not checked: an earlier route matched."),
    RouteMatch.KIND: N_("Not for objects of this kind."),
    RouteMatch.STATUS: N_("Not for this status."),
}


def status(  # noqa: PLR0913, PLR0917 - a line for each
    catalogue: Catalogue,
    watch_status: WatchStatus,
    policy_line: str,
    counted_kinds: Collection[ObjectKind] = OBJECT_KINDS,
    now_in_trouble: Sequence[Trouble] = (),
    due_tasks: DueTasks = NO_TASKS,
    muted: Sequence[Mute] = (),
) -> Message:
    """Say how polling goes, what is open, what is queued, and which channels are closed.

    Of other kinds than the ``counted_kinds`` it is not said how many are open. What is
    ``now_in_trouble`` comes first, with the tasks that are approved by themselves meanwhile.
    ``policy_line`` says which policy is in force, and ``muted`` which workflows are muted.
    """
    head = troubles.status_lines(catalogue, now_in_trouble)
    head += filter(None, [troubles.due_tasks_text(catalogue, due_tasks)])
    if not watch_status.interval:
        return text_message("\n".join([*head, catalogue.gettext(NOT_WATCHING), policy_line]))
    if not watch_status.polls:
        text = catalogue.gettext("The first sync is still running.")
        return text_message("\n".join([*head, text, policy_line]))
    unreadable = {each.where for each in now_in_trouble if each.kind is TroubleKind.SECMASTER}
    lines = [
        *head,
        *(
            _poll_line(catalogue, poll, watch_status, unreadable, counted_kinds)
            for poll in watch_status.polls
        ),
        catalogue.ngettext(
            "{count} message queued.", "{count} messages queued.", watch_status.queued
        ),
    ]
    for channel, error_code in watch_status.closed_channels:
        text = catalogue.gettext(
            "Can't post in {place} ({reason}).",
            place=_destination(catalogue, Destination.parse(channel)),
            reason=code(error_code),
        )
        lines.append(f"⚠️ {text}")
    lines += mutes.lines(catalogue, muted)
    lines.append(policy_line)
    return text_message("\n".join(lines))


def _poll_line(
    catalogue: Catalogue,
    poll: PollStatus,
    watch_status: WatchStatus,
    unreadable: Collection[str],
    counted_kinds: Collection[ObjectKind],
) -> str:
    """Say when one workspace was polled last, how that goes, and what is open there.

    What the last poll met is over where the workspace is not ``unreadable`` any more.
    """
    name, success = inline(poll.workspace, 60), poll.last_success_at
    if success:
        sentences = [
            catalogue.gettext(
                "Workspace *{name}*: last sync {when} ({ago}).",
                name=name,
                when=date_token(success),
                ago=ago_token(success),
            )
        ]
    else:
        sentences = [catalogue.gettext("Workspace *{name}*: not synced yet.", name=name)]
    behind = watch_status.behind[poll.workspace]
    if poll.workspace in unreadable:
        sentences.append(catalogue.gettext("SecMaster unreachable."))
    elif poll.failure:
        sentences.append(catalogue.gettext("SecMaster answers again; the next sync is soon."))
    if behind:
        duration = catalogue.duration(timedelta(seconds=max(1, behind)))
        sentences.append(catalogue.gettext("*{duration} behind.*", duration=duration))
    if "task" in counted_kinds:
        count = watch_status.open[poll.workspace, "task"]
        sentences.append(
            catalogue.ngettext("{count} task is waiting.", "{count} tasks are waiting.", count)
        )
    if "instance" in counted_kinds:
        count = watch_status.open[poll.workspace, "instance"]
        sentences.append(
            catalogue.ngettext("{count} run has failed.", "{count} runs have failed.", count)
        )
    if poll.playbooks_answer:
        reason = code(_short_reason(poll.playbooks_answer))
        text = catalogue.gettext("Can't list playbook runs ({reason}).", reason=reason)
        sentences.append(f"⚠️ {text}")
    elif "playbook" in counted_kinds:
        count = watch_status.open[poll.workspace, "playbook"]
        sentences.append(
            catalogue.ngettext(
                "{count} playbook run has failed.", "{count} playbook runs have failed.", count
            )
        )
    return f"👁️ {' '.join(sentences)}"


def _short_reason(answer: FailedAnswer) -> str:
    """Return a code for how a request failed."""
    status = f"HTTP {answer.status}" if answer.status else answer.reason
    return answer.code or status


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
        text = catalogue.gettext(
            "*Digest*: {place} at {times} ({zone}).",
            place=destination_name(Destination.parse(digest.channel)),
            times=_times(catalogue, *digest.at),
            zone=inline(digest.zone, 40),
        )
        lines.append(text)
    if subscribed:
        lines.append(
            catalogue.gettext(
                "*This channel* is subscribed to all SecMaster notifications. Undo: `unwatch`"
            )
        )
    none = catalogue.gettext("No routes: cards are posted only when somebody asks for one.")
    return text_message("\n".join(lines) or none)


def _taken_objects(catalogue: Catalogue, route: Route, place: str) -> list[str]:
    """Say which objects a route takes, and where it leads."""
    sentences = []
    if route.tasks and route.instances:
        sentences.append(catalogue.gettext("Waiting tasks and failed runs → {place}.", place=place))
    elif route.tasks:
        sentences.append(catalogue.gettext("Waiting tasks → {place}.", place=place))
    elif route.instances:
        sentences.append(catalogue.gettext("Failed runs → {place}.", place=place))
    if route.playbooks:
        sentences.append(catalogue.gettext("Failed playbook runs → {place}.", place=place))
    return sentences


def _route_text(catalogue: Catalogue, route: Route) -> str:
    """Describe a route in a few sentences."""
    place = _destination(catalogue, route.destination)
    sentences = _taken_objects(catalogue, route, place)
    if conditions := route.when.model_dump(exclude_defaults=True):
        limits = [_condition_text(key, value) for key, value in conditions.items()]
        text = catalogue.gettext("Only where {conditions}.", conditions=catalogue.all_of(limits))
        sentences.append(text)
    if quiet := route.quiet:
        text = catalogue.gettext(
            "Quiet from {start} to {end} ({zone}).",
            start=_times(catalogue, quiet.start),
            end=_times(catalogue, quiet.until),
            zone=inline(quiet.zone, 40),
        )
        sentences.append(text)
    if route.remind:
        durations = catalogue.all_of([catalogue.duration(each) for each in route.remind])
        text = catalogue.gettext("Reminders {durations} before it is due.", durations=durations)
        sentences.append(text)
    if escalation := route.escalate:
        text = catalogue.gettext(
            "Escalates to {route} after {duration}.",
            route=inline(escalation.to),
            duration=catalogue.duration(escalation.after),
        )
        sentences.append(text)
    sentences += filter(None, [_grouping_text(catalogue, route)])
    if route.thread is ThreadDetail.OUTCOMES:
        sentences.append(catalogue.gettext("Threads get outcomes only."))
    if route.continues:
        sentences.append(catalogue.gettext("Later routes apply too."))
    return " ".join(sentences)


def _condition_text(key: str, value: object) -> str:
    """Return a condition of a route as the file has it, on one line."""
    values = value if isinstance(value, list | tuple) else [value]
    texts = [str(each).lower() if isinstance(each, bool) else str(each) for each in values]
    return code(f"{key} = {' | '.join(texts)}")


def _grouping_text(catalogue: Catalogue, route: Route) -> str:
    """Say which tasks share a card; "" where none do."""
    window = catalogue.duration(route.group_window)
    match route.group if route.tasks else Grouping.NONE:
        case Grouping.ROUTE:
            return catalogue.gettext("Tasks within {duration} share a card.", duration=window)
        case Grouping.WORKFLOW:
            return catalogue.gettext(
                "Tasks of one workflow within {duration} share a card.", duration=window
            )
        case Grouping.NONE:
            return ""
        case _ as unreachable:
            assert_never(unreachable)


def _times(catalogue: Catalogue, *times: time) -> str:
    return catalogue.all_of([f"{moment:%H:%M}" for moment in times])


def _destination(catalogue: Catalogue, destination: Destination) -> str:
    """Name a channel, a person or a user group; a group is not mentioned."""
    if destination.kind is DestinationKind.USERGROUP:
        return catalogue.gettext("each member of {group}", group=code(destination.id))
    return destination_name(destination)


def route_test(
    catalogue: Catalogue,
    target: tuple[Ref, str],
    answers: Sequence[tuple[str, Route, RouteMatch]],
    subscribed: Sequence[str],
) -> Message:
    """Say which routes take an object and why the others do not.

    ``target`` is the object with its name, ``answers`` are each route with its title and how it
    matches; ``subscribed`` are the channels that are subscribed to everything.
    """
    ref, name = target
    id_ = code(ref.id)
    head = catalogue.gettext(WHERE[ref.kind], name=bold(name) if name else id_)
    lines = [f"{head} · {id_}" if name else head]
    for title, route, match in answers:
        sign = "✅" if match in TAKEN else "▫️"
        lines.append(
            f"{sign} *{inline(title, 60)}*: {_match_text(catalogue, match)} "
            f"({_route_text(catalogue, route)})"
        )
    for channel in subscribed:
        place = destination_name(Destination.parse(channel))
        text = catalogue.gettext("{place} is subscribed to all notifications.", place=place)
        lines.append(f"✅ {text}")
    if not any(match in TAKEN for _, _, match in answers) and not subscribed:
        lines.append(catalogue.gettext("No card is posted for it."))
    return text_message("\n".join(lines))


def _match_text(catalogue: Catalogue, match: RouteMatch) -> str:
    """Say how a route fits an object; the other answers are the key of ``when`` that does not."""
    if match in MATCH_TEXTS:
        return catalogue.gettext(MATCH_TEXTS[match])
    return catalogue.gettext("{key} doesn't match.", key=code(match))


def subscribed(catalogue: Catalogue, actor: str) -> Message:
    """Tell a channel who subscribed it to everything that comes."""
    text = catalogue.gettext(
        "{actor} subscribed this channel to all SecMaster notifications.",
        actor=mention_user(actor),
    )
    return text_message(f"🔔 {text}")


def unsubscribed(catalogue: Catalogue, actor: str) -> Message:
    """Tell a channel who ended its subscription."""
    text = catalogue.gettext(
        "{actor} unsubscribed this channel. Configured routes are unchanged.",
        actor=mention_user(actor),
    )
    return text_message(f"🔕 {text}")


def subscription_changed(catalogue: Catalogue, *, subscribed: bool) -> Message:
    """Tell whoever asked that a channel is subscribed, or is no longer."""
    if subscribed:
        text = catalogue.gettext(
            "Subscribed this channel to all SecMaster notifications. Undo: `unwatch`"
        )
    else:
        text = catalogue.gettext("Unsubscribed this channel. Configured routes are unchanged.")
    return text_message(text)


def subscription_unchanged(catalogue: Catalogue, *, subscribed: bool) -> Message:
    """Tell whoever asked that a channel was subscribed already, or was not."""
    if subscribed:
        return text_message(catalogue.gettext("This channel is already subscribed."))
    return text_message(catalogue.gettext("This channel is not subscribed."))


def subscription_undone(catalogue: Catalogue, channel: str, error_code: str) -> Message:
    """Tell whoever subscribed a channel that it takes no message, by Slack's error code."""
    name = destination_name(Destination.parse(channel))
    reason = posting_problem(catalogue, error_code)
    text = catalogue.gettext("{place} was not subscribed.", place=name)
    advice = catalogue.gettext("Once that is fixed, use `watch` there again.")
    return text_message(f"🚫 {text} {reason} {advice}")


def channel_unknown(catalogue: Catalogue) -> Message:
    """Say that Slack did not tell in time what a channel is."""
    text = catalogue.gettext(
        "Slack did not say in time whether the bot may post here. Nothing was changed. Try again."
    )
    return text_message(f"⏳ {text}")


def not_here(catalogue: Catalogue) -> Message:
    """Say that only a channel can be subscribed."""
    text = catalogue.gettext("Only channels can be subscribed. Use `watch` in a channel.")
    return text_message(f"🚫 {text}")


def not_subscribable(catalogue: Catalogue, refusal: ChannelRefusal) -> Message:
    """Say why the policy lets nothing be posted in a channel, so that it can't be subscribed."""
    match refusal:
        case ChannelRefusal.NOT_NAMED:
            text = catalogue.gettext(
                "The policy does not name this channel for cards, so it was not subscribed. An "
                "admin can add it to `[channels] allow`."
            )
        case ChannelRefusal.SHARED:
            text = catalogue.gettext(
                "Another organisation shares this channel, so it was not subscribed. An admin can "
                "allow that with `shared = true` under `[channels]`."
            )
        case _:
            assert_never(refusal)
    return text_message(f"🚫 {text}")


def snoozed(
    catalogue: Catalogue, user: str, until: datetime, auto_approves_at: datetime | None = None
) -> Message:
    """Tell a thread who snoozed its object for everybody, and until when.

    ``auto_approves_at`` is when the task is approved by itself, where the snooze was cut for that.
    """
    text = catalogue.gettext(
        "{user} snoozed this for everyone until {until}: no reminders until then.",
        user=mention_user(user),
        until=date_token(until),
    )
    return text_message(f"😴 {text}{_cut(catalogue, until, auto_approves_at)}")


def snoozed_for_all(
    catalogue: Catalogue, name: str, until: datetime, auto_approves_at: datetime | None
) -> Message:
    """Tell whoever snoozed an object for everybody until when."""
    text = catalogue.gettext(
        "Snoozed *{name}* for everyone until {until}. Undo: `unsnooze`",
        name=inline(name),
        until=date_token(until),
    )
    return text_message(f"😴 {text}{_cut(catalogue, until, auto_approves_at)}")


def snoozed_for_me(
    catalogue: Catalogue, name: str, until: datetime, auto_approves_at: datetime | None
) -> Message:
    """Tell whoever snoozed an object for themselves until when."""
    text = catalogue.gettext(
        "Snoozed *{name}* for you until {until}: no direct messages about it until then. Others "
        "are still reminded. Undo: `unsnooze`",
        name=inline(name),
        until=date_token(until),
    )
    return text_message(f"😴 {text}{_cut(catalogue, until, auto_approves_at)}")


def _cut(catalogue: Catalogue, until: datetime, auto_approves_at: datetime | None) -> str:
    """Say that a snooze was cut, since nobody would be reminded before the task is approved."""
    if auto_approves_at is None:
        return ""
    text = catalogue.gettext(
        "It auto-approves {due}, so it is snoozed only until {until}.",
        due=date_token(auto_approves_at),
        until=date_token(until),
    )
    return f"\n⚠️ {text}"


def snooze_ended(catalogue: Catalogue, user: str) -> Message:
    """Tell a thread who ended the snooze of its object."""
    text = catalogue.gettext(
        "{user} ended the snooze: reminders are on again.", user=mention_user(user)
    )
    return text_message(f"🔔 {text}")


def unsnoozed(catalogue: Catalogue, name: str) -> Message:
    """Tell whoever ended their snoozes of an object that they are over."""
    text = catalogue.gettext("Snooze of *{name}* ended: reminders are on again.", name=inline(name))
    return text_message(f"🔔 {text}")


def not_snoozed(catalogue: Catalogue, name: str) -> Message:
    """Say that an object is not snoozed."""
    return text_message(catalogue.gettext("*{name}* is not snoozed.", name=inline(name)))


def not_snoozable(catalogue: Catalogue) -> Message:
    """Say that an object waits for nobody, or is not watched, so that it can't be snoozed."""
    text = catalogue.gettext("Nothing to snooze: it is not open any more, or not watched.")
    return text_message(text)


def no_room_to_snooze(catalogue: Catalogue, auto_approves_at: datetime, now: datetime) -> Message:
    """Say that a task is approved by itself too soon to be snoozed, or at any moment."""
    due, ago = date_token(auto_approves_at), ago_token(auto_approves_at)
    if auto_approves_at <= now:
        text = catalogue.gettext(
            "Not snoozed: it was due {due} ({ago}), and SecMaster may auto-approve it at any "
            "moment. Nothing was changed. Decide it now.",
            due=due,
            ago=ago,
        )
    else:
        text = catalogue.gettext(
            "Not snoozed: it auto-approves {due} ({ago}), and that is too soon.", due=due, ago=ago
        )
    return text_message(f"🚫 {text}")


def snooze_form(  # noqa: PLR0913, PLR0917 - what it remembers, and what it offers
    catalogue: Catalogue,
    metadata: str,
    name: str,
    ref: Ref,
    escalates_to: Sequence[str] = (),
    workflow: str = "",
) -> dict[str, Any]:
    """Return the form that asks how long to snooze an object, and for whom.

    ``metadata`` is what it remembers; ``escalates_to`` are the routes that the object can be
    escalated to in its place, and ``workflow`` is what can be muted, "" for nothing.
    """
    offers = [escalations.offer(catalogue, ref, target) for target in escalates_to[:1]]
    offers += [mutes.offer(catalogue, ref, workflow)] if workflow else []
    scopes = [
        Option(value=FOR_ALL, label=catalogue.gettext("For everyone")),
        Option(value=FOR_ME, label=catalogue.gettext("Only for me: no direct messages")),
    ]
    length = InputBlock(
        block_id=SNOOZE_LENGTH,
        label=PlainTextObject(text=catalogue.gettext("For how long, or until when")),
        hint=PlainTextObject(
            text=catalogue.gettext("Such as 45m, 2h30m, 3d, 9:00, or 2026-11-27 08:00.")
        ),
        element=PlainTextInputElement(action_id=SNOOZE_LENGTH, max_length=40, initial_value="9:00"),
    )
    scope = InputBlock(
        block_id=SNOOZE_SCOPE,
        label=PlainTextObject(text=catalogue.gettext("For whom")),
        element=RadioButtonsElement(
            action_id=SNOOZE_SCOPE, options=scopes, initial_option=scopes[0]
        ),
    )
    return View(
        type="modal",
        callback_id=SNOOZE_FORM,
        title=clip(catalogue.gettext("Snooze"), 24),
        submit=clip(catalogue.pgettext("button", "Snooze"), 24),
        close=clip(catalogue.pgettext("button", "Cancel"), 24),
        private_metadata=metadata,
        blocks=[plain_name(name), *offers, length, scope],
    ).to_dict()
