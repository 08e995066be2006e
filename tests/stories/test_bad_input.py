"""What can't be done is said, clearly and once, and nothing is sent to SecMaster."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from bot.domain.objects import Ref
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import seed
from bot.sandbox.secmaster.wire import Person
from tests.town import ALICE, BOB, BOT, CAROL, ONCALL, POLICY, PRIVATE, SOC, Town

LIN = Person("user-lin", "Lin Yue")
UNKNOWN = "3e4c170e-7cc9-11f0-9216-fa163e2fffff"
ARCHIVED, QUIET = "C0ARCHIVED", "C0QUIET"
LONG = "x" * 10_000
TASK, RUN = seed.TASK_ISOLATE, seed.INSTANCE_FAILED
NODE = "b5848121-79a5-11f0-9f91-fa163e807002"
NOT_UNDERSTOOD = [
    ("/secmaster tsk approve 1", ["I don't know “tsk”", "Did you mean `/secmaster task`?"]),
    (
        f"/task aprove {TASK}",
        ["I don't know “task aprove”", "Did you mean `/secmaster task approve`?"],
    ),
    (f"/instance approve {RUN}", ["I don't know “instance approve”"]),
    ("/secmaster approve", ["Did you mean `/secmaster task approve`?"]),
    ("/task approve", ["The id is missing.", "`/secmaster task approve &lt;id&gt; [reason]`"]),
    ("/task", ["What about the task?"]),
    ("/task approve @bob please", ["is no id", "task approve &lt;id&gt;"]),
    (f"/task comment {TASK}", ["The text is missing.", "task comment &lt;id&gt; &lt;text&gt;"]),
    (f"/task uncomment {TASK}", ["The comment id is missing."]),
    (f"/task attach {TASK}", ["The attachment id is missing."]),
    (f"/task attach {TASK} {TASK} and more", ["“and more” is too much here."]),
    (f"/task show {TASK} now", ["“now” is too much here."]),
    (f"/instance debug {RUN}", ["The node id is missing."]),
    (f"/instance debug {RUN} {NODE}", ["The json is missing."]),
    (f'/instance debug {RUN} {NODE} [{{"a": ', ["That is not JSON."]),
    (f'/instance debug {RUN} {NODE} {{"a": 1}}', ["must be an array"]),
    (f"/instance debug {RUN} {NODE} [{'[' * 2000}", ["That is not JSON."]),
    (f"/task comment {TASK} {LONG}", ["10,000 characters; 3,000 are possible"]),
    (f"/task approve {TASK} {LONG}", ["10,000 characters; 1,000 are possible"]),
    (f"/task approve {LONG}", ["is no id"]),
    ("/task approve <!channel> https://evil.example <@U0BOB>", ["is no id"]),
]


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> str:
    """The town's policy, or that of a story that has its own."""
    return str(getattr(request, "param", POLICY))


async def test_words_that_make_no_request_are_answered_with_what_is_wrong(town: Town):
    for text, expected in NOT_UNDERSTOOD:
        before = len(town.slack.ephemerals(ALICE))
        delivered = await town.slack.command(ALICE, SOC, text)
        assert (delivered.status, delivered.error) == (200, ""), text[:80]
        [told] = town.slack.ephemerals(ALICE)[before:]
        for part in [*expected, "Nothing was sent to SecMaster."]:
            assert part.replace("`", "") in told["text"].replace("`", "").replace("ˋ", ""), text
        assert len(told["text"]) < 600
    assert town.secmaster.requests == []
    assert town.slack.messages(SOC) == []
    harmless(town)


async def test_a_suggested_command_stands_in_code_marks(town: Town):
    await town.slack.command(ALICE, SOC, "/secmaster tsk approve 1")
    await town.slack.until(lambda: town.slack.ephemerals(ALICE))
    assert "Did you mean `/secmaster task`?" in town.slack.ephemerals(ALICE)[0]["text"]


