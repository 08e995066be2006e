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

from bot.domain.actions import BY_NAME, attributed
from bot.domain.models import Operation, Outcome, State, Value, Verdict
from bot.operations import attachments, preflight, replies, write
from bot.operations.attachments import Brought
from bot.operations.step_results import Answer, Kind, Prepared, Sight
from bot.operations.write import Write
from bot.secmaster import Refused, SecMasterError
from bot.services import desk
from bot.slack import cards
from bot.slack.gateway import SlackTrouble

log = logging.getLogger(__name__)

WORTH_TELLING = 5.0  # seconds
SPENT = dbos_error.DBOSMaxStepRetriesExceeded
V = TypeVar("V", bound=Value)


async def _passes(error: BaseException) -> bool:
    """Whether a step should be tried again: Slack, SecMaster or the database may come back."""
    if isinstance(error, SlackTrouble):
        return error.passes
    if isinstance(error, SecMasterError):
        return not isinstance(error, Refused)
    return isinstance(error, OperationalError | InterfaceError | PoolTimeout)


# About an hour in all: an answer outlives an outage of Slack, and a restart of ours as well.
UNTIL_DONE: StepOptions = {
    "retries_allowed": True,
    "interval_seconds": 1,
    "backoff_rate": 1.5,
    "max_attempts": 20,
    "should_retry": _passes,
}


async def accept(operation: Operation) -> None:
    """Record an operation durably: once this returns it will be carried out, crash or not.

    The same id again is the same operation, and does nothing more.
    """
    with SetWorkflowID(operation.id):
        await DBOS.start_workflow_async(perform, operation.model_dump(mode="json"))


@DBOS.workflow(name="perform")
async def perform(recorded: dict[str, Any]) -> str:
    """Carry out one recorded operation, and return how it ended."""
    course = Course(Operation.model_validate(recorded))
    desk().begin(course.operation)
    outcome = (await course.run()).model_copy(update=course.aside)
    operation = course.operation
    if course.holder:
        await _do("tell the loser", replies.lost, operation, course.holder)
        desk().finish(operation)
        return "lost"
    # From here on nothing may be lost: a key that is not given back would be held for ever.
    ended = await _told("conclude", write.conclude, operation, outcome, course.before)
    outcome = ended or outcome
    await _side_by_side(
        _do("reply", replies.outcome, operation, outcome, course.noticed),
        _do("redraw", cards.redraw, operation.ref),
        *([_do("announce", replies.announce, operation, outcome)] if operation.terms.glass else []),
    )
    if outcome.ballot and outcome.ballot.id == operation.id:
        await _lapse(operation)
    desk().finish(operation)
    return outcome.state


async def _lapse(operation: Operation) -> None:
    """Wait until the ballot that this opened is over; if it still waits then, end it and say so."""
    with desk().resting():
        await DBOS.sleep_async(operation.terms.expires)
    lapsed = await _told("lapse", preflight.lapse, operation)
    if lapsed and lapsed.ended:
        await _side_by_side(
            _do("say that it lapsed", replies.lapsed, operation, lapsed.ended),
            _do("redraw lapsed", cards.redraw, operation.ref),
        )


async def _side_by_side(*saying: Awaitable[None]) -> None:
    """Await them all; one that fails must not leave the others to themselves."""
    for error in filter(None, await asyncio.gather(*saying, return_exceptions=True)):
        raise error


@dataclass(slots=True)
class Doubt:
    """A write whose fate nobody knows: how that came about, and for how long it was looked for."""

    cause: Answer
    waited: float = 0


