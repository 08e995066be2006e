"""People come by other ways than words and cards: the app's Home, and shortcuts."""

import json

from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from tests.town import ALICE, CAROL, DAVE, RANDOM, SOC, Town

HOME = "D0ALICE"


async def test_home_shows_what_waits_and_posts_a_card_in_our_chat(town: Town):
    await town.slack.open_home(ALICE)
    home = await town.slack.until(lambda: town.slack.home(ALICE))
    assert "Waiting for a decision: 12" in json.dumps(home)
    assert "Failed: 3" in json.dumps(home)
    _first, second, *_rest = rows(home)
    await town.slack.press_in_view(ALICE, home["id"], "show", block_id=second["block_id"])
    [card] = await town.slack.until(lambda: town.slack.messages(HOME))
    assert card["blocks"][0]["text"]["text"] == second["text"]["text"]
    await town.slack.press(ALICE, HOME, card["ts"], "task.approve")
    assert "*Approved* by <@U0ALICE>" in (await town.replies(card["ts"], channel=HOME))[0]
    await town.slack.press_in_view(ALICE, home["id"], "home")
    await town.slack.until(
        lambda: "Waiting for a decision: 11" in json.dumps(town.slack.home(ALICE))
    )


async def test_home_says_that_secmaster_is_in_trouble_and_can_be_drawn_again(town: Town):
    await town.secmaster.faults.set(Fault(on="ListTasks", status=503))
    await town.slack.open_home(DAVE)
    home = await town.slack.until(lambda: town.slack.home(DAVE))
    assert "SecMaster" in home["blocks"][0]["text"]["text"]
    await town.secmaster.faults.clear()
    await town.slack.press_in_view(DAVE, home["id"], "home")
    await town.slack.until(lambda: "Waiting for a decision" in json.dumps(town.slack.home(DAVE)))


async def test_what_waits_opens_from_anywhere_with_the_details_upon_it(town: Town):
    await town.slack.shortcut(CAROL, "waiting")
    view = await town.slack.until(lambda: opened(town, "Waiting for a decision: 12"))
    await town.slack.press_in_view(CAROL, view["id"], "details")
    await town.slack.until(lambda: len(town.slack.views(CAROL)) == 2)
    name = rows(view)[0]["text"]["text"]
    await town.slack.until(lambda: town.slack.views(CAROL)[-1]["blocks"][0]["text"]["text"] == name)
    await town.slack.close(CAROL, town.slack.views(CAROL)[-1]["id"])
    assert [one["id"] for one in town.slack.views(CAROL)] == [view["id"]]


async def test_a_message_under_a_card_becomes_a_comment_once_it_was_looked_over(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    said = await town.slack.say(DAVE, SOC, "the host is <drained> & idle, see #soc", ts)
    await town.slack.shortcut(CAROL, "task.comment", SOC, said["ts"])
    [view] = await town.slack.until(lambda: town.slack.views(CAROL))
    [typed] = [one["element"] for one in view["blocks"] if one["type"] == "input"]
    assert typed["initial_value"] == "the host is <drained> & idle, see #soc"
    await town.slack.submit(CAROL, view["id"], {})
    [_said, told] = await town.replies(ts, 2)
    assert "*Comment added* by <@U0CAROL>" in told
    [write] = town.secmaster.writes("UpdateTask", seed.TASK_ISOLATE)
    assert write.body["comment"].startswith("the host is <drained> & idle, see #soc\n— Carol")


async def test_the_card_itself_is_commented_on_with_an_empty_form(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.shortcut(CAROL, "task.comment", SOC, ts)
    [view] = await town.slack.until(lambda: town.slack.views(CAROL))
    [typed] = [one["element"] for one in view["blocks"] if one["type"] == "input"]
    assert "initial_value" not in typed


async def test_a_message_under_no_card_and_one_who_may_not_are_told_so(town: Town):
    said = await town.slack.say(CAROL, RANDOM, "who looks at this?")
    await town.slack.shortcut(CAROL, "task.comment", RANDOM, said["ts"])
    await town.whispered(CAROL, "not in the thread of a task's card", "Nothing was sent")
    run = await town.card("instance", seed.INSTANCE_FAILED)
    await town.slack.shortcut(CAROL, "task.comment", SOC, run)
    await town.whispered(CAROL, "not in the thread of a task's card")
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.slack.shortcut(DAVE, "task.comment", SOC, ts)
    await town.whispered(DAVE, "leaves it to")
    assert town.slack.views(CAROL) == town.slack.views(DAVE) == []
    assert town.secmaster.writes("UpdateTask") == []


def rows(view):
    return [one for one in view["blocks"] if one["type"] == "section"]


def opened(town, text):
    shown = town.slack.views(CAROL)
    return shown[-1] if shown and text in json.dumps(shown[-1]) else None