async def test_an_id_that_secmaster_does_not_know_is_told_to_the_person(town: Town):
    asked = {
        f"approve {UNKNOWN}": (f"SecMaster knows no task `{UNKNOWN}` here", "was not sent"),
        f"comment {UNKNOWN} hello": (f"SecMaster knows no task `{UNKNOWN}` here", "was not sent"),
        f"terminate {UNKNOWN} why": (f"SecMaster knows no task `{UNKNOWN}` here", "was not sent"),
    }
    for words, expected in asked.items():
        before = len(town.slack.ephemerals(ALICE))
        await town.slack.command(ALICE, SOC, f"/task {words}")
        told = await town.slack.until(lambda before=before: answered(town, ALICE, before + 2))
        assert all(part in told for part in expected)
    await town.slack.command(ALICE, SOC, f"/task show {UNKNOWN}")
    await town.whispered(ALICE, "SecMaster knows nothing of that id")
    await town.slack.command(CAROL, SOC, f"/instance retry {UNKNOWN}")
    await town.whispered(CAROL, f"SecMaster knows no instance `{UNKNOWN}` here")
    assert puts(town) == []
    assert town.slack.messages(SOC) == []
    assert [row["outcome"] for row in audit(town, "task", UNKNOWN)] == ["failed"] * 3


async def test_a_file_or_a_comment_that_is_unknown_does_not_make_the_task_unknown(town: Town):
    ts = await town.card("task", TASK)
    for number, words in enumerate((f"attach {TASK}", f"uncomment {TASK}"), 1):
        await town.slack.command(ALICE, SOC, f"/task {words} {UNKNOWN}")
        said = (await town.replies(ts, number))[-1]
        assert "SecMaster refused" in said
        assert "was not done" in said
        assert UNKNOWN in said
        assert "knows no task" not in said
    assert [one.status for one in puts(town)] == [404, 404]
    assert "no longer exists" not in json.dumps(town.message(ts))
    assert town.buttons(ts)


@pytest.mark.parametrize(
    "rules",
    [POLICY.replace('"task.terminate"]', '"task.terminate"]\nwhen = { name = "Isolate.*" }')],
    indirect=True,
    ids=["when"],
)
async def test_an_unknown_id_is_called_unknown_where_a_rule_looks_at_the_object(town: Town):
    await town.slack.command(ALICE, SOC, f"/task approve {UNKNOWN}")
    await town.slack.until(lambda: town.slack.ephemerals(ALICE))
    told = await town.slack.until(lambda: answered(town, ALICE, 1))
    assert "could not be asked" not in told
    await town.whispered(ALICE, "SecMaster knows no")
    assert puts(town) == []


async def test_the_card_of_a_task_that_is_gone_says_so_and_loses_its_buttons(town: Town):
    ts = await town.card("task", TASK)
    other = await town.card("task", seed.TASK_BLOCK_IP)
    run = await town.card("instance", RUN)
    for id_ in (TASK, seed.TASK_BLOCK_IP):
        del town.secmaster.world.tasks[id_]
    del town.secmaster.world.instances[RUN]
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert f"SecMaster knows no task `{TASK}` here" in said
    assert "The approval was not sent." in said
    await town.slack.until(lambda: not town.buttons(ts))
    assert "This task no longer exists in SecMaster." in town.message(ts)["text"]
    assert "Isolate host ecs-web-07" in town.message(ts)["text"]
    await town.slack.press(BOB, SOC, other, "task.comment")
    [view] = town.slack.views(BOB)
    await town.slack.submit(BOB, view["id"], {"comment": "hello?"})
    assert "SecMaster" in (await town.replies(other))[0]
    await town.slack.until(lambda: not town.buttons(other))
    await town.slack.command(CAROL, SOC, f"/instance retry {RUN}")
    assert f"SecMaster knows no instance `{RUN}` here" in (await town.replies(run))[0]
    await town.slack.until(lambda: not town.buttons(run))
    assert [one for one in puts(town) if one.applied] == []


