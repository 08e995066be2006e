"""Many operations that one person confirmed at once, and the one message that tells of them.

Each is an operation of its own, with its own record: here they are only started, a few at a time,
and awaited by the handles of their workflows. How each ended is read from the audit. Whatever dies
on the way, each is started once and the message is one.
"""

import asyncio
import logging
from contextvars import Context
from dataclasses import replace
from time import monotonic
from typing import Any

import structlog
from dbos import DBOS, SetWorkflowID, WorkflowHandleAsync

from bot.domain.batches import Batch
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import SlackLocation
from bot.messages import batch_results
from bot.messages.batch_results import BatchItemResult
from bot.operations.replies import DONE_BEFORE
from bot.operations.steps import posted_since, record_step, run_step, under_name
from bot.operations.unfinished import BrokenOff
from bot.operations.workflow import RETRIES_EXHAUSTED, Operations
from bot.services import Services
from bot.slack.gateway import SlackFailed
from bot.store import is_database_fault

log = logging.getLogger(__name__)

CONCURRENCY = 5  # operations under way
CHECK_INTERVAL = 0.5  # seconds, for what a workflow's end does not tell
UPDATE_INTERVAL = 1.0  # seconds: Slack takes about one update a second
UPDATE_TIMEOUT = 5.0  # seconds
UNRECORDED = Outcome(state=OperationState.UNKNOWN, reason_code=OutcomeReason.OWN_FAULT)
MAX_WAIT = 7200.0  # seconds: by then each has ended, or nobody knows why not


class Batches:
    """Starts batches, each as a durable workflow; made anew at each start, like `Operations`."""

    def __init__(self, services: Services, operations: Operations) -> None:
        @DBOS.workflow(name="decide_batch")
        async def decide_batch(recorded: dict[str, Any]) -> str:
            batch = Batch.model_validate(recorded)
            resumed = services.is_resumed(batch.operation)
            with structlog.contextvars.bound_contextvars(operation=batch.id):
                async with services.tracker.run(batch.id, resumed=resumed):
                    with under_name(services):
                        state = await BatchRunner(services, operations, batch).run()
            # Those are called then whose approvals some wait for: once its end is on record.
            loop = asyncio.get_running_loop()
            loop.call_later(CHECK_INTERVAL, services.outbox_written.set)
            return state

        self._decide_batch = decide_batch

    async def start(self, batch: Batch) -> None:
        """Record many operations durably; the same id again is the same batch."""
        with SetWorkflowID(batch.id):
            await DBOS.start_workflow_async(self._decide_batch, batch.model_dump(mode="json"))


