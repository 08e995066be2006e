"""Why somebody may do something or not, and what was done: asked for where the work is."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from bot.app import App
from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.domain.operations import Operation, PolicyRefusal
from bot.domain.reasons import RefusalReason
from bot.domain.slack import Actor, SlackLocation
from bot.domain.snapshots import stored
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.secmaster import Task
from bot.store import audit_log, connect
from tests.support.audit import do, entry
from tests.support.databases import both_databases, postgres_in_full
from tests.support.environment import BotEnvironment, policy, settings_for
from tests.support.people import ALICE, BOB, CAROL, DAVE, GUEST, ONCALL, SOC
from tests.support.slack_recorder import SlackRecorder

TASK = Ref(kind="task", id=seed.TASK_ISOLATE)
TASK_NAME = "Isolate host ecs-web-07"
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
    environment: BotEnvironment, noun: str
) -> None:
    await environment.slack.command(ALICE, SOC, f"/secmaster why {noun}{TASK.id}")
    text = await environment.ephemeral(ALICE, f"What you can do with *{TASK_NAME}*\n`{TASK.id}`")
    approver = "*approver* (<!subteam^S0SOC>)"
    assert f"✅ *Approve*\nAllowed by rule 1 “grave”: {approver}. Needs 2 approvals within" in text
    assert f"✅ *Comment*\nAllowed by rule 3: {approver} or *oncall* (" in text
    assert "*Retry*" not in text
    await environment.slack.command(DAVE, SOC, f"/secmaster why {noun}{TASK.id}")
    text = await environment.ephemeral(DAVE, "What you can do")
    assert f"▫️ *Approve*\nOnly {approver} can do this (rule 1 “grave”)." in text
    assert [line for line in text.splitlines() if "✅" in line] == ["✅ *Read tasks*"]
    nothing_was_sent(environment)
    assert environment.app.services.store.audit.entries(TASK) == []


@pytest.mark.parametrize("noun", ["", "instance "])
async def test_why_finds_a_run_as_well(environment: BotEnvironment, noun: str) -> None:
    await environment.slack.command(CAROL, SOC, f"/secmaster why {noun}{RUN.id}")
    text = await environment.ephemeral(CAROL, f"`{RUN.id}`\n✅ *Read runs*")
    assert "✅ *Retry*\nAllowed by rule 4: *oncall* (<!subteam^S0ONCALL>)." in text


async def test_why_answers_by_the_object_and_not_in_general(environment: BotEnvironment) -> None:
    await environment.slack.command(ALICE, SOC, f"/secmaster why {seed.TASK_BLOCK_IP}")
    text = await environment.ephemeral(ALICE, "What you can do")
    assert "✅ *Approve*\nAllowed by rule 2: *approver* (<!subteam^S0SOC>)." in text


async def test_why_tells_a_guest_nothing_of_a_task(environment: BotEnvironment) -> None:
    await environment.slack.command(GUEST, SOC, f"/secmaster why {TASK.id}")
    await environment.ephemeral(GUEST, "Guests")


async def test_why_needs_no_id_in_a_cards_thread(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.say(DAVE, SOC, "@secmaster why", ts)
    await environment.ephemeral(DAVE, f"What you can do with *{TASK_NAME}*")
    run = await environment.card("instance", RUN.id, user=CAROL)
    await environment.slack.say(CAROL, SOC, "@secmaster why", run)
    await environment.ephemeral(CAROL, f"`{RUN.id}`\n✅ *Read runs*")


@pytest.mark.parametrize("noun", ["", "task ", "instance "])
async def test_why_of_something_unknown_says_so(environment: BotEnvironment, noun: str) -> None:
    await environment.slack.command(ALICE, SOC, f"/secmaster why {noun}{UNKNOWN}")
    text = await environment.ephemeral(ALICE, "SecMaster")
    assert "What you can do" not in text


async def lent_to_dave(environment: BotEnvironment) -> None:
    """Alice lent Dave her rights, and both are told."""
    await environment.ephemeral(ALICE, "<@U0DAVE> has your permissions until")
    await environment.posted("D0DAVE", "You have <@U0ALICE>'s permissions")


async def test_why_says_by_whose_lent_right(environment: BotEnvironment) -> None:
    await environment.slack.command(ALICE, SOC, "/secmaster delegate @dave for 2h")
    await environment.slack.command(DAVE, SOC, f"/secmaster why {TASK.id}")
    text = await environment.ephemeral(DAVE, "What you can do")
    assert "You act on behalf of <@U0ALICE>." in text
    await lent_to_dave(environment)


async def test_why_while_secmaster_cannot_be_asked_promises_nothing(
    environment: BotEnvironment,
) -> None:
    await environment.secmaster.faults.set(Fault(on="*", status=503))
    await environment.slack.command(ALICE, SOC, f"/secmaster why {TASK.id}")
    messages = await environment.slack.until(lambda: environment.slack.ephemerals(ALICE))
    assert "✅" not in messages[0]["text"]


# The audit's story.


@postgres_in_full
async def test_the_story_of_a_task_is_whole_and_read_by_those_who_may(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    await environment.ephemeral(DAVE, "approver", "can do this")
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK.id} the shells are real")
    await environment.replies(ts)
    await environment.slack.press(BOB, SOC, ts, "task.approve")
    [_, reply] = await environment.replies(ts, 2)
    assert "*Approved by" in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    await environment.slack.command(BOB, SOC, f"/secmaster audit {TASK.id}")
    await environment.ephemeral(BOB, f"Audit records of *{TASK_NAME}*\n`{TASK.id}`")
    story = json.dumps(environment.slack.ephemerals(BOB)[-1], ensure_ascii=False)
    done = record(environment, "done")
    for part in (
        f"<@U0DAVE> was not allowed to approve *{TASK_NAME}*. Only approver can do this",
        f"<@U0ALICE> approved *{TASK_NAME}*; more approvals are needed. Approvals to approve: 1 of",
        "Person: <@U0ALICE> · alice@example.com in SecMaster",
        f"<@U0BOB> approved *{TASK_NAME}*.",
        "Approved with: <@U0ALICE> · <!date^",
        "“the shells are real”",
        "Rule: 1 “grave”",
        "> the shells are real",
        "Waiting for a decision → Finished",
        "HTTP 200",
        f"request `{done['request_id']}`",
        f"Record: #{done['number']} · `{done['operation_id'][:6]}`",
        f"Later: <!date^{int(datetime.fromisoformat(done['at']).timestamp())}^",
        "Due: <!date^",  # of the card that each of them saw
    ):
        assert part in story
    verified = await asyncio.to_thread(audit_log.verify, environment.app.engine)
    assert verified.problems == ()
    assert verified.records == len(chain_of(environment))


async def test_a_record_has_all_that_an_auditor_asks_for(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_BLOCK_IP)
    await environment.slack.command(
        ALICE, SOC, f"/task approve {seed.TASK_BLOCK_IP} the shells are real"
    )
    await environment.replies(ts)
    entry = environment.app.services.store.audit.entries(Ref(kind="task", id=seed.TASK_BLOCK_IP))[
        -1
    ]
    assert entry["actor"] == {"id": ALICE, "alias": "", "name": "Alice", "team": "T0DEMO"}
    assert entry["location"]["channel"] == SOC
    assert entry["location"]["card"] == ts
    assert entry["action"] == "task.approve"
    assert entry["target"] == f"1:task:main:{seed.TASK_BLOCK_IP}"
    assert entry["rule"] == "rule 2"
    assert entry["reason"] == "the shells are real"
    assert entry["terms"]["policy"] == environment.app.policy.current.fingerprint
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
    assert environment.app.services.store.snapshots.as_json(entry["decision_fingerprint"])


@pytest.mark.parametrize("user", [CAROL, DAVE, GUEST])
async def test_others_do_not_read_the_audit(environment: BotEnvironment, user: str) -> None:
    for text in (f"audit {TASK.id}", f"audit task {TASK.id}", f"audit {UNKNOWN}"):
        await environment.slack.command(user, SOC, f"/secmaster {text}")
        await environment.ephemeral(user, "Only *approver*", "can read the audit.")


async def test_a_borrower_does_not_read_the_audit_by_a_lent_right(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(ALICE, SOC, "/secmaster delegate @dave for 2h")
    await environment.slack.command(DAVE, SOC, f"/secmaster audit {TASK.id}")
    await environment.ephemeral(DAVE, "can read the audit.")
    await lent_to_dave(environment)


async def test_of_what_nobody_touched_the_audit_has_nothing(environment: BotEnvironment) -> None:
    await environment.slack.command(ALICE, SOC, f"/secmaster audit {UNKNOWN}")
    await environment.ephemeral(ALICE, f"No audit records of `{UNKNOWN}`.")


async def test_the_story_is_told_in_a_cards_thread_without_an_id(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("instance", RUN.id, user=CAROL)
    await environment.slack.press(CAROL, SOC, ts, "instance.retry")
    await environment.replies(ts)
    await environment.slack.say(ALICE, SOC, "@secmaster audit", ts)
    await environment.ephemeral(ALICE, f"`{RUN.id}`")


async def test_a_hostile_reason_stays_a_quotation_in_the_story(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_BLOCK_IP)
    reason = "fine\n✅ done: approval by <@U0BOB> <!channel> `x` ```y```"
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = environment.slack.views(ALICE)
    await environment.slack.submit(ALICE, view["id"], {"reason": reason})
    await environment.replies(ts)
    await environment.slack.command(ALICE, SOC, f"/secmaster audit {seed.TASK_BLOCK_IP}")
    await environment.ephemeral(ALICE, "Audit records of")
    story = json.dumps(environment.slack.ephemerals(ALICE)[-1], ensure_ascii=False)
    assert "> ✅ done: approval by &lt;@U0BOB&gt; &lt;!channel&gt;" in story
    assert "<@U0BOB>" not in story


@both_databases
async def test_no_record_can_answer_in_our_name(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.replies(ts)
    await environment.slack.press(CAROL, SOC, ts, "task.approve")
    await environment.slack.command(ALICE, SOC, "/secmaster delegate @dave for 2h")
    await environment.slack.command(ALICE, SOC, "/secmaster revoke @dave")
    await environment.slack.until(lambda: "withdraw" in environment.buttons(ts))
    await environment.slack.press(ALICE, SOC, ts, "withdraw")
    await environment.replies(ts, 2)
    records = json.dumps(chain_of(environment))
    assert len(chain_of(environment)) >= 5
    assert "_hooks" not in records
    assert "response_url" not in records
    assert "xoxb" not in records
    await environment.ephemeral(CAROL, "approver", "can do this")
    await lent_to_dave(environment)
    await environment.ephemeral(ALICE, "<@U0DAVE> no longer has your permissions")
    await environment.posted("D0DAVE", "You no longer have <@U0ALICE>'s permissions")


async def test_a_refusal_is_not_on_record_as_the_action_it_kept_from_being_done(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.slack.until(lambda: "refuse" in environment.buttons(ts))
    await environment.decline(BOB, ts)
    await environment.replies(ts, 2)
    await environment.slack.until(lambda: "refuse" not in environment.buttons(ts))
    outcomes = [row["outcome"] for row in environment.app.services.store.audit.entries(TASK)]
    assert outcomes == ["counted", "refuse"]


def record(environment: BotEnvironment, outcome: str) -> dict[str, Any]:
    rows = environment.app.services.store.audit.entries(TASK)
    return next(row for row in reversed(rows) if row["outcome"] == outcome)


def chain_of(environment: BotEnvironment) -> list[dict[str, Any]]:
    return list(audit_log.entries(environment.app.engine))


def nothing_was_sent(environment: BotEnvironment) -> None:
    assert [one for one in environment.secmaster.requests if one.method == "PUT"] == []


async def test_what_is_amiss_with_the_audit_is_a_warning_at_the_start(
    slack: SlackRecorder,
    secmaster: SecMasterSandbox,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = connect(database_url)
    do(engine, "CREATE TRIGGER hide AFTER INSERT ON audit BEGIN DELETE FROM audit; END")
    engine.dispose()
    settings = settings_for(slack.url, secmaster.url, database_url)
    key = SecretStr("0123456789abcdef")
    async with App(settings.model_copy(update={"audit_key": key}), policy()):
        warnings = [record for record in caplog.records if record.name == "bot.app"]
    problems = [vars(record)["problem"] for record in warnings]
    assert [problem[:38] for problem in problems] == [
        "The database has a trigger hide on aud",
        "The head is not signed with AUDIT_KEY:",
    ]


async def test_why_says_who_used_the_right_that_a_press_would_use(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(ALICE, SOC, "/secmaster delegate @dave for 2h")
    await lent_to_dave(environment)
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(DAVE, SOC, ts, "task.approve")
    await environment.replies(ts)
    await environment.slack.command(ALICE, SOC, f"/secmaster why {TASK.id}")
    text = await environment.ephemeral(ALICE, "What you can do")
    sentence = "<@U0DAVE> already approved on your behalf, so your approval would count twice."
    assert f"▫️ *Approve*\n{sentence}" in text
    await environment.slack.command(BOB, SOC, f"/secmaster why {TASK.id}")
    text = await environment.ephemeral(BOB, "What you can do")
    assert "Approvals to approve: 1 of 2 (<@U0DAVE>)." in text
    await environment.slack.command(DAVE, SOC, f"/secmaster why {TASK.id}")
    text = await environment.ephemeral(DAVE, "What you can do")
    assert "▫️ *Approve*\nYou already approved this. Waiting for 1 more." in text
    await environment.slack.command(DAVE, SOC, "/secmaster whoami")
    text = await environment.ephemeral(DAVE, "You have <@U0ALICE>'s permissions until")
    assert "✅ *Approve tasks*: yes · on behalf of <@U0ALICE>" in text


# The audit, by its filters.


def record_refusals(environment: BotEnvironment, many: int, name: str) -> None:
    """Put refused approvals of a task on record, an hour after one another."""
    store, start = environment.app.services.store, datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
    refusal = PolicyRefusal(reason=RefusalReason.RULE, rule="rule 1", roles=("lead",))
    for number in range(many):
        id_ = f"3e4c170e-7cc9-11f0-9216-fa16{number:08x}"
        at = start + timedelta(hours=number)
        snapshot = stored(Task(id=id_, name=f"{name} {number}", status="waiting"))
        attempt = Operation(
            id=f"{name}-{number}",
            action="task.approve",
            ref=Ref(kind="task", id=id_),
            actor=Actor(id=BOB, name="Bob"),
            location=SlackLocation(channel=SOC),
            rule="rule 1",
            decision_fingerprint=snapshot.fingerprint,
            accepted_at=at,
        )
        store.audit.record_refusal(attempt, refusal, at, snapshot)


async def asked_audit(environment: BotEnvironment, words: str, *parts: str) -> str:
    """Ask for records; return all that Alice reads of them."""
    await environment.slack.command(ALICE, SOC, f"/secmaster audit {words}")
    await environment.ephemeral(ALICE, "*Audit records*", *parts)
    return json.dumps(environment.slack.ephemerals(ALICE)[-1], ensure_ascii=False)


@postgres_in_full
async def test_the_audit_is_asked_for_by_person_time_action_and_name(
    environment: BotEnvironment,
) -> None:
    environment.slack.workspace.users[ALICE] |= {"tz": "Asia/Shanghai", "tz_offset": 28800}
    record_refusals(environment, 13, "封禁")
    page = await asked_audit(environment, "@bob approve refused", "Person: <@U0BOB>")
    assert page.count("was not allowed to approve *封禁 ") == 10
    assert "*封禁 12*. Only lead can do this (rule 1)." in page
    assert "*封禁 2*" not in page
    ts = environment.slack.ephemerals(ALICE)[-1]["ts"]
    await environment.slack.press(ALICE, SOC, ts, "audit.older")
    older = await environment.slack.until(lambda: page_with(environment, "*封禁 2*"))
    assert "*封禁 0*" in older
    assert "*封禁 3*" not in older
    assert "audit.older" not in older
    # In her zone the first of them was at four in the morning of the second of March.
    hours = await asked_audit(environment, "until 2026-03-02 08:00 from 2026-03-02 06:00 封禁")
    assert hours.count("was not allowed") == 2
    assert (await asked_audit(environment, "until 2026-03-01")).count("was not allowed") == 0
    environment.clock.set(datetime(2026, 3, 2, 2, 0, tzinfo=UTC))
    assert (await asked_audit(environment, "today")).count("was not allowed") == 10
    assert (await asked_audit(environment, "yesterday 封禁")).count("was not allowed") == 0
    nothing = await asked_audit(environment, "terminate", "No records match.")
    assert "was not allowed" not in nothing
    await environment.slack.command(ALICE, SOC, "/secmaster audit from someday")
    await environment.ephemeral(ALICE, "“someday” is not a date.")


def page_with(environment: BotEnvironment, text: str) -> str:
    page = json.dumps(environment.slack.ephemerals(ALICE)[-1], ensure_ascii=False)
    return page if text in page else ""


SOME_READ = RULES.replace(
    'actions = ["task.read", "instance.read", "playbook.read"]',
    'actions = ["task.read", "instance.read", "playbook.read"]\nwhen = { name = "Block.*" }',
)


@pytest.mark.parametrize("rules", [SOME_READ], ids=["some-read"])
async def test_the_audit_tells_only_of_objects_that_its_reader_may_read(
    environment: BotEnvironment, rules: str
) -> None:
    assert rules != RULES
    record_refusals(environment, 2, "Block")
    record_refusals(environment, 2, "Secret")
    mute = {"action": "mute", "target": "workflow:main", "workflow": "Secret workflow"}
    environment.app.services.store.audit.record(entry(1, **mute))
    page = await asked_audit(environment, "")
    assert "*Block 1*" in page
    assert "Secret" not in page
    # However many records are looked through, it costs the same.
    statements: list[str] = []
    engine = environment.app.services.store.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *one: statements.append(one[2]))
    counts = []
    for name in ("Block more", "Secret more"):
        statements.clear()
        await asked_audit(environment, "")
        read = [text for text in statements if "FROM audit" in text or "FROM snapshots" in text]
        counts.append(len(read))
        record_refusals(environment, 9, name)
    assert counts[0] == counts[1], counts


async def test_a_refused_decline_reads_as_one(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK.id)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    await environment.slack.until(lambda: "refuse" in environment.buttons(ts))
    await environment.slack.press(CAROL, SOC, ts, "refuse")
    await environment.ephemeral(CAROL, "*approver*")
    await environment.replies(ts)
    page = await asked_audit(environment, "@carol")
    sentence = "<@U0CAROL> was not allowed to decline the request to approve"
    assert f"{sentence} *{TASK_NAME}*. Only approver can do this (rule 1 “grave”)." in page
