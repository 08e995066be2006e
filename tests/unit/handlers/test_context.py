"""What every listener is given: ids that are the same each time, and what it records."""

import asyncio
from typing import Any, cast

import pytest
import sqlalchemy as sa

from handlers.context import Recorder, StillRecording, attempt_id, stable_id


def test_the_id_of_a_key_is_the_same_each_time_and_its_own() -> None:
    assert stable_id("T0HOME:1") == stable_id("T0HOME:1")
    assert stable_id("T0HOME:1") != stable_id("T0HOME:2")
    assert stable_id("").isalnum()
    assert len(stable_id("T0HOME:1")) == 32


def test_a_refused_attempt_has_an_id_of_its_own_and_the_same_each_time() -> None:
    assert attempt_id("T0HOME:1") == attempt_id("T0HOME:1")
    assert attempt_id("T0HOME:1") not in (attempt_id("T0HOME:2"), stable_id("T0HOME:1"))


async def test_what_is_recorded_goes_on_where_its_listener_is_out_of_time() -> None:
    is_free, nothing = asyncio.Event(), cast("Any", None)
    recorder = Recorder(nothing, nothing, nothing, nothing)

    async def recording() -> str:
        await is_free.wait()
        return "recorded"

    with pytest.raises(StillRecording) as raised:
        async with asyncio.timeout(0.01):
            await recorder.record(recording)
    is_free.set()
    assert await raised.value.recording == "recorded"
    assert await recorder.record(recording) == "recorded"


BROKEN = sa.exc.OperationalError("", None, Exception("gone"), connection_invalidated=True)
LOCKED = sa.exc.OperationalError("", None, Exception("locked"))


@pytest.mark.parametrize(
    ("errors", "raised"),
    [
        ([BROKEN], None),
        ([BROKEN, LOCKED], BROKEN),  # the first try may stand, whatever became of the second
        ([LOCKED], LOCKED),
    ],
)
async def test_what_may_be_recorded_already_is_recorded_again_once(
    errors: list[Exception], raised: Exception | None
) -> None:
    nothing, left = cast("Any", None), [*errors]

    async def recording() -> str:
        if left:
            raise left.pop(0)
        return "recorded"

    recorder = Recorder(nothing, nothing, nothing, nothing)
    if raised is None:
        assert await recorder.record(recording) == "recorded"
        return
    with pytest.raises(sa.exc.OperationalError) as info:
        await recorder.record(recording)
    assert info.value is raised
    assert left == []


async def test_what_can_not_be_recorded_raises_in_its_listener() -> None:
    nothing = cast("Any", None)

    async def recording() -> None:
        raise ValueError("full")

    with pytest.raises(ValueError, match="full"):
        await Recorder(nothing, nothing, nothing, nothing).record(recording)
