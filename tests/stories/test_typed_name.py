"""What is grave is confirmed by typing its name: read first, then sent."""

import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.secmaster import seed
from tests.town import ALICE, CAROL, SOC, Town, both_databases

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
WRONG = {"name": "That is not its name. Type the name that stands above."}


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", NAMED))


def with_policy(text: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rules", [text], indirect=True, ids=["policy"])


@both_databases
async def test_the_button_asks_for_the_name_and_sends_only_with_it(town: Town):
    ts = await town.card("task", TASK.id)
    view = await form(town, ALICE, ts, "task.approve")
    assert NAME in json.dumps(view["blocks"])
    for wrong in ("Isolate host ecs-web-08", "Isolate", f"{NAME}!", TASK.id):
        await town.slack.submit(ALICE, view["id"], {"name": wrong})
        assert town.slack.views(ALICE)[-1]["errors"] == WRONG
    refused = await town.slack.submit(ALICE, view["id"], {"name": "   "})
    assert refused.error or town.slack.views(ALICE)[-1]["errors"] == WRONG
    assert decided(town) == 0
    await town.slack.submit(ALICE, view["id"], {"name": NAME})
    assert town.slack.views(ALICE) == []
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0ALICE>" in said
    assert decided(town) == 1


@pytest.mark.parametrize(
    "typed", ["isolate HOST ecs-web-07", f"  {NAME}  ", "Isolate  host\tecs-web-07"]
)
async def test_case_and_space_do_not_matter(town: Town, typed: str):
    ts = await town.card("task", TASK.id)
    view = await form(town, ALICE, ts, "task.approve")
    await town.slack.submit(ALICE, view["id"], {"name": typed})
    await town.replies(ts)
    assert decided(town) == 1


async def test_by_words_the_button_is_pointed_at_and_nothing_is_sent(town: Town):
    ts = await town.card("task", TASK.id)
    await town.slack.command(ALICE, SOC, f"/task approve {TASK.id} {NAME}")
    await town.whispered(ALICE, "This asks for the task's name to be typed: press *Approve*")
    await town.slack.say(ALICE, SOC, "@secmaster approve", ts)
    await town.slack.until(lambda: len(town.slack.ephemerals(ALICE)) == 2)
    assert "Nothing was sent." in town.slack.ephemerals(ALICE)[-1]["text"]
    assert decided(town) == 0


async def test_reason_and_name_are_asked_for_in_one_form(town: Town):
    ts = await town.card("task", TASK.id)
    view = await form(town, ALICE, ts, "task.terminate")
    await town.slack.submit(ALICE, view["id"], {"reason": "a decoy", "name": "no"})
    assert town.slack.views(ALICE)[-1]["errors"] == WRONG
    await town.slack.submit(ALICE, view["id"], {"reason": "a decoy", "name": NAME})
    [said] = await town.replies(ts)
    assert "*Terminated* by <@U0ALICE>" in said
    assert "> a decoy" in said


async def test_a_run_is_named_too(town: Town):
    ts = await town.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    name = town.secmaster.world.instance(seed.INSTANCE_FAILED)["name"]
    view = await form(town, CAROL, ts, "instance.terminate")
    await town.slack.submit(CAROL, view["id"], {"name": "no"})
    assert town.slack.views(CAROL)[-1]["errors"] == WRONG
    await town.slack.submit(CAROL, view["id"], {"name": name})
    [said] = await town.replies(ts)
    assert "<@U0CAROL>" in said
    assert len(town.secmaster.writes("UpdateWorkflowInstance")) == 1


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
async def test_whatever_it_is_called_its_name_is_what_is_typed(town: Town, name: str):
    town.secmaster.world.task(TASK.id)["name"] = name
    ts = await town.card("task", TASK.id)
    view = await form(town, ALICE, ts, "task.approve")
    await town.slack.submit(ALICE, view["id"], {"name": name[:-1]})
    assert town.slack.views(ALICE)[-1]["errors"] == WRONG
    await town.slack.submit(ALICE, view["id"], {"name": " ".join(name.split())})
    await town.replies(ts)
    assert decided(town) == 1


@pytest.mark.parametrize("length", [149, 150, 151, 400, 3000])
async def test_of_a_long_name_what_the_form_shows_is_enough(town: Town, length: int):
    name = ("Isolate host ecs-web-07 and then " * 100)[:length].strip()
    town.secmaster.world.task(TASK.id)["name"] = name
    ts = await town.card("task", TASK.id)
    view = await form(town, ALICE, ts, "task.approve")
    shown = next(
        block["text"]["text"]
        for block in view["blocks"]
        if block["type"] == "section" and block["text"]["type"] == "plain_text"
    )
    await town.slack.submit(ALICE, view["id"], {"name": shown[:60]})
    assert town.slack.views(ALICE)[-1]["errors"] == WRONG
    await town.slack.submit(ALICE, view["id"], {"name": shown.removesuffix("…")})
    assert town.slack.views(ALICE) == []
    await town.replies(ts)
    assert decided(town) == 1


async def test_of_a_long_name_the_whole_is_right_as_well(town: Town):
    name = "Isolate host ecs-web-07 and then " * 10 + "stop"
    town.secmaster.world.task(TASK.id)["name"] = name
    ts = await town.card("task", TASK.id)
    view = await form(town, ALICE, ts, "task.approve")
    await town.slack.submit(ALICE, view["id"], {"name": name})
    await town.replies(ts)
    assert decided(town) == 1


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\0"])
async def test_what_has_no_name_to_be_seen_is_named_by_its_id(town: Town, name: str):
    town.secmaster.world.task(TASK.id)["name"] = name
    ts = await town.card("task", TASK.id)
    view = await form(town, ALICE, ts, "task.approve")
    await town.slack.submit(ALICE, view["id"], {"name": "—"})
    assert town.slack.views(ALICE)[-1]["errors"] == WRONG
    await town.slack.submit(ALICE, view["id"], {"name": TASK.id})
    await town.replies(ts)
    assert decided(town) == 1


async def test_the_name_is_that_of_what_was_seen_and_a_new_one_is_told(town: Town):
    ts = await town.card("task", TASK.id)
    town.secmaster.world.task(TASK.id)["name"] = "Isolate host db-01"
    view = await form(town, ALICE, ts, "task.approve")
    await town.slack.submit(ALICE, view["id"], {"name": NAME})
    await town.whispered(ALICE, "Changed since you looked")
    assert decided(town) == 0
    again = town.slack.ephemerals(ALICE)[-1]
    await town.slack.press(ALICE, SOC, again["ts"], "task.approve")
    view = town.slack.views(ALICE)[-1]
    await town.slack.submit(ALICE, view["id"], {"name": NAME})
    assert town.slack.views(ALICE)[-1]["errors"] == WRONG
    await town.slack.submit(ALICE, view["id"], {"name": "Isolate host db-01"})
    await town.replies(ts)
    assert decided(town) == 1


@with_policy(GLASS)
async def test_breaking_the_glass_asks_for_the_name_too(town: Town):
    ts = await town.card("task", TASK.id)
    view = await form(town, ALICE, ts, "task.approve")
    await town.slack.submit(ALICE, view["id"], {"name": NAME})
    await town.replies(ts)
    await town.slack.until(lambda: "break-glass" in town.buttons(ts))
    view = await form(town, CAROL, ts, "break-glass")
    await town.slack.submit(CAROL, view["id"], {"reason": "it spreads", "name": "no"})
    assert town.slack.views(CAROL)[-1]["errors"] == WRONG
    await town.slack.submit(CAROL, view["id"], {"reason": "it spreads", "name": NAME})
    assert "who broke the glass" in (await town.replies(ts, 2))[1]
    assert decided(town) == 1


async def form(town: Town, user: str, ts: str, button: str) -> dict[str, Any]:
    delivered = await town.slack.press(user, SOC, ts, button)
    assert (delivered.status, delivered.error) == (200, "")
    return town.slack.views(user)[-1]


def decided(town: Town) -> int:
    writes = town.secmaster.writes("UpdateTask", TASK.id)
    return len([one for one in writes if one.body["action"] in ("CONTINUE", "TERMINATE")])
