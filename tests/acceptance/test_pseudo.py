"""Everything that a day's work says in Slack is said in the language of its readers."""

import re
from typing import Any

import pytest

from bot.messages.catalogue import Catalogue
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.world import World
from tests.support import pseudo
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, DAVE, SOC
from tests.support.watch import snooze

RULES = """
[roles."审核人"]
usergroups = ["S0SOC"]
[roles."值班"]
usergroups = ["S0ONCALL"]

[[rules]]
actions = ["task.approve"]
roles = ["审核人"]
approvals = 2

[[rules]]
actions = ["task.*", "instance.*"]
roles = ["审核人", "值班"]

[[rules]]
actions = ["task.read", "instance.read", "playbook.read"]
roles = ["审核人", "值班"]

[watch]
every = 0.3

[rights]
watch = ["值班"]
"""
WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}  # letters that are no ASCII ones
# What people and Huawei wrote, by SecMaster's names.
WRITTEN = {
    *("name", "en_name", "name_en", "description", "creator_name", "modifier_name", "notes"),
    *("note", "view_parameters", "handle_parameters", "review_comments", "related_object"),
    *("message", "user_name", "approveuser_name", "error_msg", "action_name", "input", "output"),
    *("version", "file_name"),
}
# Whom and what the messages name: Slack's people and channels, workspaces.
NAMES = re.compile(
    r"\b(?:Alice|Bob|Carol|Dave|soc|secmaster|demo-workspace|main)\b"
    r"|^💬 .*|HTTPSConnectionPool.*|Alice \(Slack .*"  # what stands in SecMaster
)


def widen(record: Any, *, is_text: bool = False) -> Any:
    """Return a record of SecMaster's with other letters wherever somebody wrote it."""
    match record:
        case dict():
            return {key: widen(value, is_text=key in WRITTEN) for key, value in record.items()}
        case list():
            return [widen(value, is_text=is_text) for value in record]
        case str() if is_text:
            return record.translate(WIDE)
        case _:
            return record


def widen_world(world: World) -> None:
    for records in (world.tasks, world.instances):
        for record in records.values():
            record.update(widen(record))


def faults(environment: BotEnvironment) -> list[str]:
    """Return what is wrong with all that Slack was ever told to show."""
    slack = environment.slack
    rendered: list[Any] = [call.args for call in slack.calls]
    rendered += [
        message for user in (ALICE, BOB, CAROL, DAVE) for message in slack.ephemerals(user)
    ]
    rendered += [view for user in (ALICE, BOB, CAROL, DAVE) for view in slack.views(user)]
    return pseudo.faults(rendered, NAMES)


@pytest.fixture
def catalogue() -> Catalogue:
    return pseudo.catalogue()


@pytest.fixture
def rules() -> str:
    return RULES


async def test_a_day_is_told_in_the_readers_language(environment: BotEnvironment) -> None:
    slack, world = environment.slack, environment.secmaster.world
    widen_world(world)
    task, run = seed.TASK_BLOCK_IP, seed.INSTANCE_FAILED_AGAIN
    ts = await environment.card("task", task)
    await slack.press(DAVE, SOC, ts, "task.approve")
    await slack.until(lambda: slack.ephemerals(DAVE))
    await slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts, 1)
    await slack.press(BOB, SOC, ts, "task.approve")
    await environment.replies(ts, 2)
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await slack.command(ALICE, SOC, f"/task comment {seed.TASK_ISOLATE} 好")
    await environment.replies(ts, 1)
    await snooze(environment, ALICE, ts)
    await environment.replies(ts, 2)
    for command in ("help", "whoami", "mine", "status", "oncall", f"why {task}", "reload"):
        await environment.answer(ALICE, f"/secmaster {command}")
    for command in ("/task list", "/instance list", "/task approve", "/task show nothing-like-it"):
        await environment.answer(ALICE, command)
    await slack.press(ALICE, SOC, ts, "task.comment")
    await slack.press(ALICE, SOC, ts, "task.terminate")
    await slack.open_home(ALICE)
    await slack.until(lambda: slack.home(ALICE))
    ts = await environment.card("instance", run)
    await slack.press(CAROL, SOC, ts, "instance.retry")
    await environment.replies(ts, 1)
    await environment.replies(ts, 2)  # that it failed again
    await slack.press(CAROL, SOC, ts, "more", value=f"details|1:instance:main:{run}")
    await slack.until(
        lambda: slack.views(CAROL) and "…" not in str(slack.views(CAROL)[-1]["title"])
    )
    assert not (found := faults(environment)), "\n".join(sorted(set(found)))
    environment.ignore_messages()
