"""People look: nothing they do here is a write, and lists are for their eyes only."""

import json
from typing import Any

from bot.domain.actions import TABLE
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.wire import Person
from tests.town import ALICE, BOB, CAROL, DAVE, GUEST, ONCALL, OUTSIDER, SOC, SOLO, Town, on_card

LIN = Person("user-lin", "Lin Yue")


async def test_help_and_an_empty_command_show_every_command(town: Town):
    for text in ("/secmaster", "/secmaster help", "/secmaster HELP", "/secmaster ?"):
        delivered = await town.slack.command(DAVE, SOC, text)
        assert (delivered.status, delivered.error) == (200, "")
    first, *others = town.slack.ephemerals(DAVE)
    assert [one["text"] for one in others] == [first["text"]] * len(others)
    shown = markup(first)
    for action in TABLE:
        assert action.usage.replace("<", "&lt;").replace(">", "&gt;") in shown
        assert all(alias in shown for alias in action.aliases)
    assert "/secmaster whoami" in shown
    assert len(others) == 3
    assert town.slack.messages(SOC) == []
    assert town.secmaster.requests == []


async def test_a_short_command_knows_help_too(town: Town):
    await town.slack.command(DAVE, SOC, "/task help")
    assert "How to use /secmaster" in town.slack.ephemerals(DAVE)[-1]["text"]


async def test_whoami_tells_everybody_their_roles_and_what_they_may(town: Town):
    told = {}
    for user in (ALICE, CAROL, DAVE, GUEST, SOLO, OUTSIDER):
        await town.slack.command(user, SOC, "/secmaster whoami")
        told[user] = await town.whispered(user, f"<@{user}>")
    assert "(Alice), roles: *approver*" in told[ALICE]
    assert "✅ `task.approve` yes by rule 1" in told[ALICE]
    assert "✅ `task.comment` yes by rule 2" in told[ALICE]
    assert "▫️ `instance.retry` no by rule 3" in told[ALICE]
    assert "(Carol), roles: *oncall*" in told[CAROL]
    assert "▫️ `task.approve` no by rule 1" in told[CAROL]
    assert "✅ `instance.debug` yes by rule 3" in told[CAROL]
    assert "roles: *none*" in told[DAVE]
    assert "✅" not in told[DAVE]
    assert "A guest may look, and change nothing." in told[GUEST]
    assert "A guest may look, and change nothing." in told[SOLO]
    assert "A person of another organisation may look, and change nothing." in told[OUTSIDER]
    assert town.secmaster.requests == []


async def test_the_task_list_turns_its_pages_in_place_for_one_person(town: Town):
    await town.slack.command(ALICE, SOC, "/secmaster task list")
    await town.whispered(ALICE, "1-8 of 12 waiting tasks")
    [page] = town.slack.ephemerals(ALICE)
    assert turns(page) == ["page.next"]
    first = shown_ids(page)
    assert len(first) == 8
    await town.slack.press(ALICE, SOC, page["ts"], "page.next")
    await town.whispered(ALICE, "9-12 of 12 waiting tasks")
    [page] = town.slack.ephemerals(ALICE)
    assert turns(page) == ["page.previous"]
    second = shown_ids(page)
    assert set(first) | set(second) == {
        id_ for id_, task in town.secmaster.world.tasks.items() if task["status"] == "waiting"
    }
    assert not set(first) & set(second)
    await town.slack.press(ALICE, SOC, page["ts"], "page.previous")
    await town.whispered(ALICE, "1-8 of 12 waiting tasks")
    [page] = town.slack.ephemerals(ALICE)
    assert (turns(page), shown_ids(page)) == (["page.next"], first)
    assert town.slack.ephemerals(BOB) == []
    assert town.slack.messages(SOC) == []


async def test_the_task_list_narrows_by_state_and_text(town: Town):
    await town.slack.command(ALICE, SOC, "/task list handled")
    await town.whispered(ALICE, "1-3 of 3 handled tasks")
    assert "✅ Finished" in markup(town.slack.ephemerals(ALICE)[-1])
    await town.slack.command(ALICE, SOC, "/secmaster tasks list TODO Block IP")
    await town.whispered(ALICE, "1-1 of 1 waiting tasks with “Block IP”")
    assert shown_ids(town.slack.ephemerals(ALICE)[-1]) == [seed.TASK_BLOCK_IP]
    await town.slack.command(ALICE, SOC, "/task list 封禁恶意IP")
    await town.whispered(ALICE, "1-1 of 1 waiting tasks with “封禁恶意IP”")
    await town.slack.command(ALICE, SOC, "/task list <nothing> & like this")
    await town.whispered(ALICE, "No waiting tasks with “&lt;nothing&gt; &amp; like this”.")
    assert turns(town.slack.ephemerals(ALICE)[-1]) == []


async def test_the_instance_list_keeps_its_filter_over_the_pages(town: Town):
    for number in range(9):
        name = f"a|b <{number}>"
        town.secmaster.world.add_instance(name=name, status="FAILED")
    await town.slack.command(CAROL, SOC, "/instance list failed a|b <")
    await town.whispered(CAROL, "1-8 of 9 failed instances with “a|b &lt;”")
    [page] = town.slack.ephemerals(CAROL)
    await town.slack.press(CAROL, SOC, page["ts"], "page.next")
    await town.whispered(CAROL, "9-9 of 9 failed instances with “a|b &lt;”")
    await town.slack.command(CAROL, SOC, "/secmaster instance list Running")
    await town.whispered(CAROL, "of 7 running instances")
    assert {
        (one.query.get("status"), one.query.get("name"))
        for one in town.secmaster.requests
        if one.endpoint == "ListAopWorkflowInstance"
    } >= {("FAILED", "a|b <")}


