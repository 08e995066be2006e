"""Many operations that one person confirmed at once, and the one message that tells of them.

Each is an operation of its own, with its own record: here they are only begun, a few at a time,
and looked at. Whatever dies on the way, each is begun once and the message is one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from dbos import DBOS, SetWorkflowID

from bot.domain.batches import Batch, BatchItem
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import SlackLocation
from bot.messages import Message, batch_results
from bot.messages.batch_results import BatchItemResult
from bot.operations.workflow import RETRIES_EXHAUSTED, RETRY_OPTIONS, start
from bot.services import services
from bot.slack import gateway
from bot.slack.gateway import SlackFailed

log = logging.getLogger(__name__)

AT_ONCE = 5  # operations under way
LOOK_EVERY = 0.2  # seconds
DRAW_EVERY = 1.0  # seconds: Slack takes about one update a second
SHORTLY = 5.0  # seconds
LONGEST = 7200.0  # seconds of waiting: by then each has ended, or nobody knows why not


async def start_batch(batch: Batch) -> None:
    """Record many operations durably; the same id again is the same batch."""
    with SetWorkflowID(batch.id):
        await DBOS.start_workflow_async(decide_batch, batch.model_dump(mode="json"))


@DBOS.workflow(name="decide_batch")
async def decide_batch(recorded: dict[str, Any]) -> str:
    """Carry out what was confirmed, and tell how each ended."""
    batch = Batch.model_validate(recorded)
    services().track(batch.operation)
    try:
        place = SlackLocation.model_validate(await _step("announce", _announce, batch))
    except (SlackFailed, RETRIES_EXHAUSTED):
        # Nobody could be told how it ends, so nothing is begun.
        log.exception("many could not be announced", extra={"batch": batch.id})
        return "untold"
    progress = Progress(batch, place)
    for number, item in enumerate(batch.items):
        await progress.until(number, AT_ONCE - 1)
        await start(_placed(item.operation, place))
    await progress.until(len(batch.items), 0)
    await _step("tell the results", _conclude, batch, place)
    services().forget(batch.operation)
    return "told"


class Progress:
    """How far a batch is, and the line that says so.

    What it remembers is for this process alone: no course depends on it.
    """

    def __init__(self, batch: Batch, place: SlackLocation) -> None:
        self.batch = batch
        self.place = place
        self.ended: set[str] = set()
        self.shown = 0
        self.drawn_at = monotonic()

    async def until(self, begun: int, most: int) -> None:
        """Wait until at most so many of those begun are under way."""
        with services().waiting():
            await _step(f"wait after {begun}", self._wait, begun, most)

    async def _wait(self, begun: int, most: int) -> None:
        items = self.batch.items[:begun]
        late = monotonic() + LONGEST
        while monotonic() < late:
            await self._look(items)
            await self._draw()
            if begun - len(self.ended) <= most:
                return
            await asyncio.sleep(LOOK_EVERY)

    async def _look(self, items: Sequence[BatchItem]) -> None:
        for item in items:
            if item.operation.id not in self.ended and await _has_ended(item):
                self.ended.add(item.operation.id)

    async def _draw(self) -> None:
        """Say how far it is, if that is news; what can't be said now is said with the next."""
        done = len(self.ended)
        if done == self.shown or monotonic() - self.drawn_at < DRAW_EVERY:
            return
        self.shown, self.drawn_at = done, monotonic()
        try:
            async with asyncio.timeout(SHORTLY):
                await _update(self.place, batch_results.progress(self.batch, done))
        except (SlackFailed, TimeoutError) as error:
            log.warning("progress not told", extra={"error": str(error)})


async def _announce(batch: Batch) -> dict[str, Any]:
    """Post the message that tells of all, where it was asked or in our chat with the person."""
    cause, said = batch.operation, batch_results.progress(batch, 0)
    mark = {"part": "batch", "operation": batch.id}
    place = cause.location.model_copy(update={"card": ""})
    try:
        if place.channel:
            ts = await gateway.post((place.channel, ""), said, mark, cause)
            return place.model_copy(update={"card": ts}).model_dump(mode="json")
    except SlackFailed as error:
        if error.is_temporary:
            raise
        log.warning("channel closed to us", extra={"code": error.code})
    chat = await gateway.open_dm(cause.actor.id)
    ts = await gateway.post((chat, ""), said, mark, cause)
    return SlackLocation(channel=chat, card=ts).model_dump(mode="json")


def _placed(operation: Operation, place: SlackLocation) -> Operation:
    """The operation, answered under its own card there, or else under the message of all."""
    own = bool(operation.location.card) and operation.location.channel == place.channel
    there = operation.location if own else place
    return operation.model_copy(update={"location": there, "batch_ts": place.card})


async def _conclude(batch: Batch, place: SlackLocation) -> None:
    """Put the table in the place of the progress; to the person alone where that is closed."""
    ended = [await _told(item) for item in batch.items]
    table = batch_results.results(batch, ended)
    try:
        await _update(place, table)
    except SlackFailed as error:
        if error.is_temporary:
            raise
        log.warning("message of many is closed to us", extra={"code": error.code})
        await gateway.send_private(place, batch.operation.actor.id, table)


async def _has_ended(item: BatchItem) -> bool:
    """Whether one has ended; what can't be asked now is asked again."""
    try:
        return (await _end(item)).outcome is not None
    except Exception as error:  # noqa: BLE001 - no look may end the flow: it only waits here
        log.warning("an operation can't be looked at", extra={"error": str(error)})
        return False


async def _end(item: BatchItem) -> BatchItemResult:
    """How one ended, by the record of its own flow."""
    for step in await DBOS.list_workflow_steps_async(item.operation.id):
        found = step["output"] if isinstance(step["output"], dict) else {}
        if step["function_name"] == "prepare" and found.get("holder"):
            lost = Outcome(state=OperationState.FAILED, reason_code=OutcomeReason.LOST)
            return BatchItemResult(item, lost, StandingOperation.model_validate(found["holder"]))
        if step["function_name"] == "conclude":
            known = found or {
                "state": OperationState.UNKNOWN,
                "reason_code": OutcomeReason.OWN_FAULT,
            }
            return BatchItemResult(item, Outcome.model_validate(known))
    return BatchItemResult(item)


async def _told(item: BatchItem) -> BatchItemResult:
    """The same with who came before it, where it was no longer open."""
    ended = await _end(item)
    if ended.outcome is None or ended.outcome.reason_code != OutcomeReason.NOT_NOW:
        return ended
    states = (OperationState.DONE, OperationState.PENDING, OperationState.IN_DOUBT)
    ref, store = item.operation.ref, services().store
    standing = await asyncio.to_thread(store.standing_operation, ref, *states)
    return BatchItemResult(item, ended.outcome, standing_operation=standing)


async def _update(place: SlackLocation, message: Message) -> None:
    slack = services().slack
    await gateway.call(slack.chat_update(channel=place.channel, ts=place.card, **message.payload))


async def _step(name: str, step: Callable[..., Awaitable[Any]], *args: object) -> Any:
    """Run a step once for ever, again while Slack is in trouble."""

    async def recorded() -> Any:
        return await step(*args)

    return await DBOS.run_step_async({"name": name, **RETRY_OPTIONS}, recorded)
