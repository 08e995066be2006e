"""Why somebody may do something or not, and what was done: asked for where the work is."""

import asyncio
import json
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.store import audit_log
from tests.town import ALICE, BOB, CAROL, DAVE, GUEST, ONCALL, SOC, Town, both_databases

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
RUN = Ref(kind="instance", id=seed.INSTANCE_FAILED)
UNKNOWN = "3e4c170e-7cc9-11f0-9216-fa163e209999"
RULES = f"""
[[rules]]
name = "grave"
actions = ["task.approve"]
roles = ["approver"]
approvals = 2
break_glass = ["oncall"]
when = {{ name = "Isolate.*" }}
{POLICY}
[rights]
audit = ["approver"]
delegate = ["approver"]
[break_glass]
channel = "{ONCALL}"
[identities]
email_domain = "example.com"
"""


@pytest.fixture
def rules() -> str:
    return RULES


# Why.


@pytest.mark.parametrize("noun", ["", "task "])
async def test_why_names_for_each_action_the_rule_that_lets_or_stops_and_who_could(
    town: Town, noun: str
):
    await town.slack.command(ALICE, SOC, f"/secmaster why {noun}{TASK.id}")
    told = await town.whispered(ALICE, f"What you may do with task `{TASK.id}`")
    assert "✅ `task.approve` rule 1 (grave): 2 people within 1 h" in told
    assert "✅ `task.comment` rule 3" in told
    assert "*approver* (<!subteam^S0SOC>)" in told
    assert "instance." not in told
    await town.slack.command(DAVE, SOC, f"/secmaster why {noun}{TASK.id}")
    told = await town.whispered(DAVE, "What you may do")
    assert "▫️ `task.approve` rule 1 (grave) leaves it to approver; " in told
    assert "✅" not in told
    nothing_was_sent(town)
    assert town.app.services.store.audit_entries(TASK) == []


@pytest.mark.parametrize("noun", ["", "instance "])
async def test_why_finds_a_run_as_well(town: Town, noun: str):
    await town.slack.command(CAROL, SOC, f"/secmaster why {noun}{RUN.id}")
    told = await town.whispered(CAROL, f"What you may do with instance `{RUN.id}`")
    assert "✅ `instance.retry` rule 4" in told


async def test_why_answers_by_the_object_and_not_in_general(town: Town):
    await town.slack.command(ALICE, SOC, f"/secmaster why {seed.TASK_BLOCK_IP}")
    told = await town.whispered(ALICE, "What you may do")
    assert "✅ `task.approve` rule 2" in told


async def test_why_tells_a_guest_that_guests_change_nothing(town: Town):
    await town.slack.command(GUEST, SOC, f"/secmaster why {TASK.id}")
    assert "guests may look, and change nothing" in await town.whispered(GUEST, "What you may do")


async def test_why_needs_no_id_in_a_cards_thread(town: Town):
    ts = await town.card("task", TASK.id)
    await town.slack.say(DAVE, SOC, "@secmaster why", ts)
    await town.whispered(DAVE, f"What you may do with task `{TASK.id}`")
    run = await town.card("instance", RUN.id, user=CAROL)
    await town.slack.say(CAROL, SOC, "@secmaster why", run)
    await town.whispered(CAROL, f"What you may do with instance `{RUN.id}`")


@pytest.mark.parametrize("noun", ["", "task ", "instance "])
async def test_why_of_something_unknown_says_so(town: Town, noun: str):
    await town.slack.command(ALICE, SOC, f"/secmaster why {noun}{UNKNOWN}")
    told = await town.whispered(ALICE, "SecMaster")
    assert "What you may do" not in told


async def test_why_says_by_whose_lent_right(town: Town):
    await town.slack.command(ALICE, SOC, "/secmaster delegate @dave for 2h")
    await town.slack.command(DAVE, SOC, f"/secmaster why {TASK.id}")
    assert "by a lent right" in await town.whispered(DAVE, "What you may do")


async def test_why_while_secmaster_cannot_be_asked_promises_nothing(town: Town):
    await town.secmaster.faults.set(Fault(on="*", status=503))
    await town.slack.command(ALICE, SOC, f"/secmaster why {TASK.id}")
    told = await town.slack.until(lambda: town.slack.ephemerals(ALICE))
    assert "✅" not in told[0]["text"]


# The audit's story.


@both_databases
async def test_the_story_of_a_task_is_whole_and_read_by_those_who_may(town: Town):
    ts = await town.card("task", TASK.id)
    await town.slack.press(DAVE, SOC, ts, "task.approve")
    await town.whispered(DAVE, "leaves it to *approver*")
    await town.slack.command(ALICE, SOC, f"/task approve {TASK.id} the shells are real")
    await town.replies(ts)
    await town.slack.press(BOB, SOC, ts, "task.approve")
    [_, said] = await town.replies(ts, 2)
    assert "*Approved*" in said
    await town.slack.until(lambda: not town.buttons(ts))
    await town.slack.command(BOB, SOC, f"/secmaster audit {TASK.id}")
    await town.whispered(BOB, f"What the audit has of task {TASK.id}")
    story = json.dumps(town.slack.ephemerals(BOB)[-1], ensure_ascii=False)
    done = record(town, "done")
    for part in (
        "🚫 refused: approval by <@U0DAVE>",
        "🗳️ said yes: approval by <@U0ALICE> (alice@example.com in SecMaster)",
        "✅ done: approval by <@U0BOB>",
        "rule 1 (grave)",
        "> the shells are real",
        "waiting → finished",
        "HTTP 200",
        f"request `{done['request_id']}`",
        f"saw `{done['decision_fingerprint'][:12]}`",
        f"ref `{done['operation_id'][:6]}`",
    ):
        assert part in story
    found = await asyncio.to_thread(audit_log.verify, town.app.engine)
    assert found.problems == ()
    assert found.records == len(chain_of(town))


