"""What ``/readyz`` and ``/metrics`` answer: whether a click can be taken, and how polling goes."""

import asyncio
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.domain.watch_status import WatchStatus
from bot.services import Services
from bot.watch.status import queue_ages, watch_status
from bot.web.metrics import database_exposition, process_exposition
from bot.web.server import is_ready
from bot.web.signature import RequestVerifier
from bot.web.socket_mode import SocketMode

TIMEOUT = 2.0  # seconds for the database to answer


@dataclass(frozen=True, slots=True)
class Readiness:
    """Asks every part on each call; ``way_in`` is how Slack comes, by websockets or by HTTP."""

    services: Services
    way_in: SocketMode | RequestVerifier

    async def parts(self) -> dict[str, Any]:
        """Return each part that a click needs, "ok" or what is wrong, and how polling goes."""
        parts: dict[str, Any] = {}
        try:
            async with asyncio.timeout(TIMEOUT):
                parts["database"] = await asyncio.to_thread(_database, self.services)
                if parts["database"] == "ok" and (polls := _polls(await self._status())):
                    parts["watch"] = polls
        except TimeoutError:
            parts["database"] = "no answer"
        except sa.exc.SQLAlchemyError as error:  # since the last write that was tried
            parts["database"] = type(error).__name__
        if isinstance(self.way_in, SocketMode):
            parts["slack"] = self.way_in.state
        else:
            parts["requests"] = self.way_in.summary()
        if refusal := self.services.slack.token.refusal:
            parts["slack"] = f"token refused: {refusal}"
        return parts

    async def metrics(self) -> bytes:
        """Return the metrics as Prometheus reads them: without the database's while it is away."""
        counts = self.way_in.counts if isinstance(self.way_in, RequestVerifier) else {}
        ready = is_ready(await self.parts())
        text = process_exposition(self.services.metrics, counts, ready=ready)
        try:
            async with asyncio.timeout(TIMEOUT):
                status, ages = await self._status(), await queue_ages(self.services)
        except (TimeoutError, sa.exc.SQLAlchemyError):
            return text
        return text + database_exposition(status, ages)

    async def _status(self) -> WatchStatus:
        return await watch_status(self.services, self.services.policy.current.watch.every)


def _polls(status: WatchStatus) -> dict[str, Any]:
    """Return how polling goes by workspace: times as ISO 8601, ``behind_by`` in seconds."""
    return {
        poll.workspace: {
            "since": poll.since.isoformat(),
            "last_success": poll.last_success_at.isoformat() if poll.last_success_at else None,
            "behind_by": round(status.behind[poll.workspace]),
            "failure": poll.failure,
            "replica": poll.replica,
        }
        for poll in status.polls
    }


def _database(services: Services) -> str:
    """Return "ok", or what kind of error the database answers a write with; blocks."""
    try:
        services.store.write_probe.check()
    except sa.exc.SQLAlchemyError as error:
        return type(error).__name__
    return "ok"
