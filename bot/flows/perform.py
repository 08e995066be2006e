"""One action, from its record to its thread: written once, told once, whatever dies on the way.

The order is fixed: look, take the key, leave the reason, write, read again where in doubt,
write down what happened, then answer in the thread and redraw the cards side by side.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from dbos import DBOS, SetWorkflowID
from dbos import error as dbos_error

from bot.actions import BY_NAME
from bot.flows import telling, writing
from bot.flows.desk import desk
from bot.flows.posting import UNTIL_HEARD
from bot.flows.writing import Answer, Kind, Prepared, Sight, Write
from bot.models import Operation, Outcome, State, Value, Verdict

log = logging.getLogger(__name__)

V = TypeVar("V", bound=Value)


async def accept(operation: Operation) -> None:
    """Record an operation durably: once this returns it will be carried out, crash or not.

    The same id again is the same operation, and does nothing more.
    """
    with SetWorkflowID(operation.id):
        await DBOS.start_workflow_async(perform, operation.model_dump(mode="json"))


@DBOS.workflow()
async def perform(recorded: dict[str, Any]) -> str:
    """Carry out one recorded operation, and return how it ended."""
    desk().begin()
    course = Course(Operation.model_validate(recorded))
    outcome = await course.run()
    operation = course.operation
    if course.holder:
        await _do("tell the loser", telling.lost, operation, course.holder)
        return "lost"
    # Writing it down twice is writing it down once, so this needs no record of its own.
    await asyncio.to_thread(desk().store.conclude, operation, outcome, desk().clock())
    told = await asyncio.gather(
        _do("reply", telling.outcome, operation, outcome),
        _do("redraw", telling.redraw, operation.ref),
        return_exceptions=True,  # one that fails must not leave the other to itself
    )
    for error in filter(None, told):
        raise error
    return outcome.state


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
        self.noticed = False
        self.stale = False

    async def run(self) -> Outcome:
        """Return the outcome; never raises but for what DBOS itself must see."""
        try:
            return await self._settle()
        except dbos_error.DBOSException:
            raise
        except Exception as error:
            log.exception("operation failed", extra={"reference": self.operation.reference})
            state = State.UNKNOWN if self.sent else State.FAILED
            return Outcome(state=state, trouble="own_fault", code=type(error).__name__)

    async def _settle(self) -> Outcome:
        refusal = await self._prepare()
        if refusal:
            return refusal
        if self.operation.reason and self.operation.ref.noun == "task":
            noted = await self._write(Write.REASON)
            if noted.state is not State.DONE:
                return noted.model_copy(
                    update={"state": State.FAILED, "trouble": "reason_not_left"}
                )
        return await self._write(Write.ACTION)

    async def _prepare(self) -> Outcome | None:
        """Look and take the key, once SecMaster answers; return why it can't be done, if so."""
        while True:
            prepared = await self._ask("prepare", Prepared, writing.prepare)
            self.holder = prepared.holder
            if prepared.answer is None:
                self._found(prepared.sight)
                self.stale = False
                return None
            if prepared.answer.kind is Kind.SETTLED or not await self._pause(prepared.answer):
                return prepared.answer.outcome

    async def _write(self, write: Write) -> Outcome:
        """Send; after a doubt read, and send again only when reading did not find it."""
        self.sent = True
        doubt, unchanged, doubts = False, 0, 0
        while True:
            answer = await self._ask_once(write, doubt=doubt)
            if answer.kind is Kind.SETTLED:
                return answer.outcome
            if answer.kind is Kind.DOUBT and not doubt:
                doubt, unchanged, self.spell, doubts = True, 0, 0, doubts + 1
                if doubts > 1:  # the first may be one lost answer, which reading soon settles
                    await self._tell(answer)
                continue
            if answer.kind is Kind.UNCHANGED:
                unchanged += 1
                doubt = unchanged < desk().patience.trust
            if not await self._pause(answer):
                return answer.outcome

    async def _ask_once(self, write: Write, *, doubt: bool) -> Answer:
        if doubt:
            return await self._ask("read again", Answer, writing.reread, write, self.before)
        return await self._ask("send", Answer, writing.send, write, self.stale)

    async def _pause(self, answer: Answer) -> bool:
        """Wait before the next round, longer each time; False when patience is used up.

        That a write does not show yet is no trouble worth telling: the next rounds will tell.
        """
        if not self.rounds:
            return False
        if answer.kind is not Kind.UNCHANGED:
            await self._tell(answer)
        pause = max(desk().patience.pauses[self.spell], answer.wait)
        self.rounds, self.spell = self.rounds - 1, self.spell + 1
        self.stale = True
        with desk().resting():
            await DBOS.sleep_async(pause)
        return True

    async def _tell(self, answer: Answer) -> None:
        """Tell the thread of trouble, once."""
        if not self.noticed:
            self.noticed = True
            await _do("tell of trouble", telling.trouble, self.operation, answer.outcome)

    async def _ask(
        self, name: str, kind: type[V], step: Callable[..., Awaitable[V]], *args: object
    ) -> V:
        """Run a step once for ever: after a crash its recorded answer stands.

        Plain JSON is recorded, so that the next version can read it.
        """

        async def recorded() -> dict[str, Any]:
            desk().reach(self.operation)
            return (await step(self.operation, *args)).model_dump(mode="json")

        answer = await DBOS.run_step_async({"name": name, **UNTIL_HEARD}, recorded)
        return kind.model_validate(answer)

    def _found(self, sight: Sight) -> None:
        self.before = sight
        place = self.operation.place.model_copy(update={"card": sight.card})
        self.operation = self.operation.model_copy(update={"place": place})


async def _do(name: str, step: Callable[..., Awaitable[None]], *args: object) -> None:
    """Run a step that tells somebody something, again while Slack is in trouble."""

    async def recorded() -> None:
        await step(*args)

    await DBOS.run_step_async({"name": name, **UNTIL_HEARD}, recorded)
