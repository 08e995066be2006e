"""A channel with many messages, which are found by ts and by thread without a search."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.timeline import MessageList, Timeline

SOC = "C0SOC"


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    """A Slack that hands out its own messages, and no recorder's copies of them."""
    sandbox = SlackSandbox()
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


def message(at: int, **more: Any) -> dict[str, Any]:
    return {"ts": f"{at}.000100", "text": str(at), **more}


# The order of messages


def test_a_row_finds_what_lies_between_two_moments() -> None:
    row = MessageList()
    for at in range(10, 20):
        row.put(message(at))
    assert texts(row.between(12.0001, 14.0001)) == ["13"]
    assert texts(row.between(12.0001, 14.0001, inclusive=True)) == ["12", "13", "14"]
    assert texts(row.between(17.5)) == ["18", "19"]
    assert texts(row.between(latest=11.5)) == ["10", "11"]
    assert texts(row.newest(2)) == ["18", "19"]
    assert row.between(25) == []


def test_a_row_is_kept_in_order_whatever_is_put_in_and_taken_out() -> None:
    chance, row = random.Random(1), MessageList()
    plain: dict[int, str] = {}
    for _ in range(500):
        at = chance.randrange(100)
        if chance.random() < 0.4:
            row.drop(message(at)["ts"])
            plain.pop(at, None)
        else:
            row.put(message(at, text=f"{at} again"))
            plain[at] = f"{at} again"
    assert texts(row) == [plain[at] for at in sorted(plain)]
    assert texts(reversed(row)) == texts(row)[::-1]
    assert len(row) == len(plain)


def test_a_timeline_keeps_threads_apart_from_the_channel() -> None:
    messages = Timeline()
    root, other = message(1), message(2)
    reply = message(3, thread_ts=root["ts"])
    broadcast = message(4, thread_ts=root["ts"], subtype="thread_broadcast")
    for one in (root, other, reply, broadcast):
        messages.put(one)
    assert texts(messages.top) == ["1", "2", "4"]
    assert texts(messages.thread(root["ts"])) == ["1", "3", "4"]
    assert texts(messages.thread(root["ts"], most=1)) == ["1", "4"]
    assert texts(messages.thread(reply["ts"])) == ["3"]
    messages.drop(root)
    assert texts(messages.thread(root["ts"])) == ["3", "4"]
    messages.drop(broadcast)
    assert (texts(messages.top), texts(messages)) == (["2"], ["2", "3"])


def test_a_copy_is_made_once_for_each_time_a_message_looks_different() -> None:
    messages = Timeline()
    for at in range(100):
        messages.put(message(at))
    before = messages.copies().top.newest()
    messages.by_ts["50.000100"]["text"] = "new"
    messages.changed("50.000100")
    after = messages.copies().top.newest()
    assert [one["ts"] for one, other in zip(before, after, strict=True) if one is not other] == [
        "50.000100"
    ]
    assert (before[50]["text"], after[50]["text"]) == ("50", "new")
    messages.drop(messages.by_ts["50.000100"])
    assert len(messages.copies().top) == 99


# What calls and tests see of it


