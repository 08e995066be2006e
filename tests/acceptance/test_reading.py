"""People look: nothing they do here is a write, and lists are for their eyes only."""

import json
import re
from typing import Any

from bot.domain.actions import TABLE
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.wire import Person
from tests.support.environment import BotEnvironment, buttons, on_card
from tests.support.people import ALICE, BOB, CAROL, DAVE, GUEST, ONCALL, OUTSIDER, SOC, SOLO

LIN = Person("user-lin", "Lin Yue")


async def test_help_all_shows_every_command(environment: BotEnvironment) -> None:
    for text in ("/secmaster help all", "/secmaster HELP All", "/secmaster `help` all please"):
        delivered = await environment.slack.command(DAVE, SOC, text)
        assert (delivered.status, delivered.error) == (200, "")
    first, *others = environment.slack.ephemerals(DAVE)
    assert [one["text"] for one in others] == [first["text"]] * len(others)
    answer = markup(first)
    for action in TABLE:
        assert action.usage.replace("<", "&lt;").replace(">", "&gt;") in answer
        assert all(alias in answer for alias in action.aliases)
    assert "/secmaster whoami" in answer
    assert len(others) == 2
    assert environment.slack.messages(SOC) == []
    assert environment.secmaster.requests == []


async def test_a_short_command_knows_help_too(environment: BotEnvironment) -> None:
    await environment.slack.command(DAVE, SOC, "/task help")
    answer = environment.slack.ephemerals(DAVE)[-1]
    assert "How to use /secmaster" in answer["text"]
    assert "/secmaster task approve" in markup(answer)
    assert "/secmaster instance retry" not in markup(answer)


async def test_help_begins_with_what_this_person_may_do(environment: BotEnvironment) -> None:
    for text in ("/secmaster", "/secmaster help", "/secmaster HELP", "/secmaster ?"):
        await environment.slack.command(ALICE, SOC, text)
    first, *others = environment.slack.ephemerals(ALICE)
    texts = [re.findall(r'"text": "([^"]+)"', markup(one)) for one in (first, *others)]
    assert texts == [texts[0]] * 4
    answers = {ALICE: markup(first)}
    for user in (CAROL, DAVE, GUEST, OUTSIDER):
        await environment.slack.command(user, SOC, "/secmaster help")
        answers[user] = markup(environment.slack.ephemerals(user)[-1])
    reads = "*You may*: Read tasks · Read runs · Read playbook runs"
    assert f"{reads} · Approve tasks · Terminate tasks" in answers[ALICE]
    assert "`/secmaster approve &lt;id&gt;` approves a task" in answers[ALICE]
    assert "Retry" not in answers[ALICE]
    assert "Retry runs" in answers[CAROL]
    retries = "`/secmaster instance retry &lt;id&gt;` retries a run from the node that failed"
    assert retries in answers[CAROL]
    assert f"{reads}\n" in answers[DAVE].replace("\\n", "\n")
    assert buttons(first) == ["start.waiting", "start.oncall", "start.whoami"]
    for user in (GUEST, OUTSIDER):
        assert "can't read or change anything here" in answers[user]
        assert "/secmaster task" not in answers[user]
    # While Slack can't say who asks, everything is there to copy, and no right is claimed.
    environment.clock.forward(minutes=11)
    await environment.slack.faults.set(Fault(on="users.info", status=500))
    await environment.slack.command(ALICE, SOC, "/secmaster help")
    answer = markup(environment.slack.ephemerals(ALICE)[-1])
    assert "*You may*" not in answer
    assert "`/secmaster approve &lt;id&gt;`" in answer
    assert environment.secmaster.requests == []


async def test_whoami_tells_everybody_their_roles_and_what_they_may(
    environment: BotEnvironment,
) -> None:
    answers = {}
    for user in (ALICE, CAROL, DAVE, GUEST, SOLO, OUTSIDER):
        await environment.slack.command(user, SOC, "/secmaster whoami")
        answers[user] = await environment.ephemeral(user, f"<@{user}>")
    assert "*Alice* · <@U0ALICE> · `U0ALICE`\nRoles: *approver*" in answers[ALICE]
    assert "✅ *Approve tasks*: yes" in answers[ALICE]
    assert "✅ *Comment on tasks*: yes" in answers[ALICE]
    assert "▫️ *Retry runs*: no, only *oncall* (<!subteam^S0ONCALL>)" in answers[ALICE]
    assert "Roles: *oncall*" in answers[CAROL]
    assert "▫️ *Approve tasks*: no, only *approver* (<!subteam^S0SOC>)" in answers[CAROL]
    assert "✅ *Debug runs*: yes" in answers[CAROL]
    assert "Roles: *reader*" in answers[DAVE]
    reads = [f"✅ *Read {what}*: yes" for what in ("tasks", "runs", "playbook runs")]
    assert [line for line in answers[DAVE].splitlines() if "✅" in line] == reads
    assert "Guests can't read or change anything here." in answers[GUEST]
    assert "Guests can't read or change anything here." in answers[SOLO]
    assert "People from other organisations or workspaces can't" in answers[OUTSIDER]
    assert environment.secmaster.requests == []


