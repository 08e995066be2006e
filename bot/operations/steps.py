"""Durable steps: run once for ever, recorded as plain JSON, tried again while trouble may pass."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from dbos import DBOS, StepOptions

from bot.domain.objects import Value
from bot.domain.operations import Operation
from bot.operations.unfinished import BrokenOff
from bot.secmaster import Refused, SecMasterError
from bot.services import Services
from bot.slack.error_codes import SlackErrorKind
from bot.slack.gateway import SlackFailed
from bot.store import is_database_fault

log = logging.getLogger(__name__)

V = TypeVar("V", bound=Value)
R = TypeVar("R")


def _may_pass(error: BaseException) -> bool:
    """Return whether Slack or SecMaster may answer when they are asked again.

    After a fault of the database the whole workflow is taken up again: see `unfinished`.
    """
    if isinstance(error, SlackFailed):
        return error.is_temporary
    return isinstance(error, SecMasterError) and not isinstance(error, Refused)


async def _should_retry(error: BaseException) -> bool:
    return _may_pass(error)


def without_traceback(record: logging.LogRecord) -> bool:
    """Make one line of DBOS's record that a step is tried again, where what failed may pass."""
    error = record.exc_info[1] if record.exc_info else None
    if error and _may_pass(error):
        record.exc_info, record.error = None, str(error)
    return True


# About an hour in all: an answer outlives an outage of Slack, and a restart of ours as well.
RETRY_OPTIONS: StepOptions = {
    "retries_allowed": True,
    "interval_seconds": 1,
    "backoff_rate": 1.5,
    "max_attempts": 20,
    "should_retry": _should_retry,
}


# What the replica's name was held by when the current workflow began to run; None outside of one.
_name_hold: ContextVar[object | None] = ContextVar("name_hold", default=None)
# Whether the current step runs for another time within one attempt of DBOS's, which knows nothing
# of that.
_runs_again: ContextVar[bool] = ContextVar("runs_again", default=False)


@contextmanager
def under_name(services: Services) -> Iterator[None]:
    """Run a workflow in this block under the replica's name as it is held now.

    Raises BrokenOff where another process may have the name.
    """
    check_name(services)
    outer = _name_hold.set(services.name_hold())
    try:
        yield
    finally:
        _name_hold.reset(outer)


def check_name(services: Services) -> None:
    """Raise BrokenOff where another process may have this one's name, and its workflows.

    Also where that was so since the workflow began to run here: it may have been carried out
    elsewhere by then, so it has to begin again as one that was resumed.
    """
    hold, first_hold = services.name_hold(), _name_hold.get()
    if hold is None or (first_hold is not None and hold is not first_hold):
        log.warning("a workflow is broken off", extra={"error": "the replica's name is not ours"})
        raise BrokenOff


async def _while_token_lasts(services: Services, run: Callable[[], Awaitable[R]]) -> R:
    """Return what a step returns, which waits for as long as Slack refuses our token.

    Somebody has to mend that: the attempts that a step has would be spent by then.
    Raises BrokenOff where another process may have this one's name, and its workflows.
    """
    first_run = _runs_again.set(False)
    try:
        while True:
            check_name(services)
            try:
                return await run()
            except SlackFailed as error:
                if error.kind is not SlackErrorKind.TOKEN_REFUSED:
                    raise
            _runs_again.set(True)
            with services.tracker.waiting():
                await services.slack.token.until_accepted()
    finally:
        _runs_again.reset(first_run)


async def record_step(
    services: Services,
    name: str,
    kind: type[V],
    step: Callable[..., Awaitable[V]],
    *args: object,
) -> V:
    """Run a step and return its value; after a crash the value that was recorded stands.

    Plain JSON is recorded, so that the next version can read it.
    """

    async def recorded() -> dict[str, Any]:
        value = await _while_token_lasts(services, partial(step, *args))
        return value.model_dump(mode="json")

    value = await DBOS.run_step_async({"name": name, **RETRY_OPTIONS}, recorded)
    return kind.model_validate(value)


async def run_step(
    services: Services, name: str, step: Callable[..., Awaitable[None]], *args: object
) -> None:
    """Run a step that has an effect and no value."""

    async def recorded() -> None:
        await _while_token_lasts(services, partial(step, *args))

    await DBOS.run_step_async({"name": name, **RETRY_OPTIONS}, recorded)


async def run_side_by_side(
    services: Services, name: str, *effects: Callable[[], Awaitable[None]]
) -> None:
    """Run effects side by side as one step; another attempt runs those alone that have failed.

    One step and not one each: recording a step costs two transactions.
    """
    remaining = list(effects)

    async def attempt() -> None:
        errors = await asyncio.gather(*(run() for run in remaining), return_exceptions=True)
        remaining[:] = [run for run, error in zip(remaining, errors, strict=True) if error]
        raised = [error for error in errors if error]
        # What breaks the workflow off comes first, and what may succeed before what can't.
        raised.sort(key=lambda error: (not is_database_fault(error), not _may_pass(error)))
        for error in raised:
            raise error

    await run_step(services, name, attempt)


def attempts_before() -> int:
    """Return how often this step was tried before in this run of its workflow."""
    status = DBOS.step_status
    return (status.current_attempt or 0) if status else 0


def ran_before() -> bool:
    """Return whether this step ran before in this run of its workflow, and may have had effects.

    It did at an earlier attempt, or before Slack refused our token: that is no attempt more.
    """
    return _runs_again.get() or attempts_before() > 0


def is_last_attempt(attempts: int) -> bool:
    """Return whether a step that wants no more than so many attempts is at the last of them."""
    return DBOS.step_status is None or attempts_before() + 1 >= attempts


def posted_since(services: Services, operation: Operation) -> datetime | None:
    """Return since when this step's message may stand in Slack already; None if it can't.

    It may where the operation was begun before, or the step ran before.
    """
    may_stand = services.is_resumed(operation) or ran_before()
    return operation.accepted_at if may_stand else None
