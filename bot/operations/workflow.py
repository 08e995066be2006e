"""One action, from its record to its thread: written once, told once, whatever dies on the way.

The order is fixed: look, take the key, bring the file, leave the reason, write, read again where
in doubt, write down what happened, then answer in the thread and redraw the cards side by side.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from dbos import DBOS, SetWorkflowID, StepOptions
from dbos import error as dbos_error
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.domain.actions import BY_NAME, needs_attribution
from bot.domain.objects import Value
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.reasons import OutcomeReason
from bot.operations import attachments, preflight, replies, write
from bot.operations.attachments import UploadResult
from bot.operations.step_results import Preflight, PreflightResult, ResultKind, StepResult
from bot.operations.write import WriteKind
from bot.secmaster import Refused, SecMasterError
from bot.services import services
from bot.slack import cards
from bot.slack.gateway import SlackFailed

log = logging.getLogger(__name__)

WORTH_TELLING = 5.0  # seconds
RETRIES_EXHAUSTED = dbos_error.DBOSMaxStepRetriesExceeded
V = TypeVar("V", bound=Value)


async def _passes(error: BaseException) -> bool:
    """Whether a step should be tried again: Slack, SecMaster or the database may come back."""
    if isinstance(error, SlackFailed):
        return error.is_temporary
    if isinstance(error, SecMasterError):
        return not isinstance(error, Refused)
    return isinstance(error, OperationalError | InterfaceError | PoolTimeout)


# About an hour in all: an answer outlives an outage of Slack, and a restart of ours as well.
RETRY_OPTIONS: StepOptions = {
    "retries_allowed": True,
    "interval_seconds": 1,
    "backoff_rate": 1.5,
    "max_attempts": 20,
    "should_retry": _passes,
}


async def start(operation: Operation) -> None:
    """Record an operation durably: once this returns it will be carried out, crash or not.

    The same id again is the same operation, and does nothing more.
    """
    with SetWorkflowID(operation.id):
        await DBOS.start_workflow_async(perform, operation.model_dump(mode="json"))


@DBOS.workflow(name="perform")
async def perform(recorded: dict[str, Any]) -> str:
    """Carry out one recorded operation, and return how it ended."""
    course = OperationRunner(Operation.model_validate(recorded))
    services().track(course.operation)
    outcome = (await course.run()).model_copy(update=course.aside)
    operation = course.operation
    if course.holder:
        await _do("tell the loser", replies.lost, operation, course.holder)
        services().forget(operation)
        return "lost"
    # From here on nothing may be lost: a key that is not given back would be held for ever.
    ended = await _told("conclude", write.conclude, operation, outcome, course.before)
    outcome = ended or outcome
    await _side_by_side(
        _do("reply", replies.outcome, operation, outcome, course.noticed),
        _do("redraw", cards.redraw, operation.ref),
        *(
            [_do("announce", replies.announce, operation, outcome)]
            if operation.terms.break_glass_channel
            else []
        ),
    )
    if outcome.approval_request and outcome.approval_request.id == operation.id:
        await _lapse(operation)
    services().forget(operation)
    return outcome.state


async def _lapse(operation: Operation) -> None:
    """Wait until the ballot that this opened is over; if it still waits then, end it and say so."""
    with services().waiting():
        await DBOS.sleep_async(operation.terms.expires)
    lapsed = await _told("lapse", preflight.lapse, operation)
    if lapsed and lapsed.ended_request:
        await _side_by_side(
            _do("say that it lapsed", replies.lapsed, operation, lapsed.ended_request),
            _do("redraw lapsed", cards.redraw, operation.ref),
        )


async def _side_by_side(*saying: Awaitable[None]) -> None:
    """Await them all; one that fails must not leave the others to themselves."""
    for error in filter(None, await asyncio.gather(*saying, return_exceptions=True)):
        raise error


@dataclass(slots=True)
class UnconfirmedWrite:
    """A write whose fate nobody knows: how that came about, and for how long it was looked for."""

    cause: StepResult
    waited: float = 0


class OperationRunner:
    """The way of one operation to its outcome, in as many rounds as SecMaster's health asks for.

    Nothing here may depend on the clock or the process: after a crash it runs again from the
    start, over the answers that its steps recorded.
    """

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.action = BY_NAME[operation.action]
        self.before = Preflight(card_ts=operation.location.card)
        self.rounds = len(services().timeouts.pauses)
        self.spell = 0
        self.holder: StandingOperation | None = None
        self.sent = False
        self.doubts = 0
        self.noticed = False
        self.doubted = False
        self.aside: dict[str, object] = {}
        self.stale = False

    async def run(self) -> Outcome:
        """Return the outcome; never raises but for what DBOS itself must see."""
        try:
            return await self._settle()
        except Exception as error:
            if isinstance(error, dbos_error.DBOSException) and not isinstance(
                error, RETRIES_EXHAUSTED
            ):
                raise  # DBOS's own affair: the flow is no longer ours
            log.exception("operation failed", extra={"reference": self.operation.reference})
            state = OperationState.UNKNOWN if self.sent else OperationState.FAILED
            return Outcome(
                state=state, reason_code=OutcomeReason.OWN_FAULT, code=type(error).__name__
            )

    async def _settle(self) -> Outcome:
        refusal = await self._prepare() or await self._bring()
        if refusal:
            return refusal
        if needs_attribution(self.operation):
            noted = await self._write(WriteKind.ATTRIBUTION)
            if noted.state is not OperationState.DONE:
                return noted.model_copy(
                    update={
                        "state": OperationState.FAILED,
                        "reason_code": OutcomeReason.ATTRIBUTION_FAILED,
                    }
                )
        return await self._write(WriteKind.ACTION)

    async def _prepare(self) -> Outcome | None:
        """Look and take the key, once SecMaster answers; return why it can't be done, if so."""
        while True:
            prepared = await self._ask("prepare", PreflightResult, preflight.run)
            self.holder = prepared.holder
            if prepared.preflight.card_ts:
                self._found(prepared)
            if prepared.result is None:
                self.stale = False
                return None
            if (
                prepared.result.kind is ResultKind.FINAL
                or await self._pause(prepared.result) is None
            ):
                return prepared.result.outcome

    async def _bring(self) -> Outcome | None:
        """Have the operation's file brought to SecMaster, if it has one; why it can't be, if so."""
        while file := self.operation.file:
            brought = await self._ask("bring the file", UploadResult, attachments.upload, file)
            if brought.result is None:
                self._uploaded(brought.attachment_id)
                return None
            if brought.result.kind is ResultKind.FINAL or await self._pause(brought.result) is None:
                return brought.result.outcome
        return None

    async def _write(self, kind: WriteKind) -> Outcome:
        """Send; after a doubt read, and send again only when reading did not find it."""
        self.sent = True
        doubt: UnconfirmedWrite | None = None
        while True:
            answer = await self._ask_once(kind, doubt=doubt is not None)
            if answer.kind is ResultKind.FINAL:
                return await self._sure(kind, answer)
            if answer.kind is ResultKind.IN_DOUBT and doubt is None:
                doubt = await self._doubt(answer)
                continue
            pause = await self._pause(answer)
            if pause is None:
                return answer.outcome
            if doubt:
                doubt = await self._look_on(doubt, answer, pause)

    async def _doubt(self, cause: StepResult) -> UnconfirmedWrite:
        self.doubts, self.spell = self.doubts + 1, 0
        if self.doubts > 1:  # this is more than one answer lost on its way
            await self._tell(cause)
        return UnconfirmedWrite(cause)

    async def _look_on(
        self, doubt: UnconfirmedWrite, answer: StepResult, pause: float
    ) -> UnconfirmedWrite | None:
        """Go on doubting; None once the write has been looked for in vain for long enough."""
        doubt.waited += pause
        if doubt.waited >= WORTH_TELLING:
            await self._tell(doubt.cause)
        lost = answer.kind is ResultKind.NOT_VISIBLE and doubt.waited >= services().timeouts.settle
        return None if lost else doubt

    async def _sure(self, kind: WriteKind, answer: StepResult) -> Outcome:
        """After a doubt even a no proves nothing: it may answer what has already been done."""
        if not self.doubts or answer.outcome.state is not OperationState.FAILED:
            return answer.outcome
        seen = await self._ask("read again", StepResult, write.verify, kind, self.before)
        return answer.outcome if seen.kind is ResultKind.NOT_VISIBLE else seen.outcome

    async def _ask_once(self, kind: WriteKind, *, doubt: bool) -> StepResult:
        if doubt:
            return await self._ask("read again", StepResult, write.verify, kind, self.before)
        seen = self.before if self.stale else None
        return await self._ask("send", StepResult, write.send, kind, seen, self.before.permalink)

    async def _pause(self, answer: StepResult) -> float | None:
        """Wait before the next round, longer each time; None when patience is used up.

        That a write does not show yet is no trouble worth telling: the next rounds will tell.
        """
        if not self.rounds:
            return None
        if answer.kind is not ResultKind.NOT_VISIBLE:
            await self._tell(answer)
        pause = max(services().timeouts.pauses[self.spell], answer.retry_after)
        self.rounds, self.spell = self.rounds - 1, self.spell + 1
        self.stale = True
        with services().waiting():
            await DBOS.sleep_async(pause)
        return pause

    async def _tell(self, answer: StepResult) -> None:
        """Tell the thread of trouble, once, and of a doubt even after other trouble."""
        # An operation without a policy's name is older, and was told of no second one.
        doubt = answer.outcome.state is OperationState.UNKNOWN and bool(self.operation.terms.policy)
        if not self.noticed or (doubt and not self.doubted):
            self.noticed, self.doubted = True, self.doubted or doubt
            await _do("tell of trouble", replies.trouble, self.operation, answer.outcome)

    async def _ask(
        self, name: str, kind: type[V], step: Callable[..., Awaitable[V]], *args: object
    ) -> V:
        """Run a step once for ever: after a crash its recorded answer stands.

        Plain JSON is recorded, so that the next version can read it.
        """

        async def recorded() -> dict[str, Any]:
            services().count_step(self.operation)
            return (await step(self.operation, *args)).model_dump(mode="json")

        answer = await DBOS.run_step_async({"name": name, **RETRY_OPTIONS}, recorded)
        return kind.model_validate(answer)

    def _found(self, prepared: PreflightResult) -> None:
        """Take over what the look showed: where the card is, and who else said yes."""
        self.before = prepared.preflight
        self.aside = {
            "ended_request": prepared.ended_request,
            "outdated_approvals": prepared.outdated_approvals,
        }
        place = self.operation.location.model_copy(update={"card": self.before.card_ts})
        known = {"location": place, "co_approvers": prepared.co_approvers}
        self.operation = self.operation.model_copy(update=known)

    def _uploaded(self, attachment_id: str) -> None:
        [name] = [param.name for param in self.action.params if param.file]
        params = self.operation.params | {name: attachment_id}
        self.operation = self.operation.model_copy(update={"params": params})


async def _do(name: str, step: Callable[..., Awaitable[None]], *args: object) -> None:
    """Run a step that tells somebody something, again while Slack is in trouble."""

    async def recorded() -> None:
        await step(*args)

    await DBOS.run_step_async({"name": name, **RETRY_OPTIONS}, recorded)


async def _told(
    name: str, step: Callable[..., Awaitable[Outcome]], *args: object
) -> Outcome | None:
    """Run a step that says how something ended; what an older version recorded of it is None."""

    async def recorded() -> dict[str, Any]:
        return (await step(*args)).model_dump(mode="json")

    kept = await DBOS.run_step_async({"name": name, **RETRY_OPTIONS}, recorded)
    return Outcome.model_validate(kept) if kept else None
