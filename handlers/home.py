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
from bot.messages import command_help, home, modals
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


async def pressed(house: AppContext, actor: Actor, value: str) -> None:
    """Draw somebody's Home as the button or the option that they pressed says."""
    wanted = HomeOptions.parse(value) if value else None
    if value and wanted is None:
        raise UserError(command_help.newer_button())
    await opened(house, actor, wanted)


async def opened(house: AppContext, actor: Actor, wanted: HomeOptions | None = None) -> None:
    """Draw somebody's Home, with what they want to see of it from now on."""
    rounds = await asyncio.to_thread(_rounds, house)
    if not rounds:
        await queries.home(house, actor.id)
        return
    await asyncio.to_thread(_open, house, actor.id, wanted)
    try:
        await _draw(house, actor, await _board(house, rounds))
    except LookupFailed as error:
        await _publish(house, actor.id, modals.failed_home(error_message(error, house).text))


def _open(house: AppContext, user: str, wanted: HomeOptions | None) -> None:
    homes = house.services.store.home_views
    kept = wanted or HomeOptions.load(homes.options(user))
    homes.save_options(user, kept.model_dump(mode="json"), house.services.clock())


def _rounds(house: AppContext) -> list[PollStatus]:
    """How the watch fares; none where it knows not yet, or no longer, what there is."""
    if not house.config.watch.every:
        return []
    rounds = {
        each.workspace: each
        for each in house.services.store.poll_statuses.all()
        if each.last_success_at
    }
    return list(rounds.values()) if rounds.keys() >= house.services.secmaster.keys() else []


async def _board(house: AppContext, rounds: Sequence[PollStatus]) -> HomeSource:
    known, now = house.services.store.tracked, house.services.clock()
    since = now - house.config.watch.shift
    tasks = await asyncio.to_thread(known.open_tasks, MOST)
    tally = await asyncio.to_thread(known.open_counts, now, SOON)
    return HomeSource(
        tasks=tasks,
        unseen=max(0, tally.waiting - len(tasks)),
        failed=await asyncio.to_thread(known.open_failures, MOST),
        done=await asyncio.to_thread(
            lambda: [
                deed for deed in audited_actions(house.services.store.engine, since) if deed.certain
            ]
        ),
        on_call=await on_call(house),
        rounds=rounds,
    )


def _sure_deeds(house: AppContext, since: datetime) -> list[AuditedAction]:
    return [deed for deed in audited_actions(house.services.store.engine, since) if deed.certain]


async def _draw(house: AppContext, actor: Actor, board: HomeSource, shown: str = "") -> bool:
    """Draw somebody's Home, unless it shows all that already; returns whether it was drawn."""
    homes, drawn = house.services.store.home_views, None
    member = await house.directory.principal(actor)
    # Whoever turns a page meanwhile must not find the one before.
    while drawn != (wanted := await asyncio.to_thread(homes.options, actor.id)):
        found = await asyncio.to_thread(_home, house, board, member, HomeOptions.load(wanted))
        view = home.view(found)
        if drawn is None and home.view_fingerprint(view) == shown:
            return False
        await asyncio.to_thread(_keep, house, found)
        await _publish(house, actor.id, view)
        drawn = wanted
    await asyncio.to_thread(homes.save_fingerprint, actor.id, home.view_fingerprint(view))
    return True


def _home(house: AppContext, board: HomeSource, member: Principal, wanted: HomeOptions) -> Home:
    """What of the board is for this person."""
    retriable = (_line(house, member, each, (RETRY,)) for each in board.failed)
    return Home(
        options=wanted,
        tasks=[_line(house, member, each, DECISIONS) for each in board.tasks],
        failed=[each for each in retriable if each.actions],
        decisions=_done(house, member.id, board.done),
        on_call=board.on_call,
        as_of=min(each.last_success_at for each in board.rounds if each.last_success_at),
        unchecked=board.unseen,
        stale=any(each.failure for each in board.rounds),
    )


def _line(
    house: AppContext, member: Principal, known: TrackedObject, asked: Sequence[Action]
) -> HomeRow:
    rules, about = (
        house.config.rules,
        authorization.policy_context(house, known.ref, known.snapshot),
    )
    may = [each for each in asked if isinstance(decide(rules, member, each, about), Allowed)]
    return HomeRow(house.services.render_context(known.ref), known.snapshot, tuple(may))


def _done(house: AppContext, user: str, done: Sequence[AuditedAction]) -> list[HomeDecision]:
    """The latest of what somebody did, with the names of what is known."""
    own = [deed for deed in done if deed.actor.id == user][: -home.DECIDED - 1 : -1]
    known = house.services.store.tracked.get([deed.ref for deed in own])
    names = {each.ref: each.snapshot.name for each in known}
    return [HomeDecision(deed.action, deed.ref, names.get(deed.ref, ""), deed.at) for deed in own]


def _keep(house: AppContext, found: Home) -> None:
    """Remember what is shown with buttons, so that what changes before a press can be told."""
    for each in chain.from_iterable(home.visible_rows(found)):
        seen = snapshots.stored(each.snapshot)
        house.services.store.save_snapshot(each.frame.ref, seen, house.services.clock())


async def _publish(house: AppContext, user: str, view: dict[str, Any]) -> None:
    await gateway.call(house.services.slack.views_publish(user_id=user, view=view))


@dataclass(slots=True)
class HomeRefresher:
    """Draws Homes again after a round of the watch, if they would look different.

    A few at a time, and everybody's in turn: ``_last`` is whose was drawn last.
    """

    house: AppContext
    at_once: int = AT_ONCE
    _last: str = ""
    _busy: bool = False

    async def __call__(self) -> None:
        """Begin, unless the one before is still under way: no round waits for Slack."""
        if not self._busy:
            self._busy = True
            self.house.background.start(self._refresh(), _give_up)

    async def _refresh(self) -> None:
        try:
            await self._redraw()
        finally:
            self._busy = False

    async def _redraw(self) -> None:
        house, left = self.house, self.at_once
        since = house.services.clock() - RECENTLY_OPENED
        looked = await asyncio.to_thread(house.services.store.home_views.opened_since, since)
        rounds = await asyncio.to_thread(_rounds, house) if looked else []
        if not rounds:
            return
        board = await _board(house, rounds)
        for user, _wanted, shown in sorted(looked, key=lambda one: (one[0] <= self._last, one[0])):
            if await _redrawn(house, user, board, shown):
                self._last, left = user, left - 1
            if not left:
                return


async def _redrawn(house: AppContext, user: str, board: HomeSource, shown: str) -> bool:
    """Draw one Home again; one that can't be drawn must not stand before the others."""
    try:
        return await _draw(house, Actor(id=user), board, shown)
    except Exception as error:
        log.warning("a Home is not drawn", exc_info=error, extra={"user": user})
        return False


async def _give_up(error: Exception) -> None:
    log.error("Homes are not drawn again", exc_info=error)
