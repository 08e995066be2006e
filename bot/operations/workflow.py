"""Carry out recorded operations: each written once and reported once, whatever dies on the way.

``transitions`` says what follows what; here each effect is carried out, as a durable step.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar, assert_never

import structlog
from dbos import DBOS, SetWorkflowID, WorkflowHandleAsync
from dbos import error as dbos_error

from bot.domain.operations import Operation, OperationState, Outcome
from bot.operations import attachments, preflight, replies, transitions, write
from bot.operations.step_results import (
    PreflightResult,
    ResultKind,
    StepResult,
    UploadResult,
    ended,
)
from bot.operations.steps import (
    ran_before,
    record_step,
    run_side_by_side,
    run_step,
    under_name,
)
from bot.operations.traces import OperationTrace
from bot.operations.transitions import WRITES, Effect, State
from bot.services import Services
from bot.slack.gateway import SlackFailed
from bot.store import is_database_fault
from bot.store.workflows import OPERATION

log = logging.getLogger(__name__)

RETRIES_EXHAUSTED = dbos_error.DBOSMaxStepRetriesExceeded
# From here on nothing may be lost: a key that is not given back would be held for ever.
CONCLUDED = (Effect.CONCLUDE, Effect.REPORT, Effect.LAPSE)
R = TypeVar("R", bound=StepResult)


class Operations:
    """Starts operations, each as a durable workflow.

    Made anew at each start, before DBOS is launched: a workflow that was pending goes on with the
    services of the new process.
    """

    def __init__(self, services: Services) -> None:
        @DBOS.workflow(name=OPERATION)
        async def perform(recorded: dict[str, Any]) -> str:
            operation = Operation.model_validate(recorded)
            begun_before = not services.tracker.take_start(operation.id)
            resumed = begun_before or services.is_resumed(operation)
            with structlog.contextvars.bound_contextvars(operation=operation.id):
                async with services.tracker.run(operation.id, resumed=resumed):
                    with under_name(services):
                        return await OperationRunner(services).run(operation)

        self._perform = perform
        self._tracker = services.tracker

    async def start(self, operation: Operation) -> WorkflowHandleAsync[str]:
        """Record an operation durably: once this returns it will be carried out, crash or not.

        The same id again is the same operation, and does nothing more. The handle is that of its
        workflow.
        """
        recorded = operation.model_dump(mode="json")
        with SetWorkflowID(operation.id), self._tracker.starting(operation.id):
            return await DBOS.start_workflow_async(self._perform, recorded)


class OperationRunner:
    """Carries out the effects of one operation's states.

    Nothing here may depend on the clock or the process: after a crash it runs again from the
    start, over the results that its steps recorded.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.trace = OperationTrace(services)

    async def run(self, operation: Operation) -> str:
        """Carry the operation out and report it; return the state that it ended in."""
        self.trace.begin(operation)
        state = transitions.start(operation)
        while state.effect is not Effect.END:
            try:
                await self._wait(state)
                result = await self._carry_out(state)
                state = transitions.next_state(state, result)
                if state.effect is Effect.CONCLUDE and result.conclusion:
                    state = transitions.next_state(state, _concluded(result.conclusion))
            except Exception as error:
                exhausted = isinstance(error, RETRIES_EXHAUSTED)
                if isinstance(error, dbos_error.DBOSException) and not exhausted:
                    raise  # DBOS's own affair: the workflow is no longer ours
                if state.effect in CONCLUDED or is_database_fault(error):
                    raise
                log.exception("operation failed", extra={"reference": operation.reference})
                state = transitions.interrupted(state, type(error).__name__)
        return state.result.outcome.state

    async def _wait(self, state: State) -> None:
        """Tell the thread of trouble, and wait before the state's effect."""
        services = self.services
        if state.notice:
            still_trying = replies.still_trying
            await run_step(
                services, "tell of trouble", still_trying, services, state.operation, state.notice
            )
        if state.pause:
            self.trace.attempts += state.effect is not Effect.LAPSE
            with services.tracker.waiting():
                await DBOS.sleep_async(state.pause)

    async def _carry_out(self, state: State) -> StepResult:
        """Carry out the state's effect, as durable steps."""
        facts = state.preflight
        result: StepResult
        match state.effect:
            case Effect.PREFLIGHT:
                result = await self._step("prepare", PreflightResult, state, preflight.run)
            case Effect.UPLOAD:
                upload = attachments.upload
                result = await self._step("bring the file", UploadResult, state, upload)
            case Effect.ATTRIBUTE | Effect.WRITE:
                stale = facts if state.outdated else None
                kind = WRITES[state.effect]
                result = await self._step("send", StepResult, state, write.send, kind, stale)
            case Effect.VERIFY:
                verify = write.verify
                result = await self._step(
                    "read again", StepResult, state, verify, state.write, facts
                )
            case Effect.CONCLUDE:
                result = await self._conclude(state)
            case Effect.REPORT:
                result = await self._report(state)
            case Effect.LAPSE:
                result = await self._lapse(state)
            case Effect.END:
                raise ValueError("nothing is left to be done")
            case _:
                assert_never(state.effect)
        return result

    async def _conclude(self, state: State) -> StepResult:
        """Record the outcome in a step of its own, where the step before broke off."""
        services = self.services
        conclusion = await record_step(
            services, "conclude", Outcome, write.conclude, services, state
        )
        return _concluded(conclusion)

    async def _report(self, state: State) -> StepResult:
        """Answer, redraw and announce side by side."""
        services, operation, outcome = self.services, state.operation, state.result.outcome
        if isinstance(state.result, PreflightResult) and state.result.holder:
            name = "tell the loser"
            effects = [partial(replies.lost, services, operation, state.result.holder)]
        else:
            name, thread_knows = "report", bool(state.reported)
            effects = [
                partial(replies.outcome, services, operation, outcome, thread_knows),
                partial(replies.redraw, services, operation, state.result),
            ]
            if operation.terms.break_glass_channel:
                announce = replies.announce_break_glass
                effects.append(partial(announce, services, operation, outcome))
            offers = outcome.state is OperationState.COUNTED and outcome.approval_request
            if offers and operation.terms.break_glass_allowed and not operation.batch_ts:
                effects.append(partial(replies.offer_override, services, operation, outcome))
        try:
            await run_side_by_side(services, name, self.trace.tell, *effects)
        except (RETRIES_EXHAUSTED, SlackFailed):
            self.trace.end(operation, outcome)
            raise
        self.trace.end(operation, outcome)
        return StepResult(kind=ResultKind.DONE, outcome=outcome)

    async def _lapse(self, state: State) -> StepResult:
        """End the approval request that the operation opened, if it still waits."""
        services, operation = self.services, state.operation
        lapsed = await record_step(services, "lapse", Outcome, preflight.lapse, services, operation)
        if request := lapsed.ended_request:
            log.info("approval request lapsed", extra={"operation": operation.id})
            await run_side_by_side(
                services,
                "report the lapse",
                partial(replies.lapsed, services, operation, request),
                partial(replies.redraw, services, operation, state.result),
            )
        return StepResult(kind=ResultKind.DONE, outcome=state.result.outcome)

    async def _step(
        self,
        name: str,
        kind: type[R],
        state: State,
        step: Callable[..., Awaitable[R]],
        *args: object,
    ) -> R:
        """Run a step on the operation as it is now, counted where the operation was resumed.

        A result that ends the operation is concluded in the same step: each recorded step costs
        two transactions, and an answer waits for them.
        """
        services, operation = self.services, state.operation

        async def concluded() -> R:
            if not ran_before():
                services.tracker.count_step(operation.id)
            resumed = services.tracker.may_have_run(operation.id)
            end = await write.recorded_end(services, operation) if resumed else None
            # What has ended must not go on from here: its key is free, and may be another's.
            result = ended(kind, end) if end else await step(services, operation, *args)
            self.trace.note(result)
            result = result.model_copy(update={"at": services.clock.now(), "resumed": resumed})
            following = transitions.next_state(state, result)
            if following.effect is not Effect.CONCLUDE:
                return result
            conclusion = await write.conclude(services, following)
            return result.model_copy(update={"conclusion": conclusion})

        return await record_step(services, name, kind, concluded)


def _concluded(conclusion: Outcome) -> StepResult:
    return StepResult(kind=ResultKind.DONE, outcome=conclusion)
