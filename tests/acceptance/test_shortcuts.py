"""People come by other ways than words and cards: the app's Home, and shortcuts."""

import json
from typing import Any

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, CAROL, DAVE, RANDOM, SOC

HOME = "D0ALICE"


async def test_home_shows_what_waits_and_posts_a_card_in_our_chat(
    environment: BotEnvironment,
) -> None:
    await environment.slack.open_home(ALICE)
    home = await environment.slack.until(lambda: environment.slack.home(ALICE))
    assert "Waiting for a decision: 12" in json.dumps(home)
    assert "Failed runs: 3" in json.dumps(home)
    _first, second, *_rest = rows(home)
    await environment.slack.press_in_view(ALICE, home["id"], "show", block_id=second["block_id"])
    [card] = await environment.slack.until(lambda: environment.slack.messages(HOME))
    assert card["blocks"][0]["text"]["text"] == second["text"]["text"]
    await environment.slack.press(ALICE, HOME, card["ts"], "task.approve")
    assert "*Approved by <@U0ALICE>" in (await environment.replies(card["ts"], channel=HOME))[0]
    await environment.slack.press_in_view(ALICE, home["id"], "home")
    await environment.slack.until(
        lambda: "Waiting for a decision: 11" in json.dumps(environment.slack.home(ALICE))
    )


async def test_home_says_that_secmaster_is_in_trouble_and_can_be_drawn_again(
    environment: BotEnvironment,
) -> None:
    await environment.secmaster.faults.set(Fault(on="ListTasks", status=503))
    await environment.slack.open_home(DAVE)
    home = await environment.slack.until(lambda: environment.slack.home(DAVE))
    assert "SecMaster" in home["blocks"][0]["text"]["text"]
    await environment.secmaster.faults.clear()
    await environment.slack.press_in_view(DAVE, home["id"], "home")
    await environment.slack.until(
        lambda: "Waiting for a decision" in json.dumps(environment.slack.home(DAVE))
    )


async def test_what_waits_opens_from_anywhere_with_the_details_upon_it(
    environment: BotEnvironment,
) -> None:
    await environment.slack.shortcut(CAROL, "waiting")
    view = await environment.slack.until(
        lambda: view_with(environment, "Waiting for a decision: 12")
    )
    await environment.slack.press_in_view(CAROL, view["id"], "details")
    await environment.slack.until(lambda: len(environment.slack.views(CAROL)) == 2)
    name = rows(view)[0]["text"]["text"]
    await environment.slack.until(
        lambda: environment.slack.views(CAROL)[-1]["blocks"][0]["text"]["text"] == name
    )
    await environment.slack.close(CAROL, environment.slack.views(CAROL)[-1]["id"])
    assert [one["id"] for one in environment.slack.views(CAROL)] == [view["id"]]


async def test_a_message_under_a_card_becomes_a_comment_once_it_was_looked_over(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    message = await environment.slack.say(DAVE, SOC, "the host is <drained> & idle, see #soc", ts)
    await environment.slack.shortcut(CAROL, "task.comment", SOC, message["ts"])
    [view] = await environment.slack.until(lambda: environment.slack.views(CAROL))
    [typed] = [one["element"] for one in view["blocks"] if one["type"] == "input"]
    assert typed["initial_value"] == "the host is <drained> & idle, see #soc"
    await environment.slack.submit(CAROL, view["id"], {})
    [_said, reply] = await environment.replies(ts, 2)
    assert "*Comment added by <@U0CAROL>" in reply
    [write] = environment.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    assert write.body["comment"].startswith("the host is <drained> & idle, see #soc\n— Carol")


async def test_the_card_itself_is_commented_on_with_an_empty_form(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.shortcut(CAROL, "task.comment", SOC, ts)
    [view] = await environment.slack.until(lambda: environment.slack.views(CAROL))
    [typed] = [one["element"] for one in view["blocks"] if one["type"] == "input"]
    assert "initial_value" not in typed


async def test_a_message_under_no_card_and_one_who_may_not_are_told_so(
    environment: BotEnvironment,
) -> None:
    message = await environment.slack.say(CAROL, RANDOM, "who looks at this?")
    await environment.slack.shortcut(CAROL, "task.comment", RANDOM, message["ts"])
    await environment.ephemeral(CAROL, "not in the thread of a task's card", "was not sent")
    run = await environment.card("instance", seed.INSTANCE_FAILED)
    await environment.slack.shortcut(CAROL, "task.comment", SOC, run)
    await environment.ephemeral(CAROL, "not in the thread of a task's card")
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.slack.shortcut(DAVE, "task.comment", SOC, ts)
    await environment.ephemeral(DAVE, "can do this (rule")
    assert environment.slack.views(CAROL) == environment.slack.views(DAVE) == []
    assert environment.secmaster.writes("UpdateTask") == []


def rows(view: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in view["blocks"] if one["type"] == "section"]


def view_with(environment: BotEnvironment, text: str) -> dict[str, Any] | None:
    views = environment.slack.views(CAROL)
    return views[-1] if views and text in json.dumps(views[-1]) else None
