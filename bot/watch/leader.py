"""Which of several replicas polls SecMaster: one at a time, by a lock in their database.

Knows nothing of what the leader does.
"""

import asyncio
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from bot.store import HeldName, hold_name

LOCK_NAME = "watch.leader"  # no replica can be called that: their names have no dot


class Leader:
    """Leads while it is entered; entering raises NameInUse while another replica leads.

    The database is asked in a thread, since it may be slow to answer.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._lock = hold_name(engine, LOCK_NAME)
        self._held: HeldName

    async def __aenter__(self) -> Self:
        acquiring = asyncio.create_task(asyncio.to_thread(self._lock.__enter__))
        try:
            self._held = await asyncio.shield(acquiring)
        except asyncio.CancelledError:
            # Whoever stopped waiting for the lock may have got it all the same.
            await asyncio.wait([acquiring])
            if not acquiring.exception():
                await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await asyncio.shield(asyncio.to_thread(self._lock.__exit__, None, None, None))

    async def is_leader(self) -> bool:
        """Return whether the lock is still held: a broken connection has let go of it."""
        return await asyncio.to_thread(self._held.confirm)
