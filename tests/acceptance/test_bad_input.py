"""What can't be done is said, clearly and once, and nothing is sent to SecMaster."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from bot.cli.demo_story import POLICY
from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.wire import Person
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, BOB, BOT, CAROL, ONCALL, PRIVATE, SOC

LIN = Person("user-lin", "Lin Yue")
UNKNOWN = "3e4c170e-7cc9-11f0-9216-fa163e2fffff"
ARCHIVED, QUIET = "C0ARCHIVED", "C0QUIET"
LONG = "x" * 10_000
TASK, RUN = seed.TASK_ISOLATE, seed.INSTANCE_FAILED
NODE = "b5848121-79a5-11f0-9f91-fa163e807002"
READS = [
    ("/task", ["Which task command?", "`/secmaster task list`"]),
    (f"/task show {TASK} now", ["I didn't expect “now” there."]),
    ("/secmaster mnie", ["I don't know “mnie”."]),
]
NOT_UNDERSTOOD = [
    ("/secmaster tsk approve 1", ["I don't know “tsk”", "mean `/secmaster task approve 1`?"]),
    (
        f"/task aprove {TASK}",
        ["I don't know “task aprove”", f"Did you mean `/secmaster task approve {TASK}`?"],
    ),
    (f"/instance approve {RUN}", ["I don't know “instance approve”"]),
    ("/secmaster approve", ["Which task? Add its ID."]),
    ("/task approve", ["Which task? Add its ID.", "`/secmaster task approve &lt;id&gt; [reason]`"]),
    (
        "/task approve @bob please",
        ["Expected one ID. To search: `/secmaster task list @bob please`"],
    ),
    (
        f"/task comment {TASK}",
        ["“&lt;text&gt;” is missing.", "task comment &lt;id&gt; &lt;text&gt;"],
    ),
    (f"/task uncomment {TASK}", ["“&lt;comment id&gt;” is missing."]),
    (f"/task attach {TASK}", ["“&lt;attachment id&gt;” is missing."]),
    (f"/task attach {TASK} {TASK} and more", ["I didn't expect “and more” there."]),
    (f"/instance debug {RUN}", ["“&lt;node id&gt;” is missing."]),
    (f"/instance debug {RUN} {NODE}", ["“&lt;json&gt;” is missing."]),
    (
        f'/instance debug {RUN} {NODE} [{{"a": ',
        ["Not JSON at line 1, column 7: a value is missing."],
    ),
    (f'/instance debug {RUN} {NODE} {{"a": 1}}', ["must be an array"]),
    (f"/instance debug {RUN} {NODE} [{'[' * 2000}", ["nested too deeply"]),
    (f"/task comment {TASK} {LONG}", ["10,000 characters, and the limit is 3,000."]),
    (f"/task approve {TASK} {LONG}", ["10,000 characters, and the limit is 1,000."]),
    (f"/task approve {LONG}", ["That isn't a task ID."]),
    ("/task approve <!channel> https://evil.example <@U0BOB>", ["Expected one ID."]),
]


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    """The environment's policy, or that of a story that has its own."""
    return str(getattr(request, "param", POLICY))


async def test_words_that_make_no_request_are_answered_with_what_is_wrong(
    environment: BotEnvironment,
) -> None:
    for text, expected in (*NOT_UNDERSTOOD, *READS):
        before = len(environment.slack.ephemerals(ALICE))
        delivered = await environment.slack.command(ALICE, SOC, text)
        assert (delivered.status, delivered.error) == (200, ""), text[:80]
        [message] = environment.slack.ephemerals(ALICE)[before:]
        for part in expected:
            assert part.replace("`", "") in message["text"].replace("`", "").replace("ˋ", ""), text
        is_write = (text, expected) in NOT_UNDERSTOOD
        assert ("Nothing was sent to SecMaster." in message["text"]) is is_write, text
        assert len(message["text"]) < 600
    assert environment.secmaster.requests == []
    assert environment.slack.messages(SOC) == []
    harmless(environment)


async def test_a_suggested_command_stands_in_code_marks(environment: BotEnvironment) -> None:
    await environment.slack.command(ALICE, SOC, "/secmaster tsk approve 1")
    await environment.slack.until(lambda: environment.slack.ephemerals(ALICE))
    assert (
        "Did you mean `/secmaster task approve 1`?"
        in environment.slack.ephemerals(ALICE)[0]["text"]
    )


