"""Durable steps: run once for ever, recorded as plain JSON, tried again while trouble may pass."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

from dbos import DBOS, StepOptions
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.domain.objects import Value
from bot.domain.operations import Operation
from bot.secmaster import Refused, SecMasterError
from bot.services import Services
from bot.slack.gateway import SlackFailed

V = TypeVar("V", bound=Value)


async def _should_retry(error: BaseException) -> bool:
    """Return whether Slack, SecMaster or the database may answer when they are asked again."""
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
    "should_retry": _should_retry,
}


async def record_step(
    name: str, kind: type[V], step: Callable[..., Awaitable[V]], *args: object
) -> V:
    """Run a step and return its value; after a crash the value that was recorded stands.

    Plain JSON is recorded, so that the next version can read it.
    """

    async def recorded() -> dict[str, Any]:
        return (await step(*args)).model_dump(mode="json")

    value = await DBOS.run_step_async({"name": name, **RETRY_OPTIONS}, recorded)
    return kind.model_validate(value)


async def run_step(name: str, step: Callable[..., Awaitable[None]], *args: object) -> None:
    """Run a step that has an effect and no value."""

    async def recorded() -> None:
        await step(*args)

    await DBOS.run_step_async({"name": name, **RETRY_OPTIONS}, recorded)


async def run_side_by_side(name: str, *effects: Callable[[], Awaitable[None]]) -> None:
    """Run effects side by side as one step; another attempt runs those alone that have failed.

    One step and not one each: recording a step costs two transactions.
    """
    remaining = list(effects)

    async def attempt() -> None:
        errors = await asyncio.gather(*(run() for run in remaining), return_exceptions=True)
        remaining[:] = [run for run, error in zip(remaining, errors, strict=True) if error]
        raised = [error for error in errors if error]
        for error in raised:
            if await _should_retry(
                error
            ):  # whatever can't succeed must not keep the others from it
                raise error
        if raised:
            raise raised[0]

    await run_step(name, attempt)


def posted_since(services: Services, operation: Operation) -> datetime | None:
    """Return since when this step's message may stand in Slack already; None if it can't.

    It may where another process began the operation, or at a second attempt of the step.
    """
    status = DBOS.step_status
    may_stand = services.is_resumed(operation) or bool(status and status.current_attempt)
    return operation.accepted_at if may_stand else None
