"""Take up again what a fault of the database left unfinished.

A workflow whose database fails is broken off with nothing recorded about the fault, as if its
process had died: it stays pending, and the sweep has it run again over what its steps recorded.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dbos import DBOS
from dbos._serialization import DefaultSerializer

from bot.services import Services
from bot.store import NameInUse, is_database_fault

log = logging.getLogger(__name__)

FIRST_PAUSE = 1.0  # seconds after a workflow broke off: most faults are over by then


class BrokenOff(BaseException):
    """The database, or this process's name in it, was lost in a workflow, which goes on later.

    No ``Exception``: DBOS would record it as how the step or the workflow ended.
    """


class FaultlessSerializer(DefaultSerializer):
    """Writes DBOS's records in its own format, and refuses to record a fault of the database.

    DBOS records whatever a step or a workflow raises as its result, for ever: also that a result
    could not be recorded, once that can be. An operation would end by a fault that has passed.
    """

    def serialize(self, data: Any) -> str:
        """Return the text of a record; raises BrokenOff for a fault of the database."""
        if isinstance(data, BaseException) and is_database_fault(data):
            log.warning("a workflow is broken off", extra={"error": str(data)})
            raise BrokenOff from data
        return super().serialize(data)

    def name(self) -> str:
        """Return a name of its own: for the default one's DBOS takes the default one itself."""
        return "secmaster-bot"


class Sweeper:
    """Takes up this replica's workflows that are pending while nothing runs them.

    ``keep_name`` sees to it that no other process has this replica's name, and so its workflows.
    """

    def __init__(self, services: Services, keep_name: Callable[[], None]) -> None:
        self._services = services
        self._keep_name = keep_name
        self._idle: set[str] = set()  # pending without running, at the last sweep

    async def run(self) -> None:
        """Sweep at regular times, and soon after a workflow broke off.

        Ends by NameInUse alone: then those workflows are another process's.
        """
        broke_off, interval = self._services.tracker.broke_off, self._services.timeouts.sweep
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(broke_off.wait(), interval)
                broke_off.clear()
                await asyncio.sleep(min(FIRST_PAUSE, interval))
            try:
                await asyncio.to_thread(self._keep_name)
                await self.sweep()
            except NameInUse:
                raise
            except Exception as error:  # noqa: BLE001 - the next sweep finds what this one did not
                log.warning("unfinished workflows can't be taken up", extra={"error": str(error)})

    async def sweep(self) -> list[str]:
        """Have unfinished workflows run again, and return their ids.

        One that did not break off here may be about to start: it is taken up at the second sweep.
        """
        services, tracker = self._services, self._services.tracker
        pending = await DBOS.list_workflows_async(
            status="PENDING", executor_id=services.replica, load_input=False, load_output=False
        )
        ids = [status.workflow_id for status in pending]
        idle = {id_ for id_ in ids if not tracker.is_running(id_)}
        unfinished = [
            id_ for id_ in ids if id_ in idle and (id_ in self._idle or tracker.has_broken_off(id_))
        ]
        self._idle = idle
        if unfinished:
            # On a disk that is full each would break off again, and ask SecMaster before.
            await asyncio.to_thread(services.store.write_probe.check, services.clock.monotonic())
            log.warning("unfinished workflows are taken up", extra={"workflows": unfinished})
            await DBOS.resume_workflows_async(unfinished)
        return unfinished
