"""People ask about the watch, have a channel told of what comes, or want to be left alone by it."""

import asyncio
from datetime import datetime, timedelta

from bot.domain.actions import TABLE, WAITED_FOR, Action
from bot.domain.models import Place, Ref
from bot.messages import Message, watch
from bot.notifications import planner
from bot.operations import authorization
from bot.operations.authorization import NotAllowed
from bot.policy.decide import Allowed, Decision, Refused, decide
from bot.policy.routes import titled, why
from bot.slack import cards, gateway
from bot.store import Known
from bot.watch.status import health
from handlers.context import Asker, House, id_of
from handlers.errors import Told
from handlers.permissions import found
from handlers.requests import Request, Routes, Subscribe
from handlers.time_parsing import moment

MORNING = "until 9:00"
HOUR = timedelta(hours=1)


async def answer(house: House, request: Request, asker: Asker, once: str) -> Message:
    """Say how the watch fares or where cards go; or change whether this channel is told."""
    match request:
        case Routes():
            return await routes(house, request, asker.place)
        case Subscribe():
            return await subscribe(house, asker, once, wanted=request.wanted)
        case _:
            return await status(house)


async def status(house: House) -> Message:
    """How the watch fares."""
    fares = await health(house.config.watch.every)
    return watch.status(fares)


async def routes(house: House, wanted: Routes, place: Place) -> Message:
    """Where cards go: all routes, or what they make of one object."""
    subscribed = await asyncio.to_thread(house.desk.store.outbox.subscribed)
    there, config = list(titled(house.config.routes)), house.config
    if not wanted.id:
        return watch.routes(there, config.digests, here=place.channel in subscribed)
    ref, snapshot = await found(house, wanted.id, ("task", "instance"))
    workspaces = frozenset({ref.workspace, house.desk.name(ref)})
    words = why(config.routes, snapshot, workspaces)
    answers = [
        (title, route, word) for (title, route), (_route, word) in zip(there, words, strict=True)
    ]
    waits = snapshot.status in WAITED_FOR
    return watch.tested(ref, answers, subscribed if waits else ())


async def subscribe(house: House, asker: Asker, once: str, *, wanted: bool) -> Message:
    """Have this channel told of all that comes, or no longer; the channel hears who did."""
    await authorization.right(house, asker, "watch")
    channel, actor, now = asker.place.channel, asker.actor.id, house.desk.clock()
    if channel[:1] not in ("C", "G"):
        raise Told(watch.not_here())
    outbox = house.desk.store.outbox
    if (channel in await asyncio.to_thread(outbox.subscribed)) == wanted:
        return watch.not_news(wanted)
    said = watch.subscribed(actor) if wanted else watch.unsubscribed(actor)
    # First: a channel that takes no message of ours can't be told of anything.
    await gateway.post((channel, ""), said, {"part": "watch", "operation": once}, None)
    if wanted:
        await asyncio.to_thread(outbox.subscribe, channel, actor, now)
    else:
        await asyncio.to_thread(outbox.unsubscribe, channel)
    name = "watch" if wanted else "unwatch"
    done = authorization.entry(house, asker, name, "done", id_of(once)) | {"target": channel}
    await asyncio.to_thread(house.desk.store.note, done)
    return watch.done(wanted)


async def snooze(house: House, ref: Ref, wanted: str, asker: Asker, once: str) -> None:
    """Leave people alone by an object until later; ``wanted`` is what the menu said."""
    known = await asyncio.to_thread(house.desk.store.known.of, [ref])
    if not known or not known[0].open:
        raise Told(watch.not_snoozable())
    await _may_snooze(house, known[0], asker)
    until = await _until(house, wanted, asker)
    store, now = house.desk.store, house.desk.clock()
    if not await asyncio.to_thread(store.known.snooze, ref, until, asker.actor.id, now):
        raise Told(watch.not_snoozable())
    name = "snooze" if until else "wake"
    entry = authorization.entry(house, asker, name, "done", id_of(once))
    told = {"target": str(ref), "until": until.isoformat() if until else None}
    await asyncio.to_thread(store.note, entry | told)
    await _tell(asker, known[0], until, once)
    await cards.redraw(ref)


async def _until(house: House, wanted: str, asker: Asker) -> datetime | None:
    """Until when somebody wants to be left alone; None to be so no longer."""
    now = house.desk.clock()
    match wanted:
        case "1h":
            return now + HOUR
        case "9h":
            return moment(MORNING, now, await house.directory.zone(asker.actor.id))
        case _:
            return None


async def _may_snooze(house: House, known: Known, asker: Asker) -> None:
    """Refuse whoever may decide nothing about it: a reminder that is missing decides as well."""
    member = await house.directory.member(asker.actor)
    asked = authorization.matter(house, known.ref, known.snapshot)
    own = [action for action in TABLE if action.noun == known.ref.noun and action.once]
    answers: list[tuple[Action, Decision]] = [
        (action, decide(house.config.rules, member, action, asked)) for action in own
    ]
    if any(isinstance(answer, Allowed) for _action, answer in answers):
        return
    action, refused = answers[0]
    if isinstance(refused, Refused):
        raise NotAllowed(action, known.ref, refused)


async def _tell(asker: Asker, known: Known, until: datetime | None, once: str) -> None:
    """Tell the thread who snoozed it, and until when."""
    place, by = asker.place, asker.actor.id
    said = watch.snoozed(by, until) if until else watch.woken(by)
    if until and planner.silence_approves(known.snapshot, until):
        said = watch.with_warning(said, until)
    if place.card:
        mark = {"part": "snooze", "operation": once}
        await gateway.post((place.channel, place.card), said, mark, None)
    else:
        await gateway.whisper(place, by, said)
