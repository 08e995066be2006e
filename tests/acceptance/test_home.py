"""A person's Home is their queue: what they may decide, from what the watch knows."""

import asyncio
import json
from typing import Any

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.domain.actions import BY_NAME
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.secmaster.arrivals import new_failure, new_task
from bot.sandbox.slack.web_api import Call
from handlers import home as homes
from handlers.home import HomeRefresher
from tests.support.clock import FakeClock
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment, policy, settings_for
from tests.support.people import ALICE, BOB, CAROL, DAVE, GUEST, SOC
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS
from tests.support.watch import EVERA

CHAT = "D0ALICE"
WATCHING = """
[watch]
every = 0.02
oncall = ["S0ONCALL"]
"""
ONE_ROUND = POLICY + "[watch]\nevery = 3600\n"
TWO = POLICY.replace('["approver"]\n', '["approver"]\napprovals = 2\n', 1)
CAREFUL = POLICY.replace('["approver"]\n', '["approver"]\nconfirm = "type-name"\n', 1)


@pytest.fixture
def rules() -> str:
    return POLICY + WATCHING


@postgres_in_full
async def test_home_is_drawn_from_what_is_known_and_asks_secmaster_nothing(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await environment.secmaster.faults.set(Fault(on="*", status=503))
    home = await open_home(environment, ALICE)
    assert "*12* waiting for you" in view_text(home)
    assert "Failed runs you may retry: 0" in view_text(home)
    assert "<@U0CAROL>" in view_text(home)
    assert "Failed runs you may retry: 3" in view_text(await open_home(environment, CAROL))
    dave = view_text(await open_home(environment, DAVE))
    assert "*0* waiting for you" in dave
    assert "No task is waiting for you." in dave


@postgres_in_full
async def test_what_is_approved_on_home_is_told_in_our_chat_and_leaves_the_queue(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    home = await open_home(environment, ALICE)
    block, name = the_row(home, "task.approve")
    await environment.slack.press_in_view(ALICE, home["id"], "task.approve", block_id=block)
    [card] = await environment.slack.until(lambda: environment.slack.messages(CHAT))
    assert card["blocks"][0]["text"]["text"] == name
    assert "*Approved by <@U0ALICE>" in (await environment.replies(card["ts"], channel=CHAT))[0]
    assert len(environment.secmaster.writes("UpdateTask")) == 1
    await environment.slack.until(
        lambda: "*11* waiting for you" in view_text(environment.slack.home(ALICE))
    )
    await environment.slack.until(
        lambda: f"· Approved · *{name}*" in view_text(environment.slack.home(ALICE))
    )
    assert "Nothing yet." in view_text(await open_home(environment, CAROL))


async def test_what_is_terminated_on_home_asks_with_a_form_and_is_told_in_our_chat(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    home = await open_home(environment, ALICE)
    block, name = the_row(home, "task.terminate")
    await environment.slack.press_in_view(ALICE, home["id"], "task.terminate", block_id=block)
    [form] = await environment.slack.until(lambda: environment.slack.views(ALICE))
    assert name in view_text(form)
    await environment.slack.submit(ALICE, form["id"], {"reason": "a false positive"})
    [card] = await environment.slack.until(lambda: environment.slack.messages(CHAT))
    assert "*Terminated by <@U0ALICE>" in (await environment.replies(card["ts"], channel=CHAT))[0]
    assert f"{name}: " in card["text"]


@pytest.mark.parametrize("rules", [CAREFUL + WATCHING], ids=["by-name"])
async def test_whoever_has_to_type_a_name_is_shown_the_one_they_saw(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    home = await open_home(environment, ALICE)
    block, name = the_row(home, "task.approve")
    await environment.slack.press_in_view(ALICE, home["id"], "task.approve", block_id=block)
    [form] = await environment.slack.until(lambda: environment.slack.views(ALICE))
    await environment.slack.submit(ALICE, form["id"], {"name": name, "reason": ""})
    [card] = await environment.slack.until(lambda: environment.slack.messages(CHAT))
    assert "*Approved by <@U0ALICE>" in (await environment.replies(card["ts"], channel=CHAT))[0]
    assert f"{name}: " in card["text"]


async def test_a_home_that_slack_could_not_be_asked_about_is_drawn_once_it_can(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await open_home(environment, ALICE)
    environment.clock.forward(minutes=11)  # what is known of Alice is too old by then
    await environment.slack.faults.set(Fault(on="users.info", status=500))
    assert "could not confirm who you are" in view_text(await open_home(environment, ALICE))
    await environment.slack.faults.clear()
    await environment.slack.until(
        lambda: "*12* waiting for you" in view_text(environment.slack.home(ALICE))
    )


async def test_a_home_still_being_drawn_when_a_failure_is_shown_in_it_is_drawn_again(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await environment.slack.faults.set(Fault(on="views.publish", hold=True, applied=True))
    await environment.slack.open_home(ALICE)
    await environment.slack.faults.until_held("views.publish")
    environment.clock.forward(minutes=11)
    await environment.slack.faults.set(Fault(on="users.info", status=500))
    await environment.slack.open_home(ALICE)
    await environment.polls(3)
    await environment.slack.faults.clear("views.publish")
    await environment.slack.until(
        lambda: holding(environment, ALICE, "could not confirm who you are")
    )
    await environment.slack.faults.clear()
    await environment.slack.until(lambda: holding(environment, ALICE, "*12* waiting for you"))


@pytest.mark.slow
@pytest.mark.parametrize("rules", [ONE_ROUND], ids=["one-round"])
async def test_what_has_changed_since_home_was_drawn_is_not_decided_blindly(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    home = await open_home(environment, ALICE)
    block, name = the_row(home, "task.approve")
    task = next(one for one in environment.secmaster.world.tasks.values() if one["name"] == name)
    said_there = {"action": "ADD_COMMENT", "comment": "not this host"}
    environment.secmaster.world.update_task(task["id"], said_there, EVERA)
    await environment.slack.press_in_view(ALICE, home["id"], "task.approve", block_id=block)
    messages = await environment.slack.until(lambda: environment.slack.messages(CHAT))
    assert "not this host" in view_text(messages)
    approvals = [one.body["action"] for one in environment.secmaster.writes("UpdateTask")]
    assert approvals == []


async def test_each_run_that_is_counted_has_its_retry_and_says_where_it_failed(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    home = await open_home(environment, CAROL)
    assert "Failed runs you may retry: 3" in view_text(home)
    assert view_text(home).count('"instance.retry"') == 3
    assert "failed <!date^" in view_text(home)
    assert "at Respond" in view_text(home)
    await environment.slack.press_in_view(CAROL, home["id"], "instance.retry")
    [card] = await environment.slack.until(lambda: environment.slack.messages("D0CAROL"))
    started, ended = await environment.replies(card["ts"], 2, channel="D0CAROL")
    assert "Retry started" in started
    assert "*Retry finished*" in ended
    assert card["text"].startswith("Enrich alert")


async def test_details_open_at_once_over_home(environment: BotEnvironment) -> None:
    await first_poll_finished(environment)
    home = await open_home(environment, ALICE)
    block, name = the_row(home, "details")
    await environment.slack.press_in_view(ALICE, home["id"], "details", block_id=block)
    [modal] = environment.slack.views(ALICE)  # it is there before anything is read
    await environment.slack.until(lambda: name in view_text(environment.slack.views(ALICE)))
    assert modal["type"] == "modal"
    assert environment.slack.messages(CHAT) == []


async def test_what_has_no_button_on_a_card_has_none_on_home(
    environment: BotEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_button = BY_NAME["task.uncomment"]
    monkeypatch.setattr(homes, "DECISIONS", (*homes.DECISIONS, without_button))
    await first_poll_finished(environment)
    home = view_text(await open_home(environment, ALICE))
    assert "task.approve" in home
    assert without_button.name not in home


async def test_what_comes_and_what_is_decided_elsewhere_shows_without_a_press(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await open_home(environment, ALICE)
    task = new_task(environment.secmaster.world, 0)
    await environment.slack.until(
        lambda: "*13* waiting for you" in view_text(environment.slack.home(ALICE))
    )
    environment.secmaster.world.update_task(task["id"], {"action": "TERMINATE"}, EVERA)
    await environment.slack.until(
        lambda: "*12* waiting for you" in view_text(environment.slack.home(ALICE))
    )


async def test_a_home_that_would_look_the_same_or_is_left_alone_is_not_drawn_again(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await open_home(environment, ALICE)
    await open_home(environment, CAROL)
    await environment.polls(3)
    before = len(published(environment))
    await environment.polls(3)
    assert len(published(environment)) == before
    environment.clock.forward(minutes=20)
    environment.app.services.store.home_views.mark_opened(CAROL, environment.clock.now())
    new_failure(environment.secmaster.world, 0)  # Alice may not retry, and looks elsewhere
    new_task(environment.secmaster.world, 0)
    await environment.slack.until(lambda: "retry: 4" in view_text(environment.slack.home(CAROL)))
    await environment.polls(3)
    assert "*12* waiting for you" in view_text(environment.slack.home(ALICE))


@pytest.mark.parametrize("rules", [ONE_ROUND], ids=["one-round"])
async def test_only_so_many_homes_are_drawn_in_a_round_and_each_has_its_turn(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    homes, context = environment.app.services.store.home_views, refreshing(environment).app
    await context.services.background.drain()
    for user in (ALICE, BOB, CAROL, DAVE, GUEST):
        homes.mark_opened(user, environment.clock.now())
    by_two = HomeRefresher(context, at_once=2)
    turns = []
    for _ in range(4):
        homes.save_fingerprint(ALICE, "")  # something is new for Alice in every round
        before = len(published(environment))
        await by_two()
        await context.services.background.drain()
        turns.append({call.args["user_id"] for call in published(environment)[before:]})
    assert turns == [{ALICE, BOB}, {CAROL, DAVE}, {GUEST, ALICE}, {ALICE}]


@pytest.mark.parametrize("rules", [POLICY + WATCHING])
async def test_what_somebody_wants_to_see_is_theirs_and_outlives_a_restart(
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    clock: FakeClock,
    database_url: str,
    rules: str,
) -> None:
    settings = settings_for(slack.url, secmaster.url, database_url)
    async with App(settings, policy(rules), QUICK_TIMEOUTS, clock) as app:
        environment = arrived(slack, secmaster, app, clock)
        await first_poll_finished(environment)
        home = await open_home(environment, DAVE)
        assert row(home, "details") is None
        await environment.slack.press_in_view(
            DAVE, home["id"], "home.tasks", option(home, "All waiting")
        )
        await environment.slack.until(
            lambda: "1–8 of 12" in view_text(environment.slack.home(DAVE))
        )
        await environment.slack.press_in_view(DAVE, home["id"], "home.next")
        await environment.slack.until(
            lambda: "9–12 of 12" in view_text(environment.slack.home(DAVE))
        )
        assert "task.approve" not in view_text(environment.slack.home(DAVE))
    async with App(settings, policy(rules), QUICK_TIMEOUTS, clock) as app:
        environment = arrived(slack, secmaster, app, clock)
        assert "9–12 of 12" in view_text(await open_home(environment, DAVE))
        assert "*12* waiting for you" in view_text(await open_home(environment, ALICE))


async def test_home_says_that_secmaster_is_in_trouble_and_shows_what_was_known(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await open_home(environment, ALICE)
    await environment.secmaster.faults.set(Fault(on="ListTasks", status=503))
    await environment.slack.until(
        lambda: holding(environment, ALICE, "SecMaster can't be read right now")
    )
    assert "*12* waiting for you" in view_text(environment.slack.home(ALICE))
    await environment.secmaster.faults.clear()
    await environment.slack.until(
        lambda: "can't be read" not in view_text(environment.slack.home(ALICE))
    )


async def test_nothing_is_sent_where_our_chat_can_not_be_opened(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    home = await open_home(environment, ALICE)
    block, _name = the_row(home, "task.approve")
    await environment.slack.faults.set(Fault(on="conversations.open", status=500, times=1))
    await environment.slack.press_in_view(ALICE, home["id"], "task.approve", block_id=block)
    [message] = await environment.slack.until(lambda: environment.slack.messages(CHAT))
    assert "Nothing was sent. Press again." in message["text"]
    assert environment.secmaster.writes("UpdateTask") == []
    redrawn = environment.slack.home(ALICE)
    assert redrawn
    block, _name = the_row(redrawn, "task.approve")
    await environment.slack.press_in_view(ALICE, home["id"], "task.approve", block_id=block)
    await environment.secmaster.until(lambda: environment.secmaster.writes("UpdateTask"))
    card = await environment.slack.until(lambda: environment.new_card(CHAT, {message["ts"]}))
    assert "*Approved by" in (await environment.replies(card, channel=CHAT))[0]


async def test_a_home_of_somebody_whom_slack_does_not_tell_says_so_and_is_drawn_again(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await environment.slack.faults.set(Fault(on="users.info", status=500))
    home = await open_home(environment, ALICE)
    assert "Slack could not confirm who you are" in view_text(home)
    await environment.slack.faults.clear()
    await environment.slack.press_in_view(ALICE, home["id"], "home")
    await environment.slack.until(
        lambda: "*12* waiting for you" in view_text(environment.slack.home(ALICE))
    )


async def test_a_button_of_another_version_changes_nothing_and_is_told(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    home = await open_home(environment, ALICE)
    old = {"type": "button", "action_id": "home", "value": '{"tasks": "of another version"}'}
    label = {"text": {"type": "plain_text", "text": "Old"}}
    view = {"type": "home", "blocks": [{"type": "actions", "elements": [old | label]}]}
    await environment.app.services.slack.client.views_publish(user_id=ALICE, view=view)
    await environment.slack.press_in_view(ALICE, home["id"], "home")
    messages = await environment.slack.until(lambda: environment.slack.messages(CHAT))
    assert "another version" in view_text(messages)


@pytest.mark.parametrize("rules", [TWO + "[watch]\nevery = 0\n"], ids=["unwatched"])
async def test_without_polling_home_shows_whose_approval_is_asked_for(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(channel="D0BOB")
    card = await environment.card("task", seed.TASK_ISOLATE)
    assert "Waiting for your approval" not in view_text(await open_home(environment, BOB))
    await environment.slack.press(ALICE, SOC, card, "task.approve")
    await environment.replies(card)
    home = await open_home(environment, BOB)
    assert "Waiting for your approval: 1" in view_text(home)
    assert "Approvals to approve: 1 of 2" in view_text(home)
    assert "Waiting for others' approval: 1" in view_text(await open_home(environment, ALICE))
    # SecMaster need not answer for what stands in the bot's own store.
    await environment.secmaster.faults.set(Fault(on="*", status=503))
    assert "Waiting for your approval: 1" in view_text(await open_home(environment, BOB))
    await environment.secmaster.faults.clear()
    home = await open_home(environment, BOB)
    block = next(
        each["block_id"]
        for each in home["blocks"]
        if each["type"] == "actions" and each["elements"][0]["action_id"] == "task.approve"
    )
    await environment.slack.press_in_view(BOB, home["id"], "task.approve", block_id=block)
    [own] = await environment.slack.until(lambda: environment.slack.messages("D0BOB"))
    assert "Approved by" in (await environment.replies(own["ts"], channel="D0BOB"))[0]
    assert "Waiting for your approval" not in view_text(await open_home(environment, BOB))


async def first_poll_finished(environment: BotEnvironment) -> None:
    """Wait until the first round is through."""
    through = asyncio.Event()

    async def told() -> None:
        through.set()

    environment.app.poller.subscribe(told)
    first = environment.app.services.store.poll_statuses.get("main")
    if first is None or first.last_success_at is None:
        await through.wait()


async def open_home(environment: BotEnvironment, user: str) -> dict[str, Any]:
    """Open somebody's Home, and return it as it is drawn then."""
    before = publish_count(environment, user)
    await environment.slack.open_home(user)
    await environment.slack.until(lambda: publish_count(environment, user) > before)
    home = environment.slack.home(user)
    assert home is not None
    return home


def publish_count(environment: BotEnvironment, user: str) -> int:
    """How often somebody's Home was drawn."""
    return sum(call.ok and call.args["user_id"] == user for call in published(environment))


def refreshing(environment: BotEnvironment) -> HomeRefresher:
    return environment.app.home_refresher


def published(environment: BotEnvironment) -> list[Call]:
    return [call for call in environment.slack.calls if call.method == "views.publish"]


def holding(environment: BotEnvironment, user: str, text: str) -> dict[str, Any] | None:
    home = environment.slack.home(user)
    return home if home and text in view_text(home) else None


def view_text(view: object) -> str:
    return json.dumps(view, ensure_ascii=False)


def row(home: dict[str, Any], action_id: str) -> tuple[str, str] | None:
    """The block of the first such button, and the name above it."""
    parts = home["blocks"]
    for at, part in enumerate(parts):
        if any(each.get("action_id") == action_id for each in part.get("elements", ())):
            return part["block_id"], parts[at - 2]["text"]["text"]
    return None


def the_row(home: dict[str, Any], action_id: str) -> tuple[str, str]:
    """The block of the first such button, and the name above it; there must be one."""
    block_and_name = row(home, action_id)
    assert block_and_name is not None
    return block_and_name


def option(home: dict[str, Any], label: str) -> str:
    """What a filter's option of this label carries."""
    menus = [part["accessory"] for part in home["blocks"] if "accessory" in part]
    menu = next(menu for menu in menus if menu["action_id"] == "home.tasks")
    return next(
        str(each["value"]) for each in menu["options"] if each["text"]["text"].startswith(label)
    )


def arrived(
    slack: SlackRecorder, secmaster: SecMasterSandbox, app: App, clock: FakeClock
) -> BotEnvironment:
    slack.request_url = f"{app.url}/slack/events"
    return BotEnvironment(slack, secmaster, app, clock)


@pytest.mark.parametrize("rules", [TWO + WATCHING], ids=["two"])
async def test_before_an_approval_home_says_that_another_must_follow(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    home = await open_home(environment, ALICE)
    buttons = [each for block in home["blocks"] for each in block.get("elements", [])]
    asked = next(each["confirm"] for each in buttons if each.get("action_id") == "task.approve")
    assert "You will be 1 of 2." in asked["text"]["text"]
