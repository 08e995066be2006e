"""A person's Home is their queue: what they may decide, from what the watch knows."""

import asyncio
import json

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, SecMasterSandbox
from bot.sandbox.secmaster.arrivals import new_failure, new_task
from bot.sandbox.slack import SlackSandbox
from handlers.home import HomeRefresher
from tests.town import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    GUEST,
    QUICK,
    Hands,
    Town,
    both_databases,
    policy,
    settings_for,
)

CHAT = "D0ALICE"
EVERA = Person("console-evera", "Evera")
WATCHING = """
[watch]
every = 0.02
oncall = ["S0ONCALL"]
"""
ONE_ROUND = POLICY + "[watch]\nevery = 3600\n"
CAREFUL = POLICY.replace('["approver"]\n', '["approver"]\nconfirm = "type-name"\n', 1)


@pytest.fixture
def rules() -> str:
    return POLICY + WATCHING


@both_databases
async def test_home_is_drawn_from_what_is_known_and_asks_secmaster_nothing(town: Town):
    await began(town)
    await town.secmaster.faults.set(Fault(on="*", status=503))
    home = await opened(town, ALICE)
    assert "*12* waiting for me" in said(home)
    assert "Failed runs I may retry: 0" in said(home)
    assert "<@U0CAROL>" in said(home)
    assert "Failed runs I may retry: 3" in said(await opened(town, CAROL))
    dave = said(await opened(town, DAVE))
    assert "*0* waiting for me" in dave
    assert "Nothing waits for you." in dave


@both_databases
async def test_what_is_approved_on_home_is_told_in_our_chat_and_leaves_the_queue(town: Town):
    await began(town)
    home = await opened(town, ALICE)
    block, name = row(home, "task.approve")
    await town.slack.press_in_view(ALICE, home["id"], "task.approve", block_id=block)
    [card] = await town.slack.until(lambda: town.slack.messages(CHAT))
    assert card["blocks"][0]["text"]["text"] == name
    assert "*Approved* by <@U0ALICE>" in (await town.replies(card["ts"], channel=CHAT))[0]
    assert len(town.secmaster.writes("UpdateTask")) == 1
    await town.slack.until(lambda: "*11* waiting for me" in said(town.slack.home(ALICE)))
    await town.slack.until(lambda: f"Approved: *{name}*" in said(town.slack.home(ALICE)))
    assert "Nothing yet." in said(await opened(town, CAROL))


async def test_what_is_terminated_on_home_asks_with_a_form_and_is_told_in_our_chat(town: Town):
    await began(town)
    home = await opened(town, ALICE)
    block, name = row(home, "task.terminate")
    await town.slack.press_in_view(ALICE, home["id"], "task.terminate", block_id=block)
    [form] = await town.slack.until(lambda: town.slack.views(ALICE))
    assert name in said(form)
    await town.slack.submit(ALICE, form["id"], {"reason": "a false positive"})
    [card] = await town.slack.until(lambda: town.slack.messages(CHAT))
    assert "*Terminated* by <@U0ALICE>" in (await town.replies(card["ts"], channel=CHAT))[0]


@pytest.mark.parametrize("rules", [CAREFUL + WATCHING], ids=["by-name"])
async def test_whoever_has_to_type_a_name_is_shown_the_one_they_saw(town: Town):
    await began(town)
    home = await opened(town, ALICE)
    block, name = row(home, "task.approve")
    await town.slack.press_in_view(ALICE, home["id"], "task.approve", block_id=block)
    [form] = await town.slack.until(lambda: town.slack.views(ALICE))
    await town.slack.submit(ALICE, form["id"], {"name": name, "reason": ""})
    [card] = await town.slack.until(lambda: town.slack.messages(CHAT))
    assert "*Approved* by <@U0ALICE>" in (await town.replies(card["ts"], channel=CHAT))[0]


async def test_a_home_that_slack_could_not_be_asked_about_is_drawn_once_it_can(town: Town):
    await began(town)
    await opened(town, ALICE)
    town.hands.forward(seconds=61)
    await town.slack.faults.set(Fault(on="users.info", status=500))
    assert "could not be asked who you are" in said(await opened(town, ALICE))
    await town.slack.faults.clear()
    await town.slack.until(lambda: "*12* waiting for me" in said(town.slack.home(ALICE)))


