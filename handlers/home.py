"""A person's Home, drawn from what the watch knows, and drawn again where that has changed.

Where nothing watches it is drawn from what SecMaster says at that moment.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from bot.domain import snapshots
from bot.domain.actions import BY_NAME, TABLE, Action
from bot.domain.slack import Actor
from bot.domain.tracking import TrackedObject
from bot.domain.watch_status import PollStatus
from bot.messages import denials, home, modals
from bot.messages.home import Home, HomeDecision, HomeOptions, HomeRow
from bot.messages.oncall import SOON
from bot.operations import authorization
from bot.policy.decide import Allowed, Principal, decide
from bot.slack import gateway
from bot.slack.directory import LookupFailed
from bot.store.history import AuditedAction, audited_actions
from handlers import queries
from handlers.context import AppContext
from handlers.errors import UserError, error_message
from handlers.oncall import on_call

log = logging.getLogger(__name__)

RECENTLY_OPENED = timedelta(minutes=15)  # whoever opened their Home longer ago looks elsewhere
AT_ONCE = 20  # Homes drawn again in a round: Slack takes a hundred a minute
MOST = 1000  # tasks, and runs, of which it is asked whether somebody may decide them
DECISIONS = tuple(action for action in TABLE if action.claim_group == "decision")
RETRY = BY_NAME["instance.retry"]


@dataclass(frozen=True, slots=True)
class HomeSource:
    """What all Homes are drawn from. Of ``unseen`` more tasks nobody asks who may decide them."""

    tasks: Sequence[TrackedObject]
    unseen: int
    failed: Sequence[TrackedObject]
    done: Sequence[AuditedAction]
    on_call: Sequence[str] | None
    rounds: Sequence[PollStatus]


async def pressed(app: AppContext, actor: Actor, value: str) -> None:
    """Draw somebody's Home as the button or the option that they pressed says."""
    wanted = HomeOptions.parse(value) if value else None
    if value and wanted is None:
        raise UserError(denials.newer_button())
    await opened(app, actor, wanted)


async def opened(app: AppContext, actor: Actor, wanted: HomeOptions | None = None) -> None:
    """Draw somebody's Home, with what they want to see of it from now on."""
    rounds = await asyncio.to_thread(_rounds, app)
    if not rounds:
        await queries.home(app, actor.id)
        return
    await asyncio.to_thread(_open, app, actor.id, wanted)
    try:
        await _draw(app, actor, await _board(app, rounds))
    except LookupFailed as error:
        await _publish(app, actor.id, modals.failed_home(error_message(error, app).text))


def _open(app: AppContext, user: str, wanted: HomeOptions | None) -> None:
    homes = app.services.store.home_views
    kept = wanted or HomeOptions.load(homes.options(user))
    homes.save_options(user, kept.model_dump(mode="json"), app.services.clock())


def _rounds(app: AppContext) -> list[PollStatus]:
    """How the watch fares; none where it knows not yet, or no longer, what there is."""
    if not app.config.watch.every:
        return []
    rounds = {
        each.workspace: each
        for each in app.services.store.poll_statuses.all()
        if each.last_success_at
    }
    return list(rounds.values()) if rounds.keys() >= app.services.secmaster.keys() else []


async def _board(app: AppContext, rounds: Sequence[PollStatus]) -> HomeSource:
    known, now = app.services.store.tracked, app.services.clock()
    since = now - app.config.watch.shift
    tasks = await asyncio.to_thread(known.open_tasks, MOST)
    tally = await asyncio.to_thread(known.open_counts, now, SOON)
    return HomeSource(
        tasks=tasks,
        unseen=max(0, tally.waiting - len(tasks)),
        failed=await asyncio.to_thread(known.open_failures, MOST),
        done=await asyncio.to_thread(
            lambda: [
                deed for deed in audited_actions(app.services.store.engine, since) if deed.certain
            ]
        ),
        on_call=await on_call(app),
        rounds=rounds,
    )


def _sure_deeds(app: AppContext, since: datetime) -> list[AuditedAction]:
    return [deed for deed in audited_actions(app.services.store.engine, since) if deed.certain]


