"""Runs of playbooks: a failure comes with the workflow runs within, is retried once, and followed.

SecMaster calls them playbook instances, and counts no retries of them.
"""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.domain.snapshots import decision_fingerprint
from bot.notifications.digests import collect
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.secmaster.arrivals import THROTTLED
from bot.sandbox.secmaster.runs import Script
from bot.sandbox.secmaster.wire import node_record, stamp
from tests.support.databases import both_databases
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, CAROL, DAVE, ONCALL, RANDOM, SOC
from tests.support.process import bot_process
from tests.support.slack_recorder import SlackRecorder
from tests.support.watch import card_of, first_poll_finished

PEOPLE = POLICY.replace('usergroups = ["S0ONCALL"]', f'users = ["{CAROL}", "{DAVE}"]')
ROUTES = """
[watch]
every = 0.02

[[routes]]
name = "oncall"
channel = "C0ONCALL"
playbooks = ["FAILED"]
"""
OPERATE, COMMAND = "ChangePlaybookInstance", "UpdateWorkflowInstance"
NAME = "Ransomware response 7"


@pytest.fixture
def rules() -> str:
    return PEOPLE + ROUTES


@pytest.fixture
def pace() -> float:
    """A run takes its next step when a story says so."""
    return 3600


@both_databases
async def test_a_failed_playbook_run_is_retried_once_and_followed_to_its_end(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    playbook, run = add_failure(environment.secmaster, relapse="the firewall said no")
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, NAME))
    for part in ("Ransomware response v2", "Isolate host", "throttling threshold", "Show"):
        assert part in text_of(environment, ts)
    assert "playbook.retry" in environment.buttons(ts, channel=ONCALL)

    # While a run within is retried, the playbook's is not.
    await environment.slack.command(CAROL, SOC, f"/secmaster instance retry {run['id']}")
    run_ts = await environment.slack.until(lambda: card_of(environment, SOC, run["name"]))
    assert "*Retry started by" in (await environment.replies(run_ts))[-1]
    await environment.slack.press(DAVE, ONCALL, ts, "playbook.retry")
    refusal = await environment.ephemeral(DAVE, "✋")
    assert f"✋ <@{CAROL}> retried the run *{run['name']}* (`{run['id']}`)" in refusal
    assert refusal.endswith("A second retry would repeat its work. The retry was not sent.")
    assert environment.secmaster.writes(OPERATE) == []
    advance(environment.secmaster, run, 2)
    assert "*Retry failed again* at Isolate" in (await environment.replies(run_ts, 2))[-1]

    # Of two who press at once one retries it, once the card shows that it failed anew.
    ref = Ref(kind="playbook", id=playbook["id"])
    fingerprint = decision_fingerprint(await environment.app.services.workspaces.read(ref))
    await environment.slack.until(lambda: fingerprint in text_of(environment, ts))
    await environment.secmaster.faults.set(Fault(on=OPERATE, hold=True))
    await asyncio.gather(
        *(environment.slack.press(who, ONCALL, ts, "playbook.retry") for who in (CAROL, DAVE))
    )
    refusal = await environment.slack.until(
        lambda: environment.slack.read_first(
            [*environment.slack.ephemerals(CAROL), *environment.slack.ephemerals(DAVE)],
            ("is retrying", "The retry was not sent."),
        )
    )
    await environment.secmaster.faults.clear()
    reply = (await environment.replies(ts, channel=ONCALL))[-1]
    first, second = (CAROL, DAVE) if f"<@{CAROL}>" in reply else (DAVE, CAROL)
    assert reply.startswith(f"✅ *Retry started by <@{first}>.*")
    assert f"<@{first}>" in refusal
    assert len(environment.secmaster.writes(OPERATE)) == 1

    # While it is retried, the runs that it listed are not.
    run["status"] = "FAILED"
    await environment.slack.command(second, RANDOM, f"/secmaster instance retry {run['id']}")
    refusal = await environment.ephemeral(second, "and this run belongs to it")
    assert card_of(environment, RANDOM, run["name"])
    assert f"✋ <@{first}> retried the playbook run *{NAME}* (`{playbook['id']}`)" in refusal
    assert len(environment.secmaster.writes(COMMAND)) == 1

    environment.secmaster.world.runs.scripts[run["id"]] = Script()
    run["status"] = "RETRYING"
    advance(environment.secmaster, playbook, 1)
    advance(environment.secmaster, run, 2)
    ended = (await environment.replies(ts, 2, channel=ONCALL))[-1]
    assert ended.startswith(f"<@{first}> ✅ *Retry finished* after ")
    assert ended.endswith(f": {NAME}.")
    await environment.slack.until(lambda: environment.buttons(ts, channel=ONCALL) == [])
    assert environment.app.services.store.followed_operations.under_way(10) == []


