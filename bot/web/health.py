"""What ``/readyz`` and ``/metrics`` answer: can a click be taken, and how does the watch fare."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.watch.status import watch_status
from bot.web.metrics import exposition
from bot.web.socket_mode import Sockets

ANSWER_WITHIN = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Readiness:
    """Asks for it. ``every`` is how often a round of the watch is made, in seconds.

    Without ``sockets`` it is HTTP that Slack comes by.
    """

    engine: sa.Engine
    sockets: Sockets | None
    every: Callable[[], float]

    async def parts(self) -> dict[str, Any]:
        """What has to work before a click can be taken, "ok" or what is wrong; and the watch."""
        parts: dict[str, Any] = {}
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                parts["database"] = await asyncio.to_thread(_database, self.engine)
                if parts["database"] == "ok" and (watched := await self._watched()):
                    parts["watch"] = watched
        except TimeoutError:
            parts["database"] = "no answer"
        if self.sockets:
            parts["slack"] = "ok" if await self.sockets.alive() else "no open connection"
        return parts

    async def metrics(self) -> bytes:
        return exposition(await watch_status(self.every()))

    async def _watched(self) -> dict[str, Any]:
        """How the watch of each workspace fares: times as ISO 8601, ``behind_by`` in seconds."""
        fares = await watch_status(self.every())
        return {
            each.workspace: {
                "since": each.since.isoformat(),
                "last_round": each.last_success_at.isoformat() if each.last_success_at else None,
                "behind_by": round(fares.behind[each.workspace]),
                "trouble": each.failure,
                "replica": each.replica,
            }
            for each in fares.polls
        }


def _database(engine: sa.Engine) -> str:
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError as error:
        return type(error).__name__
    return "ok"
