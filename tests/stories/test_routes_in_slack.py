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
from bot.sandbox.slack import SlackSandbox
from tests.stories.test_arrivals import began, card_of
from tests.stories.test_oncall import again
from tests.town import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    ONCALL,
    PRIVATE,
    QUICK,
    SOC,
    Hands,
    Town,
    both_databases,
    settings_for,
)

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


async def test_the_first_that_matches_is_the_last_unless_it_goes_on(town: Town):
    await began(town)
    come(town, "Block 198.51.100.7")
    await town.slack.until(lambda: card_of(town, SOC, "Block"))
    await town.slack.until(lambda: card_of(town, chat(town, CAROL), "Block"))
    come(town, "Isolate host z")
    await town.slack.until(lambda: card_of(town, SOC, "Isolate"))
    come(town, "Restart host z")
    await town.slack.until(lambda: card_of(town, ONCALL, "Restart"))
    await town.rounds(3)
    assert not card_of(town, ONCALL, "Isolate")


@both_databases
async def test_a_user_group_is_a_card_in_each_members_chat_and_one_decision(town: Town):
    await began(town)
    come(town, "Disable user y")
    places = [chat(town, who) for who in (ALICE, BOB)]
    first, second = [
        await town.slack.until(lambda place=place: card_of(town, place, "Disable"))
        for place in places
    ]
    await town.slack.press(BOB, places[1], second, "task.approve")
    await town.slack.until(lambda: not town.buttons(first, channel=places[0]))
    await town.slack.until(lambda: not town.buttons(second, channel=places[1]))
    assert not card_of(town, chat(town, CAROL), "Disable")


async def test_what_nobody_routes_has_no_card_and_can_be_asked_for(town: Town):
    await began(town)
    task = come(town, "Odd one")
    await town.rounds(4)
    assert not any(card_of(town, place, "Odd") for place in town.slack.workspace.channels)
    told = await asked(town, DAVE, f"/secmaster routes test {task}")
    assert "No card is posted for it." in told
    ts = await town.card("task", task)
    assert town.message(ts)["text"].startswith("Odd one")


async def test_the_routes_are_told_in_their_order(town: Town):
    told = await asked(town, DAVE, "/secmaster routes")
    names = ("blocks", "for Carol", "hosts", "the rest of hosts", "team", "failures")
    assert [told.index(f"({name})") for name in names] == sorted(
        told.index(f"({name})") for name in names
    )
    assert "waiting tasks → <#C0SOC>; where name `Block.*`; and goes on" in told
    assert "waiting tasks → <@U0CAROL>" in told
    assert "waiting tasks → each of `S0SOC`" in told
    assert "failed runs → <#C0ONCALL>; where workflow `Enrich.*`; quiet 02:00 to 02:01" in told


async def test_it_is_told_which_routes_take_a_task_and_why_others_do_not(town: Town):
    told = (await asked(town, DAVE, f"/secmaster routes test {come(town, 'Isolate x')}")).split(
        "\n"
    )
    words = {each.partition(": *")[2].partition("*")[0]: each.partition(": *")[0] for each in told}
    assert words["route 3 (hosts)"] == "✅ takes it"
    assert words["route 1 (blocks)"] == "▫️ wants another name"
    assert words["route 4 (the rest of hosts)"] == "▫️ is not asked: an earlier one took it"


async def test_it_is_told_which_routes_take_a_run_and_why_others_do_not(town: Town):
    told = await asked(town, DAVE, f"/secmaster routes test {fail(town, 0)}")
    assert "✅ takes it: *route 6 (failures)*" in told
    assert "▫️ takes no such objects: *route 1 (blocks)*" in told
    told = await asked(town, DAVE, f"/secmaster routes test {fail(town, 1)}")
    assert "▫️ wants another workflow: *route 6 (failures)*" in told
    town.secmaster.world.instances[run := fail(town, 0)]["status"] = "FINISHED"
    told = await asked(town, DAVE, f"/secmaster routes test {run}")
    assert "▫️ is for another status: *route 6 (failures)*" in told


