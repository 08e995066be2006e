"""Channels that an administrator archives, unarchives, and takes the app out of."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.methods import ALL_SCOPES

SOC, RANDOM, PRIVATE = "C0SOC", "C0RANDOM", "C0PRIVATE"


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(scopes=ALL_SCOPES | {"channels:read", "groups:read"})
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


async def test_an_archived_channel_is_read_and_nothing_is_written_in_it(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    card = await client.chat_postMessage(channel=SOC, text="card")
    slack.archive(SOC)
    ts = card["ts"]
    assert await error(client.chat_postMessage(channel=SOC, text="t")) == "is_archived"
    reply = client.chat_postMessage(channel=SOC, text="t", thread_ts=ts)
    assert await error(reply) == "is_archived"
    whisper = client.chat_postEphemeral(channel=SOC, user="U0BOB", text="t")
    assert await error(whisper) == "is_archived"
    reaction = client.reactions_add(channel=SOC, timestamp=ts, name="eyes")
    assert await error(reaction) == "is_archived"
    assert (await client.conversations_info(channel=SOC))["channel"]["is_archived"]
    read = await client.conversations_replies(channel=SOC, ts=ts)
    assert [one["text"] for one in read["messages"]] == ["card"]


async def test_a_message_in_an_archived_channel_is_not_updated(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    card = await client.chat_postMessage(channel=SOC, text="card")
    slack.archive(SOC)
    update = client.chat_update(channel=SOC, ts=card["ts"], text="new")
    assert await error(update) == "is_inactive"
    assert slack.messages(SOC)[0]["text"] == "card"
    slack.unarchive(SOC)
    await client.chat_update(channel=SOC, ts=card["ts"], text="new")
    assert slack.messages(SOC)[0]["text"] == "new"


async def test_people_say_nothing_in_an_archived_channel(slack: SlackSandbox) -> None:
    slack.archive(SOC)
    with pytest.raises(ValueError, match="nothing can be said here"):
        await slack.say("U0BOB", SOC, "hello")


async def test_a_public_channel_without_the_app_is_written_in_and_not_read(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    card = await client.chat_postMessage(channel=SOC, text="card")
    slack.remove_bot(SOC)
    await client.chat_postMessage(channel=SOC, text="from outside")
    assert await error(client.conversations_history(channel=SOC)) == "not_in_channel"
    replies = client.conversations_replies(channel=SOC, ts=card["ts"])
    assert await error(replies) == "not_in_channel"
    assert not (await client.conversations_info(channel=SOC))["channel"]["is_member"]
    slack.add_bot(SOC)
    assert len((await client.conversations_history(channel=SOC))["messages"]) == 2


async def test_posting_from_outside_needs_its_own_scope() -> None:
    slack = SlackSandbox(scopes=ALL_SCOPES - {"chat:write.public"})
    await slack.start()
    slack.remove_bot(SOC)
    client = AsyncWebClient("xoxb-demo", base_url=slack.url + "/api/")
    assert await error(client.chat_postMessage(channel=SOC, text="t")) == "not_in_channel"
    await slack.stop()


async def test_a_private_channel_is_there_for_the_app_while_it_is_in_it(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    slack.add_bot(PRIVATE)
    card = await client.chat_postMessage(channel=PRIVATE, text="card")
    slack.remove_bot(PRIVATE)
    for call in (
        client.chat_postMessage(channel=PRIVATE, text="t"),
        client.chat_update(channel=PRIVATE, ts=card["ts"], text="new"),
        client.conversations_history(channel=PRIVATE),
        client.conversations_info(channel=PRIVATE),
    ):
        assert await error(call) == "channel_not_found"
    assert [one["text"] for one in slack.messages(PRIVATE)] == ["card"]


async def test_what_is_so_already_stays_so_and_only_channels_are_arranged(
    slack: SlackSandbox,
) -> None:
    for _ in range(2):
        slack.archive(SOC)
        slack.add_bot(RANDOM)
    assert slack.workspace.channels[RANDOM].members.count("U0BOT") == 1
    for nowhere in ("D0BOB", "C0NOWHERE"):
        with pytest.raises(ValueError, match="there is no channel"):
            slack.archive(nowhere)


async def test_channels_are_arranged_over_http_and_the_page_hears_of_it(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    before = slack.changes.count
    async with session.post(f"{slack.url}/_sandbox/archive", json={"channel": SOC}) as answer:
        assert (answer.status, await answer.json()) == (200, {})
    async with session.post(f"{slack.url}/_sandbox/remove_bot", json={"channel": SOC}) as answer:
        assert answer.status == 200
    async with session.get(f"{slack.url}/_sandbox/page?user=U0BOB") as answer:
        [soc] = [one for one in (await answer.json())["channels"] if one["id"] == SOC]
    assert (soc["is_archived"], soc["has_app"]) == (True, False)
    assert slack.changes.count > before
    async with session.post(f"{slack.url}/_sandbox/archive", json={"channel": "C0NO"}) as answer:
        assert answer.status == 404


async def error(call: Awaitable[Any]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    code: str = caught.value.response["error"]
    return code
