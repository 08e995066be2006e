"""What is grave is confirmed by typing its name: read first, then sent."""

import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.messages.blocks import Viewer
from bot.sandbox.secmaster import seed
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, CAROL, ONCALL, SOC

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
NAME = "Isolate host ecs-web-07"
NAMED = f"""
[[rules]]
name = "grave"
actions = ["task.approve", "task.terminate", "instance.terminate"]
roles = ["approver", "oncall"]
confirm = "type-name"
{POLICY}"""
GLASS = f"""
[[rules]]
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
break_glass = ["oncall"]
confirm = "type-name"
{POLICY}
[break_glass]
channel = "C0ONCALL"
"""
WRONG = {"name": "The name doesn't match. Type it exactly as shown above."}


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", NAMED))


def with_policy(text: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rules", [text], indirect=True, ids=["policy"])


@postgres_in_full
async def test_the_button_asks_for_the_name_and_sends_only_with_it(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    view = await form(environment, ALICE, ts, "task.approve")
    assert NAME in json.dumps(view["blocks"])
    for wrong in ("Isolate host ecs-web-08", "Isolate", f"{NAME}!", TASK.id):
        await environment.slack.submit(ALICE, view["id"], {"name": wrong})
        assert environment.slack.views(ALICE)[-1]["errors"] == WRONG
    refused = await environment.slack.submit(ALICE, view["id"], {"name": "   "})
    assert refused.error or environment.slack.views(ALICE)[-1]["errors"] == WRONG
    assert decided(environment) == 0
    await environment.slack.submit(ALICE, view["id"], {"name": NAME})
    assert environment.slack.views(ALICE) == []
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0ALICE>" in reply
    assert decided(environment) == 1


@pytest.mark.parametrize(
    "typed", ["isolate HOST ecs-web-07", f"  {NAME}  ", "Isolate  host\tecs-web-07"]
)
async def test_case_and_space_do_not_matter(environment: BotEnvironment, typed: str) -> None:
    ts = await environment.card("task", TASK.id)
    view = await form(environment, ALICE, ts, "task.approve")
    await environment.slack.submit(ALICE, view["id"], {"name": typed})
    await environment.replies(ts)
    assert decided(environment) == 1


async def test_by_words_the_button_is_pointed_at_and_nothing_is_sent(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK.id} {NAME}")
    await environment.ephemeral(ALICE, "This requires the name to be typed. Press *Approve*")
    await environment.slack.say(ALICE, SOC, "@secmaster approve", ts)
    await environment.slack.until(lambda: len(environment.slack.ephemerals(ALICE)) == 2)
    assert "Nothing was sent." in environment.slack.ephemerals(ALICE)[-1]["text"]
    assert decided(environment) == 0


async def test_reason_and_name_are_asked_for_in_one_form(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    view = await form(environment, ALICE, ts, "task.terminate")
    await environment.slack.submit(ALICE, view["id"], {"reason": "a decoy", "name": "no"})
    assert environment.slack.views(ALICE)[-1]["errors"] == WRONG
    await environment.slack.submit(ALICE, view["id"], {"reason": "a decoy", "name": NAME})
    [reply] = await environment.replies(ts)
    assert "*Terminated by <@U0ALICE>" in reply
    assert "> a decoy" in reply


async def test_a_run_is_named_too(environment: BotEnvironment) -> None:
    ts = await environment.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    name = environment.secmaster.world.instance(seed.INSTANCE_FAILED)["name"]
    view = await form(environment, CAROL, ts, "instance.terminate")
    await environment.slack.submit(CAROL, view["id"], {"name": "no"})
    assert environment.slack.views(CAROL)[-1]["errors"] == WRONG
    await environment.slack.submit(CAROL, view["id"], {"name": name})
    [reply] = await environment.replies(ts)
    assert "<@U0CAROL>" in reply
    assert len(environment.secmaster.writes("UpdateWorkflowInstance")) == 1


@pytest.mark.parametrize(
    "name",
    [
        seed.HOSTILE_NAME,
        "封禁恶意IP 203.0.113.200",
        "🚨 isolate 👩‍👩‍👧 now",
        "STRASSE straße İ",
        "a&b <c> \"d\" 'e' \\f",
        "two\nlines",
    ],
    ids=["hostile", "chinese", "emoji", "letters that change", "marks", "lines"],
)
async def test_whatever_it_is_called_its_name_is_what_is_typed(
    environment: BotEnvironment, name: str
) -> None:
    environment.secmaster.world.task(TASK.id)["name"] = name
    ts = await environment.card("task", TASK.id)
    view = await form(environment, ALICE, ts, "task.approve")
    await environment.slack.submit(ALICE, view["id"], {"name": name[:-1]})
    assert environment.slack.views(ALICE)[-1]["errors"] == WRONG
    await environment.slack.submit(ALICE, view["id"], {"name": " ".join(name.split())})
    await environment.replies(ts)
    assert decided(environment) == 1


@pytest.mark.parametrize("length", [149, 150, 151, 400, 3000])
async def test_of_a_long_name_what_the_form_shows_is_enough(
    environment: BotEnvironment, length: int
) -> None:
    name = ("Isolate host ecs-web-07 and then " * 100)[:length].strip()
    environment.secmaster.world.task(TASK.id)["name"] = name
    ts = await environment.card("task", TASK.id)
    view = await form(environment, ALICE, ts, "task.approve")
    shortened = next(
        block["text"]["text"]
        for block in view["blocks"]
        if block["type"] == "section" and block["text"]["type"] == "plain_text"
    )
    await environment.slack.submit(ALICE, view["id"], {"name": shortened[:60]})
    assert environment.slack.views(ALICE)[-1]["errors"] == WRONG
    await environment.slack.submit(ALICE, view["id"], {"name": shortened.removesuffix("…")})
    assert environment.slack.views(ALICE) == []
    await environment.replies(ts)
    assert decided(environment) == 1


async def test_of_a_long_name_the_whole_is_right_as_well(environment: BotEnvironment) -> None:
    name = "Isolate host ecs-web-07 and then " * 10 + "stop"
    environment.secmaster.world.task(TASK.id)["name"] = name
    ts = await environment.card("task", TASK.id)
    view = await form(environment, ALICE, ts, "task.approve")
    await environment.slack.submit(ALICE, view["id"], {"name": name})
    await environment.replies(ts)
    assert decided(environment) == 1


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\0"])
async def test_what_has_no_name_to_be_seen_is_named_by_its_id(
    environment: BotEnvironment, name: str
) -> None:
    environment.secmaster.world.task(TASK.id)["name"] = name
    ts = await environment.card("task", TASK.id)
    view = await form(environment, ALICE, ts, "task.approve")
    await environment.slack.submit(ALICE, view["id"], {"name": "—"})
    assert environment.slack.views(ALICE)[-1]["errors"] == WRONG
    await environment.slack.submit(ALICE, view["id"], {"name": TASK.id})
    await environment.replies(ts)
    assert decided(environment) == 1


async def test_the_name_is_that_of_what_was_seen_and_a_new_one_is_told(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    environment.secmaster.world.task(TASK.id)["name"] = "Isolate host db-01"
    view = await form(environment, ALICE, ts, "task.approve")
    await environment.slack.submit(ALICE, view["id"], {"name": NAME})
    await environment.ephemeral(ALICE, "Changed since you looked")
    assert decided(environment) == 0
    again = environment.slack.ephemerals(ALICE)[-1]
    await environment.slack.press(ALICE, SOC, again["ts"], "task.approve")
    view = environment.slack.views(ALICE)[-1]
    await environment.slack.submit(ALICE, view["id"], {"name": NAME})
    assert environment.slack.views(ALICE)[-1]["errors"] == WRONG
    await environment.slack.submit(ALICE, view["id"], {"name": "Isolate host db-01"})
    await environment.replies(ts)
    assert decided(environment) == 1


@with_policy(GLASS)
async def test_breaking_the_glass_asks_for_the_name_too(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    view = await form(environment, ALICE, ts, "task.approve")
    await environment.slack.submit(ALICE, view["id"], {"name": NAME})
    await environment.replies(ts)
    private = await environment.private_card(
        CAROL, TASK, Viewer(may_override=frozenset({"task.approve"}))
    )
    view = await form(environment, CAROL, private, "break-glass")
    await environment.slack.submit(CAROL, view["id"], {"reason": "it spreads", "name": "no"})
    assert environment.slack.views(CAROL)[-1]["errors"] == WRONG
    await environment.slack.submit(CAROL, view["id"], {"reason": "it spreads", "name": NAME})
    assert "(emergency override)" in (await environment.replies(ts, 2))[1]
    assert decided(environment) == 1
    await environment.posted(ONCALL, "emergency override* by <@U0CAROL>")


async def form(environment: BotEnvironment, user: str, ts: str, button: str) -> dict[str, Any]:
    delivered = await environment.slack.press(user, SOC, ts, button)
    assert (delivered.status, delivered.error) == (200, "")
    return environment.slack.views(user)[-1]


def decided(environment: BotEnvironment) -> int:
    writes = environment.secmaster.writes("UpdateTask", TASK.id)
    return len([one for one in writes if one.body["action"] in ("CONTINUE", "TERMINATE")])
