"""Routes: where cards go and why, who has a channel told of all that comes, and a new policy."""

import json
from pathlib import Path

import pytest

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.policy import config
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.secmaster.arrivals import WORKFLOWS
from bot.sandbox.secmaster.wire import stamp
from tests.support.clock import FakeClock
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment, restarted, settings_for
from tests.support.people import ALICE, BOB, CAROL, DAVE, ONCALL, PRIVATE, SOC
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import QUICK_TIMEOUTS
from tests.support.watch import card_of, first_poll_finished

ROUTES = """
[rights]
watch = ["approver"]

[watch]
every = 0.02

[[routes]]
name = "blocks"
channel = "C0SOC"
tasks = true
when = { name = "Block.*" }
continue = true

[[routes]]
name = "for Carol"
user = "U0CAROL"
tasks = true
when = { name = "Block.*" }

[[routes]]
name = "hosts"
channel = "C0SOC"
tasks = true
when = { name = "Isolate.*" }

[[routes]]
name = "the rest of hosts"
channel = "C0ONCALL"
tasks = true
when = { name = "(Isolate|Restart).*" }

[[routes]]
name = "team"
usergroup = "S0SOC"
tasks = true
when = { name = "Disable.*" }

[[routes]]
name = "failures"
channel = "C0ONCALL"
instances = ["FAILED"]
when = { workflow = "Enrich.*" }
quiet = { from = "02:00", until = "02:01", zone = "Europe/Berlin" }
"""
RULES = POLICY + ROUTES


@pytest.fixture
def rules() -> str:
    return RULES


