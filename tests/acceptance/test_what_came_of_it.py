"""The run that waited for a decision is followed: its end is told, shown, and on record."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.secmaster.definitions import defense
from tests.support.databases import both_databases, postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, ONCALL, SOC
from tests.support.process import bot_process, post_card
from tests.support.slack_recorder import SlackRecorder
from tests.support.watch import ROUTES, card_of, first_poll_finished

FOLLOWED = "every = 0.02\nresults = true"


@pytest.fixture
def rules() -> str:
    routes = ROUTES.replace("every = 0.02", FOLLOWED)
    return f'{POLICY}{routes}\n[rights]\naudit = ["approver"]\n'


@pytest.fixture
def pace() -> float:
    """A run takes its next step when a story says so."""
    return 3600


READING = f"""
[roles.tasks]
users = ["{ALICE}", "{BOB}"]
[roles.runs]
users = ["{BOB}"]
[[rules]]
actions = ["task.read"]
roles = ["tasks"]
[[rules]]
actions = ["instance.read", "playbook.read"]
roles = ["runs"]
"""


@pytest.mark.parametrize(
    "rules", [f"{READING}{POLICY}{ROUTES.replace('every = 0.02', FOLLOWED)}"], ids=["readers"]
)
async def test_a_thread_that_people_read_who_may_read_no_runs_says_only_how_it_ended(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(channel=ONCALL)
    task, ts = await decided(environment, "Isolate host web-07", "task.approve", ALICE)
    run = task["action_instance_id"]
    environment.secmaster.world.fail(run, "quota exceeded")
    reply = (await environment.replies(ts, 2))[-1]
    assert f"<@{ALICE}> 🔴 *The run failed after " in reply
    assert run in reply
    assert "Isolate host" not in reply
    assert "quota" not in reply


@both_databases
async def test_an_approval_whose_run_failed_says_so_in_its_thread_on_its_card_and_in_the_audit(
    environment: BotEnvironment,
) -> None:
    task, ts = await decided(environment, "Isolate host web-07", "task.approve", ALICE)
    run = task["action_instance_id"]
    # While it runs it is read once in each poll.
    before = len(environment.list_requests()), reads(environment, run)
    await environment.polls()
    polls, read = (
        len(environment.list_requests()) - before[0],
        reads(environment, run) - before[1],
    )
    assert 1 <= read <= polls + 1

    environment.secmaster.world.fail(run, "quota exceeded")
    reply = (await environment.replies(ts, 2))[-1]
    assert f"<@{ALICE}> 🔴 *The run failed at Isolate host web-07 after " in reply
    assert "```quota exceeded```" in reply
    # The card says it, and is linked with the card of the run, both ways.
    failed = await environment.slack.until(lambda: card_of(environment, ONCALL, task["name"]))
    await environment.slack.until(lambda: "🔴 *The run failed at" in shown(environment, ts))
    assert f"Approved by <@{ALICE}>" in shown(environment, ts)
    await environment.slack.until(
        lambda: f"/archives/{SOC}/p{ts.replace('.', '')}|" in shown(environment, failed, ONCALL)
    )
    assert f"<@{ALICE}> approved <" in shown(environment, failed, ONCALL)

    # It is said once, and on record once, in the story of the decision.
    await environment.polls()
    assert len(environment.slack.thread(SOC, ts)) == 3
    ref = Ref(kind="task", id=task["id"])
    records = environment.app.services.store.audit.entries(ref)
    assert [record["outcome"] for record in records] == ["allowed", "done", "result"]
    assert environment.app.services.store.followed_operations.under_way(9) == []
    audit = await environment.answer(ALICE, f"/secmaster audit {task['id']}")
    assert audit
    text = json.dumps(environment.slack.ephemerals(ALICE)[-1]["blocks"], ensure_ascii=False)
    assert text.count("What came of it") == 1
    assert "🔴 The run failed at Isolate host web-07" in text
    environment.clock.forward(seconds=2)
    digest = await environment.answer(BOB, "/secmaster digest")
    assert "🔴 After 1 decision the run failed." in digest


@postgres_in_full
async def test_the_blocks_that_a_finished_run_set_are_said_where_there_are_some(
    environment: BotEnvironment,
) -> None:
    task, ts = await decided(environment, "Block 203.0.113.77", "task.approve", ALICE)
    run, world = task["action_instance_id"], environment.secmaster.world
    world.blocks.plan(run, "203.0.113.77", defense("WAF"), defense("VPC", "quota"))
    world.advance(run)
    reply = (await environment.replies(ts, 2))[-1]
    assert "✅ *The run finished after " in reply
    assert ": Block 203.0.113.77.*" in reply
    assert (
        "⚠️ `203.0.113.77` is blocked on WAF. `203.0.113.77` is not blocked on VPC: `quota`."
    ) in reply
    await environment.slack.until(lambda: "is not blocked on VPC" in shown(environment, ts))

    # A region that has no such records says nothing of them.
    await environment.secmaster.faults.set(Fault(on="SearchPolicyRecord", status=404))
    other, ts = await decided(environment, "Block 198.51.100.4", "task.approve", ALICE)
    world.blocks.plan(other["action_instance_id"], "198.51.100.4", defense("WAF"))
    world.advance(other["action_instance_id"])
    assert (await environment.replies(ts, 2))[-1].endswith("Block 198.51.100.4.*")

    # A playbook's run is followed too, to what failed in it.
    await environment.secmaster.faults.clear()
    environment.ignore_messages(channel=ONCALL)
    ts = await environment.card("task", seed.TASK_PLAYBOOK)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts, 1)
    playbook = seed.PLAYBOOK_INSTANCE_WAITING
    failed = world.playbooks.runs_of[playbook][-1]
    # While it runs it is read by itself: what ran within it is asked for once it has ended.
    await environment.polls()
    topologies = requests_for(environment, playbook)["ShowPlaybookTopology"]
    runs_read = requests_for(environment, playbook)["ShowPlaybookInstance"]
    await environment.polls()
    assert requests_for(environment, playbook)["ShowPlaybookTopology"] == topologies
    assert requests_for(environment, playbook)["ShowPlaybookInstance"] > runs_read
    world.fail(failed, "no such mailbox")
    reply = (await environment.replies(ts, 2))[-1]
    assert "🔴 *The playbook run failed" in reply
    assert "```no such mailbox```" in reply
    assert "`198.51.100.23` is blocked on" in reply


@both_databases
async def test_the_next_task_of_the_run_is_told_with_a_link_and_the_run_is_followed_no_more(
    environment: BotEnvironment,
) -> None:
    task, ts = await decided(environment, "Isolate host web-08", "task.approve", ALICE)
    run, world = task["action_instance_id"], environment.secmaster.world
    world.add_task(name="Close the alert", action_instance_id=run)
    following = await environment.slack.until(lambda: card_of(environment, SOC, "Close the alert"))
    reply = (await environment.replies(ts, 2))[-1]
    assert "➡️ *Next: <" in reply
    assert f"/archives/{SOC}/p{following.replace('.', '')}|Close the alert> is waiting.*" in reply
    await environment.slack.until(lambda: "➡️ Next: <" in shown(environment, ts))
    world.advance(run)
    await environment.polls()
    assert len(environment.slack.thread(SOC, ts)) == 3

    # What whoever terminates a task must expect is on record, and no news.
    other = world.add_task(name="Isolate host web-09")
    ts = await environment.slack.until(lambda: card_of(environment, SOC, other["name"]))
    await environment.slack.command(ALICE, SOC, f"/task terminate {other['id']} false alarm")
    await environment.ephemeral(ALICE, "Terminating")
    await environment.replies(ts, 1)
    ref = Ref(kind="task", id=other["id"])
    audit = environment.app.services.store.audit
    await environment.polls()
    assert [record["outcome"] for record in audit.entries(ref)][2:] == ["result"]
    assert len(environment.slack.thread(SOC, ts)) == 2


async def test_a_playbooks_run_that_takes_long_may_wait_for_a_task_of_a_run_within(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(channel=ONCALL)
    await first_poll_finished(environment)
    ts = await environment.card("task", seed.TASK_PLAYBOOK)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts, 1)
    world = environment.secmaster.world
    within = world.playbooks.runs_of[seed.PLAYBOOK_INSTANCE_WAITING][-1]
    world.add_task(name="Close the alert", action_instance_id=within)
    await environment.slack.until(lambda: card_of(environment, SOC, "Close the alert"))
    environment.clock.forward(minutes=31)
    reply = (await environment.replies(ts, 2))[-1]
    assert "➡️ *Next: <" in reply
    assert "|Close the alert> is waiting.*" in reply


@postgres_in_full
async def test_a_run_that_takes_long_is_told_once_and_followed_on(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(user=ALICE)
    task, ts = await decided(environment, "Isolate host web-10", "task.approve", ALICE)
    environment.clock.forward(minutes=31)
    reply = (await environment.replies(ts, 2))[-1]
    assert "⏳ *The run is still running after 31 min: Isolate host web-10." in reply
    environment.clock.forward(minutes=31)
    await environment.polls()
    assert len(environment.slack.thread(SOC, ts)) == 3
    environment.secmaster.world.advance(task["action_instance_id"])
    assert "✅ *The run finished after 1 hr" in (await environment.replies(ts, 3))[-1]


@both_databases
async def test_a_run_whose_end_nobody_saw_is_said_once_to_be_followed_no_more(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(user=ALICE)
    task, ts = await decided(environment, "Isolate host web-11", "task.approve", ALICE)
    environment.secmaster.world.delete_instance(task["action_instance_id"])
    reply = (await environment.replies(ts, 2))[-1]
    assert f"<@{ALICE}> ❓ *SecMaster no longer has the run: " in reply
    await environment.slack.until(lambda: "no longer has the run" in shown(environment, ts))

    other, later = await decided(environment, "Isolate host web-12", "task.approve", ALICE)
    environment.clock.forward(minutes=31)
    await environment.replies(later, 2)
    environment.clock.forward(hours=24)
    reply = (await environment.replies(later, 3))[-1]
    assert "❓ *No end of the run was seen in 1 day: Isolate host web-12." in reply
    # Its end is nothing to wait for any more.
    environment.secmaster.world.advance(other["action_instance_id"])
    await environment.polls()
    assert [len(environment.slack.thread(SOC, card)) for card in (ts, later)] == [3, 4]
    ref = Ref(kind="task", id=other["id"])
    records = environment.app.services.store.audit.entries(ref)
    assert [record["detail"] for record in records if record["outcome"] == "result"] == ["no_end"]


@both_databases
async def test_killed_after_slack_took_the_news_it_is_told_once(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str, tmp_path: Path
) -> None:
    rules = f"{POLICY}\n[watch]\n{FOLLOWED}\n"
    async with bot_process(slack, secmaster, database_url, tmp_path, rules=rules) as bot:
        ts = await post_card(slack)
        await slack.press(ALICE, SOC, ts, "task.approve")
        await slack.until(lambda: len(slack.thread(SOC, ts)) == 2)
        await slack.faults.set(Fault(on="chat.postMessage", hold=True, applied=True))
        secmaster.world.fail(seed.INSTANCE_ISOLATE, "quota exceeded")
        await slack.faults.until_held("chat.postMessage")
        await bot.kill()
        await slack.faults.clear()
        await bot.start()
        await slack.until(
            lambda: "The run failed" in json.dumps(slack.thread(SOC, ts)[0]["blocks"])
        )
    [_card, approved, failed] = slack.thread(SOC, ts)
    assert "*Approved by" in approved["text"]
    assert "🔴 *The run failed at Isolate host" in failed["text"]


async def decided(
    environment: BotEnvironment, name: str, action: str, user: str
) -> tuple[dict[str, Any], str]:
    """Let a task arrive, and have somebody decide it; returns it and the ts of its card."""
    await first_poll_finished(environment)
    task = environment.secmaster.world.add_task(name=name)
    ts = await environment.slack.until(lambda: card_of(environment, SOC, name))
    await environment.slack.press(user, SOC, ts, action)
    await environment.replies(ts, 1)
    return task, ts


def reads(environment: BotEnvironment, run: str) -> int:
    """Return how often a run was read."""
    return requests_for(environment, run)["ShowAopWorkflowInstance"]


def requests_for(environment: BotEnvironment, run: str) -> Counter[str]:
    """Return how often each endpoint was asked about a run."""
    requests = environment.secmaster.requests
    return Counter(request.endpoint for request in requests if run in request.path)


def shown(environment: BotEnvironment, ts: str, channel: str = SOC) -> str:
    return json.dumps(environment.message(ts, channel=channel)["blocks"], ensure_ascii=False)
