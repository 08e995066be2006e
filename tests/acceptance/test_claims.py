"""Claims, escalations at once and mutes: who is called for a task or a run, and who is not."""

import json
from datetime import timedelta
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.secmaster.values import stamp
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, CAROL, DAVE, ONCALL, SOC
from tests.support.watch import (
    add_failure,
    card_of,
    first_poll_finished,
    ignore_seeded_tasks,
    posting_finished,
    task_id_of,
)

CHAT = "D0BOB"
ROUTES = """
[watch]
every = 0.02

[[routes]]
name = "soc"
channel = "C0SOC"
tasks = true
instances = ["FAILED"]
mention = ["S0SOC"]
remind = ["20m", "5m"]
escalate = { after = "15m", to = "duty" }
group = "none"
continue = true

[[routes]]
name = "Bob"
user = "U0BOB"
tasks = true
remind = ["20m"]
group = "none"

[[routes]]
name = "duty"
channel = "C0ONCALL"
tasks = true
instances = ["FAILED"]
when = { name = "never" }
"""


MUTES = """
[roles.lead]
users = ["U0ALICE"]

[rights]
mute = ["lead"]
audit = ["lead"]
"""


# Nobody but a group is told of anything; what comes of a night waits until the morning.
TO_GROUP = """
[watch]
every = 0.02

[[routes]]
usergroup = "S0ONCALL"
tasks = true
remind = ["20m", "5m"]
group = "none"
"""
QUIET = ROUTES.replace(
    'name = "never" }', 'name = "never" }\nquiet = { from = "00:00", until = "23:59" }'
)


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return POLICY + str(getattr(request, "param", ROUTES)) + MUTES


@postgres_in_full
async def test_a_claim_is_shown_everywhere_and_taken_over(environment: BotEnvironment) -> None:
    environment.ignore_messages(channel=CHAT)
    slack, ts = environment.slack, await task(environment, hours=40)
    id_ = task_id_of(environment, ts)
    ref = f"1:task:main:{id_}"
    assert "I'm on it" in shown(environment, ts)
    await slack.press(DAVE, SOC, ts, "assign.take", value=ref)
    refusal = await environment.ephemeral(DAVE, "🚫 You can't claim this: only *approver* (")
    assert "approval" not in refusal
    assert "You can't release this claim: only *approver* (" in await environment.answer(
        DAVE, f"/secmaster unclaim {id_}"
    )
    await slack.press(ALICE, SOC, ts, "assign.take", value=ref)
    [reply] = await environment.replies(ts)
    assert reply.startswith(f"🙋 <@{ALICE}> is on it until <!date^")
    await slack.until(lambda: f"🙋 Claimed by <@{ALICE}> until" in shown(environment, ts))
    assert "Take over" in shown(environment, ts)
    for user, is_theirs in ((ALICE, True), (BOB, False)):
        answer = await environment.answer(user, "/secmaster task list mine Isolate x")
        assert ("No task was found" not in answer) is is_theirs
        await environment.answer(user, "/secmaster task list Isolate x")
        assert f"🙋 Claimed by <@{ALICE}>" in json.dumps(
            slack.ephemerals(user)[-1], ensure_ascii=False
        )
        await slack.open_home(user)
        home = await slack.until(
            lambda user=user: json.dumps(slack.home(user)) if slack.home(user) else ""
        )
        assert ("Isolate x" in home) is is_theirs
    # Another takes it over, in the card's thread, and everybody reads that.
    await slack.say(BOB, SOC, "<@U0BOT> I'm on it", ts)
    await environment.ephemeral(BOB, "🙋 You claimed *Isolate x* until")
    thread = "\n".join(await environment.replies(ts, 3))
    assert f"🙋 <@{BOB}> took this over from <@{ALICE}>, until <!date^" in thread
    await environment.answer(ALICE, "/secmaster oncall")
    digest = await environment.answer(ALICE, "/secmaster digest")
    assert "🙋 Claimed now: Isolate x (" in digest
    # Anybody who may decide may release it, from the card's menu.
    await slack.until(lambda: f"🙋 Claimed by <@{BOB}> until" in shown(environment, ts))
    await slack.press(ALICE, SOC, ts, "more", value=f"assign.release|{ref}")
    thread = "\n".join(await environment.replies(ts, 4))
    assert f"🔔 <@{ALICE}> released the claim of <@{BOB}>: reminders are on again" in thread
    await slack.until(lambda: "🙋 Claimed by" not in shown(environment, ts))
    assert "is not claimed" in await environment.answer(ALICE, f"/secmaster unclaim {id_}")
    records = environment.app.services.store.audit.entries(ref)
    assert [record["action"] for record in records] == ["claim", "claim", "unclaim"]
    # The audit finds each by the task's name.
    page = await audit_page(environment, "Isolate x")
    assert f"<@{ALICE}> claimed *Isolate x* until <!date^" in page
    assert f"<@{BOB}> took *Isolate x* over from <@{ALICE}> until <!date^" in page
    assert f"<@{ALICE}> released *Isolate x*, which <@{BOB}> had claimed." in page


