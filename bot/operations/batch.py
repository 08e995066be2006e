"""Many operations that one person confirmed at once, and the one message that tells of them.

Each is an operation of its own, with its own record: here they are only started, a few at a time,
and watched. Whatever dies on the way, each is started once and the message is one.
"""

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any

from dbos import DBOS, SetWorkflowID

from bot.domain.batches import Batch, BatchItem
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import SlackLocation
from bot.messages import batch_results
from bot.messages.batch_results import BatchItemResult
from bot.operations.replies import DONE_BEFORE
from bot.operations.steps import posted_since, record_step, run_step
from bot.operations.workflow import RETRIES_EXHAUSTED, Operations
from bot.services import Services
from bot.slack.gateway import SlackFailed

log = logging.getLogger(__name__)

CONCURRENCY = 5  # operations under way
CHECK_INTERVAL = 0.2  # seconds
UPDATE_INTERVAL = 1.0  # seconds: Slack takes about one update a second
UPDATE_TIMEOUT = 5.0  # seconds
MAX_WAIT = 7200.0  # seconds: by then each has ended, or nobody knows why not


class Batches:
    """Starts batches, each as a durable workflow; made anew at each start, like `Operations`."""

    def __init__(self, services: Services, operations: Operations) -> None:
        @DBOS.workflow(name="decide_batch")
        async def decide_batch(recorded: dict[str, Any]) -> str:
            return await BatchRunner(services, operations, Batch.model_validate(recorded)).run()

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
        self.ended: set[str] = set()
        self.reported = 0
        self.updated_at = monotonic()

    async def run(self) -> str:
        tracker, operation = self.services.tracker, self.batch.operation
        tracker.track(operation.id, resumed=self.services.is_resumed(operation))
        try:
            location = await record_step("announce", SlackLocation, self._announce)
        except (SlackFailed, RETRIES_EXHAUSTED):
            # Nobody could be told how it ends, so nothing is started.
            log.exception("batch not announced", extra={"batch": self.batch.id})
            return "unannounced"
        for number, item in enumerate(self.batch.items):
            await self._wait_for(number, CONCURRENCY - 1, location)
            await self.operations.start(_located(item.operation, location))
        await self._wait_for(len(self.batch.items), 0, location)
        await run_step("tell the results", self._report, location)
        tracker.forget(operation.id)
        return "reported"

    async def _announce(self) -> SlackLocation:
        """Post the message that tells of all, where it was asked or in our direct messages."""
        operation, message = self.batch.operation, batch_results.progress(self.batch, 0)
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

    async def _wait_for(self, started: int, limit: int, location: SlackLocation) -> None:
        """Wait until at most ``limit`` of those ``started`` are under way."""
        with self.services.tracker.waiting():
            await run_step(f"wait after {started}", self._watch, started, limit, location)

    async def _watch(self, started: int, limit: int, location: SlackLocation) -> None:
        items = self.batch.items[:started]
        deadline = monotonic() + MAX_WAIT
        while monotonic() < deadline:
            await self._check(items)
            await self._report_progress(location)
            if started - len(self.ended) <= limit:
                return
            await asyncio.sleep(CHECK_INTERVAL)

    async def _check(self, items: Sequence[BatchItem]) -> None:
        for item in items:
            if item.operation.id in self.ended:
                continue
            try:
                result = await _result(item)
            except Exception as error:  # noqa: BLE001 - no check may end the workflow: it only waits
                log.warning("an operation can't be checked", extra={"error": str(error)})
                continue
            if result.outcome is not None:
                self.ended.add(item.operation.id)

    async def _report_progress(self, location: SlackLocation) -> None:
        """Say how far it is, if that is new; what can't be said now is said with the next."""
        done = len(self.ended)
        if done == self.reported or monotonic() - self.updated_at < UPDATE_INTERVAL:
            return
        self.reported, self.updated_at = done, monotonic()
        message = batch_results.progress(self.batch, done)
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT):
                await self.services.slack.update(location.channel, location.card, message)
        except (SlackFailed, TimeoutError) as error:
            log.warning("progress not reported", extra={"error": str(error)})

    async def _report(self, location: SlackLocation) -> None:
        """Put the table in the place of the progress; to the person alone where that is closed."""
        results = [await self._final_result(item) for item in self.batch.items]
        table = batch_results.results(self.batch, results)
        slack = self.services.slack
        try:
            await slack.update(location.channel, location.card, table)
        except SlackFailed as error:
            if error.is_temporary:
                raise
            log.warning("batch message not updated", extra={"code": error.code})
            await slack.send_private(location, self.batch.operation.actor.id, table)

    async def _final_result(self, item: BatchItem) -> BatchItemResult:
        """Return how one ended, with who came before it where it was no longer open."""
        result = await _result(item)
        outcome = result.outcome
        if outcome is None or outcome.reason_code is not OutcomeReason.NOT_NOW:
            return result
        standing = await asyncio.to_thread(
            self.services.store.standing_operation, item.operation.ref, *DONE_BEFORE
        )
        return BatchItemResult(item, outcome, standing_operation=standing)


def _located(operation: Operation, location: SlackLocation) -> Operation:
    """Return the operation, answered under its own card or else under the batch's message."""
    has_card = bool(operation.location.card) and operation.location.channel == location.channel
    answer_at = operation.location if has_card else location
    return operation.model_copy(update={"location": answer_at, "batch_ts": location.card})


async def _result(item: BatchItem) -> BatchItemResult:
    """Return how one ended, by the record of its own workflow."""
    for step in await DBOS.list_workflow_steps_async(item.operation.id):
        output = step["output"] if isinstance(step["output"], dict) else {}
        if step["function_name"] == "prepare" and output.get("holder"):
            lost = Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.LOST)
            return BatchItemResult(item, lost, StandingOperation.model_validate(output["holder"]))
        if step["function_name"] == "conclude":
            unknown = {
                "state": OperationState.UNKNOWN,
                "reason_code": OutcomeReason.OWN_FAULT,
            }
            return BatchItemResult(item, Outcome.model_validate(output or unknown))
    return BatchItemResult(item)