async def test_the_first_that_matches_is_the_last_unless_it_goes_on(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    come(environment, "Block 198.51.100.7")
    await environment.slack.until(lambda: card_of(environment, SOC, "Block"))
    await environment.slack.until(lambda: card_of(environment, chat(environment, CAROL), "Block"))
    come(environment, "Isolate host z")
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate"))
    come(environment, "Restart host z")
    await environment.slack.until(lambda: card_of(environment, ONCALL, "Restart"))
    await environment.polls(3)
    assert not card_of(environment, ONCALL, "Isolate")


@postgres_in_full
async def test_a_user_group_is_a_card_in_each_members_chat_and_one_decision(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    come(environment, "Disable user y")
    places = [chat(environment, who) for who in (ALICE, BOB)]
    first, second = [
        await environment.slack.until(lambda place=place: card_of(environment, place, "Disable"))
        for place in places
    ]
    await environment.slack.press(BOB, places[1], second, "task.approve")
    await environment.slack.until(lambda: not environment.buttons(first, channel=places[0]))
    await environment.slack.until(lambda: not environment.buttons(second, channel=places[1]))
    assert not card_of(environment, chat(environment, CAROL), "Disable")
    assert "*Approved by" in (await environment.replies(second, channel=places[1]))[0]


async def test_what_nobody_routes_has_no_card_and_can_be_asked_for(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    task = come(environment, "Odd one")
    await environment.polls(4)
    assert not any(
        card_of(environment, place, "Odd") for place in environment.slack.workspace.channels
    )
    text = await environment.answer(DAVE, f"/secmaster routes test {task}")
    assert "No card is posted for it." in text
    assert text.startswith(f"Where the task *Odd one* goes · `{task}`\n")
    ts = await environment.card("task", task)
    assert environment.message(ts)["text"].startswith("Odd one")


async def test_the_routes_are_told_in_their_order(environment: BotEnvironment) -> None:
    environment.ignore_messages("👋 Now watching SecMaster.")
    text = await environment.answer(DAVE, "/secmaster routes")
    names = ("blocks", "for Carol", "hosts", "the rest of hosts", "team", "failures")
    assert [text.index(f"({name})") for name in names] == sorted(
        text.index(f"({name})") for name in names
    )
    assert "Waiting tasks → <#C0SOC>. Only where `name = Block.*`." in text
    assert "Later routes apply too." in text
    assert "Waiting tasks → <@U0CAROL>" in text
    assert "Waiting tasks → each member of `S0SOC`" in text
    assert (
        "Failed runs → <#C0ONCALL>. Only where `workflow = Enrich.*`. Quiet from 02:00 to 02:01"
        in text
    )


async def test_it_is_told_which_routes_take_a_task_and_why_others_do_not(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages("👋 Now watching SecMaster.")
    environment.ignore_messages("Isolate x")
    lines = (
        await environment.answer(DAVE, f"/secmaster routes test {come(environment, 'Isolate x')}")
    ).split("\n")
    for start in (
        "✅ *route 3 (hosts)*: It matches.",
        "▫️ *route 1 (blocks)*: `name` doesn't match.",
        "▫️ *route 4 (the rest of hosts)*: Not checked: an earlier route matched.",
    ):
        assert [line for line in lines if line.startswith(start)], start


async def test_it_is_told_which_routes_take_a_run_and_why_others_do_not(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages("👋 Now watching SecMaster.")
    environment.ignore_messages("A run")
    text = await environment.answer(DAVE, f"/secmaster routes test {fail(environment, 0)}")
    assert "✅ *route 6 (failures)*: It matches." in text
    assert "▫️ *route 1 (blocks)*: Not for objects of this kind." in text
    text = await environment.answer(DAVE, f"/secmaster routes test {fail(environment, 1)}")
    assert "▫️ *route 6 (failures)*: `workflow` doesn't match." in text
    environment.secmaster.world.instances[run := fail(environment, 0)]["status"] = "FINISHED"
    text = await environment.answer(DAVE, f"/secmaster routes test {run}")
    assert "▫️ *route 6 (failures)*: Not for this status." in text


@postgres_in_full
async def test_who_may_has_a_channel_told_of_all_that_comes_also_after_a_restart(
    environment: BotEnvironment, database_url: str
) -> None:
    await first_poll_finished(environment)
    answer = await environment.answer(ALICE, "/secmaster watch")
    assert "Subscribed this channel to all SecMaster notifications." in answer
    await environment.posted(
        SOC, f"<@{ALICE}> subscribed this channel to all SecMaster notifications."
    )
    assert "already" in await environment.answer(BOB, "/secmaster watch")
    assert (
        "*This channel* is subscribed to all SecMaster notifications."
        in await environment.answer(DAVE, "/secmaster routes")
    )
    come(environment, "Odd one")
    await environment.slack.until(lambda: card_of(environment, SOC, "Odd one"))
    async with restarted(environment, database_url, RULES) as anew:
        come(anew, "Another odd one")
        await environment.slack.until(lambda: card_of(environment, SOC, "Another odd one"))
        assert "Configured routes are unchanged." in await anew.answer(BOB, "/secmaster unwatch")
        await environment.posted(SOC, f"<@{BOB}> unsubscribed this channel.")
        come(anew, "Odd last one")
        await anew.polls(4)
        assert not card_of(environment, SOC, "Odd last one")
        entries = anew.app.services.store.audit.entries(SOC)
        records = [(each["outcome"], each["action"], each["actor"]["id"]) for each in entries]
        assert records == [("done", "watch", ALICE), ("done", "unwatch", BOB)]


async def test_a_channel_that_has_a_route_and_asked_for_all_has_one_card(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await environment.answer(ALICE, "/secmaster watch")
    come(environment, "Isolate host z")
    await environment.slack.until(lambda: card_of(environment, SOC, "Isolate"))
    await environment.polls(4)
    assert len([m for m in environment.slack.messages(SOC) if m["text"].startswith("Isolate")]) == 1


@pytest.mark.parametrize("words", ["watch", "unwatch"])
async def test_others_are_refused_and_told_who_may(environment: BotEnvironment, words: str) -> None:
    await environment.slack.command(DAVE, SOC, f"/secmaster {words}")
    await environment.ephemeral(DAVE, "Only *approver*", "can subscribe channels. Nothing was")
    assert environment.app.services.store.subscriptions.channels() == []
    [entry] = environment.app.services.store.audit.entries("policy")
    assert (entry["outcome"], entry["action"], entry["actor"]["id"]) == ("refused", "watch", DAVE)


async def test_not_in_a_chat_and_not_where_the_bot_may_not_post(
    environment: BotEnvironment,
) -> None:
    await first_poll_finished(environment)
    await environment.slack.say(ALICE, chat(environment, ALICE), "watch")
    await environment.slack.until(
        lambda: (
            "Only channels can be subscribed."
            in json.dumps(environment.slack.messages(chat(environment, ALICE), ALICE))
        )
    )
    await environment.slack.command(ALICE, PRIVATE, "/secmaster watch")
    await environment.ephemeral(ALICE, "Subscribed this channel")
    await environment.posted(chat(environment, ALICE), "was not subscribed.", "can't see")
    assert environment.app.services.store.subscriptions.channels() == []
    entries = environment.app.services.store.audit.entries(PRIVATE)
    assert [entry["outcome"] for entry in entries] == ["done", "failed"]


async def test_a_new_policy_changes_where_cards_go_and_what_is_remembered(
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    clock: FakeClock,
    database_url: str,
    tmp_path: Path,
) -> None:
    file = tmp_path / "secmaster-bot.toml"
    file.write_text(RULES)
    settings = settings_for(slack.url, secmaster.url, database_url).model_copy(
        update={"bot_config": file}
    )
    async with App(settings, config.load(file), QUICK_TIMEOUTS, clock) as app:
        environment = BotEnvironment(slack, secmaster, app, clock)
        await first_poll_finished(environment)
        now = clock.now()
        due = stamp(now.fromtimestamp(now.timestamp() + 5 * 3600 + 60, now.tzinfo))
        secmaster.world.add_task(name="Isolate host z", due_date=due)
        ts = await slack.until(lambda: card_of(environment, SOC, "Isolate host z"))
        clock.forward(hours=2)
        changed = 'name = "hosts"\nchannel = "C0GENERAL"\nremind = ["4h"]'
        file.write_text(RULES.replace('name = "hosts"\nchannel = "C0SOC"', changed))
        app.reload()
        # Where it has no card, the card is the reminder.
        await slack.until(lambda: card_of(environment, "C0GENERAL", "Isolate host z"))
        come(environment, "Isolate host y")
        await slack.until(lambda: card_of(environment, "C0GENERAL", "Isolate host y"))
        file.write_text(RULES.replace('name = "hosts"', 'name = "hosts"\nremind = ["5h"]'))
        app.reload()
        [reply] = await environment.replies(ts)
        assert "*Isolate host z*" in reply
        await environment.polls(4)
        assert len(slack.thread(SOC, ts)) == 2
        assert not card_of(environment, SOC, "Isolate host y")


def come(environment: BotEnvironment, name: str) -> str:
    """Let a task come; returns its id."""
    return str(environment.secmaster.world.add_task(name=name)["id"])


def fail(environment: BotEnvironment, workflow: int) -> str:
    run = environment.secmaster.world.add_instance(
        name="A run", status="FAILED", workflow=dict(WORKFLOWS[workflow])
    )
    return str(run["id"])


def chat(environment: BotEnvironment, who: str) -> str:
    """Somebody's chat with the bot."""
    dm = environment.slack.workspace.dm(who)
    assert dm
    return str(dm.id)
