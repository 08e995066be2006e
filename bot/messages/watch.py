"""What is said of the watch: how it fares, where cards go and why, who asked for them here."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import assert_never

from bot.domain.objects import Ref
from bot.domain.watch_status import PollStatus, WatchStatus
from bot.messages.blocks import Message, new_message, section
from bot.messages.text import code, date_token, format_duration, inline, mention_user
from bot.policy.routes import DigestSchedule, Route, RouteMatch

NOT_WATCHING = "Nothing watches SecMaster here: `[watch] every` is 0."


def status(fares: WatchStatus) -> Message:
    """How the watch fares: since when, its last round, how far behind, and what is in line."""
    if not fares.interval:
        return _one(NOT_WATCHING)
    if not fares.polls:
        return _one("The watch has not begun yet: its first round is under way.")
    lines = [_round(each, fares.behind[each.workspace]) for each in fares.polls]
    for each in fares.polls:
        tasks, runs = (fares.open[each.workspace, noun] for noun in ("task", "instance"))
        lines.append(f"{inline(each.workspace, 60)}: {tasks} tasks wait, {runs} runs are failed.")
    lines.append(f"Messages to be posted: {fares.queued}.")
    lines += [
        f"⚠️ Closed to me: {_target(each)} ({code(why)})" for each, why in fares.closed_channels
    ]
    return _one("\n".join(lines))


def _round(each: PollStatus, behind: float) -> str:
    name = inline(each.workspace, 60)
    said = f"👁️ *{name}* is watched since {date_token(each.since)} by {inline(each.replica, 40)}; "
    said += (
        f"last good round {date_token(each.last_success_at)}"
        if each.last_success_at
        else "no good round yet"
    )
    late = (
        f", *behind by {format_duration(timedelta(seconds=max(1, behind)))}*"
        if behind
        else ", not behind"
    )
    trouble = f". ⚠️ Trouble: {inline(each.failure, 100)}" if each.failure else ""
    return f"{said}{late}{trouble}."


def routes(
    there: Sequence[tuple[str, Route]], digests: Sequence[DigestSchedule], here: bool
) -> Message:
    """Every route in its order, the digests, and whether this channel asked for what comes."""
    lines = [f"*{inline(title, 60)}*: {_route(route)}" for title, route in there]
    lines += [
        f"*digest*: {_target(each.channel)} at {_clock(*each.at)} ({inline(each.zone, 40)})"
        for each in digests
    ]
    if here:
        lines.append("*this channel* asked for all that comes (`unwatch` ends it)")
    return _one("\n".join(lines) or "There are no routes: cards are posted when somebody asks.")


def _route(route: Route) -> str:
    takes = ["waiting tasks"] if route.tasks else []
    takes += [f"{status.lower()} runs" for status in route.instances]
    told = [f"{' and '.join(takes)} → {_target(route.channel or route.user or route.usergroup)}"]
    if limits := route.when.model_dump(exclude_defaults=True):
        told.append("where " + ", ".join(f"{key} {_limit(value)}" for key, value in limits.items()))
    if route.quiet:
        hours = _clock(route.quiet.start), _clock(route.quiet.until)
        told.append(f"quiet {' to '.join(hours)} ({inline(route.quiet.zone, 40)})")
    if route.remind:
        told.append(f"reminds {', '.join(map(format_duration, route.remind))} before it is due")
    if route.escalate:
        told.append(
            f"escalates to {inline(route.escalate.to)} after {format_duration(route.escalate.after)}"
        )
    if route.continues:
        told.append("and goes on")
    return "; ".join(told)


def _clock(*times: time) -> str:
    return ", ".join(f"{each:%H:%M}" for each in times)


def _limit(value: object) -> str:
    return code(" | ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))


def _target(to: str) -> str:
    """A channel by its name, a person, or a group, none of whom this calls."""
    if to.startswith("S"):
        return f"each of {code(to)}"
    return mention_user(to) if to[0] in "UW" else f"<#{inline(to, 40)}>"


def route_test(
    ref: Ref, answers: Sequence[tuple[str, Route, RouteMatch]], subscribed: Sequence[str]
) -> Message:
    """Where a card of this object would go, and why not elsewhere."""
    head = f"*Where {ref.kind} {code(ref.id)} goes*"
    lines = [
        f"{_why(word)}: *{inline(title, 60)}*: {_route(route)}" for title, route, word in answers
    ]
    lines += [f"✅ {_target(each)} asked for all that comes" for each in subscribed]
    if not any(word is RouteMatch.MATCHES for _title, _route_, word in answers) and not subscribed:
        lines.append("No card is posted for it.")
    return _one("\n".join([head, *lines]))


def _why(match: RouteMatch) -> str:
    match match:
        case RouteMatch.MATCHES:
            return "✅ takes it"
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


def subscribed(actor: str) -> Message:
    return _one(f"🔔 {mention_user(actor)} had this channel told of all that comes in SecMaster.")


def unsubscribed(actor: str) -> Message:
    return _one(
        f"🔕 {mention_user(actor)} had this channel told no longer of what comes in SecMaster."
    )


def subscription_changed(watching: bool) -> Message:  # noqa: FBT001
    if watching:
        return _one("This channel is told of all that comes from now on. `unwatch` ends it.")
    return _one("This channel is told no longer of what comes; the routes stay as they are.")


def subscription_unchanged(watching: bool) -> Message:  # noqa: FBT001
    if watching:
        return _one("This channel is told of all that comes already. Nothing was changed.")
    return _one("This channel had not asked for what comes. Nothing was changed.")


def not_here() -> Message:
    return _one("That is for a channel: here I could only tell you. Nothing was changed.")


def snoozed(by: str, until: datetime) -> Message:
    return _one(
        f"😴 {mention_user(by)} snoozed this until {date_token(until)}: no reminders until then."
    )


def snooze_ended(by: str) -> Message:
    return _one(f"🔔 {mention_user(by)} ended the snooze: reminders come again.")


def with_auto_approval_warning(said: Message, until: datetime) -> Message:
    """The same, where silence approves before the snooze is over."""
    return _one(
        f"{said.text}\n⚠️ It goes on by itself before {date_token(until)}: reminders of that come "
        "all the same."
    )


def not_snoozable() -> Message:
    return _one(
        "Nobody is waited for here any more, or I don't watch it, so there was nothing to snooze."
    )


def _one(text: str) -> Message:
    return new_message(text, section(text))
