"""Whoever decides on an old picture is shown what changed, and decides again."""

import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, seed
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, SOC

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
LIN = Person("user-lin", "Lin Yue")
PARAMETERS = '[{"key": "hours", "name": "hours", "type": "String", "value": "99"}]'


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", POLICY))


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("name", "Isolate host db-01", "*Name*: Isolate host ecs-web-07 → Isolate host db-01"),
        ("due_date", "2031-01-02T03:04:05.000Z+0000", "*Due*: <!date^"),
        ("due_handle", "CONTINUE", "*When due*: cancelled automatically → approved automatically"),
        ("approver", "Ana Sousa", "*Handler*: nothing → Ana Sousa"),
        ("handle_parameters", PARAMETERS, "*Parameters*: "),
        ("view_parameters", "host: db-01", "→ host: db-01"),
        ("description", "A drill.", "→ A drill."),
        ("related_object", "Host wipe", "Host containment → Host wipe"),
        ("business_type", "PLAYBOOKNODEAPPROVE", "→ playbook approval"),
        ("notes", "007", "*Note*: nothing → 007"),
    ],
)
async def test_a_press_on_an_old_picture_is_not_sent_and_the_person_alone_sees_the_difference(
    environment: BotEnvironment, field: str, value: str, expected: str
) -> None:
    ts = await environment.card("task", TASK.id)
    environment.secmaster.world.task(TASK.id)[field] = value
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    message = await difference(environment, ALICE)
    assert expected in section_text(message)
    assert decisions(environment) == []
    await environment.slack.press(ALICE, SOC, message["ts"], "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0ALICE>" in reply
    assert decisions(environment) == ["CONTINUE"]
    assert everybody_saw_no_difference(environment, ts)


@postgres_in_full
async def test_a_new_comment_is_news_and_is_decided_on_once_it_was_seen(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    comment(environment, "stop, wrong host")
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    message = await difference(environment, ALICE)
    assert "New comment: Lin Yue: stop, wrong host" in section_text(message)
    await environment.slack.press(ALICE, SOC, message["ts"], "task.approve")
    await environment.replies(ts)
    assert decisions(environment) == ["CONTINUE"]
    ended = [(row["outcome"], row["detail"]) for row in audit(environment) if "detail" in row]
    assert ("failed", "changed") in ended


async def test_a_comment_that_was_deleted_is_news_too(environment: BotEnvironment) -> None:
    comment(environment, "wrong host")
    ts = await environment.card("task", TASK.id)
    environment.secmaster.world.task(TASK.id)["comments"] = []
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert "Comment deleted: Lin Yue: wrong host" in section_text(
        await difference(environment, ALICE)
    )
    assert decisions(environment) == []


async def test_what_was_decided_meanwhile_is_told_and_not_decided_again(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    environment.secmaster.world.update_task(TASK.id, {"action": "TERMINATE"}, LIN)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.ephemeral(ALICE, "no longer open", "Lin Yue", "was not sent")
    assert environment.slack.thread(SOC, ts)[1:] == []
    assert decisions(environment) == []


async def test_the_difference_changes_again_and_is_shown_again(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    comment(environment, "first")
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    message = await difference(environment, ALICE)
    comment(environment, "second")
    await environment.slack.press(ALICE, SOC, message["ts"], "task.approve")
    later = await environment.slack.until(lambda: another(environment, ALICE, message["ts"]))
    assert "second" in section_text(later)
    assert "first" not in section_text(later)
    assert decisions(environment) == []
    await environment.slack.press(ALICE, SOC, later["ts"], "task.approve")
    await environment.replies(ts)
    assert decisions(environment) == ["CONTINUE"]


async def test_a_form_opened_before_the_change_is_not_sent_after_it_and_keeps_what_was_typed(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = environment.slack.views(ALICE)
    comment(environment, "stop, wrong host")
    await environment.slack.submit(ALICE, view["id"], {"reason": "it is\nthe decoy"})
    message = await difference(environment, ALICE)
    assert "> it is\n> the decoy" in section_text(message)
    assert decisions(environment) == []
    assert environment.slack.thread(SOC, ts)[1:] == []
    await environment.slack.press(ALICE, SOC, message["ts"], "task.terminate")
    [view] = environment.slack.views(ALICE)
    await environment.slack.submit(ALICE, view["id"], {"reason": "it is the decoy"})
    [reply] = await environment.replies(ts)
    assert "*Terminated by <@U0ALICE>" in reply
    assert decisions(environment) == ["TERMINATE"]


async def test_by_words_it_is_held_against_what_the_card_here_shows(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    comment(environment, "stop, wrong host")
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK.id} fine by me")
    message = await difference(environment, ALICE)
    assert "> fine by me" in section_text(message)
    assert decisions(environment) == []
    await environment.slack.press(ALICE, SOC, message["ts"], "task.approve")
    await environment.replies(ts)


async def test_by_words_without_a_card_nobody_can_have_seen_an_old_picture(
    environment: BotEnvironment,
) -> None:
    comment(environment, "stop, wrong host")
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK.id}")
    await environment.slack.until(lambda: decisions(environment) == ["CONTINUE"])
    ts = await environment.slack.until(lambda: environment.new_card(SOC, set()))
    assert "*Approved by" in (await environment.replies(ts))[0]


async def test_what_does_not_matter_to_the_decision_does_not_stop_it(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    task = environment.secmaster.world.task(TASK.id)
    task["modifier_name"], task["modifier_id"] = "somebody", "u-9"
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by" in reply


async def test_ones_own_comment_just_before_is_no_news(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.faults.set(Fault(on="chat.update", hold=True))
    await environment.slack.command(ALICE, SOC, f"/task comment {TASK.id} I looked")
    await environment.replies(ts)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    reply = (await environment.replies(ts, 2))[1]
    assert "*Approved by <@U0ALICE>" in reply
    await environment.slack.faults.clear()


async def test_somebody_elses_comment_from_slack_is_news(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.faults.set(Fault(on="chat.update", hold=True))
    await environment.slack.command(BOB, SOC, f"/task comment {TASK.id} do not")
    await environment.replies(ts)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert "do not — Bob (Slack U0BOB)" in section_text(await difference(environment, ALICE))
    await environment.slack.faults.clear()
    assert decisions(environment) == []


async def test_a_comment_or_a_file_needs_no_fresh_picture(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    comment(environment, "stop, wrong host")
    await environment.slack.press(ALICE, SOC, ts, "task.comment")
    [view] = environment.slack.views(ALICE)
    await environment.slack.submit(ALICE, view["id"], {"comment": "why?"})
    [reply] = await environment.replies(ts)
    assert "*Comment added by" in reply


async def test_a_run_that_was_retried_and_failed_again_meanwhile_is_looked_at_again(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    environment.secmaster.world.instance(seed.INSTANCE_FAILED)["retry_count"] += 1
    await environment.slack.press(CAROL, SOC, ts, "instance.retry")
    message = await difference(environment, CAROL)
    assert "*Retries*: " in section_text(message)
    assert environment.secmaster.writes("UpdateWorkflowInstance") == []
    await environment.slack.press(CAROL, SOC, message["ts"], "instance.retry")
    [reply] = await environment.replies(ts)
    assert "*Retry started by <@U0CAROL>" in reply
    assert len(environment.secmaster.writes("UpdateWorkflowInstance")) == 1


async def test_the_press_is_acknowledged_before_anything_is_read(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    comment(environment, "stop, wrong host")
    await environment.secmaster.faults.set(Fault(on="ShowTask", hold=True))
    delivered = await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert (delivered.status, delivered.error) == (200, "")
    await environment.secmaster.faults.until_held("ShowTask")
    assert environment.slack.ephemerals(ALICE) == []
    await environment.secmaster.faults.clear()
    await difference(environment, ALICE)
    assert decisions(environment) == []


async def test_what_changes_while_the_decision_is_kept_stops_it_and_the_thread_hears_of_it(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="UpdateTask", status=429))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [waiting] = await environment.replies(ts)
    assert "Don't send it again." in waiting
    comment(environment, "stop, wrong host")
    await environment.secmaster.faults.clear()
    reply = (await environment.replies(ts, 2))[1]
    assert "Changed since <@U0ALICE> looked. The approval was not sent." in reply
    assert "New comment: Lin Yue: stop, wrong host" in reply
    assert decisions(environment) == []
    await environment.slack.until(lambda: "wrong host" in json.dumps(environment.message(ts)))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert "*Approved by" in (await environment.replies(ts, 3))[2]


async def test_what_changed_before_secmaster_could_be_asked_stops_it_as_well(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=503))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    comment(environment, "stop, wrong host")
    await environment.secmaster.faults.clear()
    assert "New comment: Lin Yue" in (await environment.replies(ts, 2))[1]
    assert decisions(environment) == []


async def test_ones_own_reason_left_before_the_trouble_is_no_news(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.secmaster.faults.set(
        Fault(on="UpdateTask", hang_up=True, applied=True, times=1)
    )
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK.id} as agreed")
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0ALICE>" in reply
    assert decisions(environment) == ["CONTINUE"]


async def test_a_long_text_is_shown_where_it_differs(environment: BotEnvironment) -> None:
    task = environment.secmaster.world.task(TASK.id)
    task["description"] = f"{'same ' * 100}before the end"
    ts = await environment.card("task", TASK.id)
    task["description"] = f"{'same ' * 100}after the end"
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    text = section_text(await difference(environment, ALICE))
    assert "before the end" in text
    assert "after the end" in text


async def test_a_button_from_before_pictures_were_kept_is_sent(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    comment(environment, "stop, wrong host")
    environment.slack.stored(SOC, ts)["blocks"] = [
        {"type": "actions", "block_id": "b", "elements": [old_button()]}
    ]
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert "New comment" in section_text(await difference(environment, ALICE))


def old_button() -> dict[str, Any]:
    text = {"type": "plain_text", "text": "Approve"}
    return {"type": "button", "action_id": "task.approve", "value": str(TASK), "text": text}


def comment(environment: BotEnvironment, text: str) -> None:
    command = {"action": "ADD_COMMENT", "comment": text}
    environment.secmaster.world.update_task(TASK.id, command, LIN)


async def difference(environment: BotEnvironment, user: str) -> dict[str, Any]:
    """The message that only this person sees, with what has changed."""
    return await environment.slack.until(lambda: another(environment, user, ""))


def another(environment: BotEnvironment, user: str, not_this: str) -> dict[str, Any]:
    messages = [
        one
        for one in environment.slack.ephemerals(user)
        if one["text"].startswith("🔄 Changed since")
    ]
    return next((one for one in reversed(messages) if one["ts"] != not_this), {})


def section_text(message: dict[str, Any]) -> str:
    return "\n".join(
        block["text"]["text"] for block in message["blocks"] if block["type"] == "section"
    )


def everybody_saw_no_difference(environment: BotEnvironment, ts: str) -> bool:
    return "Changed since" not in json.dumps(environment.slack.thread(SOC, ts))


def decisions(environment: BotEnvironment) -> list[str]:
    writes = environment.secmaster.writes("UpdateTask", TASK.id)
    words = [one.body["action"] for one in writes]
    return [word for word in words if word in ("CONTINUE", "TERMINATE")]


def audit(environment: BotEnvironment) -> list[dict[str, Any]]:
    return environment.app.services.store.audit.entries(TASK)