class Course:
    """The way of one operation to its outcome, in as many rounds as SecMaster's health asks for.

    Nothing here may depend on the clock or the process: after a crash it runs again from the
    start, over the answers that its steps recorded.
    """

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.action = BY_NAME[operation.action]
        self.before = Sight(card=operation.place.card)
        self.rounds = len(desk().patience.pauses)
        self.spell = 0
        self.holder: Verdict | None = None
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
            if isinstance(error, dbos_error.DBOSException) and not isinstance(error, SPENT):
                raise  # DBOS's own affair: the flow is no longer ours
            log.exception("operation failed", extra={"reference": self.operation.reference})
            state = State.UNKNOWN if self.sent else State.FAILED
            return Outcome(state=state, trouble="own_fault", code=type(error).__name__)

    async def _settle(self) -> Outcome:
        refusal = await self._prepare() or await self._bring()
        if refusal:
            return refusal
        if attributed(self.operation):
            noted = await self._write(Write.REASON)
            if noted.state is not State.DONE:
                return noted.model_copy(
                    update={"state": State.FAILED, "trouble": "reason_not_left"}
                )
        return await self._write(Write.ACTION)

    async def _prepare(self) -> Outcome | None:
        """Look and take the key, once SecMaster answers; return why it can't be done, if so."""
        while True:
            prepared = await self._ask("prepare", Prepared, preflight.prepare)
            self.holder = prepared.holder
            if prepared.sight.card:
                self._found(prepared)
            if prepared.answer is None:
                self.stale = False
                return None
            if prepared.answer.kind is Kind.SETTLED or await self._pause(prepared.answer) is None:
                return prepared.answer.outcome

    async def _bring(self) -> Outcome | None:
        """Have the operation's file brought to SecMaster, if it has one; why it can't be, if so."""
        while file := self.operation.file:
            brought = await self._ask("bring the file", Brought, attachments.bring, file)
            if brought.answer is None:
                self._uploaded(brought.attachment_id)
                return None
            if brought.answer.kind is Kind.SETTLED or await self._pause(brought.answer) is None:
                return brought.answer.outcome
        return None

    async def _write(self, kind: Write) -> Outcome:
        """Send; after a doubt read, and send again only when reading did not find it."""
        self.sent = True
        doubt: Doubt | None = None
        while True:
            answer = await self._ask_once(kind, doubt=doubt is not None)
            if answer.kind is Kind.SETTLED:
                return await self._sure(kind, answer)
            if answer.kind is Kind.DOUBT and doubt is None:
                doubt = await self._doubt(answer)
                continue
            pause = await self._pause(answer)
            if pause is None:
                return answer.outcome
            if doubt:
                doubt = await self._look_on(doubt, answer, pause)

    async def _doubt(self, cause: Answer) -> Doubt:
        self.doubts, self.spell = self.doubts + 1, 0
        if self.doubts > 1:  # this is more than one answer lost on its way
            await self._tell(cause)
        return Doubt(cause)

    async def _look_on(self, doubt: Doubt, answer: Answer, pause: float) -> Doubt | None:
        """Go on doubting; None once the write has been looked for in vain for long enough."""
        doubt.waited += pause
        if doubt.waited >= WORTH_TELLING:
            await self._tell(doubt.cause)
        lost = answer.kind is Kind.UNCHANGED and doubt.waited >= desk().patience.trust
        return None if lost else doubt

    async def _sure(self, kind: Write, answer: Answer) -> Outcome:
        """After a doubt even a no proves nothing: it may answer what has already been done."""
        if not self.doubts or answer.outcome.state is not State.FAILED:
            return answer.outcome
        seen = await self._ask("read again", Answer, write.reread, kind, self.before)
        return answer.outcome if seen.kind is Kind.UNCHANGED else seen.outcome

    async def _ask_once(self, kind: Write, *, doubt: bool) -> Answer:
        if doubt:
            return await self._ask("read again", Answer, write.reread, kind, self.before)
        seen = self.before if self.stale else None
        return await self._ask("send", Answer, write.send, kind, seen, self.before.permalink)

    async def _pause(self, answer: Answer) -> float | None:
        """Wait before the next round, longer each time; None when patience is used up.

        That a write does not show yet is no trouble worth telling: the next rounds will tell.
        """
        if not self.rounds:
            return None
        if answer.kind is not Kind.UNCHANGED:
            await self._tell(answer)
        pause = max(desk().patience.pauses[self.spell], answer.wait)
        self.rounds, self.spell = self.rounds - 1, self.spell + 1
        self.stale = True
        with desk().resting():
            await DBOS.sleep_async(pause)
        return pause

    async def _tell(self, answer: Answer) -> None:
        """Tell the thread of trouble, once, and of a doubt even after other trouble."""
        # An operation without a policy's name is older, and was told of no second one.
        doubt = answer.outcome.state is State.UNKNOWN and bool(self.operation.terms.policy)
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
            desk().reach(self.operation)
            return (await step(self.operation, *args)).model_dump(mode="json")

        answer = await DBOS.run_step_async({"name": name, **UNTIL_DONE}, recorded)
        return kind.model_validate(answer)

    def _found(self, prepared: Prepared) -> None:
        """Take over what the look showed: where the card is, and who else said yes."""
        self.before = prepared.sight
        self.aside = {"ended": prepared.ended, "outdated": prepared.outdated}
        place = self.operation.place.model_copy(update={"card": self.before.card})
        known = {"place": place, "backing": prepared.backing}
        self.operation = self.operation.model_copy(update=known)

    def _uploaded(self, attachment_id: str) -> None:
        [name] = [param.name for param in self.action.needs if param.file]
        params = self.operation.params | {name: attachment_id}
        self.operation = self.operation.model_copy(update={"params": params})


async def _do(name: str, step: Callable[..., Awaitable[None]], *args: object) -> None:
    """Run a step that tells somebody something, again while Slack is in trouble."""

    async def recorded() -> None:
        await step(*args)

    await DBOS.run_step_async({"name": name, **UNTIL_DONE}, recorded)


async def _told(
    name: str, step: Callable[..., Awaitable[Outcome]], *args: object
) -> Outcome | None:
    """Run a step that says how something ended; what an older version recorded of it is None."""

    async def recorded() -> dict[str, Any]:
        return (await step(*args)).model_dump(mode="json")

    kept = await DBOS.run_step_async({"name": name, **UNTIL_DONE}, recorded)
    return Outcome.model_validate(kept) if kept else None