async def test_reminders_call_only_the_claimer_and_nothing_is_escalated(
    environment: BotEnvironment,
) -> None:
    slack, ts = environment.slack, await task(environment, hours=0.5)
    chat = await slack.until(lambda: card_of(environment, CHAT, "Isolate x"))
    id_ = task_id_of(environment, ts)
    await environment.answer(ALICE, f"/secmaster claim {id_} 22m")
    await environment.replies(ts)
    environment.clock.forward(minutes=16)  # the first reminder is due, and the escalation
    reminder = (await environment.replies(ts, 2))[1]
    assert reminder.startswith(f"<@{ALICE}> ")
    assert "S0SOC" not in reminder
    await environment.polls(3)
    assert slack.thread(CHAT, chat)[1:] == []
    assert not card_of(environment, ONCALL, "Isolate x")
    # The claim is over: everybody is called, and it is escalated.
    environment.clock.forward(minutes=7)
    ended = (await environment.replies(ts, 3))[2]
    assert ended.startswith("<!subteam^S0SOC> 🔔 The claim of ")
    assert "*Isolate x* is still waiting." in ended
    await slack.until(lambda: card_of(environment, ONCALL, "Isolate x"))
    await slack.until(lambda: "🙋 Claimed by" not in shown(environment, ts))
    assert "I'm on it" in shown(environment, ts)
    await environment.replies(chat, 1, channel=CHAT)


@pytest.mark.parametrize("rules", [TO_GROUP], indirect=True, ids=["to a group"])
async def test_whoever_has_claimed_a_task_of_others_is_reminded_in_their_place(
    environment: BotEnvironment,
) -> None:
    slack, carol = environment.slack, environment.slack.chat_with(CAROL)
    ignore_seeded_tasks(environment)
    await first_poll_finished(environment)
    due = environment.clock.now() + timedelta(minutes=30)
    arrived = environment.secmaster.world.add_task(
        name="Isolate x", due_date=stamp(due), due_handle="INTERRUPT"
    )
    theirs = await slack.until(lambda: card_of(environment, carol, "Isolate x"))
    answer = await environment.answer(ALICE, f"/secmaster claim {arrived['id']} 2h")
    assert "only you are reminded, and it is not escalated" in answer
    await environment.replies(theirs, 1, channel=carol)
    environment.clock.forward(minutes=11)
    chat = slack.chat_with(ALICE)
    ts = await slack.until(lambda: card_of(environment, chat, "Isolate x"))
    environment.clock.forward(minutes=15)
    await environment.replies(ts, 1, channel=chat)
    await environment.polls(3)
    assert len(slack.thread(chat, ts)) == 2
    assert len(slack.thread(carol, theirs)) == 2


