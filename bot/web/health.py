"""What ``/readyz`` and ``/metrics`` answer: whether a click can be taken, and how polling goes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from bot.domain.troubles import Trouble
from bot.domain.watch_status import WatchStatus
from bot.messages.catalogue import Catalogue
from bot.messages.troubles import headline
from bot.services import Services
from bot.store import why_unusable
from bot.watch.status import queue_ages, watch_status
from bot.watch.troubles import NO_ANSWER, check_database, current_troubles
from bot.web.metrics import database_exposition, process_exposition, trouble_exposition
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
        """Return each part that a click needs, "ok" or what is wrong, polling, and troubles."""
        parts = await self._parts()
        return parts | {"troubles": _listed(await current_troubles(self.services))}

    async def _parts(self) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        try:
            async with asyncio.timeout(TIMEOUT):
                parts["database"] = await check_database(self.services) or "ok"
                if parts["database"] == "ok" and (polls := _polls(await self._status())):
                    parts["watch"] = polls
        except TimeoutError:
            parts["database"] = NO_ANSWER
        except sa.exc.SQLAlchemyError as error:  # it took a write a moment ago, and is gone
            parts["database"] = why_unusable(error).sentence
        if isinstance(self.way_in, SocketMode):
            parts["slack"] = self.way_in.state
        else:
            parts["requests"] = self.way_in.summary()
        if refusal := self.services.slack.token.refusal:
            parts["slack"] = f"token refused: {refusal}"
        return parts

    async def metrics(self) -> bytes:
        """Return the metrics as Prometheus reads them: without the database's while it is away."""
        troubles = trouble_exposition(await current_troubles(self.services))
        counts = self.way_in.counts if isinstance(self.way_in, RequestVerifier) else {}
        ready = is_ready(await self._parts())
        text = process_exposition(self.services.metrics, counts, ready=ready) + troubles
        try:
            async with asyncio.timeout(TIMEOUT):
                status, ages = await self._status(), await queue_ages(self.services)
        except (TimeoutError, sa.exc.SQLAlchemyError):  # that is one of the troubles
            return text
        return text + database_exposition(status, ages)

    async def _status(self) -> WatchStatus:
        return await watch_status(self.services, self.services.poll_interval)


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


def _listed(troubles: Sequence[Trouble]) -> list[dict[str, Any]]:
    """Return each trouble with what it is in words, and without what is not known of it."""
    return [
        {"sentence": headline(Catalogue.english(), trouble)}
        | trouble.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        for trouble in troubles
    ]