async def test_what_was_decided_in_the_console_is_not_decided_again(town: Town):
    ts = await town.card("task", TASK)
    town.secmaster.world.update_task(TASK, {"action": "TERMINATE"}, LIN)
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    told = await town.whispered(ALICE, "was already decided")
    assert "⛔ Canceled, outside Slack by Lin Yue" in told
    assert "The approval was not sent." in told
    await town.slack.until(lambda: not town.buttons(ts))
    assert "Decided outside Slack by Lin Yue" in json.dumps(town.message(ts))
    await town.slack.command(BOB, ONCALL, f"/task approve {seed.TASK_FINISHED}")
    await town.whispered(BOB, "was already decided", "✅ Finished")
    await town.slack.command(CAROL, ONCALL, f"/instance retry {seed.INSTANCE_FINISHED}")
    told = await town.whispered(CAROL, "A retry is for an instance that is failed")
    assert "this one is ✅ Finished. The retry was not sent." in told
    assert puts(town) == []
    assert town.slack.thread(SOC, ts)[1:] == []
    assert town.slack.messages(ONCALL) == []


async def test_who_decided_here_before_is_named_to_who_comes_late(town: Town):
    ts = await town.card("task", TASK)
    await town.slack.command(ALICE, SOC, f"/task approve {TASK}")
    await town.replies(ts)
    await town.slack.command(BOB, SOC, f"/task terminate {TASK} no")
    told = await town.whispered(BOB, "was already decided")
    assert "approved by <@U0ALICE>" in told
    assert "The termination was not sent." in told
    assert len(puts(town)) == 1


async def test_names_that_an_attacker_chose_open_nothing(town: Town):
    ts = await town.card("task", seed.TASK_HOSTILE)
    run = await town.card("instance", seed.INSTANCE_HOSTILE)
    reason = "<!channel> *x* `y` <https://evil.example|here> & @channel"
    await town.slack.command(ALICE, SOC, f"/task comment {seed.TASK_HOSTILE} {reason}")
    await town.replies(ts)
    for user, text in ((ALICE, "/task list &amp;"), (CAROL, "/instance list running")):
        await town.slack.command(user, SOC, text)
        await town.slack.until(lambda user=user: answered(town, user, 1))
    for card, noun in ((ts, "task"), (run, "instance")):
        value = f"details|1:{noun}:main:"
        options = json.dumps(town.message(card))
        [value] = set(re.findall(rf"{re.escape(value)}[^\"]+", options))
        await town.slack.press(BOB, SOC, card, "more", value=value)
        await town.slack.until(lambda: "Asking" not in json.dumps(town.slack.views(BOB)))
        harmless(town)
    await town.slack.press(ALICE, SOC, ts, "task.terminate")
    [view] = town.slack.views(ALICE)
    harmless(town)
    await town.slack.submit(ALICE, view["id"], {"reason": reason})
    assert "*Terminated*" in (await town.replies(ts, 2))[-1]
    await town.slack.until(lambda: not town.buttons(ts))
    harmless(town)
    assert "&lt;!channel&gt;" in json.dumps(town.message(ts))


async def test_chinese_and_emoji_and_very_long_names_arrive_whole(town: Town):
    ts = await town.card("task", seed.TASK_CHINESE)
    assert town.message(ts)["blocks"][0]["text"]["text"] == "封禁恶意IP 203.0.113.200"
    assert "威胁情报判定为恶意" in json.dumps(town.message(ts), ensure_ascii=False)
    comment = "同意 👩‍💻 é \u202e x² “quoted” <b>"
    await town.slack.command(ALICE, SOC, f"/task comment {seed.TASK_CHINESE} {comment}")
    await town.replies(ts)
    assert comment in puts(town)[0].body["comment"]
    long = await town.card("task", seed.TASK_LONG)
    assert len(town.message(long)["blocks"][0]["text"]["text"]) <= 150
    await town.slack.command(ALICE, SOC, f"/task approve {seed.TASK_LONG} {'原' * 1000}")
    [said] = await town.replies(long)
    assert "*Approved*" in said
    assert "原" * 500 in said
    sparse = await town.card("task", seed.TASK_SPARSE)
    await town.slack.press(ALICE, SOC, sparse, "task.approve")
    assert "*Approved*" in (await town.replies(sparse))[0]


