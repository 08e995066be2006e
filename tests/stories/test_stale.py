"""Whoever decides on an old picture is shown what changed, and decides again."""

import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import Person, seed
from tests.town import ALICE, BOB, CAROL, SOC, Town, both_databases

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
LIN = Person("user-lin", "Lin Yue")
PARAMETERS = '[{"key": "hours", "name": "hours", "type": "String", "value": "99"}]'


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", POLICY))


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("name", "Isolate host db-01", "*Name*: Isolate host ecs-web-07 → Isolate host db-01"),
        ("due_date", "2031-01-02T03:04:05.000Z+0000", "*Due*: <!date^"),
        ("due_handle", "CONTINUE", "*When due*: it is interrupted → it goes on by itself"),
        ("approver", "Ana Sousa", "*Handler*: nothing → Ana Sousa"),
        ("handle_parameters", PARAMETERS, "*Parameters*: "),
        ("view_parameters", "host: db-01", "→ host: db-01"),
        ("description", "A drill.", "→ A drill."),
        ("related_object", "Host wipe", "Host containment → Host wipe"),
        ("business_type", "PLAYBOOKNODEAPPROVE", "→ An approval in a playbook"),
        ("notes", "007", "*Note*: nothing → 007"),
    ],
)
async def test_a_press_on_an_old_picture_is_not_sent_and_the_person_alone_sees_the_difference(
    town: Town, field: str, value: str, told: str
):
    ts = await town.card("task", TASK.id)
    town.secmaster.world.task(TASK.id)[field] = value
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    message = await difference(town, ALICE)
    assert told in shown(message)
    assert decisions(town) == []
    await town.slack.press(ALICE, SOC, message["ts"], "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0ALICE>" in said
    assert decisions(town) == ["CONTINUE"]
    assert everybody_saw_no_difference(town, ts)


@both_databases
async def test_a_new_comment_is_news_and_is_decided_on_once_it_was_seen(town: Town):
    ts = await town.card("task", TASK.id)
    comment(town, "stop, wrong host")
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    message = await difference(town, ALICE)
    assert "New comment: Lin Yue: stop, wrong host" in shown(message)
    await town.slack.press(ALICE, SOC, message["ts"], "task.approve")
    await town.replies(ts)
    assert decisions(town) == ["CONTINUE"]
    ended = [(row["outcome"], row["detail"]) for row in audit(town) if "detail" in row]
    assert ("failed", "changed") in ended


async def test_a_comment_that_was_deleted_is_news_too(town: Town):
    comment(town, "wrong host")
    ts = await town.card("task", TASK.id)
    town.secmaster.world.task(TASK.id)["comments"] = []
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert "Comment deleted: Lin Yue: wrong host" in shown(await difference(town, ALICE))
    assert decisions(town) == []


async def test_what_was_decided_meanwhile_is_told_and_not_decided_again(town: Town):
    ts = await town.card("task", TASK.id)
    town.secmaster.world.update_task(TASK.id, {"action": "TERMINATE"}, LIN)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.whispered(ALICE, "already decided", "Lin Yue", "was not sent")
    assert town.slack.thread(SOC, ts)[1:] == []
    assert decisions(town) == []


async def test_the_difference_changes_again_and_is_shown_again(town: Town):
    ts = await town.card("task", TASK.id)
    comment(town, "first")
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    message = await difference(town, ALICE)
    comment(town, "second")
    await town.slack.press(ALICE, SOC, message["ts"], "task.approve")
    later = await town.slack.until(lambda: another(town, ALICE, message["ts"]))
    assert "second" in shown(later)
    assert "first" not in shown(later)
    assert decisions(town) == []
    await town.slack.press(ALICE, SOC, later["ts"], "task.approve")
    await town.replies(ts)
    assert decisions(town) == ["CONTINUE"]


async def test_a_form_opened_before_the_change_is_not_sent_after_it_and_keeps_what_was_typed(
    town: Town,
):
    ts = await town.card("task", TASK.id)
    await town.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = town.slack.views(ALICE)
    comment(town, "stop, wrong host")
    await town.slack.submit(ALICE, view["id"], {"reason": "it is\nthe decoy"})
    message = await difference(town, ALICE)
    assert "> it is\n> the decoy" in shown(message)
    assert decisions(town) == []
    assert town.slack.thread(SOC, ts)[1:] == []
    await town.slack.press(ALICE, SOC, message["ts"], "task.terminate")
    [view] = town.slack.views(ALICE)
    await town.slack.submit(ALICE, view["id"], {"reason": "it is the decoy"})
    [said] = await town.replies(ts)
    assert "*Terminated* by <@U0ALICE>" in said
    assert decisions(town) == ["TERMINATE"]


async def test_by_words_it_is_held_against_what_the_card_here_shows(town: Town):
    ts = await town.card("task", TASK.id)
    comment(town, "stop, wrong host")
    await town.slack.command(ALICE, SOC, f"/task approve {TASK.id} fine by me")
    message = await difference(town, ALICE)
    assert "> fine by me" in shown(message)
    assert decisions(town) == []
    await town.slack.press(ALICE, SOC, message["ts"], "task.approve")
    await town.replies(ts)


async def test_by_words_without_a_card_nobody_can_have_seen_an_old_picture(town: Town):
    comment(town, "stop, wrong host")
    await town.slack.command(ALICE, SOC, f"/task approve {TASK.id}")
    await town.slack.until(lambda: decisions(town) == ["CONTINUE"])


async def test_what_does_not_matter_to_the_decision_does_not_stop_it(town: Town):
    ts = await town.card("task", TASK.id)
    task = town.secmaster.world.task(TASK.id)
    task["modifier_name"], task["modifier_id"] = "somebody", "u-9"
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved*" in said


async def test_ones_own_comment_just_before_is_no_news(town: Town):
    ts = await town.card("task", TASK.id)
    await town.slack.faults.set(Fault(on="chat.update", hold=True))
    await town.slack.command(ALICE, SOC, f"/task comment {TASK.id} I looked")
    await town.replies(ts)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    said = (await town.replies(ts, 2))[1]
    assert "*Approved* by <@U0ALICE>" in said
    await town.slack.faults.clear()


async def test_somebody_elses_comment_from_slack_is_news(town: Town):
    ts = await town.card("task", TASK.id)
    await town.slack.faults.set(Fault(on="chat.update", hold=True))
    await town.slack.command(BOB, SOC, f"/task comment {TASK.id} do not")
    await town.replies(ts)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert "do not — Bob (Slack U0BOB)" in shown(await difference(town, ALICE))
    await town.slack.faults.clear()
    assert decisions(town) == []


async def test_a_comment_or_a_file_needs_no_fresh_picture(town: Town):
    ts = await town.card("task", TASK.id)
    comment(town, "stop, wrong host")
    await town.slack.press(ALICE, SOC, ts, "task.comment")
    [view] = town.slack.views(ALICE)
    await town.slack.submit(ALICE, view["id"], {"comment": "why?"})
    [said] = await town.replies(ts)
    assert "*Comment added*" in said


async def test_a_run_that_was_retried_and_failed_again_meanwhile_is_looked_at_again(town: Town):
    ts = await town.card("instance", seed.INSTANCE_FAILED, user=CAROL)
    town.secmaster.world.instance(seed.INSTANCE_FAILED)["retry_count"] += 1
    await town.slack.press(CAROL, SOC, ts, "instance.retry")
    message = await difference(town, CAROL)
    assert "*Retries*: " in shown(message)
    assert town.secmaster.writes("UpdateWorkflowInstance") == []
    await town.slack.press(CAROL, SOC, message["ts"], "instance.retry")
    [said] = await town.replies(ts)
    assert "*Retry started* by <@U0CAROL>" in said
    assert len(town.secmaster.writes("UpdateWorkflowInstance")) == 1


async def test_the_press_is_acknowledged_before_anything_is_read(town: Town):
    ts = await town.card("task", TASK.id)
    comment(town, "stop, wrong host")
    await town.secmaster.faults.set(Fault(on="ShowTask", hold=True))
    delivered = await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert (delivered.status, delivered.error) == (200, "")
    await town.secmaster.faults.until_held("ShowTask")
    assert town.slack.ephemerals(ALICE) == []
    await town.secmaster.faults.clear()
    await difference(town, ALICE)
    assert decisions(town) == []


async def test_what_changes_while_the_decision_is_kept_stops_it_and_the_thread_hears_of_it(
    town: Town,
):
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", status=429))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [waiting] = await town.replies(ts)
    assert "no need to repeat it" in waiting
    comment(town, "stop, wrong host")
    await town.secmaster.faults.clear()
    said = (await town.replies(ts, 2))[1]
    assert "Changed since <@U0ALICE> looked. The approval was not sent." in said
    assert "New comment: Lin Yue: stop, wrong host" in said
    assert decisions(town) == []
    await town.slack.until(lambda: "wrong host" in json.dumps(town.message(ts)))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert "*Approved*" in (await town.replies(ts, 3))[2]


async def test_what_changed_before_secmaster_could_be_asked_stops_it_as_well(town: Town):
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="ShowTask", status=503))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.replies(ts)
    comment(town, "stop, wrong host")
    await town.secmaster.faults.clear()
    assert "New comment: Lin Yue" in (await town.replies(ts, 2))[1]
    assert decisions(town) == []