async def test_the_task_list_turns_its_pages_in_place_for_one_person(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(ALICE, SOC, "/secmaster task list")
    await environment.ephemeral(ALICE, "Waiting tasks · 1–8 of 12")
    [page] = environment.slack.ephemerals(ALICE)
    assert turns(page) == ["page.next"]
    first = shown_ids(page)
    assert len(first) == 8
    await environment.slack.press(ALICE, SOC, page["ts"], "page.next")
    await environment.ephemeral(ALICE, "Waiting tasks · 9–12 of 12")
    [page] = environment.slack.ephemerals(ALICE)
    assert turns(page) == ["page.previous"]
    second = shown_ids(page)
    assert set(first) | set(second) == {
        id_
        for id_, task in environment.secmaster.world.tasks.items()
        if task["status"] == "waiting"
    }
    assert not set(first) & set(second)
    await environment.slack.press(ALICE, SOC, page["ts"], "page.previous")
    await environment.ephemeral(ALICE, "Waiting tasks · 1–8 of 12")
    [page] = environment.slack.ephemerals(ALICE)
    assert (turns(page), shown_ids(page)) == (["page.next"], first)
    assert environment.slack.ephemerals(BOB) == []
    assert environment.slack.messages(SOC) == []


async def test_the_task_list_narrows_by_state_and_text(environment: BotEnvironment) -> None:
    await environment.slack.command(ALICE, SOC, "/task list handled")
    await environment.ephemeral(ALICE, "Handled tasks · 3")
    assert "✅ Finished" in markup(environment.slack.ephemerals(ALICE)[-1])
    await environment.slack.command(ALICE, SOC, "/secmaster tasks list TODO Block IP")
    await environment.ephemeral(ALICE, "Waiting tasks · 1")
    assert shown_ids(environment.slack.ephemerals(ALICE)[-1]) == [seed.TASK_BLOCK_IP]
    await environment.slack.command(ALICE, SOC, "/task list 封禁恶意IP")
    await environment.ephemeral(ALICE, "Waiting tasks · 1")
    await environment.slack.command(ALICE, SOC, "/task list <nothing> & like this")
    await environment.ephemeral(ALICE, "No task was found.")
    assert turns(environment.slack.ephemerals(ALICE)[-1]) == []


async def test_the_instance_list_keeps_its_filter_over_the_pages(
    environment: BotEnvironment,
) -> None:
    for number in range(9):
        name = f"a|b <{number}>"
        environment.secmaster.world.add_instance(name=name, status="FAILED")
    await environment.slack.command(CAROL, SOC, "/instance list failed a|b <")
    await environment.ephemeral(CAROL, "Failed runs · 1–8 of 9")
    [page] = environment.slack.ephemerals(CAROL)
    await environment.slack.press(CAROL, SOC, page["ts"], "page.next")
    await environment.ephemeral(CAROL, "Failed runs · 9–9 of 9")
    await environment.slack.command(CAROL, SOC, "/secmaster instance list Running")
    await environment.ephemeral(CAROL, "Running · 7")
    await environment.slack.command(CAROL, SOC, "/instance list running a|b <")
    await environment.ephemeral(CAROL, "No run was found.")
    assert environment.secmaster.requests[-1].query["status"] == "RUNNING"
    assert environment.secmaster.requests[-1].query["name"] == "a|b <"


async def test_show_posts_a_card_from_a_list_and_from_a_command(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(ALICE, SOC, "/task list Block IP")
    await environment.ephemeral(ALICE, "Waiting tasks · 1")
    [page] = environment.slack.ephemerals(ALICE)
    await environment.slack.press(ALICE, SOC, page["ts"], "show")
    private = await environment.slack.until(lambda: environment.slack.ephemerals(ALICE)[1:])
    assert buttons(private[0]) == [*on_card("task", "waiting"), "more", "post"]
    assert environment.slack.messages(SOC) == []
    await environment.slack.press(ALICE, SOC, private[0]["ts"], "post")
    await environment.slack.until(
        lambda: "posted here, for everybody" in environment.slack.ephemerals(ALICE)[1]["text"]
    )
    ts = await environment.slack.until(lambda: environment.new_card(SOC, set()))
    card = markup(environment.message(ts))
    assert "Block IP 203.0.113.77 at the edge firewall: " in environment.message(ts)["text"]
    assert "🟡 Waiting for a decision" in card
    assert "workflow approval" in card
    assert "Block malicious address" in card
    assert "⚠️ *auto-approves* at <!date" in card
    assert "Scanned 1,024 ports" in card
    assert "203.0.113.77" in card
    assert f"`{seed.TASK_BLOCK_IP}`" in card
    assert environment.buttons(ts) == [*on_card("task", "waiting"), "more"]
    ts = await environment.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    card = markup(environment.message(ts))
    assert "🔴 Failed" in card
    assert "Alert enrichment v1" in card
    assert "*Failed at* Respond" in card
    assert len(environment.slack.ephemerals(ALICE)) == 2


async def test_details_open_at_once_and_fill_in_when_secmaster_answers(
    environment: BotEnvironment,
) -> None:
    task = await environment.card("task", seed.TASK_DISABLE_USER)
    run = await environment.card("instance", seed.INSTANCE_FAILED)
    await environment.secmaster.faults.set(Fault(on="ShowTask", hold=True))
    await press_in_menu(environment, BOB, task, "details")
    assert "Asking SecMaster…" in markup(environment.slack.views(BOB)[-1])
    await environment.secmaster.faults.clear()
    details = await environment.slack.until(lambda: filled(environment, BOB))
    assert "The key was used from 192.0.2.14 this morning." in details
    assert "备份任务今晚" in details
    assert seed.ATTACHMENT_REPORT in details
    assert seed.COMMENT_SECOND in details
    await press_in_menu(environment, BOB, run, "details")
    details = await environment.slack.until(lambda: filled(environment, BOB))
    assert "Query intelligence" in details
    assert "20250819-114" in details
    assert environment.slack.views(ALICE) == []


async def test_details_say_when_secmaster_cannot_be_read(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_ISOLATE)
    await environment.secmaster.faults.set(Fault(on="ShowTask", html=True, times=1))
    await press_in_menu(environment, BOB, ts, "details")
    details = await environment.slack.until(lambda: filled(environment, BOB))
    assert "SecMaster is not responding properly. Try again" in details
    del environment.secmaster.world.tasks[seed.TASK_ISOLATE]
    await press_in_menu(environment, BOB, ts, "details")
    details = await environment.slack.until(lambda: filled(environment, BOB))
    assert "No task or run with that ID" in details


async def test_refresh_shows_what_was_decided_in_the_console(environment: BotEnvironment) -> None:
    soc_card = await environment.card("task", seed.TASK_ISOLATE)
    oncall_card = await environment.card("task", seed.TASK_ISOLATE, channel=ONCALL)
    environment.secmaster.world.update_task(seed.TASK_ISOLATE, {"action": "CONTINUE"}, LIN)
    delivered = await press_in_menu(environment, DAVE, soc_card, "refresh")
    assert (delivered.status, delivered.error) == (200, "")
    await environment.slack.until(lambda: not environment.buttons(soc_card))
    await environment.slack.until(lambda: not environment.buttons(oncall_card, channel=ONCALL))
    card = markup(environment.message(soc_card))
    assert "✅ Finished" in card
    assert "Decided outside Slack by Lin Yue" in card
    assert environment.slack.thread(SOC, soc_card)[1:] == []
    assert [one for one in environment.secmaster.requests if one.method == "PUT"] == []


async def press_in_menu(environment: BotEnvironment, user: str, ts: str, name: str) -> Any:
    menu = next(
        element
        for block in environment.message(ts)["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
        if element["action_id"] == "more"
    )
    values = [option["value"] for option in menu["options"]]
    value = next(value for value in values if value.startswith(f"{name}|"))
    return await environment.slack.press(user, SOC, ts, "more", value=value)


def filled(environment: BotEnvironment, user: str) -> str:
    """What the modal on top says, once it says more than that it is waiting."""
    text = markup(environment.slack.views(user)[-1])
    return "" if "Asking SecMaster" in text else text


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