async def test_it_is_listed_shown_searched_explained_and_terminated_by_its_id_alone(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await environment.secmaster.faults.set(Fault(on="ShowPlaybookTopology", status=404))
    playbook, _run = add_failure(environment.secmaster)
    ts = await environment.slack.until(lambda: card_of(environment, ONCALL, NAME))
    assert "The workflow runs of this playbook run can't be read." in text_of(environment, ts)
    assert NAME in await listed(environment, "playbook list web-7")
    assert "Evidence 1" in await listed(environment, "playbook list running")
    unrated = await listed(environment, "playbook list severity:fatal")
    assert "more playbook runs are not listed: how severe they are has not been read." in unrated
    assert "No playbook run was found." in await environment.answer(
        CAROL, "/secmaster playbook list nothing"
    )
    assert "3 failed playbook runs" in await environment.answer(CAROL, "/secmaster oncall")
    assert "3 failed playbook runs." in await environment.answer(CAROL, "/secmaster digest")
    assert "3 playbook runs have failed." in await environment.answer(CAROL, "/secmaster status")
    await environment.slack.open_home(CAROL)
    await environment.slack.until(
        lambda: "Failed playbook runs you may retry: 3" in json.dumps(environment.slack.home(CAROL))
    )
    why = await environment.answer(CAROL, f"/secmaster why {playbook['id']}", channel=ONCALL)
    assert "✅ *Retry*" in why
    await environment.slack.press(CAROL, ONCALL, ts, "playbook.retry")
    reply = (await environment.replies(ts, channel=ONCALL))[-1]
    assert "Its workflow runs can't be read, so a retry of one of them is not held back" in reply

    await environment.slack.until(lambda: "Retrying" in text_of(environment, ts))
    await environment.slack.command(CAROL, ONCALL, f"/secmaster terminate {playbook['id']} no use")
    reply = (await environment.replies(ts, 2, channel=ONCALL))[-1]
    assert reply.startswith(f"✅ *Termination started by <@{CAROL}>.*")
    assert [write.body["operation"] for write in environment.secmaster.writes(OPERATE)] == [
        "RETRY",
        "TERMINATE",
    ]
    advance(environment.secmaster, playbook, 1)
    ended = (await environment.replies(ts, 3, channel=ONCALL))[-1]
    assert ended.startswith(f"<@{CAROL}> ⛔ The playbook run was terminated ")
    assert ended.endswith(f" after the retry: {NAME}.")
    other = seed.PLAYBOOK_INSTANCE_FAILED
    claimed = await environment.answer(CAROL, f"/secmaster claim {other}")
    assert "You claimed *Alert response 1* until" in claimed
    escalated = await environment.answer(CAROL, f"/secmaster escalate {other}")
    assert "*Alert response 1* can't be escalated: no route" in escalated
    refused = await environment.answer(ALICE, f"/secmaster playbook retry {playbook['id']}")
    assert "🚫 Only" in refused


async def test_where_they_can_not_be_listed_that_is_said_and_all_else_is_watched(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    statuses = environment.app.services.store.poll_statuses
    await environment.secmaster.faults.set(Fault(on="ListPlaybookInstances", status=403))
    await environment.secmaster.until(
        lambda: bool((status := statuses.get("main")) and status.playbooks_answer)
    )
    status = statuses.get("main")
    assert status is not None
    assert status.answer is None
    text = await environment.answer(CAROL, "/secmaster status")
    assert "⚠️ Can't list playbook runs (`" in text
    assert "playbook runs have failed" not in text
    text = await environment.answer(CAROL, "/secmaster playbook list failed")
    assert "No failed playbook runs" not in text
    assert "SecMaster" in text
    await environment.slack.shortcut(CAROL, "waiting")
    view = await environment.slack.until(
        lambda: next((v for v in environment.slack.views(CAROL) if "Failed runs" in str(v)), None)
    )
    assert "Failed playbook runs can't be listed now." in json.dumps(view)
    # A shift summary does not take them for none.
    services, now = environment.app.services, environment.clock.now()
    shift = await asyncio.to_thread(collect, services, now - timedelta(hours=8), now)
    assert shift.playbooks_unlisted
    await environment.secmaster.faults.clear()
    add_failure(environment.secmaster)
    await environment.slack.until(lambda: card_of(environment, ONCALL, NAME))
    assert "Can't list" not in await environment.answer(CAROL, "/secmaster status")


@both_databases
async def test_killed_after_the_retry_and_before_the_reply(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    playbook, _run = add_failure(secmaster)
    async with bot_process(slack, secmaster, database_url, tmp_path, rules=PEOPLE) as bot:
        await slack.command(CAROL, ONCALL, f"/secmaster playbook show {playbook['id']}")
        [card] = await slack.until(lambda: slack.messages(ONCALL))
        await secmaster.faults.set(Fault(on=OPERATE, hold=True, applied=True))
        await slack.press(CAROL, ONCALL, card["ts"], "playbook.retry")
        await secmaster.faults.until_held(OPERATE)
        await bot.kill()
        await secmaster.faults.clear()
        await bot.start()
        [reply] = await slack.until(lambda: slack.thread(ONCALL, card["ts"])[1:])
        assert f"*Retry started by <@{CAROL}>.*" in reply["text"]
        await slack.until(lambda: "Retrying" in slack.thread(ONCALL, card["ts"])[0]["text"])
    assert len(secmaster.writes(OPERATE)) == 1


def add_failure(
    secmaster: SecMasterSandbox, *, relapse: str = ""
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let a run of a playbook fail, by one of a workflow within; returns both."""
    world = secmaster.world
    now = stamp(world.clock())
    node = node_record(
        "node-1", "Isolate", status="FAILED", error_msg=THROTTLED, start_time=now, end_time=now
    )
    run = world.add_instance(
        Script(relapse=relapse),
        name="Isolate host ecs-web-7",
        workflow={"id": "w-7", "name": "Isolate host", "version": "v1"},
        status="FAILED",
        end_time=now,
        topology={"audit_logs": [node]},
    )
    playbook = world.playbooks.add(
        [run["id"]],
        name=NAME,
        playbook={"id": "p-7", "version_id": "v-7", "name": "Ransomware response", "version": "v2"},
        dataobject={"id": "a-7", "name": "Files renamed on ecs-web-7"},
        status="FAILED",
        end_time=now,
    )
    return playbook, run


def advance(secmaster: SecMasterSandbox, run: dict[str, Any], steps: int) -> None:
    for _ in range(steps):
        secmaster.world.advance(run["id"])


def text_of(environment: BotEnvironment, ts: str) -> str:
    return json.dumps(environment.message(ts, channel=ONCALL), ensure_ascii=False)


async def listed(environment: BotEnvironment, command: str) -> str:
    """What a list shows to Carol."""
    await environment.answer(CAROL, f"/secmaster {command}")
    return json.dumps(environment.slack.ephemerals(CAROL)[-1], ensure_ascii=False)