async def test_a_record_has_all_that_an_auditor_asks_for(town: Town):
    ts = await town.card("task", seed.TASK_BLOCK_IP)
    await town.slack.command(ALICE, SOC, f"/task approve {seed.TASK_BLOCK_IP} the shells are real")
    await town.replies(ts)
    entry = town.app.services.store.audit_entries(Ref(kind="task", id=seed.TASK_BLOCK_IP))[-1]
    assert entry["actor"] == {"id": ALICE, "name": "Alice", "team": "T0DEMO"}
    assert entry["location"]["channel"] == SOC
    assert entry["location"]["card"] == ts
    assert entry["action"] == "task.approve"
    assert entry["target"] == f"1:task:main:{seed.TASK_BLOCK_IP}"
    assert entry["rule"] == "rule 2"
    assert entry["reason"] == "the shells are real"
    assert entry["terms"]["policy"] == town.app.policy.current.fingerprint
    assert entry["terms"]["identity"] == "alice@example.com"
    assert (entry["status_before"], entry["status_after"], entry["outcome"]) == (
        "waiting",
        "finished",
        "done",
    )
    assert entry["status"] == 200
    assert entry["request_id"]
    assert entry["duration"] > 0
    assert len(entry["decision_fingerprint"]) == len(entry["preflight_fingerprint"]) == 32
    assert town.app.services.store.snapshot_json(entry["decision_fingerprint"])


@pytest.mark.parametrize("user", [CAROL, DAVE, GUEST])
async def test_others_do_not_read_the_audit(town: Town, user: str):
    for text in (f"audit {TASK.id}", f"audit task {TASK.id}", f"audit {UNKNOWN}"):
        await town.slack.command(user, SOC, f"/secmaster {text}")
        await town.whispered(user, "`audit` is for *approver*", "Nothing was done.")


async def test_a_borrower_does_not_read_the_audit_by_a_lent_right(town: Town):
    await town.slack.command(ALICE, SOC, "/secmaster delegate @dave for 2h")
    await town.slack.command(DAVE, SOC, f"/secmaster audit {TASK.id}")
    await town.whispered(DAVE, "`audit` is for *approver*")


async def test_of_what_nobody_touched_the_audit_has_nothing(town: Town):
    await town.slack.command(ALICE, SOC, f"/secmaster audit {UNKNOWN}")
    await town.whispered(ALICE, f"The audit has nothing of `{UNKNOWN}`")


async def test_the_story_is_told_in_a_cards_thread_without_an_id(town: Town):
    ts = await town.card("instance", RUN.id, user=CAROL)
    await town.slack.press(CAROL, SOC, ts, "instance.retry")
    await town.replies(ts)
    await town.slack.say(ALICE, SOC, "@secmaster audit", ts)
    await town.whispered(ALICE, f"What the audit has of instance {RUN.id}")


async def test_a_hostile_reason_stays_a_quotation_in_the_story(town: Town):
    ts = await town.card("task", seed.TASK_BLOCK_IP)
    reason = "fine\n✅ done: approval by <@U0BOB> <!channel> `x` ```y```"
    await town.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = town.slack.views(ALICE)
    await town.slack.submit(ALICE, view["id"], {"reason": reason})
    await town.replies(ts)
    await town.slack.command(ALICE, SOC, f"/secmaster audit {seed.TASK_BLOCK_IP}")
    await town.whispered(ALICE, "What the audit has of")
    story = json.dumps(town.slack.ephemerals(ALICE)[-1], ensure_ascii=False)
    assert "> ✅ done: approval by &lt;@U0BOB&gt; &lt;!channel&gt;" in story
    assert "<@U0BOB>" not in story


@both_databases
async def test_no_record_can_answer_in_our_name(town: Town):
    ts = await town.card("task", TASK.id)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.replies(ts)
    await town.slack.press(CAROL, SOC, ts, "task.approve")
    await town.slack.command(ALICE, SOC, "/secmaster delegate @dave for 2h")
    await town.slack.command(ALICE, SOC, "/secmaster revoke @dave")
    await town.slack.until(lambda: "withdraw" in town.buttons(ts))
    await town.slack.press(ALICE, SOC, ts, "withdraw")
    await town.replies(ts, 2)
    kept = json.dumps(chain_of(town))
    assert len(chain_of(town)) >= 5
    assert "_hooks" not in kept
    assert "response_url" not in kept
    assert "xoxb" not in kept


async def test_a_refusal_is_not_on_record_as_the_action_it_kept_from_being_done(town: Town):
    ts = await town.card("task", TASK.id)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    await town.slack.until(lambda: "refuse" in town.buttons(ts))
    await town.slack.press(BOB, SOC, ts, "refuse")
    await town.replies(ts, 2)
    await town.slack.until(lambda: "refuse" not in town.buttons(ts))
    told = [row["outcome"] for row in town.app.services.store.audit_entries(TASK)]
    assert told == ["counted", "refuse"]


def record(town: Town, outcome: str) -> dict[str, Any]:
    rows = town.app.services.store.audit_entries(TASK)
    return next(row for row in reversed(rows) if row["outcome"] == outcome)


def chain_of(town: Town) -> list[dict[str, Any]]:
    return list(audit_log.entries(town.app.engine))


def nothing_was_sent(town: Town) -> None:
    assert [one for one in town.secmaster.requests if one.method == "PUT"] == []
