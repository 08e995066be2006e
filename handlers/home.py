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
from bot.domain.models import Actor, Round
from bot.messages import command_help, home, modals
from bot.messages.home import Done, Home, HomeWanted, Line
from bot.messages.oncall import SOON
from bot.operations import authorization
from bot.policy.decide import Allowed, Member, decide
from bot.slack import gateway
from bot.slack.directory import LookupFailed
from bot.store import Known
from bot.store.history import Deed, deeds
from handlers import queries
from handlers.context import House
from handlers.errors import Told, words_for
from handlers.oncall import on_call

log = logging.getLogger(__name__)

LOOKED_AT = timedelta(minutes=15)  # whoever opened their Home longer ago looks elsewhere
AT_ONCE = 20  # Homes drawn again in a round: Slack takes a hundred a minute
MOST = 1000  # tasks, and runs, of which it is asked whether somebody may decide them
DECISIONS = tuple(action for action in TABLE if action.once == "decision")
RETRY = BY_NAME["instance.retry"]


@dataclass(frozen=True, slots=True)
class Board:
    """What all Homes are drawn from. Of ``unseen`` more tasks nobody asks who may decide them."""

    tasks: Sequence[Known]
    unseen: int
    failed: Sequence[Known]
    done: Sequence[Deed]
    on_call: Sequence[str] | None
    rounds: Sequence[Round]


async def pressed(house: House, actor: Actor, value: str) -> None:
    """Draw somebody's Home as the button or the option that they pressed says."""
    wanted = HomeWanted.parse(value) if value else None
    if value and wanted is None:
        raise Told(command_help.newer_button())
    await opened(house, actor, wanted)


async def opened(house: House, actor: Actor, wanted: HomeWanted | None = None) -> None:
    """Draw somebody's Home, with what they want to see of it from now on."""
    rounds = await asyncio.to_thread(_rounds, house)
    if not rounds:
        await queries.home(house, actor.id)
        return
    await asyncio.to_thread(_open, house, actor.id, wanted)
    try:
        await _draw(house, actor, await _board(house, rounds))
    except LookupFailed as error:
        await _publish(house, actor.id, modals.troubled_home(words_for(error, house).text))


def _open(house: House, user: str, wanted: HomeWanted | None) -> None:
    homes = house.desk.store.homes
    kept = wanted or HomeWanted.kept(homes.wanted(user))
    homes.open(user, kept.model_dump(mode="json"), house.desk.clock())


def _rounds(house: House) -> list[Round]:
    """How the watch fares; none where it knows not yet, or no longer, what there is."""
    if not house.config.watch.every:
        return []
    rounds = {each.workspace: each for each in house.desk.store.rounds.all() if each.ended_at}
    return list(rounds.values()) if rounds.keys() >= house.desk.secmaster.keys() else []


async def _board(house: House, rounds: Sequence[Round]) -> Board:
    known, now = house.desk.store.known, house.desk.clock()
    since = now - house.config.watch.shift
    tasks = await asyncio.to_thread(known.open_tasks, MOST)
    tally = await asyncio.to_thread(known.tally, now, SOON)
    return Board(
        tasks=tasks,
        unseen=max(0, tally.waiting - len(tasks)),
        failed=await asyncio.to_thread(known.failures, MOST),
        done=await asyncio.to_thread(
            lambda: [deed for deed in deeds(house.desk.store.engine, since) if deed.sure]
        ),
        on_call=await on_call(house),
        rounds=rounds,
    )


def _sure_deeds(house: House, since: datetime) -> list[Deed]:
    return [deed for deed in deeds(house.desk.store.engine, since) if deed.sure]