async def test_a_claim_is_refused_where_it_may_be_approved_at_any_moment(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(channel=CHAT)
    ts = await task(environment, hours=-0.1, due_handle="CONTINUE")
    ref = f"1:task:main:{task_id_of(environment, ts)}"
    await environment.slack.press(ALICE, SOC, ts, "assign.take", value=ref)
    refusal = await environment.ephemeral(ALICE, "🚫 Not claimed: it was due <!date^")
    assert "SecMaster may auto-approve it at any moment. Nothing was changed" in refusal
    assert "Claimed by" not in shown(environment, ts)
    assert environment.app.services.store.audit.entries(ref) == []


async def test_a_claim_never_outlasts_what_silence_approves_nor_a_decision(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(channel=CHAT)
    slack, ts = environment.slack, await task(environment, hours=0.5, due_handle="CONTINUE")
    id_ = task_id_of(environment, ts)
    answer = await environment.answer(ALICE, f"/secmaster claim {id_} 2h")
    assert "⚠️ It auto-approves <!date^" in answer
    assert "so the claim lasts only until <!date^" in answer
    environment.clock.forward(minutes=26)  # the last reminder calls everybody
    texts = await slack.until(
        lambda: [
            text
            for message in slack.thread(SOC, ts)
            if "will be auto-approved" in (text := message["text"]) and "S0SOC" in text
        ]
    )
    assert len(texts) == 1
    answer = await environment.answer(BOB, f"/secmaster claim {id_}")
    assert answer.startswith("🚫 Not claimed: it auto-approves ")
    environment.ignore_messages("Isolate x", channel=ONCALL)
    environment.ignore_messages("Isolate x", channel=SOC)
    # A run that is claimed, and then is no longer failed.
    run = await add_failure(environment)
    card = await slack.until(lambda: card_of(environment, SOC, run["name"]))
    ref = f"1:instance:main:{run['id']}"
    await slack.press(CAROL, SOC, card, "assign.take", value=ref)
    await slack.until(lambda: "🙋 Claimed by" in shown(environment, card))
    await slack.press(CAROL, SOC, card, "instance.retry")
    await slack.until(lambda: "🙋 Claimed by" not in shown(environment, card))
    tracked = environment.app.services.store.tracked
    assert Ref.parse(ref) not in tracked.assignments(environment.clock.now())
    environment.ignore_messages(channel=SOC)


@postgres_in_full
async def test_a_muted_workflow_brings_one_card_when_its_mute_ends(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(channel=CHAT)
    slack, world = environment.slack, environment.secmaster.world
    run = await add_failure(environment)
    card, name = await slack.until(lambda: card_of(environment, SOC, run["name"])), workflow(run)
    ref = f"1:instance:main:{run['id']}"
    # From the form of the card's menu, for those who have the right.
    await slack.press(ALICE, SOC, card, "more", value=f"snooze.xh|{ref}")
    [form] = await slack.until(lambda: slack.views(ALICE))
    await slack.press_in_view(ALICE, form["id"], "mute", ref)
    views = await slack.until(lambda: views if len(views := slack.views(ALICE)) > 1 else None)
    await slack.submit(ALICE, views[-1]["id"], {"length": "1h", "reason": "the API is down"})
    [reply] = await environment.replies(card)
    assert reply.startswith(f"🔇 <@{ALICE}> muted *{name}* until <!date^")
    assert "no cards and no calls until then, except for tasks that auto-approve." in reply
    assert reply.endswith("> the API is down")
    # Neither cards nor an escalation, but for a task that silence approves.
    for number in (1, 2, 3):
        await add_failure(environment, number=number)
    due = stamp(environment.clock.now() + timedelta(hours=9))
    fields = {"business_type": "WORKFLOW_NODE", "related_object": name, "due_date": due}
    world.add_task(name="Held task", due_handle="INTERRUPT", **fields)
    world.add_task(name="Approves itself", due_handle="CONTINUE", **fields)
    await slack.until(lambda: card_of(environment, SOC, "Approves itself"))
    environment.clock.forward(minutes=16)
    await environment.polls(3)
    texts = "\n".join(str(m["text"]) for m in slack.messages(SOC))
    assert "Run 1 of 0" not in texts
    assert "Held task" not in texts
    environment.ignore_messages("Approves itself", channel=ONCALL)
    for command in ("oncall", "status", "digest"):
        answer = (await environment.answer(ALICE, f"/secmaster {command}")).replace("*", "")
        assert f"🔇 {name}: 4 arrivals were muted by alice until " in answer
    refusal = await environment.answer(BOB, f"/secmaster mute {name} 2h noisy")
    assert refusal.startswith("🚫 Only ")
    # It ends: what is still open comes, the runs on one card, and nothing is escalated yet.
    world.instances[run["id"]]["status"] = "TERMINATED"
    environment.clock.forward(minutes=45)
    await slack.until(lambda: "Held task" in "".join(str(m["text"]) for m in slack.messages(SOC)))
    await slack.until(lambda: "Run 3 of 0" in json.dumps(slack.messages(SOC)))
    await environment.polls(3)
    assert "Held task" not in json.dumps(slack.messages(ONCALL))
    environment.ignore_messages(channel=SOC)


@postgres_in_full
async def test_unmute_brings_at_once_what_a_mute_held_back(environment: BotEnvironment) -> None:
    environment.ignore_messages(channel=CHAT)
    slack = environment.slack
    run = await add_failure(environment)
    await slack.until(lambda: card_of(environment, SOC, run["name"]))
    name = workflow(run)
    for command, problem in (
        ("mute 2h", "🤔 Which workflow? Write its name, or the ID of one of its runs."),
        ("mute 2h noisy", "🤔 Which workflow?"),
        (f"mute {name} soon", "🤔 For how long?"),
        (f"mute {name} 2h", "🤔 Why is it muted?"),
        ("unmute 2h", "🤔 Which workflow?"),
        ("claim 2h", "🤔 Which task or run? Add its ID."),
        ("escalate", "🤔 Which task or run? Add its ID."),
        ("snooze until 9:00", "🤔 Which task or run? Add its ID."),
    ):
        answer = await environment.answer(ALICE, f"/secmaster {command}")
        assert answer.startswith(problem)
        assert f"Usage: `/secmaster {command.split()[0]} &lt;" in answer
    answer = await environment.answer(ALICE, "/secmaster mute Nothing such 2h noisy")
    assert "No open task or failed run belongs to a workflow called *Nothing such*" in answer
    answer = await environment.answer(ALICE, f"/secmaster mute {name.upper()} 2h noisy")
    assert answer.startswith(f"🔇 Muted *{name}* until <!date^")
    await add_failure(environment, number=1)
    await environment.polls(3)
    assert "Run 1 of 0" not in json.dumps(slack.messages(SOC))
    answer = await environment.answer(ALICE, f"/secmaster unmute {run['id']}")
    assert answer == f"🔊 Unmuted *{name}*: what is still open gets its card now."
    await slack.until(lambda: "Run 1 of 0" in json.dumps(slack.messages(SOC)))
    assert "is not muted" in await environment.answer(ALICE, f"/secmaster unmute {name}")
    records = environment.app.services.store.audit.entries("workflow:main")
    assert [(each["action"], each["workflow"]) for each in records] == [
        ("mute", name),
        ("unmute", name),
    ]
    page = await audit_page(environment, name)
    assert f"<@{ALICE}> muted the workflow *{name}* until <!date^" in page
    assert f"<@{ALICE}> unmuted the workflow *{name}*." in page


async def audit_page(environment: BotEnvironment, words: str) -> str:
    """Return the audit records that Alice is shown for these words."""
    await environment.answer(ALICE, f"/secmaster audit {words}")
    return json.dumps(environment.slack.ephemerals(ALICE)[-1], ensure_ascii=False)


def workflow(run: dict[str, Any]) -> str:
    return str(run["workflow"]["name"])


async def task(environment: BotEnvironment, *, hours: float, **fields: str) -> str:
    """Let a task come that is due in so many hours; returns its card in the channel."""
    ignore_seeded_tasks(environment)
    await first_poll_finished(environment)
    due = environment.clock.now() + timedelta(hours=hours)
    environment.secmaster.world.add_task(name="Isolate x", due_date=stamp(due), **fields)
    ts = await environment.slack.until(lambda: card_of(environment, SOC, "Isolate x"))
    await posting_finished(environment)
    return ts


def shown(environment: BotEnvironment, ts: str) -> str:
    return json.dumps(environment.message(ts), ensure_ascii=False)


@postgres_in_full
async def test_escalated_at_once_by_whom_and_why_and_only_once(environment: BotEnvironment) -> None:
    environment.ignore_messages(channel=CHAT)
    slack, ts = environment.slack, await task(environment, hours=40)
    id_ = task_id_of(environment, ts)
    ref = f"1:task:main:{id_}"
    assert "Snooze or escalate…" in shown(environment, ts)
    # From the form that the card's menu opens, where a second form asks why.
    await slack.press(ALICE, SOC, ts, "more", value=f"snooze.xh|{ref}")
    [form] = await slack.until(lambda: slack.views(ALICE))
    assert "Escalate it to *duty* now" in json.dumps(form)
    await slack.press_in_view(ALICE, form["id"], "escalate", ref)
    views = await slack.until(lambda: views if len(views := slack.views(ALICE)) > 1 else None)
    await slack.submit(ALICE, views[-1]["id"], {"reason": "the host is a bank's"})
    [reply] = await environment.replies(ts)
    assert reply == f"⬆️ <@{ALICE}> escalated this to *duty*.\n> the host is a bank's"
    escalated = await slack.until(lambda: card_of(environment, ONCALL, "Isolate x"))
    card = json.dumps(environment.message(escalated, channel=ONCALL), ensure_ascii=False)
    assert f"⬆️ Escalated from <#{SOC}> by <@{ALICE}>. “the host is a bank's”" in card
    # Neither a second person nor the time brings another.
    answer = await environment.answer(BOB, f"/secmaster escalate {id_} once more")
    assert answer == "*Isolate x* was already escalated. Nothing was changed."
    environment.clock.forward(minutes=16)
    await environment.polls(3)
    assert len(slack.messages(ONCALL)) == 1
    refusal = await environment.answer(DAVE, f"/secmaster escalate {id_}")
    assert refusal.startswith("🚫 You can't escalate this: only *approver* (")
    [record] = environment.app.services.store.audit.entries(ref)
    assert (record["action"], record["reason"]) == ("escalate", "the host is a bank's")
    assert f"<@{ALICE}> escalated *Isolate x* at once." in await audit_page(environment, id_)


@postgres_in_full
@pytest.mark.parametrize("rules", [QUIET], indirect=True, ids=["quiet"])
async def test_an_escalation_that_waits_for_the_morning_is_brought_at_once_and_once(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(channel=CHAT)
    slack, ts = environment.slack, await task(environment, hours=40)
    id_ = task_id_of(environment, ts)
    environment.clock.forward(minutes=16)
    outbox = environment.app.services.store.outbox
    await environment.secmaster.until(lambda: outbox.count() == 1)
    assert not card_of(environment, ONCALL, "Isolate x")
    answer = await environment.answer(ALICE, f"/secmaster escalate {id_} the host is a bank's")
    assert answer == "⬆️ Escalated *Isolate x* to *duty*."
    escalated = await slack.until(lambda: card_of(environment, ONCALL, "Isolate x"))
    card = json.dumps(environment.message(escalated, channel=ONCALL), ensure_ascii=False)
    assert f"by <@{ALICE}>. “the host is a bank's”" in card
    await environment.replies(ts)
    answer = await environment.answer(BOB, f"/secmaster escalate {id_} once more")
    assert answer == "*Isolate x* was already escalated. Nothing was changed."
    environment.clock.forward(hours=24)
    await environment.polls(3)
    assert len(slack.messages(ONCALL)) == 1