@pytest.mark.parametrize("rules", [ONE_ROUND], ids=["one-round"])
async def test_what_has_changed_since_home_was_drawn_is_not_decided_blindly(town: Town):
    await began(town)
    home = await opened(town, ALICE)
    block, name = row(home, "task.approve")
    task = next(one for one in town.secmaster.world.tasks.values() if one["name"] == name)
    said_there = {"action": "ADD_COMMENT", "comment": "not this host"}
    town.secmaster.world.update_task(task["id"], said_there, EVERA)
    await town.slack.press_in_view(ALICE, home["id"], "task.approve", block_id=block)
    told = await town.slack.until(lambda: town.slack.messages(CHAT))
    assert "not this host" in said(told)
    approvals = [one.body["action"] for one in town.secmaster.writes("UpdateTask")]
    assert approvals == []


async def test_a_run_is_retried_from_home_once_it_was_looked_at(town: Town):
    await began(town)
    home = await opened(town, CAROL)
    assert "instance.retry" not in said(home)  # a list does not say where they failed
    await town.slack.press_in_view(CAROL, home["id"], "details")
    home = await town.slack.until(lambda: holding(town, CAROL, "instance.retry"))
    await town.slack.press_in_view(CAROL, home["id"], "instance.retry")
    [card] = await town.slack.until(lambda: town.slack.messages("D0CAROL"))
    assert "Retry started" in (await town.replies(card["ts"], channel="D0CAROL"))[0]


async def test_what_comes_and_what_is_decided_elsewhere_shows_without_a_press(town: Town):
    await began(town)
    await opened(town, ALICE)
    task = new_task(town.secmaster.world, 0)
    await town.slack.until(lambda: "*13* waiting for me" in said(town.slack.home(ALICE)))
    town.secmaster.world.update_task(task["id"], {"action": "TERMINATE"}, EVERA)
    await town.slack.until(lambda: "*12* waiting for me" in said(town.slack.home(ALICE)))


async def test_a_home_that_would_look_the_same_or_is_left_alone_is_not_drawn_again(town: Town):
    await began(town)
    await opened(town, ALICE)
    await opened(town, CAROL)
    await town.rounds(3)
    before = len(published(town))
    await town.rounds(3)
    assert len(published(town)) == before
    town.hands.forward(minutes=20)
    town.app.services.store.home_views.save_options(CAROL, {}, town.hands.now())
    new_failure(town.secmaster.world, 0)  # Alice may not retry, and looks elsewhere
    new_task(town.secmaster.world, 0)
    await town.slack.until(lambda: "retry: 4" in said(town.slack.home(CAROL)))
    await town.rounds(3)
    assert "*12* waiting for me" in said(town.slack.home(ALICE))


@pytest.mark.parametrize("rules", [ONE_ROUND], ids=["one-round"])
async def test_only_so_many_homes_are_drawn_in_a_round_and_each_has_its_turn(town: Town):
    await began(town)
    homes, house = town.app.services.store.home_views, refreshing(town).app
    await house.services.background.drain()
    for user in (ALICE, BOB, CAROL, DAVE, GUEST):
        homes.save_options(user, {}, town.hands.now())
    by_two = HomeRefresher(house, at_once=2)
    turns = []
    for _ in range(4):
        homes.save_fingerprint(ALICE, "")  # something is new for Alice in every round
        before = len(published(town))
        await by_two()
        await house.services.background.drain()
        turns.append({call.args["user_id"] for call in published(town)[before:]})
    assert turns == [{ALICE, BOB}, {CAROL, DAVE}, {GUEST, ALICE}, {ALICE}]


@pytest.mark.parametrize("rules", [POLICY + WATCHING])
async def test_what_somebody_wants_to_see_is_theirs_and_outlives_a_restart(
    slack: SlackSandbox, secmaster: SecMasterSandbox, hands: Hands, database_url: str, rules: str
):
    settings = settings_for(slack, secmaster, database_url)
    async with App(settings, policy(rules), QUICK, hands) as app:
        town = arrived(slack, secmaster, app, hands)
        await began(town)
        home = await opened(town, DAVE)
        assert row(home, "show") is None
        await town.slack.press_in_view(DAVE, home["id"], "home.tasks", option(home, "Everything"))
        await town.slack.until(lambda: "1-8 of 12" in said(town.slack.home(DAVE)))
        await town.slack.press_in_view(DAVE, home["id"], "home.next")
        await town.slack.until(lambda: "9-12 of 12" in said(town.slack.home(DAVE)))
        assert "task.approve" not in said(town.slack.home(DAVE))
    async with App(settings, policy(rules), QUICK, hands) as app:
        town = arrived(slack, secmaster, app, hands)
        assert "9-12 of 12" in said(await opened(town, DAVE))
        assert "*12* waiting for me" in said(await opened(town, ALICE))