async def test_a_button_from_another_version_is_not_guessed_at(town: Town):
    ts = await town.card("task", TASK)
    [page_of] = [await listed(town)]
    strange = [f"2:task:main:{TASK}", "", "1:task:main:", f"1:alert:main:{TASK}", "💥", "1:" * 900]
    for value in strange:
        before = len(town.slack.ephemerals(ALICE))
        delivered = await town.slack.press(
            ALICE, SOC, ts, "task.approve", value=value, forge_value=True
        )
        assert (delivered.status, delivered.error) == (200, "")
        told = await town.slack.until(lambda before=before: answered(town, ALICE, before + 1))
        assert "another version of this bot" in told
        assert "nothing was sent" in told
    for value in ("2|task||8|", "1|task||x|", "1|alert||8|", "", "1"):
        before = len(town.slack.ephemerals(ALICE))
        await town.slack.press(ALICE, SOC, page_of, "page.next", value=value, forge_value=True)
        told = await town.slack.until(lambda before=before: answered(town, ALICE, before + 1))
        assert "another version of this bot" in told
    assert puts(town) == []
    assert town.buttons(ts)


async def test_a_button_of_a_workspace_that_is_not_known_here_is_not_guessed_at(town: Town):
    ts = await town.card("task", TASK)
    value = f"1:task:elsewhere:{TASK}"
    await town.slack.press(ALICE, SOC, ts, "task.approve", value=value, forge_value=True)
    told = await town.slack.until(lambda: answered(town, ALICE, 1) or "\n".join(replies(town, ts)))
    assert "on our side" not in told
    assert "was not sent" in told or "nothing was sent" in told
    assert puts(town) == []


async def test_a_button_of_an_instance_does_not_do_what_is_a_tasks(town: Town):
    ts = await town.card("task", TASK)
    value = f"1:instance:main:{RUN}"
    await town.slack.press(ALICE, SOC, ts, "task.approve", value=value, forge_value=True)
    await town.slack.until(lambda: answered(town, ALICE, 1) or replies(town, ts))
    assert puts(town) == []


@pytest.mark.parametrize(
    ("channel", "why"),
    [
        (PRIVATE, "I can't see this channel: invite me to it first"),
        (ARCHIVED, "This channel is archived"),
        (QUIET, "This channel does not let apps post"),
    ],
)
async def test_where_the_bot_may_not_post_it_says_so_and_sends_nothing(
    town: Town, channel: str, why: str
):
    await town.slack.command(ALICE, channel, f"/task approve {TASK} a reason")
    told = await town.whispered(ALICE, why)
    assert "The approval was not sent." in told
    await town.slack.command(ALICE, channel, f"/task comment {TASK} hello")
    await town.whispered(ALICE, why, "The comment was not sent.")
    await town.slack.command(ALICE, channel, f"/task show {TASK}")
    await town.whispered(ALICE, why, "Nothing was posted")
    await town.slack.command(ALICE, channel, "/task list Block IP")
    await town.whispered(ALICE, "1-1 of 1 waiting tasks")
    [page] = [one for one in town.slack.ephemerals(ALICE) if "1-1 of 1" in one["text"]]
    await town.slack.press(ALICE, channel, page["ts"], "show")
    await town.slack.until(lambda: answered(town, ALICE, 7))
    assert why in answered(town, ALICE, 7)
    assert {one["channel"] for one in town.slack.ephemerals(ALICE)} == {channel}
    assert puts(town) == []
    assert town.slack.messages(channel) == []
    assert [row["outcome"] for row in audit(town, "task", TASK)] == ["failed"] * 2


