"""People ask about the watch, have a channel told of what comes, or want to be left alone by it."""

import asyncio
from datetime import datetime, timedelta

from bot.domain.actions import OPEN_STATUSES, TABLE, Action
from bot.domain.objects import Ref
from bot.domain.slack import Requester, SlackLocation
from bot.domain.tracking import TrackedObject
from bot.messages import Message, watch
from bot.notifications import planner
from bot.operations import authorization
from bot.operations.authorization import NotAllowed
from bot.policy.decide import Allowed, Decision, Refused, decide
from bot.policy.routes import explain_routes, titled_routes
from bot.slack import cards, gateway
from bot.watch.status import watch_status
from handlers.context import AppContext, stable_id
from handlers.errors import UserError
from handlers.permissions import find_object
from handlers.requests import Request, SetSubscription, ShowRoutes
from handlers.time_parsing import parse_moment

MORNING = "until 9:00"
HOUR = timedelta(hours=1)


async def answer(app: AppContext, request: Request, requester: Requester, once: str) -> Message:
    """Say how the watch fares or where cards go; or change whether this channel is told."""
    match request:
        case ShowRoutes():
            return await routes(app, request, requester.location)
        case SetSubscription():
            return await subscribe(app, requester, once, wanted=request.subscribe)
        case _:
            return await status(app)


async def status(app: AppContext) -> Message:
    """How the watch fares."""
    fares = await watch_status(app.config.watch.every)
    return watch.status(fares)


async def routes(app: AppContext, wanted: ShowRoutes, place: SlackLocation) -> Message:
    """Where cards go: all routes, or what they make of one object."""
    subscribed = await asyncio.to_thread(app.services.store.outbox.subscriptions)
    there, config = list(titled_routes(app.config.routes)), app.config
    if not wanted.id:
        return watch.routes(there, config.digests, subscribed=place.channel in subscribed)
    ref, snapshot = await find_object(app, wanted.id, ("task", "instance"))
    workspaces = frozenset({ref.workspace, app.services.workspace_name(ref)})
    words = explain_routes(config.routes, snapshot, workspaces)
    answers = [
        (title, route, word) for (title, route), (_route, word) in zip(there, words, strict=True)
    ]
    waits = snapshot.status in OPEN_STATUSES
    return watch.route_test(ref, answers, subscribed if waits else ())


async def subscribe(app: AppContext, requester: Requester, once: str, *, wanted: bool) -> Message:
    """Have this channel told of all that comes, or no longer; the channel hears who did."""
    await authorization.require_right(app, requester, "watch")
    channel, actor, now = requester.location.channel, requester.actor.id, app.services.clock()
    if channel[:1] not in ("C", "G"):
        raise UserError(watch.not_here())
    outbox = app.services.store.outbox
    if (channel in await asyncio.to_thread(outbox.subscriptions)) == wanted:
        return watch.subscription_unchanged(subscribed=wanted)
    said = watch.subscribed(actor) if wanted else watch.unsubscribed(actor)
    # First: a channel that takes no message of ours can't be told of anything.
    await gateway.post((channel, ""), said, {"part": "watch", "operation": once}, None)
    if wanted:
        await asyncio.to_thread(outbox.subscribe, channel, actor, now)
    else:
        await asyncio.to_thread(outbox.unsubscribe, channel)
    name = "watch" if wanted else "unwatch"
    done = authorization.audit_entry(app, requester, name, "done", stable_id(once)) | {
        "target": channel
    }
    await asyncio.to_thread(app.services.store.record, done)
    return watch.subscription_changed(subscribed=wanted)


async def snooze(app: AppContext, ref: Ref, wanted: str, requester: Requester, once: str) -> None:
    """Leave people alone by an object until later; ``wanted`` is what the menu said."""
    known = await asyncio.to_thread(app.services.store.tracked.get, [ref])
    if not known or not known[0].open:
        raise UserError(watch.not_snoozable())
    await _may_snooze(app, known[0], requester)
    until = await _until(app, wanted, requester)
    store, now = app.services.store, app.services.clock()
    if not await asyncio.to_thread(store.tracked.snooze, ref, until, requester.actor.id, now):
        raise UserError(watch.not_snoozable())
    name = "snooze" if until else "wake"
    entry = authorization.audit_entry(app, requester, name, "done", stable_id(once))
    told = {"target": str(ref), "until": until.isoformat() if until else None}
    await asyncio.to_thread(store.record, entry | told)
    await _tell(requester, known[0], until, once)
    await cards.redraw(ref)


async def _until(app: AppContext, wanted: str, requester: Requester) -> datetime | None:
    """Until when somebody wants to be left alone; None to be so no longer."""
    now = app.services.clock()
    match wanted:
        case "1h":
            return now + HOUR
        case "9h":
            return parse_moment(MORNING, now, await app.directory.time_zone(requester.actor.id))
        case _:
            return None


async def _may_snooze(app: AppContext, known: TrackedObject, requester: Requester) -> None:
    """Refuse whoever may decide nothing about it: a reminder that is missing decides as well."""
    member = await app.directory.principal(requester.actor)
    asked = authorization.policy_context(app, known.ref, known.snapshot)
    own = [action for action in TABLE if action.kind == known.ref.kind and action.claim_group]
    answers: list[tuple[Action, Decision]] = [
        (action, decide(app.config.rules, member, action, asked)) for action in own
    ]
    if any(isinstance(answer, Allowed) for _action, answer in answers):
        return
    action, refused = answers[0]
    if isinstance(refused, Refused):
        raise NotAllowed(action, known.ref, refused)


async def _tell(
    requester: Requester, known: TrackedObject, until: datetime | None, once: str
) -> None:
    """Tell the thread who snoozed it, and until when."""
    place, by = requester.location, requester.actor.id
    said = watch.snoozed(by, until) if until else watch.snooze_ended(by)
    if until and planner.auto_approves_by(known.snapshot, until):
        said = watch.with_auto_approval_warning(said, until)
    if place.card:
        mark = {"part": "snooze", "operation": once}
        await gateway.post((place.channel, place.card), said, mark, None)
    else:
        await gateway.send_private(place, by, said)
