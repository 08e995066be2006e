"""Durable steps: what happens before each run of one."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from dbos import DBOS, StepOptions

from bot.operations.steps import run_step, under_name
from bot.operations.unfinished import BrokenOff
from bot.services import Services
from bot.slack.gateway import SlackFailed


@pytest.mark.parametrize("later_hold", [None, "another"], ids=["lost", "taken again"])
async def test_a_step_that_waited_for_slack_to_take_the_token_is_broken_off_under_another_hold(
    services: Services, later_hold: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []

    async def step() -> None:
        if runs:
            raise AssertionError("it runs again")
        runs.append("run")
        raise SlackFailed("invalid_auth")

    async def until_accepted() -> None:
        """Somebody has mended the token."""

    async def unrecorded(_options: StepOptions, run: Callable[[], Awaitable[None]]) -> None:
        await run()

    monkeypatch.setattr(DBOS, "run_step_async", unrecorded)
    monkeypatch.setattr(services.slack.token, "until_accepted", until_accepted)
    services = replace(services, name_hold=lambda: later_hold if runs else "first")
    with under_name(services), pytest.raises(BrokenOff):
        await run_step(services, "step", step)
    assert runs == ["run"]


async def test_no_workflow_begins_to_run_under_a_name_that_may_be_lost(services: Services) -> None:
    lost = replace(services, name_hold=lambda: None)
    with pytest.raises(BrokenOff), under_name(lost):
        raise AssertionError("it runs")