async def test_show_posts_a_card_from_a_list_and_from_a_command(town: Town):
    await town.slack.command(ALICE, SOC, "/task list Block IP")
    await town.whispered(ALICE, "1-1 of 1")
    [page] = town.slack.ephemerals(ALICE)
    await town.slack.press(ALICE, SOC, page["ts"], "show")
    ts = await town.slack.until(lambda: town.new_card(SOC, set()))
    card = markup(town.message(ts))
    assert town.message(ts)["text"].startswith("Block IP 203.0.113.77 at the edge firewall")
    assert "🟡 Waiting for a decision" in card
    assert "An approval in a workflow" in card
    assert "Block malicious address" in card
    assert "⚠️ then it *goes on by itself*" in card
    assert "Scanned 1,024 ports" in card
    assert "203.0.113.77" in card
    assert f"`{seed.TASK_BLOCK_IP}`" in card
    assert town.buttons(ts) == [*on_card("task", "waiting"), "more"]
    ts = await town.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    card = markup(town.message(ts))
    assert "🔴 Failed" in card
    assert "Alert enrichment v1" in card
    assert "*Failed at* Respond" in card
    assert len(town.slack.ephemerals(ALICE)) == 1


async def test_details_open_at_once_and_fill_in_when_secmaster_answers(town: Town):
    task = await town.card("task", seed.TASK_DISABLE_USER)
    run = await town.card("instance", seed.INSTANCE_FAILED)
    await town.secmaster.faults.set(Fault(on="ShowTask", hold=True))
    await press_in_menu(town, BOB, task, "details")
    assert "Asking SecMaster…" in markup(town.slack.views(BOB)[-1])
    await town.secmaster.faults.clear()
    shown = await town.slack.until(lambda: filled(town, BOB))
    assert "The key was used from 192.0.2.14 this morning." in shown
    assert "备份任务今晚" in shown
    assert seed.ATTACHMENT_REPORT in shown
    assert seed.COMMENT_SECOND in shown
    await press_in_menu(town, BOB, run, "details")
    shown = await town.slack.until(lambda: filled(town, BOB))
    assert "Query intelligence" in shown
    assert "20250819-114" in shown
    assert town.slack.views(ALICE) == []


async def test_details_say_when_secmaster_cannot_be_read(town: Town):
    ts = await town.card("task", seed.TASK_ISOLATE)
    await town.secmaster.faults.set(Fault(on="ShowTask", html=True, times=1))
    await press_in_menu(town, BOB, ts, "details")
    shown = await town.slack.until(lambda: filled(town, BOB))
    assert "SecMaster is not answering properly. Nothing was changed" in shown
    del town.secmaster.world.tasks[seed.TASK_ISOLATE]
    await press_in_menu(town, BOB, ts, "details")
    shown = await town.slack.until(lambda: filled(town, BOB))
    assert "SecMaster knows nothing of that id" in shown


async def test_refresh_shows_what_was_decided_in_the_console(town: Town):
    here = await town.card("task", seed.TASK_ISOLATE)
    there = await town.card("task", seed.TASK_ISOLATE, channel=ONCALL)
    town.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, LIN)
    delivered = await press_in_menu(town, DAVE, here, "refresh")
    assert (delivered.status, delivered.error) == (200, "")
    await town.slack.until(lambda: not town.buttons(here))
    await town.slack.until(lambda: not town.buttons(there, channel=ONCALL))
    card = markup(town.message(here))
    assert "✅ Finished" in card
    assert "Decided outside Slack by Lin Yue" in card
    assert town.slack.thread(SOC, here)[1:] == []
    assert [one for one in town.secmaster.requests if one.method == "PUT"] == []


async def press_in_menu(town: Town, user: str, ts: str, name: str) -> Any:
    menu = next(
        element
        for block in town.message(ts)["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"] == "more"
    )
    values = [option["value"] for option in menu["options"]]
    value = next(value for value in values if value.startswith(f"{name}|"))
    return await town.slack.press(user, SOC, ts, "more", value=value)


def filled(town: Town, user: str) -> str:
    """What the modal on top says, once it says more than that it is waiting."""
    shown = markup(town.slack.views(user)[-1])
    return "" if "Asking SecMaster" in shown else shown


def markup(message: dict[str, Any]) -> str:
    """All that is to be read in a message's or a modal's blocks."""
    return json.dumps(message["blocks"], ensure_ascii=False).replace("\\n", "\n")


def turns(message: dict[str, Any]) -> list[str]:
    return [
        element["action_id"]
        for block in message["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"].startswith("page.")
    ]


def shown_ids(message: dict[str, Any]) -> list[str]:
    """The ids of the rows of a list, from the values of their buttons."""
    values = [block["accessory"]["value"] for block in message["blocks"] if "accessory" in block]
    return [value.rpartition(":")[2] for value in values]
