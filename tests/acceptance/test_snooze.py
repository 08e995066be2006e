"""Snoozes of any length, for everybody or for oneself, and never past an approval by itself."""

import json

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.secmaster.values import stamp
from tests.support.databases import postgres_in_full
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, DAVE, SOC
from tests.support.watch import card_of, first_poll_finished, ignore_seeded_tasks, task_id_of

ROUTES = """
[watch]
every = 0.02

[[routes]]
name = "soc"
channel = "C0SOC"
tasks = true
remind = ["30m"]
group = "none"
continue = true

[[routes]]
name = "Bob"
user = "U0BOB"
tasks = true
remind = ["4h"]
group = "none"
"""
CHAT = "D0BOB"
# Without a card in Bob's chat, and of what is called so alone.
BY_NAME = POLICY.replace('"reader"]', '"reader"]\nwhen = { name = "Isolate .*" }')
BY_NAME += ROUTES.partition('[[routes]]\nname = "Bob"')[0]


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", POLICY + ROUTES))


@postgres_in_full
async def test_a_command_snoozes_for_everyone_and_unsnooze_ends_it(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(channel=CHAT)
    ts = await task(environment, hours=8)
    id_ = task_id_of(environment, ts)
    answer = await environment.answer(ALICE, f"/secmaster snooze {id_} 2h30m")
    assert answer.startswith("😴 Snoozed *Isolate x* for everyone until <!date^")
    [reply] = await environment.replies(ts)
    assert reply.startswith(f"😴 <@{ALICE}> snoozed this for everyone until ")
    await environment.slack.until(lambda: "😴 Snoozed by" in shown(environment, ts))
    # Whoever may decide nothing about it may not.
    refusal = await environment.answer(DAVE, f"/secmaster snooze {id_} 1h")
    assert refusal.startswith("🚫 You can't snooze this for everyone: only *approver* (")
    refusal = await environment.answer(DAVE, f"/secmaster unsnooze {id_}")
    assert refusal.startswith("🚫 You can't end this snooze: only *approver* (")
    # In the card's thread no id is needed.
    await environment.slack.say(BOB, SOC, "<@U0BOT> unsnooze", ts)
    await environment.ephemeral(BOB, "🔔 Snooze of *Isolate x* ended: reminders are on again.")
    await environment.replies(ts, 3)
    thread = "\n".join(str(m["text"]) for m in environment.slack.thread(SOC, ts))
    assert f"🔔 <@{BOB}> ended the snooze: reminders are on again." in thread
    await environment.slack.until(lambda: "😴 Snoozed by" not in shown(environment, ts))
    assert "is not snoozed" in await environment.answer(ALICE, f"/secmaster unsnooze {id_}")
    await environment.answer(ALICE, f"/secmaster snooze {id_} 1h for me")
    await environment.answer(ALICE, f"/secmaster unsnooze {id_}")
    records = environment.app.services.store.audit.entries(f"1:task:main:{id_}")
    assert [(each["action"], each["for"], each["object_name"]) for each in records] == [
        ("snooze", "all", "Isolate x"),
        ("wake", "all", "Isolate x"),
        ("snooze", "me", "Isolate x"),
        ("wake", "me", "Isolate x"),
    ]
    for words, problem in (("", "For how long?"), (" soon", "soon")):
        assert problem in await environment.answer(ALICE, f"/secmaster snooze {id_}{words}")


@postgres_in_full
async def test_for_me_only_direct_messages_pause_and_the_channel_is_reminded(
    environment: BotEnvironment,
) -> None:
    ts = await task(environment, hours=4.5)
    id_ = task_id_of(environment, ts)
    chat = await environment.slack.until(lambda: card_of(environment, CHAT, "Isolate x"))
    answer = await environment.answer(BOB, f"/secmaster snooze {id_} 4h15m for me")
    assert answer.startswith("😴 Snoozed *Isolate x* for you until ")
    assert "Others are still reminded." in answer
    # The person alone is shown it: in a list, on Home, on a private card; not on the channel's.
    for user, is_snoozed in ((BOB, True), (ALICE, False)):
        await environment.slack.open_home(user)
        home = await environment.slack.until(
            lambda user=user: (
                view if "Isolate x" in (view := json.dumps(environment.slack.home(user))) else ""
            )
        )
        assert ("Snoozed for you until" in home) is is_snoozed
        await environment.answer(user, "/secmaster task list isolate x")
        answered = environment.slack.ephemerals(user)[-1]
        assert ("Snoozed for you until" in json.dumps(answered)) is is_snoozed
        count = len(environment.slack.ephemerals(user))
        await environment.slack.press(user, SOC, answered["ts"], "show", value=f"1:task:main:{id_}")
        await environment.slack.until(
            lambda user=user, count=count: len(environment.slack.ephemerals(user)) > count
        )
        card = json.dumps(environment.slack.ephemerals(user)[-1])
        assert ("Snoozed for you until" in card) is is_snoozed
    await environment.slack.press(BOB, SOC, ts, "more", value=f"refresh|1:task:main:{id_}")
    assert "Snoozed for you" not in shown(environment, ts)
    environment.clock.forward(hours=4, minutes=1)  # both reminders are due by now
    [reply] = await environment.replies(ts)
    assert "*Isolate x*" in reply
    await environment.polls(3)
    assert environment.slack.thread(CHAT, chat)[1:] == []
    # Over: the person is told, and what waited comes.
    environment.clock.forward(minutes=15)
    await environment.posted(CHAT, "🔔 Snooze over: *Isolate x* is still waiting.")
    await environment.replies(chat, channel=CHAT)


async def test_it_is_cut_before_the_last_reminder_of_an_approval_by_itself(
    environment: BotEnvironment,
) -> None:
    environment.ignore_messages(channel=CHAT)
    ts = await task(environment, hours=2, due_handle="CONTINUE")
    id_ = task_id_of(environment, ts)
    answer = await environment.answer(ALICE, f"/secmaster snooze {id_} 3d")
    assert "⚠️ It auto-approves <!date^" in answer
    assert "so it is snoozed only until <!date^" in answer
    assert "It auto-approves" in (await environment.replies(ts))[0]
    environment.clock.forward(hours=1, minutes=31)
    reminder = (await environment.replies(ts, 3))[1:]
    assert any("will be auto-approved" in each for each in reminder)
    # Then there is no room for another.
    text = await environment.answer(ALICE, f"/secmaster snooze {id_} 1h")
    assert text.startswith("🚫 Not snoozed: it auto-approves ")


@pytest.mark.parametrize(
    ("due_handle", "words"),
    [("CONTINUE", "3d"), ("CONTINUE", "1h for me"), ("INTERRUPT", "3d")],
    ids=["for everyone", "for me", "not approved by itself"],
)
async def test_what_may_be_approved_at_any_moment_is_not_snoozed(
    environment: BotEnvironment, due_handle: str, words: str
) -> None:
    environment.ignore_messages(channel=CHAT)
    ts = await task(environment, hours=-0.1, due_handle=due_handle)
    answer = await environment.answer(
        BOB, f"/secmaster snooze {task_id_of(environment, ts)} {words}"
    )
    if due_handle == "INTERRUPT":
        assert answer.startswith("😴 Snoozed *Isolate x* for everyone until ")
        await environment.replies(ts)
        return
    assert answer.startswith("🚫 Not snoozed: it was due <!date^")
    assert "SecMaster may auto-approve it at any moment. Nothing was changed." in answer
    assert "Snoozed" not in shown(environment, ts)


async def test_the_form_asks_how_long_and_for_whom(environment: BotEnvironment) -> None:
    environment.ignore_messages(channel=CHAT)
    ts = await task(environment, hours=30)
    ref = f"1:task:main:{task_id_of(environment, ts)}"
    await environment.slack.press(ALICE, SOC, ts, "more", value=f"snooze.xh|{ref}")
    view = await form(environment)
    words = json.dumps(environment.slack.views(ALICE)[-1])
    assert "Only for me: no direct messages" in words
    assert "Home" not in words  # which has the task all the same
    answer = await environment.slack.submit(ALICE, view, {"length": "an hour"})
    assert "an hour" in json.dumps(answer.body)
    await environment.slack.submit(ALICE, view, {"length": "45m", "scope": "me"})
    await environment.posted("D0ALICE", "😴 Snoozed *Isolate x* for you until ")
    assert environment.slack.thread(SOC, ts)[1:] == []
    assert "Snoozed by" not in shown(environment, ts)
    await environment.slack.press(ALICE, SOC, ts, "more", value=f"snooze.xh|{ref}")
    await environment.slack.submit(ALICE, await form(environment), {"length": "45m"})
    assert "for everyone" in (await environment.replies(ts))[0]


@pytest.mark.parametrize("rules", [BY_NAME], indirect=True, ids=["by name"])
async def test_its_end_names_nothing_that_may_not_be_read_by_then(
    environment: BotEnvironment,
) -> None:
    ts = await task(environment, hours=30)
    world, tracked = environment.secmaster.world, environment.app.services.store.tracked
    secret = Ref(kind="task", id=task_id_of(environment, ts))
    environment.secmaster.world.add_task(name="Isolate y")
    other = await environment.slack.until(lambda: card_of(environment, SOC, "Isolate y"))
    for id_ in (secret.id, task_id_of(environment, other)):  # told in this order
        answer = await environment.answer(BOB, f"/secmaster snooze {id_} 1h for me")
        assert "for you" in answer
    world.tasks[secret.id]["name"] = "Secret"
    await environment.secmaster.until(lambda: tracked.get([secret])[0].snapshot.name == "Secret")
    environment.clock.forward(hours=1, minutes=1)
    await environment.posted(CHAT, "🔔 Snooze over: *Isolate y* is still waiting.")
    assert "Secret" not in json.dumps(environment.slack.messages(CHAT))


async def task(environment: BotEnvironment, *, hours: float, **fields: str) -> str:
    """Let a task come that is due in so many hours; returns its card in the channel."""
    ignore_seeded_tasks(environment)
    await first_poll_finished(environment)
    now = environment.clock.now()
    due = now.fromtimestamp(now.timestamp() + hours * 3600, now.tzinfo)
    environment.secmaster.world.add_task(name="Isolate x", due_date=stamp(due), **fields)
    return await environment.slack.until(lambda: card_of(environment, SOC, "Isolate x"))


async def form(environment: BotEnvironment) -> str:
    """Return the id of the form that Alice has open."""
    views = await environment.slack.until(lambda: environment.slack.views(ALICE))
    return str(views[-1]["id"])


def shown(environment: BotEnvironment, ts: str) -> str:
    return json.dumps(environment.message(ts), ensure_ascii=False)