async def test_ones_own_reason_left_before_the_trouble_is_no_news(town: Town):
    ts = await town.card("task", TASK.id)
    await town.secmaster.faults.set(Fault(on="UpdateTask", hang_up=True, applied=True, times=1))
    await town.slack.command(ALICE, SOC, f"/task approve {TASK.id} as agreed")
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0ALICE>" in said
    assert decisions(town) == ["CONTINUE"]


async def test_a_long_text_is_shown_where_it_differs(town: Town):
    task = town.secmaster.world.task(TASK.id)
    task["description"] = f"{'same ' * 100}before the end"
    ts = await town.card("task", TASK.id)
    task["description"] = f"{'same ' * 100}after the end"
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    told = shown(await difference(town, ALICE))
    assert "before the end" in told
    assert "after the end" in told


async def test_a_button_from_before_pictures_were_kept_is_sent(town: Town):
    ts = await town.card("task", TASK.id)
    comment(town, "stop, wrong host")
    town.slack.workspace.message(SOC, ts)["blocks"] = [
        {"type": "actions", "block_id": "b", "elements": [old_button()]}
    ]
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    assert "New comment" in shown(await difference(town, ALICE))


def old_button() -> dict[str, Any]:
    text = {"type": "plain_text", "text": "Approve"}
    return {"type": "button", "action_id": "task.approve", "value": str(TASK), "text": text}


def comment(town: Town, text: str) -> None:
    said = {"action": "ADD_COMMENT", "comment": text}
    town.secmaster.world.update_task(TASK.id, said, LIN)


async def difference(town: Town, user: str) -> dict[str, Any]:
    """The message that only this person sees, with what has changed."""
    return await town.slack.until(lambda: another(town, user, ""))


def another(town: Town, user: str, not_this: str) -> dict[str, Any]:
    told = [one for one in town.slack.ephemerals(user) if one["text"].startswith("Changed since")]
    return next((one for one in reversed(told) if one["ts"] != not_this), {})


def shown(message: dict[str, Any]) -> str:
    return "\n".join(
        block["text"]["text"] for block in message["blocks"] if block["type"] == "section"
    )


def everybody_saw_no_difference(town: Town, ts: str) -> bool:
    return "Changed since" not in json.dumps(town.slack.thread(SOC, ts))


def decisions(town: Town) -> list[str]:
    writes = town.secmaster.writes("UpdateTask", TASK.id)
    words = [one.body["action"] for one in writes]
    return [word for word in words if word in ("CONTINUE", "TERMINATE")]


def audit(town: Town) -> list[dict[str, Any]]:
    return town.app.services.store.audit_entries(TASK)
