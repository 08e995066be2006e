"""An operation whose process is gone: others are told the truth, and an operator frees it."""

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa
from dbos import DBOSClient

from bot.cli.demo_story import POLICY
from bot.cli.unfinished import open_unfinished
from bot.domain.actions import BY_NAME
from bot.domain.objects import Ref
from bot.domain.operations import Operation
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import StoredSnapshot
from bot.operations.step_results import failed
from bot.operations.unfinished import FaultlessSerializer
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.command_line import CommandResult, run_beside
from tests.support.databases import both_databases
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, SOC

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
pytestmark = [
    both_databases,
    pytest.mark.parametrize("rules", [f"{POLICY}\n[watch]\nevery = 0.02\n"], ids=["watch"]),
]


async def left_behind(environment: BotEnvironment, status: str = "PENDING") -> Operation:
    """Leave Alice's approval as replica ``gone`` does, whose process dies with the key in hand."""
    ts = await environment.card("task", TASK.id)
    app = environment.app
    operation = Operation(
        id="ab12cd" + "0" * 26,
        action="task.approve",
        ref=TASK,
        actor=Actor(id=ALICE, name="Alice"),
        location=SlackLocation(channel=SOC, card=ts),
        retry=app.timeouts.retry,
        accepted_at=environment.clock.now(),
        process_id="gone",
    )
    client = DBOSClient(system_database_engine=app.engine, serializer=FaultlessSerializer())
    recorded = operation.model_dump(mode="json")
    client.enqueue(
        {
            "workflow_name": "perform",
            "queue_name": "nobody",
            "workflow_id": operation.id,
            "app_version": "1",
        },
        recorded,
    )
    schema = "dbos." if app.engine.dialect.name == "postgresql" else ""
    with app.engine.begin() as connection:
        connection.execute(
            sa.text(
                f"UPDATE {schema}workflow_status SET status = :status, executor_id = 'gone', "
                "queue_name = NULL WHERE workflow_uuid = :id"
            ),
            {"status": status, "id": operation.id},
        )
    key = f"{TASK}:{BY_NAME[operation.action].claim_group}:0"
    app.services.store.claims.claim(operation, key, environment.clock.now(), StoredSnapshot())
    return operation


async def operations(
    environment: BotEnvironment, folder: Path, *arguments: object
) -> CommandResult:
    url = environment.app.settings.database_url
    return await run_beside("operations", *arguments, folder=folder, DATABASE_URL=url)


async def test_whoever_comes_second_is_told_that_it_hangs_until_an_operator_gives_it_up(
    environment: BotEnvironment, tmp_path: Path
) -> None:
    operation = await left_behind(environment)
    ts = operation.location.card
    await environment.slack.command(BOB, SOC, f"/task terminate {TASK.id} no")
    sentence = await environment.ephemeral(BOB, "was interrupted")
    assert "It resumes when its process is back. The termination was not sent." in sentence
    assert "operations show ab12cd" in sentence
    listed = await operations(environment, tmp_path, "list")
    assert "ab12cd  task.approve" in listed.stdout
    assert "waits for gone, which does not run" in listed.stdout
    given_up = await operations(environment, tmp_path, "give-up", "ab12cd", "--by", "Olga")
    assert given_up.exit_code == 0, given_up.output
    assert (await operations(environment, tmp_path, "list")).stdout == "Nothing waits.\n"
    entry = environment.app.services.store.audit.entries(TASK)[-1]
    assert (entry["outcome"], entry["detail"]) == ("unknown", "given_up Olga")
    [reply] = await environment.replies(ts)
    assert "It is unknown whether the approval" in reply
    assert "whoever runs this bot gave it up (`Olga`)." in reply
    await environment.slack.command(BOB, SOC, f"/task terminate {TASK.id} no")
    assert "*Terminated by" in (await environment.replies(ts, 2))[1]
    writes = environment.secmaster.writes("UpdateTask", TASK.id)
    assert [write.body["action"] for write in writes] == ["ADD_COMMENT", "TERMINATE"]


@pytest.mark.parametrize(
    "status",
    ["PENDING", "ERROR", pytest.param("MAX_RECOVERY_ATTEMPTS_EXCEEDED", marks=pytest.mark.slow)],
)
async def test_what_an_operator_retries_is_carried_on_by_the_bot_that_runs(
    environment: BotEnvironment, tmp_path: Path, status: str
) -> None:
    operation = await left_behind(environment, status)
    shown = await operations(environment, tmp_path, "show", "ab12cd")
    assert operation.id in shown.stdout
    retried = await operations(environment, tmp_path, "retry", "ab12cd")
    assert retried.exit_code == 0, retried.output
    [reply] = await environment.replies(operation.location.card)
    assert "*Approved by" in reply
    assert len(environment.secmaster.writes("UpdateTask", TASK.id)) == 1


async def test_what_a_process_carries_out_is_cancelled_and_freed_by_force_alone(
    environment: BotEnvironment, tmp_path: Path
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", hold=True))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.secmaster.faults.until_held("UpdateTask")
    listed = await operations(environment, tmp_path, "list")
    assert "carried out by main" in listed.stdout
    reference = listed.stdout[:6]
    for command in ("retry", "give-up"):
        refused = await operations(environment, tmp_path, command, reference)
        assert refused.exit_code == 2
        assert "is carried out by main" in refused.stderr
    unknown = await operations(environment, tmp_path, "show", "ffffffff")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    await asyncio.to_thread(force, environment.app.settings.database_url, reference)
    await environment.secmaster.faults.clear()
    [reply] = await environment.replies(ts)
    assert "It is unknown whether the approval" in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert len(await environment.replies(ts)) == 1
    assert len(environment.secmaster.writes("UpdateTask", TASK.id)) == 1


def force(database_url: str, reference: str) -> None:
    with open_unfinished(database_url) as unfinished:
        unfinished.give_up(unfinished.find(reference), "Olga", force=True, wait=0)


async def test_what_has_its_end_on_record_is_told_that_and_never_sent(
    environment: BotEnvironment,
) -> None:
    operation = await left_behind(environment)
    app, ended = environment.app, failed(OutcomeReason.NOT_FOUND)
    app.services.store.claims.conclude(operation, ended, environment.clock.now())
    client = DBOSClient(system_database_engine=app.engine, serializer=FaultlessSerializer())
    client.resume_workflow(operation.id)
    [reply] = await environment.replies(operation.location.card)
    assert "Approved" not in reply
    assert environment.secmaster.writes("UpdateTask", TASK.id) == []
    outcomes = [entry["outcome"] for entry in app.services.store.audit.entries(TASK)]
    assert outcomes == ["allowed", "failed"]