async def test_an_id_that_secmaster_does_not_know_is_told_to_the_person(
    environment: BotEnvironment,
) -> None:
    answers = {
        f"approve {UNKNOWN}": (f"No task with ID `{UNKNOWN}` in this workspace.", "was not sent"),
        f"comment {UNKNOWN} hello": (
            f"No task with ID `{UNKNOWN}` in this workspace.",
            "was not sent",
        ),
        f"terminate {UNKNOWN} why": (
            f"No task with ID `{UNKNOWN}` in this workspace.",
            "was not sent",
        ),
    }
    for words, expected in answers.items():
        before = len(environment.slack.ephemerals(ALICE))
        await environment.slack.command(ALICE, SOC, f"/task {words}")
        text = await environment.slack.until(
            lambda before=before: last_answer(environment, ALICE, before + 2)
        )
        assert all(part in text for part in expected)
    await environment.slack.command(ALICE, SOC, f"/task show {UNKNOWN}")
    await environment.ephemeral(ALICE, "No task or run with that ID")
    await environment.slack.command(CAROL, SOC, f"/instance retry {UNKNOWN}")
    await environment.ephemeral(CAROL, f"No run with ID `{UNKNOWN}` in this workspace.")
    assert puts(environment) == []
    assert environment.slack.messages(SOC) == []
    assert [row["outcome"] for row in audit(environment, "task", UNKNOWN)] == ["failed"] * 3


async def test_a_file_or_a_comment_that_is_unknown_does_not_make_the_task_unknown(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK)
    for number, words in enumerate((f"attach {TASK}", f"uncomment {TASK}"), 1):
        await environment.slack.command(ALICE, SOC, f"/task {words} {UNKNOWN}")
        reply = (await environment.replies(ts, number))[-1]
        assert "SecMaster refused" in reply
        assert UNKNOWN in reply
        assert "No task with ID" not in reply
    assert [one.status for one in puts(environment)] == [404, 404]
    assert "no longer exists" not in json.dumps(environment.message(ts))
    assert environment.buttons(ts)


@pytest.mark.parametrize(
    "rules",
    [POLICY.replace('"task.terminate"]', '"task.terminate"]\nwhen = { name = "Isolate.*" }')],
    indirect=True,
    ids=["when"],
)
async def test_an_unknown_id_is_called_unknown_where_a_rule_looks_at_the_object(
    environment: BotEnvironment,
) -> None:
    await environment.slack.command(ALICE, SOC, f"/task approve {UNKNOWN}")
    await environment.slack.until(lambda: environment.slack.ephemerals(ALICE))
    text = await environment.slack.until(lambda: last_answer(environment, ALICE, 1))
    assert "could not be asked" not in text
    assert "No task or run with ID" in text
    assert puts(environment) == []


async def test_the_card_of_a_task_that_is_gone_says_so_and_loses_its_buttons(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK)
    other = await environment.card("task", seed.TASK_BLOCK_IP)
    run = await environment.card("instance", RUN)
    for id_ in (TASK, seed.TASK_BLOCK_IP):
        del environment.secmaster.world.tasks[id_]
    del environment.secmaster.world.instances[RUN]
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert f"No task with ID `{TASK}` in this workspace." in reply
    assert "The approval was not sent." in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert "This task no longer exists in SecMaster." in environment.message(ts)["text"]
    assert "Isolate host ecs-web-07" in environment.message(ts)["text"]
    await environment.slack.press(BOB, SOC, other, "task.comment")
    [view] = environment.slack.views(BOB)
    await environment.slack.submit(BOB, view["id"], {"comment": "hello?"})
    assert "No task with ID" in (await environment.replies(other))[0]
    await environment.slack.until(lambda: not environment.buttons(other))
    await environment.slack.command(CAROL, SOC, f"/instance retry {RUN}")
    assert f"No run with ID `{RUN}` in this workspace." in (await environment.replies(run))[0]
    await environment.slack.until(lambda: not environment.buttons(run))
    assert [one for one in puts(environment) if one.applied] == []


async def test_a_404_of_the_gateway_leaves_cards_and_requests_alone(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK)
    await environment.secmaster.faults.set(Fault(on="ShowTask", status=404))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "gateway rejected the request" in reply
    assert "APIGW.0101" in reply
    assert "The approval was not sent." in reply
    assert environment.buttons(ts)
    assert "no longer exists" not in environment.message(ts)["text"]
    await environment.secmaster.faults.clear()
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    assert "*Approved by" in (await environment.replies(ts, 2))[1]
    assert [one for one in puts(environment) if one.applied]