async def _draw(app: AppContext, actor: Actor, board: HomeSource, shown: str = "") -> bool:
    """Draw somebody's Home, unless it shows all that already; returns whether it was drawn."""
    homes, drawn = app.services.store.home_views, None
    member = await app.directory.principal(actor)
    # Whoever turns a page meanwhile must not find the one before.
    while drawn != (wanted := await asyncio.to_thread(homes.options, actor.id)):
        found = await asyncio.to_thread(_home, app, board, member, HomeOptions.load(wanted))
        view = home.view(found)
        if drawn is None and home.view_fingerprint(view) == shown:
            return False
        await asyncio.to_thread(_keep, app, found)
        await _publish(app, actor.id, view)
        drawn = wanted
    await asyncio.to_thread(homes.save_fingerprint, actor.id, home.view_fingerprint(view))
    return True


def _home(app: AppContext, board: HomeSource, member: Principal, wanted: HomeOptions) -> Home:
    """What of the board is for this person."""
    retriable = (_line(app, member, each, (RETRY,)) for each in board.failed)
    return Home(
        options=wanted,
        tasks=[_line(app, member, each, DECISIONS) for each in board.tasks],
        failed=[each for each in retriable if each.actions],
        decisions=_done(app, member.id, board.done),
        on_call=board.on_call,
        as_of=min(each.last_success_at for each in board.rounds if each.last_success_at),
        unchecked=board.unseen,
        stale=any(each.failure for each in board.rounds),
    )


def _line(
    app: AppContext, member: Principal, known: TrackedObject, asked: Sequence[Action]
) -> HomeRow:
    rules, about = (
        app.config.rules,
        authorization.policy_context(app, known.ref, known.snapshot),
    )
    may = [each for each in asked if isinstance(decide(rules, member, each, about), Allowed)]
    return HomeRow(app.services.render_context(known.ref), known.snapshot, tuple(may))


def _done(app: AppContext, user: str, done: Sequence[AuditedAction]) -> list[HomeDecision]:
    """The latest of what somebody did, with the names of what is known."""
    own = [deed for deed in done if deed.actor.id == user][: -home.DECIDED - 1 : -1]
    known = app.services.store.tracked.get([deed.ref for deed in own])
    names = {each.ref: each.snapshot.name for each in known}
    return [HomeDecision(deed.action, deed.ref, names.get(deed.ref, ""), deed.at) for deed in own]


def _keep(app: AppContext, found: Home) -> None:
    """Remember what is shown with buttons, so that what changes before a press can be told."""
    for each in chain.from_iterable(home.visible_rows(found)):
        seen = snapshots.stored(each.snapshot)
        app.services.store.save_snapshot(each.render_context.ref, seen, app.services.clock())


async def _publish(app: AppContext, user: str, view: dict[str, Any]) -> None:
    await gateway.call(app.services.slack.views_publish(user_id=user, view=view))


@dataclass(slots=True)
class HomeRefresher:
    """Draws Homes again after a round of the watch, if they would look different.

    A few at a time, and everybody's in turn: ``_last`` is whose was drawn last.
    """

    app: AppContext
    at_once: int = AT_ONCE
    _last: str = ""
    _busy: bool = False

    async def __call__(self) -> None:
        """Begin, unless the one before is still under way: no round waits for Slack."""
        if not self._busy:
            self._busy = True
            self.app.background.start(self._refresh(), _give_up)

    async def _refresh(self) -> None:
        try:
            await self._redraw()
        finally:
            self._busy = False

    async def _redraw(self) -> None:
        app, left = self.app, self.at_once
        since = app.services.clock() - RECENTLY_OPENED
        looked = await asyncio.to_thread(app.services.store.home_views.opened_since, since)
        rounds = await asyncio.to_thread(_rounds, app) if looked else []
        if not rounds:
            return
        board = await _board(app, rounds)
        for user, _wanted, shown in sorted(looked, key=lambda one: (one[0] <= self._last, one[0])):
            if await _redrawn(app, user, board, shown):
                self._last, left = user, left - 1
            if not left:
                return


async def _redrawn(app: AppContext, user: str, board: HomeSource, shown: str) -> bool:
    """Draw one Home again; one that can't be drawn must not stand before the others."""
    try:
        return await _draw(app, Actor(id=user), board, shown)
    except Exception as error:
        log.warning("a Home is not drawn", exc_info=error, extra={"user": user})
        return False


async def _give_up(error: Exception) -> None:
    log.error("Homes are not drawn again", exc_info=error)