async def test_home_says_that_secmaster_is_in_trouble_and_shows_what_was_known(town: Town):
    await began(town)
    await opened(town, ALICE)
    await town.secmaster.faults.set(Fault(on="ListTasks", status=503))
    await town.slack.until(lambda: holding(town, ALICE, "SecMaster can't be read now"))
    assert "*12* waiting for me" in said(town.slack.home(ALICE))
    await town.secmaster.faults.clear()
    await town.slack.until(lambda: "can't be read" not in said(town.slack.home(ALICE)))


async def test_nothing_is_sent_where_our_chat_can_not_be_opened(town: Town):
    await began(town)
    home = await opened(town, ALICE)
    block, _name = row(home, "task.approve")
    await town.slack.faults.set(Fault(on="conversations.open", status=500, times=1))
    await town.slack.press_in_view(ALICE, home["id"], "task.approve", block_id=block)
    [told] = await town.slack.until(lambda: town.slack.messages(CHAT))
    assert "Nothing was sent; press again." in told["text"]
    assert town.secmaster.writes("UpdateTask") == []
    await town.slack.press_in_view(ALICE, home["id"], "task.approve", block_id=block)
    await town.secmaster.until(lambda: town.secmaster.writes("UpdateTask"))


async def test_a_home_of_somebody_whom_slack_does_not_tell_says_so_and_is_drawn_again(town: Town):
    await began(town)
    await town.slack.faults.set(Fault(on="users.info", status=500))
    home = await opened(town, ALICE)
    assert "Slack could not be asked who you are" in said(home)
    await town.slack.faults.clear()
    await town.slack.press_in_view(ALICE, home["id"], "home")
    await town.slack.until(lambda: "*12* waiting for me" in said(town.slack.home(ALICE)))


async def test_a_button_of_another_version_changes_nothing_and_is_told(town: Town):
    await began(town)
    home = await opened(town, ALICE)
    old = {"type": "button", "action_id": "home", "value": '{"tasks": "of another version"}'}
    label = {"text": {"type": "plain_text", "text": "Old"}}
    view = {"type": "home", "blocks": [{"type": "actions", "elements": [old | label]}]}
    await town.app.services.slack.client.views_publish(user_id=ALICE, view=view)
    await town.slack.press_in_view(ALICE, home["id"], "home")
    told = await town.slack.until(lambda: town.slack.messages(CHAT))
    assert "another version" in said(told)


async def began(town: Town) -> None:
    """Wait until the first round is through."""
    through = asyncio.Event()

    async def told() -> None:
        through.set()

    town.app.poller.subscribe(told)
    first = town.app.services.store.poll_statuses.get("main")
    if first is None or first.last_success_at is None:
        await through.wait()


async def opened(town: Town, user: str) -> dict:
    """Open somebody's Home, and return it as it is drawn then."""
    before = drawn(town, user)
    await town.slack.open_home(user)
    await town.slack.until(lambda: drawn(town, user) > before)
    return town.slack.home(user)


def drawn(town: Town, user: str) -> int:
    """How often somebody's Home was drawn."""
    return sum(call.ok and call.args["user_id"] == user for call in published(town))


def refreshing(town: Town) -> HomeRefresher:
    return town.app.home_refresher


def published(town: Town) -> list:
    return [call for call in town.slack.calls if call.method == "views.publish"]


def holding(town: Town, user: str, text: str) -> dict | None:
    home = town.slack.home(user)
    return home if home and text in said(home) else None


def said(view) -> str:
    return json.dumps(view, ensure_ascii=False)


def row(home: dict, action_id: str) -> tuple[str, str] | None:
    """The block of the first such button, and the name above it."""
    parts = home["blocks"]
    for at, part in enumerate(parts):
        if any(each.get("action_id") == action_id for each in part.get("elements", ())):
            return part["block_id"], parts[at - 2]["text"]["text"]
    return None


def option(home: dict, label: str) -> str:
    """What a filter's option of this label carries."""
    [menu] = [part["accessory"] for part in home["blocks"] if "accessory" in part]
    return next(each["value"] for each in menu["options"] if each["text"]["text"].startswith(label))


def arrived(slack: SlackSandbox, secmaster: SecMasterSandbox, app: App, hands: Hands) -> Town:
    slack.request_url = f"{app.url}/slack/events"
    return Town(slack, secmaster, app, hands)