async def test_what_was_decided_in_the_console_is_not_decided_again(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK)
    environment.secmaster.world.update_task(TASK, {"action": "TERMINATE"}, LIN)
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    text = await environment.ephemeral(ALICE, "no longer open")
    assert "⛔ Cancelled. Decided outside Slack by Lin Yue" in text
    assert "The approval was not sent." in text
    await environment.slack.until(lambda: not environment.buttons(ts))
    assert "Decided outside Slack by Lin Yue" in json.dumps(environment.message(ts))
    await environment.slack.command(BOB, ONCALL, f"/task approve {seed.TASK_FINISHED}")
    await environment.ephemeral(BOB, "no longer open", "✅ Finished")
    await environment.slack.command(CAROL, ONCALL, f"/instance retry {seed.INSTANCE_FINISHED}")
    text = await environment.ephemeral(CAROL, "The run is now")
    assert (
        "✅ Finished. This is possible only while it is 🔴 Failed. The retry was not sent." in text
    )
    assert puts(environment) == []
    assert environment.slack.thread(SOC, ts)[1:] == []
    assert environment.slack.messages(ONCALL) == []


async def test_who_decided_here_before_is_named_to_who_comes_late(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK)
    await environment.slack.command(ALICE, SOC, f"/task approve {TASK}")
    await environment.replies(ts)
    await environment.slack.command(BOB, SOC, f"/task terminate {TASK} no")
    text = await environment.ephemeral(BOB, "no longer open")
    assert "Already approved by <@U0ALICE>" in text
    assert "The termination was not sent." in text
    assert len(puts(environment)) == 1


async def test_names_that_an_attacker_chose_open_nothing(environment: BotEnvironment) -> None:
    ts = await environment.card("task", seed.TASK_HOSTILE)
    run = await environment.card("instance", seed.INSTANCE_HOSTILE)
    reason = "<!channel> *x* `y` <https://evil.example|here> & @channel"
    await environment.slack.command(ALICE, SOC, f"/task comment {seed.TASK_HOSTILE} {reason}")
    await environment.replies(ts)
    for user, text in ((ALICE, "/task list &amp;"), (CAROL, "/instance list running")):
        await environment.slack.command(user, SOC, text)
        await environment.slack.until(lambda user=user: last_answer(environment, user, 1))
    for card, noun in ((ts, "task"), (run, "instance")):
        value = f"details|1:{noun}:main:"
        options = json.dumps(environment.message(card))
        [value] = set(re.findall(rf"{re.escape(value)}[^\"]+", options))
        await environment.slack.press(BOB, SOC, card, "more", value=value)
        await environment.slack.until(
            lambda: "Asking" not in json.dumps(environment.slack.views(BOB))
        )
        harmless(environment)
    await environment.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = environment.slack.views(ALICE)
    harmless(environment)
    await environment.slack.submit(ALICE, view["id"], {"reason": reason})
    assert "*Terminated by" in (await environment.replies(ts, 2))[-1]
    await environment.slack.until(lambda: not environment.buttons(ts))
    harmless(environment)
    assert "&lt;!channel&gt;" in json.dumps(environment.message(ts))


