"""One action, from its record to its thread: written once, reported once, whatever dies on the way.

The order is fixed: read, take the key, bring the file, leave the attribution, write, read again
where in doubt, record what happened, then answer in the thread and redraw the cards side by side.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from dbos import DBOS, SetWorkflowID, WorkflowHandleAsync
from dbos import error as dbos_error

from bot.domain.actions import BY_NAME, needs_attribution
from bot.domain.objects import Value
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import OutcomeReason
from bot.operations import attachments, preflight, replies, write
from bot.operations.attachments import UploadResult
from bot.operations.step_results import Preflight, PreflightResult, ResultKind, StepResult
from bot.operations.steps import record_step, run_step
from bot.operations.write import WriteKind
from bot.services import Services

log = logging.getLogger(__name__)

WORTH_REPORTING = 5.0  # seconds of doubt
RETRIES_EXHAUSTED = dbos_error.DBOSMaxStepRetriesExceeded
V = TypeVar("V", bound=Value)


class Operations:
    """Starts operations, each as a durable workflow.

    Made anew at each start, before DBOS is launched: a workflow that was pending goes on with the
    services of the new process.
    """

    def __init__(self, services: Services) -> None:
        @DBOS.workflow(name="perform")
        async def perform(recorded: dict[str, Any]) -> str:
            return await OperationRunner(services, Operation.model_validate(recorded)).run()

        self._perform = perform

    async def start(self, operation: Operation) -> WorkflowHandleAsync[str]:
        """Record an operation durably: once this returns it will be carried out, crash or not.

        The same id again is the same operation, and does nothing more. The handle is that of its
        workflow.
        """
        recorded = operation.model_dump(mode="json")
        with SetWorkflowID(operation.id):
            return await DBOS.start_workflow_async(self._perform, recorded)


@dataclass(slots=True)
class UnconfirmedWrite:
    """A write in doubt: how that came about, and for how many seconds it was looked for."""

    cause: StepResult
    waited: float = 0


class OperationRunner:
    """Takes one operation to its outcome, in as many attempts as SecMaster's health asks for.

    Nothing here may depend on the clock or the process: after a crash it runs again from the
    start, over the results that its steps recorded.
    """

    def __init__(self, services: Services, operation: Operation) -> None:
        self.services = services
        self.operation = operation
        self.action = BY_NAME[operation.action]
        self.preflight = Preflight(card_ts=operation.location.card)
        self.attempts_left = len(services.timeouts.pauses)
        self.pauses_taken = 0  # since the last doubt began
        self.holder: StandingOperation | None = None
        self.may_be_sent = False
        self.doubts = 0
        self.trouble_reported = False
        self.doubt_reported = False
        self.approval_facts: dict[str, object] = {}
        self.stale = False

    async def run(self) -> str:
        """Carry the operation out and report it; return the state that it ended in."""
        services, tracker = self.services, self.services.tracker
        resumed = services.is_resumed(self.operation)
        tracker.track(self.operation.id, resumed=resumed)
        outcome = (await self._decide()).model_copy(update=self.approval_facts)
        operation = self.operation
        if self.holder:
            await run_step("tell the loser", replies.lost, services, operation, self.holder)
            tracker.forget(operation.id)
            return "lost"
        # From here on nothing may be lost: a key that is not given back would be held for ever.
        outcome = await record_step(
            "conclude", Outcome, write.conclude, services, operation, outcome, self.preflight
        )
        reports = [
            run_step("reply", replies.outcome, services, operation, outcome, self.trouble_reported),
            run_step("redraw", services.cards.redraw, operation.ref),
        ]
        if operation.terms.break_glass_channel:
            announce = replies.announce_break_glass
            reports.append(run_step("announce", announce, services, operation, outcome))
        await _all(reports)
        if outcome.approval_request and outcome.approval_request.id == operation.id:
            await self._let_lapse()
        tracker.forget(operation.id)
        return outcome.state

    async def _let_lapse(self) -> None:
        """Wait until the request that this opened is over; if it still waits then, end it."""
        services, operation = self.services, self.operation
        with services.tracker.waiting():
            await DBOS.sleep_async(operation.terms.expires)
        lapsed = await record_step("lapse", Outcome, preflight.lapse, services, operation)
        if request := lapsed.ended_request:
            await _all(
                [
                    run_step("say that it lapsed", replies.lapsed, services, operation, request),
                    run_step("redraw lapsed", services.cards.redraw, operation.ref),
                ]
            )

    async def _decide(self) -> Outcome:
        """Return the outcome; never raises but for what DBOS itself must see."""
        try:
            return (
                await self._run_preflight()
                or await self._upload_file()
                or await self._leave_attribution()
                or await self._write(WriteKind.ACTION)
            )
        except Exception as error:
            exhausted = isinstance(error, RETRIES_EXHAUSTED)
            if isinstance(error, dbos_error.DBOSException) and not exhausted:
                raise  # DBOS's own affair: the workflow is no longer ours
            log.exception("operation failed", extra={"reference": self.operation.reference})
            return Outcome(
                state=OperationState.UNKNOWN if self.may_be_sent else OperationState.FAILED,
                reason_code=OutcomeReason.OWN_FAULT,
                code=type(error).__name__,
            )

    async def _run_preflight(self) -> Outcome | None:
        """Read and take the key, once SecMaster answers; return why it can't be done, if so."""
        while True:
            result = await self._step("prepare", PreflightResult, preflight.run)
            self.holder = result.holder
            if result.preflight.card_ts:
                self._take_over(result)
            if result.result is None:
                self.stale = False
                return None
            if not await self._try_again(result.result):
                return result.result.outcome

    def _take_over(self, result: PreflightResult) -> None:
        """Keep what the preflight found out: where the card is, and who else approved."""
        self.preflight = result.preflight
        self.approval_facts = {
            "ended_request": result.ended_request,
            "outdated_approvals": result.outdated_approvals,
        }
        location = self.operation.location.model_copy(update={"card": self.preflight.card_ts})
        facts = {"location": location, "co_approvers": result.co_approvers}
        self.operation = self.operation.model_copy(update=facts)

    async def _upload_file(self) -> Outcome | None:
        """Bring the operation's file to SecMaster, if it has one; return why it can't be, if so."""
        while file := self.operation.file:
            result = await self._step("bring the file", UploadResult, attachments.upload, file)
            if result.result is None:
                [name] = [param.name for param in self.action.params if param.file]
                params = self.operation.params | {name: result.attachment_id}
                self.operation = self.operation.model_copy(update={"params": params})
                return None
            if not await self._try_again(result.result):
                return result.result.outcome
        return None

    async def _leave_attribution(self) -> Outcome | None:
        """Leave the comment that names who decides; without it nothing is decided."""
        if not needs_attribution(self.operation):
            return None
        outcome = await self._write(WriteKind.ATTRIBUTION)
        if outcome.state is OperationState.DONE:
            return None
        failure = {
            "state": OperationState.FAILED,
            "reason_code": OutcomeReason.ATTRIBUTION_FAILED,
        }
        return outcome.model_copy(update=failure)

    async def _write(self, kind: WriteKind) -> Outcome:
        """Send; after a doubt read, and send again only where reading did not show it."""
        self.may_be_sent = True
        doubt: UnconfirmedWrite | None = None
        while True:
            if doubt:
                result = await self._verify(kind)
            else:
                stale = self.preflight if self.stale else None
                permalink = self.preflight.permalink
                result = await self._step("send", StepResult, write.send, kind, stale, permalink)
            if result.kind is ResultKind.FINAL:
                return await self._confirm(kind, result)
            if result.kind is ResultKind.IN_DOUBT and doubt is None:
                self.doubts, self.pauses_taken = self.doubts + 1, 0
                if self.doubts > 1:  # this is more than one answer lost on its way
                    await self._report(result)
                doubt = UnconfirmedWrite(result)
                continue
            pause = await self._pause(result)
            if pause is None:
                return result.outcome
            if doubt:
                doubt.waited += pause
                if doubt.waited >= WORTH_REPORTING:
                    await self._report(doubt.cause)
                not_there = result.kind is ResultKind.NOT_VISIBLE
                if not_there and doubt.waited >= self.services.timeouts.settle:
                    doubt = None  # looked for in vain for long enough: it may be sent again

    async def _confirm(self, kind: WriteKind, result: StepResult) -> Outcome:
        """Check a refusal by reading after a doubt: it may answer what has already been done."""
        if not self.doubts or result.outcome.state is not OperationState.FAILED:
            return result.outcome
        verified = await self._verify(kind)
        return result.outcome if verified.kind is ResultKind.NOT_VISIBLE else verified.outcome

    async def _verify(self, kind: WriteKind) -> StepResult:
        return await self._step("read again", StepResult, write.verify, kind, self.preflight)

    async def _try_again(self, result: StepResult) -> bool:
        """Return whether to try a step again, after a pause: not once its result is final."""
        return result.kind is not ResultKind.FINAL and await self._pause(result) is not None

    async def _pause(self, result: StepResult) -> float | None:
        """Wait before the next attempt, longer each time; None when none is left.

        A write that does not show yet is no trouble worth reporting: the next read may show it.
        """
        if not self.attempts_left:
            return None
        if result.kind is not ResultKind.NOT_VISIBLE:
            await self._report(result)
        pause = max(self.services.timeouts.pauses[self.pauses_taken], result.retry_after)
        self.attempts_left, self.pauses_taken = self.attempts_left - 1, self.pauses_taken + 1
        self.stale = True
        with self.services.tracker.waiting():
            await DBOS.sleep_async(pause)
        return pause

    async def _report(self, result: StepResult) -> None:
        """Tell the thread of trouble, once, and of a doubt even after other trouble."""
        in_doubt = result.outcome.state is OperationState.UNKNOWN
        if self.trouble_reported and (self.doubt_reported or not in_doubt):
            return
        self.trouble_reported, self.doubt_reported = True, self.doubt_reported or in_doubt
        operation, outcome = self.operation, result.outcome
        await run_step("tell of trouble", replies.still_trying, self.services, operation, outcome)

    async def _step(
        self, name: str, kind: type[V], step: Callable[..., Awaitable[V]], *args: object
    ) -> V:
        """Run a step on the operation as it is now, counted where the operation was resumed."""

        async def counted() -> V:
            self.services.tracker.count_step(self.operation.id)
            return await step(self.services, self.operation, *args)

        return await record_step(name, kind, counted)


async def _all(reports: Sequence[Awaitable[None]]) -> None:
    """Await them all; one that fails must not leave the others to themselves."""
    for error in filter(None, await asyncio.gather(*reports, return_exceptions=True)):
        raise error