class BatchRunner:
    """Carries out what was confirmed, and tells how each ended.

    How far it is, it knows for this process alone: no step's result depends on it.
    """

    def __init__(self, services: Services, operations: Operations, batch: Batch) -> None:
        self.services = services
        self.operations = operations
        self.batch = batch
        self.workflow_ends: dict[str, asyncio.Task[None]] = {}  # by operation
        self.ended: set[str] = set()
        self.reported = 0
        self.updated_at = monotonic()

    async def run(self) -> str:
        """Start the operations in their order, report how they ended, and return how far it came.

        After a crash each is started again, which does nothing more than to hand out its handle.
        """
        try:
            location = await record_step(self.services, "announce", SlackLocation, self._announce)
        except (SlackFailed, RETRIES_EXHAUSTED) as error:
            # Nobody could be told how it ends, so nothing is started.
            details = {"batch": self.batch.id, "error": str(error)}
            log.error("batch not announced", extra=details)  # noqa: TRY400 - a refusal is one line
            return "unannounced"
        try:
            for number, item in enumerate(self.batch.items):
                if number >= CONCURRENCY:
                    await self._wait_until_under_way(CONCURRENCY - 1, location)
                handle = await self.operations.start(_located(item.operation, location))
                # Outside of this workflow's context, or DBOS would record a step for the result.
                end = asyncio.create_task(_end_of(handle), context=Context())
                self.workflow_ends[item.operation.id] = end
            await self._wait_until_under_way(0, location)
            await run_step(self.services, "tell the results", self._report, location)
        finally:
            for end in self.workflow_ends.values():
                end.cancel()
        return "reported"

    async def _announce(self) -> SlackLocation:
        """Post the message that tells of all, where it was asked or in our direct messages."""
        operation, message = (
            self.batch.operation,
            batch_results.progress(self.services.catalogue, self.batch, 0),
        )
        metadata = {"part": "batch", "operation": self.batch.id}
        since = posted_since(self.services, operation)
        location = operation.location.model_copy(update={"card": ""})
        slack = self.services.slack
        try:
            if location.channel:
                ts = await slack.post(location.channel, message, metadata, posted_since=since)
                return location.model_copy(update={"card": ts})
        except SlackFailed as error:
            if error.is_temporary:
                raise
            log.warning("channel is closed to the bot", extra={"code": error.code})
        channel = await slack.open_dm(operation.actor.id)
        ts = await slack.post(channel, message, metadata, posted_since=since)
        return SlackLocation(channel=channel, card=ts)

    async def _wait_until_under_way(self, limit: int, location: SlackLocation) -> None:
        """Wait until at most ``limit`` of those that were started are under way."""
        with self.services.tracker.waiting():
            name = f"wait after {len(self.workflow_ends)}"
            await run_step(self.services, name, self._watch, limit, location)

    async def _watch(self, limit: int, location: SlackLocation) -> None:
        deadline = monotonic() + MAX_WAIT
        while monotonic() < deadline:
            await self._note_ended()
            await self._report_progress(location)
            under_way = self.workflow_ends.keys() - self.ended
            if len(under_way) <= limit:
                return
            ends = [self.workflow_ends[operation_id] for operation_id in under_way]
            await asyncio.wait(ends, timeout=CHECK_INTERVAL, return_when=asyncio.FIRST_COMPLETED)

    async def _note_ended(self) -> None:
        """Note which operations have ended: by their workflows, or sooner by the audit.

        An approval that waits for others has ended for the batch, while its workflow goes on
        until its request is over; and nothing waits for a reply that Slack does not take now.
        """
        under_way = sorted(self.workflow_ends.keys() - self.ended)
        self.ended |= {id_ for id_ in under_way if self.workflow_ends[id_].done()}
        try:
            outcomes = await asyncio.to_thread(self.services.store.audit.outcomes, under_way)
        except Exception as error:  # noqa: BLE001 - no check may end the workflow: it only waits
            log.warning("operations can't be checked", extra={"error": str(error)})
            return
        # Whoever lost may be tried again after a crash: there only the workflow's end counts.
        self.ended |= {id_ for id_, recorded in outcomes.items() if not recorded.holder}

    async def _report_progress(self, location: SlackLocation) -> None:
        """Say how far it is, if that is new; what can't be said now is said with the next."""
        done = len(self.ended)
        if done == self.reported or monotonic() - self.updated_at < UPDATE_INTERVAL:
            return
        self.reported, self.updated_at = done, monotonic()
        message = batch_results.progress(self.services.catalogue, self.batch, done)
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT):
                await self.services.slack.update(location.channel, location.card, message)
        except (SlackFailed, TimeoutError) as error:
            log.warning("progress not reported", extra={"error": str(error)})

    async def _report(self, location: SlackLocation) -> None:
        """Put the table in the place of the progress; to the person alone where that is closed."""
        table = batch_results.results(self.services.catalogue, self.batch, await self._results())
        slack = self.services.slack
        try:
            await slack.update(location.channel, location.card, table)
        except SlackFailed as error:
            if error.is_temporary:
                raise
            log.warning("batch message not updated", extra={"code": error.code})
            await slack.send_private(location, self.batch.operation.actor.id, table)

    async def _results(self) -> list[BatchItemResult]:
        """Return how each operation ended, by the audit.

        A workflow that ended without an outcome on record is our own trouble.
        """
        await asyncio.wait(self.workflow_ends.values(), timeout=CHECK_INTERVAL)
        ended = {id_ for id_, end in self.workflow_ends.items() if end.done()}
        outcomes = await asyncio.to_thread(
            self.services.store.audit.outcomes, list(self.workflow_ends)
        )
        results = []
        for item in self.batch.items:
            if recorded := outcomes.get(item.operation.id):
                result = BatchItemResult(item, recorded.outcome, recorded.holder)
            elif item.operation.id in ended:
                result = BatchItemResult(item, UNRECORDED)
            else:
                result = BatchItemResult(item)
            results.append(await self._with_earlier_operation(result))
        return results

    async def _with_earlier_operation(self, result: BatchItemResult) -> BatchItemResult:
        """Add who came before an operation, and whether somebody carries that out."""
        outcome, ref, earlier = result.outcome, result.item.operation.ref, result.earlier
        store = self.services.store
        if outcome and outcome.reason_code is OutcomeReason.NOT_NOW:
            standing = store.claims.standing_operation
            earlier = await asyncio.to_thread(standing, ref, *DONE_BEFORE)
        if earlier is None:
            return result
        return replace(
            result, earlier=await asyncio.to_thread(store.workflows.with_runner, earlier)
        )


async def _end_of(handle: WorkflowHandleAsync[str]) -> None:
    """Wait until an operation's workflow has ended, well or not; one that broke off goes on."""
    while True:
        try:
            await handle.get_result()
        except BrokenOff:
            pass
        except Exception as error:  # noqa: BLE001 - how it ended is read from the audit
            if not is_database_fault(error):
                return
        else:
            return
        await asyncio.sleep(CHECK_INTERVAL)
        id_ = handle.get_workflow_id()
        handle = await DBOS.retrieve_workflow_async(id_, existing_workflow=False)


def _located(operation: Operation, location: SlackLocation) -> Operation:
    """Return the operation, answered under its own card or else under the batch's message."""
    has_card = bool(operation.location.card) and operation.location.channel == location.channel
    answer_at = operation.location if has_card else location
    return operation.model_copy(update={"location": answer_at, "batch_ts": location.card})