async def _draw(house: House, actor: Actor, board: Board, shown: str = "") -> bool:
    """Draw somebody's Home, unless it shows all that already; returns whether it was drawn."""
    homes, drawn = house.desk.store.homes, None
    member = await house.directory.member(actor)
    # Whoever turns a page meanwhile must not find the one before.
    while drawn != (wanted := await asyncio.to_thread(homes.wanted, actor.id)):
        found = await asyncio.to_thread(_home, house, board, member, HomeWanted.kept(wanted))
        view = home.view(found)
        if drawn is None and home.digest(view) == shown:
            return False
        await asyncio.to_thread(_keep, house, found)
        await _publish(house, actor.id, view)
        drawn = wanted
    await asyncio.to_thread(homes.shown, actor.id, home.digest(view))
    return True


def _home(house: House, board: Board, member: Member, wanted: HomeWanted) -> Home:
    """What of the board is for this person."""
    retriable = (_line(house, member, each, (RETRY,)) for each in board.failed)
    return Home(
        wanted=wanted,
        tasks=[_line(house, member, each, DECISIONS) for each in board.tasks],
        failed=[each for each in retriable if each.may],
        done=_done(house, member.id, board.done),
        on_call=board.on_call,
        as_of=min(each.ended_at for each in board.rounds if each.ended_at),
        unseen=board.unseen,
        troubled=any(each.trouble for each in board.rounds),
    )


def _line(house: House, member: Member, known: Known, asked: Sequence[Action]) -> Line:
    rules, about = house.config.rules, authorization.matter(house, known.ref, known.snapshot)
    may = [each for each in asked if isinstance(decide(rules, member, each, about), Allowed)]
    return Line(house.desk.frame(known.ref), known.snapshot, tuple(may))


def _done(house: House, user: str, done: Sequence[Deed]) -> list[Done]:
    """The latest of what somebody did, with the names of what is known."""
    own = [deed for deed in done if deed.actor.id == user][: -home.DECIDED - 1 : -1]
    known = house.desk.store.known.of([deed.ref for deed in own])
    names = {each.ref: each.snapshot.name for each in known}
    return [Done(deed.action, deed.ref, names.get(deed.ref, ""), deed.at) for deed in own]


def _keep(house: House, found: Home) -> None:
    """Remember what is shown with buttons, so that what changes before a press can be told."""
    for each in chain.from_iterable(home.shown(found)):
        seen = snapshots.seen(each.snapshot)
        house.desk.store.keep_sight(each.frame.ref, seen, house.desk.clock())


async def _publish(house: House, user: str, view: dict[str, Any]) -> None:
    await gateway.asked(house.desk.slack.views_publish(user_id=user, view=view))


@dataclass(slots=True)
class Refreshing:
    """Draws Homes again after a round of the watch, if they would look different.

    A few at a time, and everybody's in turn: ``_last`` is whose was drawn last.
    """

    house: House
    at_once: int = AT_ONCE
    _last: str = ""
    _busy: bool = False

    async def __call__(self) -> None:
        """Begin, unless the one before is still under way: no round waits for Slack."""
        if not self._busy:
            self._busy = True
            self.house.errands.start(self._refresh(), _give_up)

    async def _refresh(self) -> None:
        try:
            await self._redraw()
        finally:
            self._busy = False

    async def _redraw(self) -> None:
        house, left = self.house, self.at_once
        since = house.desk.clock() - LOOKED_AT
        looked = await asyncio.to_thread(house.desk.store.homes.looked_at, since)
        rounds = await asyncio.to_thread(_rounds, house) if looked else []
        if not rounds:
            return
        board = await _board(house, rounds)
        for user, _wanted, shown in sorted(looked, key=lambda one: (one[0] <= self._last, one[0])):
            if await _redrawn(house, user, board, shown):
                self._last, left = user, left - 1
            if not left:
                return


async def _redrawn(house: House, user: str, board: Board, shown: str) -> bool:
    """Draw one Home again; one that can't be drawn must not stand before the others."""
    try:
        return await _draw(house, Actor(id=user), board, shown)
    except Exception as error:
        log.warning("a Home is not drawn", exc_info=error, extra={"user": user})
        return False


async def _give_up(error: Exception) -> None:
    log.error("Homes are not drawn again", exc_info=error)