async def test_a_reader_holds_on_to_a_moment_at_no_cost_for_what_stays(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    first = (await client.chat_postMessage(channel=SOC, text="first"))["ts"]
    await client.chat_postMessage(channel=SOC, text="second")
    before = slack.messages(SOC)
    await client.chat_update(channel=SOC, ts=first, text="changed")
    await client.chat_postMessage(channel=SOC, text="reply", thread_ts=first)
    after = slack.messages(SOC)
    assert (texts(before), texts(after)) == (["first", "second"], ["changed", "second"])
    assert before[1] is after[1]
    assert texts(slack.thread(SOC, first)) == ["changed", "reply"]
    assert slack.thread(SOC, first)[0]["reply_count"] == 1


async def test_a_thread_counts_its_replies_and_their_authors(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    root = (await client.chat_postMessage(channel=SOC, text="card"))["ts"]
    await client.chat_postMessage(channel=SOC, text="one", thread_ts=root)
    await slack.say("U0BOB", SOC, "two", thread_ts=root)
    last = await client.chat_postMessage(channel=SOC, text="three", thread_ts=root)
    counted = slack.messages(SOC)[0]
    assert counted["reply_count"] == 3
    assert counted["reply_users"] == ["U0BOT", "U0BOB"]
    assert counted["latest_reply"] == last["ts"]
    await client.chat_delete(channel=SOC, ts=last["ts"])
    counted = slack.messages(SOC)[0]
    assert (counted["reply_count"], counted["reply_users_count"]) == (2, 2)
    assert counted["latest_reply"] == slack.thread(SOC, root)[-1]["ts"]


async def test_history_pages_through_thousands_newest_first(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    posted = [post(slack, str(number)) for number in range(1000)]
    read: list[dict[str, Any]] = []
    cursor = ""
    while cursor or not read:
        page = await client.conversations_history(channel=SOC, limit=200, cursor=cursor)
        read += page["messages"]
        cursor = page["response_metadata"]["next_cursor"]
    assert [one["ts"] for one in read] == [one["ts"] for one in reversed(posted)]
    edge = posted[990]["ts"]
    newer = await client.conversations_history(channel=SOC, oldest=edge)
    assert len(newer["messages"]) == 9
    from_it_on = await client.conversations_history(channel=SOC, oldest=edge, inclusive=True)
    assert len(from_it_on["messages"]) == 10


async def test_whoever_waits_is_asked_again_once_for_each_turn(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    counts = []

    def arrived() -> bool:
        counts.append(len(slack.messages(SOC)))
        return counts[-1] == 1000

    waiting = asyncio.create_task(slack.until(arrived))
    await client.api_test()
    for number in range(1000):
        post(slack, str(number))
    await waiting
    assert counts[-1] == 1000
    assert len(counts) < 10


async def test_the_page_shows_the_latest_few_hundred_and_says_how_many_more(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    posted = [post(slack, str(number)) for number in range(1200)]
    for number in range(650):
        post(slack, f"reply {number}", posted[-1]["ts"])
    page = await look(slack, session, channel=SOC, thread=posted[-1]["ts"])
    channel, thread = page["channel"], page["thread"]
    assert channel["order"] == [one["ts"] for one in posted[-600:]]
    assert (len(channel["messages"]), channel["older"]) == (600, 600)
    assert thread["order"][0] == posted[-1]["ts"]
    assert (len(thread["order"]), thread["older"]) == (601, 50)
    [soc] = [one for one in page["channels"] if one["id"] == SOC]
    assert soc["more_unread"]
    post(slack, "one more")
    news = await look(slack, session, channel=SOC, since=page["changes"])
    assert texts(news["channel"]["messages"]) == ["one more"]
    assert news["channel"]["older"] == 601


@pytest.mark.parametrize("count", [0, 600])
async def test_a_channel_that_is_shown_whole_has_nothing_older(
    slack: SlackSandbox, session: aiohttp.ClientSession, count: int
) -> None:
    for number in range(count):
        post(slack, str(number))
    page = await look(slack, session, channel=SOC)
    assert (len(page["channel"]["order"]), page["channel"]["older"]) == (count, 0)


async def look(slack: SlackSandbox, session: aiohttp.ClientSession, **query: str | int) -> Any:
    query = {"user": "U0ALICE", **query}
    async with session.get(f"{slack.url}/_sandbox/page", params=query) as answer:
        assert answer.status == 200
        return await answer.json()


def post(slack: SlackSandbox, text: str, thread_ts: str = "") -> dict[str, Any]:
    said_by_bot = {"user": "U0BOT", "bot_id": "B0BOT", "text": text}
    return slack.workspace.post(SOC, said_by_bot, thread_ts)


def texts(messages: Iterable[dict[str, Any]]) -> list[str]:
    return [one["text"] for one in messages]