async def test_chinese_and_emoji_and_very_long_names_arrive_whole(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", seed.TASK_CHINESE)
    assert environment.message(ts)["blocks"][0]["text"]["text"] == "封禁恶意IP 203.0.113.200"
    assert "威胁情报判定为恶意" in json.dumps(environment.message(ts), ensure_ascii=False)
    comment = "同意 👩‍💻 é \u202e x² “quoted” <b>"
    await environment.slack.command(ALICE, SOC, f"/task comment {seed.TASK_CHINESE} {comment}")
    await environment.replies(ts)
    assert comment in puts(environment)[0].body["comment"]
    long = await environment.card("task", seed.TASK_LONG)
    assert len(environment.message(long)["blocks"][0]["text"]["text"]) <= 150
    await environment.slack.command(ALICE, SOC, f"/task approve {seed.TASK_LONG} {'原' * 1000}")
    [reply] = await environment.replies(long)
    assert "*Approved by" in reply
    assert "原" * 500 in reply
    sparse = await environment.card("task", seed.TASK_SPARSE)
    await environment.slack.press(ALICE, SOC, sparse, "task.approve")
    assert "*Approved by" in (await environment.replies(sparse))[0]


async def test_a_button_from_another_version_is_not_guessed_at(environment: BotEnvironment) -> None:
    ts = await environment.card("task", TASK)
    [page_of] = [await open_list(environment)]
    strange = [f"2:task:main:{TASK}", "", "1:task:main:", f"1:alert:main:{TASK}", "💥", "1:" * 900]
    for value in strange:
        before = len(environment.slack.ephemerals(ALICE))
        delivered = await environment.slack.press(
            ALICE, SOC, ts, "task.approve", value=value, forge_value=True
        )
        assert (delivered.status, delivered.error) == (200, "")
        text = await environment.slack.until(
            lambda before=before: last_answer(environment, ALICE, before + 1)
        )
        assert "another version of the bot" in text
        assert "nothing was sent" in text
    for value in ("2|task||8|", "1|task||x|", "1|alert||8|", "", "1"):
        before = len(environment.slack.ephemerals(ALICE))
        await environment.slack.press(
            ALICE, SOC, page_of, "page.next", value=value, forge_value=True
        )
        text = await environment.slack.until(
            lambda before=before: last_answer(environment, ALICE, before + 1)
        )
        assert "another version of the bot" in text
        assert "nothing was sent" not in text
    assert puts(environment) == []
    assert environment.buttons(ts)


async def test_a_button_of_a_workspace_that_is_not_known_here_is_not_guessed_at(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK)
    value = f"1:task:elsewhere:{TASK}"
    await environment.slack.press(ALICE, SOC, ts, "task.approve", value=value, forge_value=True)
    text = await environment.slack.until(
        lambda: last_answer(environment, ALICE, 1) or "\n".join(replies(environment, ts))
    )
    assert "on our side" not in text
    assert "was not sent" in text or "nothing was sent" in text
    assert puts(environment) == []


async def test_a_button_of_an_instance_does_not_do_what_is_a_tasks(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK)
    value = f"1:instance:main:{RUN}"
    await environment.slack.press(ALICE, SOC, ts, "task.approve", value=value, forge_value=True)
    await environment.slack.until(
        lambda: last_answer(environment, ALICE, 1) or replies(environment, ts)
    )
    assert puts(environment) == []


@pytest.mark.parametrize(
    ("channel", "why"),
    [
        (PRIVATE, "The bot can't see this channel. Invite it first."),
        (ARCHIVED, "This channel is archived"),
        (QUIET, "This channel does not let apps post"),
    ],
)
async def test_where_the_bot_may_not_post_it_says_so_and_sends_nothing(
    environment: BotEnvironment, channel: str, why: str
) -> None:
    await environment.slack.command(ALICE, channel, f"/task approve {TASK} a reason")
    text = await environment.ephemeral(ALICE, why)
    assert "The approval was not sent." in text
    await environment.slack.command(ALICE, channel, f"/task comment {TASK} hello")
    await environment.ephemeral(ALICE, why, "The comment was not sent.")
    await environment.slack.command(ALICE, channel, f"/task show {TASK}")
    await environment.ephemeral(ALICE, why, "Nothing was posted")
    await environment.slack.command(ALICE, channel, "/task list Block IP")
    await environment.ephemeral(ALICE, "Waiting tasks · 1")
    [page] = [
        one for one in environment.slack.ephemerals(ALICE) if "Waiting tasks · 1" in one["text"]
    ]
    await environment.slack.press(ALICE, channel, page["ts"], "show")
    await environment.slack.until(lambda: last_answer(environment, ALICE, 7))
    private = environment.slack.ephemerals(ALICE)[-1]
    await environment.slack.press(ALICE, channel, private["ts"], "post")
    await environment.slack.until(lambda: last_answer(environment, ALICE, 8))
    assert why in last_answer(environment, ALICE, 8)
    assert {one["channel"] for one in environment.slack.ephemerals(ALICE)} == {channel}
    assert puts(environment) == []
    assert environment.slack.messages(channel) == []
    assert [row["outcome"] for row in audit(environment, "task", TASK)] == ["failed"] * 2


async def test_a_page_of_html_in_the_place_of_an_answer_is_told(
    environment: BotEnvironment,
) -> None:
    await environment.secmaster.faults.set(Fault(on="*", html=True))
    await environment.slack.command(ALICE, SOC, "/task list")
    await environment.ephemeral(ALICE, "SecMaster is not responding properly. Try again")
    await environment.slack.command(BOB, SOC, "/instance list failed")
    await environment.ephemeral(BOB, "SecMaster is not responding properly. Try again")
    await environment.slack.command(CAROL, SOC, f"/task show {TASK}")
    text = await environment.ephemeral(CAROL, "SecMaster is not responding properly. Try again")
    assert "html" not in text.lower()
    await environment.secmaster.faults.clear()
    await environment.secmaster.faults.set(Fault(on="*", html=True, status=200))
    await environment.slack.command(CAROL, SOC, f"/task show {TASK}")
    await environment.ephemeral(CAROL, "an answer that can't be read")
    await environment.slack.command(CAROL, SOC, "/task list")
    await environment.slack.until(lambda: last_answer(environment, CAROL, 3))
    assert environment.slack.messages(SOC) == []
    await environment.secmaster.faults.clear()
    await environment.card("task", TASK)


async def test_a_page_that_cannot_be_turned_stays_and_says_why(environment: BotEnvironment) -> None:
    ts = await open_list(environment)
    await environment.secmaster.faults.set(Fault(on="ListTasks", status=500))
    await environment.slack.press(ALICE, SOC, ts, "page.next")
    await environment.ephemeral(ALICE, "SecMaster is not responding properly")
    assert "Waiting tasks · 1–8 of 12" in environment.slack.ephemerals(ALICE)[0]["text"]
    await environment.secmaster.faults.clear()
    await environment.slack.press(ALICE, SOC, ts, "page.next")
    # The page takes the place of a message that was read.
    await environment.slack.until(
        lambda: "Waiting tasks · 9–12 of 12" in environment.slack.ephemerals(ALICE)[0]["text"]
    )


async def test_when_slack_asks_to_wait_the_reply_still_comes_and_comes_once(
    environment: BotEnvironment,
) -> None:
    ts = await environment.card("task", TASK)
    fault = Fault(on="chat.postMessage", status=429, retry_after=1, times=1)
    await environment.slack.faults.set(fault)
    await environment.slack.faults.set(fault.model_copy(update={"on": "chat.update"}))
    await environment.slack.press(ALICE, SOC, ts, "task.approve")
    [reply] = await environment.replies(ts)
    assert "*Approved by <@U0ALICE>" in reply
    await environment.slack.until(lambda: not environment.buttons(ts))
    posts = [call for call in environment.slack.calls if call.method == "chat.postMessage"]
    assert len(posts) == 3
    assert len(replies(environment, ts)) == 1
    assert len(puts(environment)) == 1


async def open_list(environment: BotEnvironment) -> str:
    """The ts of a list with more than a page."""
    await environment.slack.command(ALICE, SOC, "/task list")
    await environment.ephemeral(ALICE, "Waiting tasks · 1–8 of 12")
    return str(environment.slack.ephemerals(ALICE)[-1]["ts"])


def last_answer(environment: BotEnvironment, user: str, count: int) -> str:
    """What the person was told last, once they were told so often."""
    messages = environment.slack.ephemerals(user)
    return str(messages[-1]["text"]) if len(messages) >= count else ""


def replies(environment: BotEnvironment, ts: str) -> list[str]:
    return [one["text"] for one in environment.slack.thread(SOC, ts)[1:]]


def puts(environment: BotEnvironment) -> list[Any]:
    return [one for one in environment.secmaster.requests if one.method == "PUT"]


def audit(environment: BotEnvironment, noun: str, object_id: str) -> list[dict[str, Any]]:
    return environment.app.services.store.audit.entries(Ref(kind=noun, id=object_id))


def harmless(environment: BotEnvironment) -> None:
    """Nothing that the bot shows opens a mention or a link that it did not make itself."""
    messages: list[Any] = list(environment.slack.workspace.messages.get(SOC, []))
    messages += [one for user in (ALICE, BOB, CAROL) for one in environment.slack.ephemerals(user)]
    messages += [view for user in (ALICE, BOB, CAROL) for view in environment.slack.views(user)]
    for one in messages:
        if one.get("user", BOT) != BOT:
            continue
        for text in live(one):
            opened = re.findall(r"<([^>]*)>?", text)
            expected_mention = re.compile(r"@U0(ALICE|BOB|CAROL)$|!date\^|!subteam\^S0")
            assert [each for each in opened if not expected_mention.match(each)] == []


def live(value: Any) -> Iterator[str]:
    """Every text in which Slack would see a mention: not the plain ones."""
    if isinstance(value, list):
        for each in value:
            yield from live(each)
    elif isinstance(value, dict) and value.get("type") != "plain_text":
        if isinstance(value.get("text"), str):
            yield value["text"]
        for key in ("blocks", "fields", "elements", "text", "accessory"):
            if isinstance(value.get(key), (list, dict)):
                yield from live(value[key])