async def test_a_page_of_html_in_the_place_of_an_answer_is_told(town: Town):
    await town.secmaster.faults.set(Fault(on="*", html=True))
    await town.slack.command(ALICE, SOC, "/task list")
    await town.whispered(ALICE, "SecMaster is not answering properly. Nothing was changed")
    await town.slack.command(BOB, SOC, "/instance list failed")
    await town.whispered(BOB, "SecMaster is not answering properly. Nothing was changed")
    await town.slack.command(CAROL, SOC, f"/task show {TASK}")
    told = await town.whispered(CAROL, "SecMaster is not answering properly. Nothing was changed")
    assert "html" not in told.lower()
    await town.secmaster.faults.clear()
    await town.secmaster.faults.set(Fault(on="*", html=True, status=200))
    await town.slack.command(CAROL, SOC, f"/task show {TASK}")
    await town.whispered(CAROL, "an answer that can't be read")
    await town.slack.command(CAROL, SOC, "/task list")
    await town.slack.until(lambda: answered(town, CAROL, 3))
    assert town.slack.messages(SOC) == []
    await town.secmaster.faults.clear()
    await town.card("task", TASK)


async def test_a_page_that_cannot_be_turned_stays_and_says_why(town: Town):
    ts = await listed(town)
    await town.secmaster.faults.set(Fault(on="ListTasks", status=500))
    await town.slack.press(ALICE, SOC, ts, "page.next")
    await town.whispered(ALICE, "SecMaster is not answering properly")
    assert "1-8 of 12 waiting tasks" in town.slack.ephemerals(ALICE)[0]["text"]
    await town.secmaster.faults.clear()
    await town.slack.press(ALICE, SOC, ts, "page.next")
    await town.whispered(ALICE, "9-12 of 12 waiting tasks")


async def test_when_slack_asks_to_wait_the_reply_still_comes_and_comes_once(town: Town):
    ts = await town.card("task", TASK)
    fault = Fault(on="chat.postMessage", status=429, retry_after=1, times=1)
    await town.slack.faults.set(fault)
    await town.slack.faults.set(fault.model_copy(update={"on": "chat.update"}))
    await town.slack.press(ALICE, SOC, ts, "task.approve")
    [said] = await town.replies(ts)
    assert "*Approved* by <@U0ALICE>" in said
    await town.slack.until(lambda: not town.buttons(ts))
    posts = [call for call in town.slack.calls if call.method == "chat.postMessage"]
    assert len(posts) == 3
    assert len(replies(town, ts)) == 1
    assert len(puts(town)) == 1


async def listed(town: Town) -> str:
    """The ts of a list with more than a page."""
    await town.slack.command(ALICE, SOC, "/task list")
    await town.whispered(ALICE, "1-8 of 12 waiting tasks")
    return str(town.slack.ephemerals(ALICE)[-1]["ts"])


def answered(town: Town, user: str, count: int) -> str:
    """What the person was told last, once they were told so often."""
    told = town.slack.ephemerals(user)
    return str(told[-1]["text"]) if len(told) >= count else ""


def replies(town: Town, ts: str) -> list[str]:
    return [one["text"] for one in town.slack.thread(SOC, ts)[1:]]


def puts(town: Town) -> list[Any]:
    return [one for one in town.secmaster.requests if one.method == "PUT"]


def audit(town: Town, noun: str, object_id: str) -> list[dict[str, Any]]:
    return town.app.services.store.audit_entries(Ref(kind=noun, id=object_id))


def harmless(town: Town) -> None:
    """Nothing that the bot shows opens a mention or a link that it did not make itself."""
    shown: list[Any] = list(town.slack.workspace.messages.get(SOC, []))
    shown += [one for user in (ALICE, BOB, CAROL) for one in town.slack.ephemerals(user)]
    shown += [view for user in (ALICE, BOB, CAROL) for view in town.slack.views(user)]
    for one in shown:
        if one.get("user", BOT) != BOT:
            continue
        for text in live(one):
            opened = re.findall(r"<([^>]*)>?", text)
            own = re.compile(r"@U0(ALICE|BOB|CAROL)$|!date\^|!subteam\^S0")
            assert [each for each in opened if not own.match(each)] == []


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