@both_databases
async def test_who_may_has_a_channel_told_of_all_that_comes_also_after_a_restart(
    town: Town, database_url: str
):
    await began(town)
    told = await asked(town, ALICE, "/secmaster watch")
    assert "This channel is told of all that comes from now on." in told
    assert f"<@{ALICE}> had this channel told of all" in town.slack.messages(SOC)[-1]["text"]
    assert "already" in await asked(town, BOB, "/secmaster watch")
    assert "*this channel* asked for all that comes" in await asked(town, DAVE, "/secmaster routes")
    come(town, "Odd one")
    await town.slack.until(lambda: card_of(town, SOC, "Odd one"))
    async with again(town, database_url, RULES) as anew:
        come(anew, "Another odd one")
        await town.slack.until(lambda: card_of(town, SOC, "Another odd one"))
        assert "told no longer" in await asked(anew, BOB, "/secmaster unwatch")
        said = town.slack.messages(SOC)[-1]["text"]
        assert f"<@{BOB}> had this channel told no longer" in said
        come(anew, "Odd last one")
        await anew.rounds(4)
        assert not card_of(town, SOC, "Odd last one")
        entries = anew.app.services.store.audit_entries(SOC)
        told = [(each["outcome"], each["action"], each["actor"]["id"]) for each in entries]
        assert told == [("done", "watch", ALICE), ("done", "unwatch", BOB)]


async def test_a_channel_that_has_a_route_and_asked_for_all_has_one_card(town: Town):
    await began(town)
    await asked(town, ALICE, "/secmaster watch")
    come(town, "Isolate host z")
    await town.slack.until(lambda: card_of(town, SOC, "Isolate"))
    await town.rounds(4)
    assert len([m for m in town.slack.messages(SOC) if m["text"].startswith("Isolate")]) == 1


@pytest.mark.parametrize("words", ["watch", "unwatch"])
async def test_others_are_refused_and_told_who_may(town: Town, words: str):
    await town.slack.command(DAVE, SOC, f"/secmaster {words}")
    await town.whispered(DAVE, "`watch` is for *approver*", "Nothing was")
    assert town.app.services.store.subscriptions.channels() == []
    [entry] = town.app.services.store.audit_entries("policy")
    assert (entry["outcome"], entry["action"], entry["actor"]["id"]) == ("refused", "watch", DAVE)


async def test_not_in_a_chat_and_not_where_the_bot_may_not_post(town: Town):
    await town.slack.say(ALICE, chat(town, ALICE), "watch")
    await town.slack.until(
        lambda: "That is for a channel" in json.dumps(town.slack.messages(chat(town, ALICE), ALICE))
    )
    await town.slack.command(ALICE, PRIVATE, "/secmaster watch")
    await town.slack.until(lambda: town.slack.ephemerals(ALICE))
    assert town.app.services.store.subscriptions.channels() == []


async def test_a_new_policy_changes_where_cards_go_and_what_is_remembered(
    slack: SlackSandbox,
    secmaster: SecMasterSandbox,
    hands: Hands,
    database_url: str,
    tmp_path: Path,
):
    file = tmp_path / "secmaster-bot.toml"
    file.write_text(RULES)
    given = settings_for(slack, secmaster, database_url).model_copy(update={"bot_config": file})
    async with App(given, config.load(file), QUICK, hands) as app:
        town = Town(slack, secmaster, app, hands)
        await began(town)
        now = hands.now()
        due = stamp(now.fromtimestamp(now.timestamp() + 5 * 3600 + 60, now.tzinfo))
        secmaster.world.add_task(name="Isolate host z", due_date=due)
        ts = await slack.until(lambda: card_of(town, SOC, "Isolate host z"))
        hands.forward(hours=2)
        changed = 'name = "hosts"\nchannel = "C0GENERAL"\nremind = ["4h"]'
        file.write_text(RULES.replace('name = "hosts"\nchannel = "C0SOC"', changed))
        app.reload()
        # Where it has no card, the card is the reminder.
        await slack.until(lambda: card_of(town, "C0GENERAL", "Isolate host z"))
        come(town, "Isolate host y")
        await slack.until(lambda: card_of(town, "C0GENERAL", "Isolate host y"))
        file.write_text(RULES.replace('name = "hosts"', 'name = "hosts"\nremind = ["5h"]'))
        app.reload()
        [said] = await town.replies(ts)
        assert "(in 3 h)" in said
        await town.rounds(4)
        assert len(slack.thread(SOC, ts)) == 2
        assert not card_of(town, SOC, "Isolate host y")


def come(town: Town, name: str) -> str:
    """Let a task come; returns its id."""
    return str(town.secmaster.world.add_task(name=name)["id"])


def fail(town: Town, workflow: int) -> str:
    run = {"name": "A run", "status": "FAILED", "workflow": dict(WORKFLOWS[workflow])}
    return str(town.secmaster.world.add_instance(**run)["id"])


def chat(town: Town, who: str) -> str:
    """Somebody's chat with the bot."""
    dm = town.slack.workspace.dm(who)
    assert dm
    return str(dm.id)


async def asked(town: Town, who: str, words: str) -> str:
    """Type a command, and return what is answered to this person alone."""
    before = len(town.slack.ephemerals(who))
    await town.slack.command(who, SOC, words)
    told = await town.slack.until(lambda: town.slack.ephemerals(who)[before:])
    return str(told[-1]["text"])
