"""A token that dies and comes back, blocks that are refused with reasons, and warnings."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox

SOC = "C0SOC"
BLOCKS = [{"type": "divider"}]


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox()
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


async def order(
    slack: SlackSandbox, session: aiohttp.ClientSession, act: str, **fields: str
) -> int:
    async with session.post(f"{slack.url}/_sandbox/{act}", json=fields) as answer:
        return answer.status


async def test_a_revoked_token_is_refused_in_every_call_until_it_is_restored(
    slack: SlackSandbox, client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    assert await order(slack, session, "revoke_token", code="account_inactive") == 200
    for call in (client.auth_test(), client.chat_postMessage(channel=SOC, text="t")):
        with pytest.raises(SlackApiError, match="account_inactive"):
            await call
    await client.apps_connections_open(app_token="xapp-demo")
    assert await order(slack, session, "restore_token") == 200
    assert (await client.auth_test())["ok"]


async def test_blocks_are_refused_for_reasons_and_text_is_not(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    slack.refuse_blocks("msg_blocks_too_long", ["too long [json-pointer:/blocks/0]"])
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=SOC, text="t", blocks=BLOCKS)
    answer = caught.value.response
    assert answer["error"] == "msg_blocks_too_long"
    assert answer["errors"] == ["too long [json-pointer:/blocks/0]"]
    assert answer["response_metadata"]["messages"] == ["[ERROR] too long [json-pointer:/blocks/0]"]
    await client.chat_postMessage(channel=SOC, text="t")
    slack.refuse_blocks("")
    await client.chat_postMessage(channel=SOC, text="t", blocks=BLOCKS)


async def test_a_call_is_carried_out_with_a_warning(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    slack.warn("chat.postMessage", "invalid_metadata")
    answer = await client.chat_postMessage(channel=SOC, text="t")
    assert answer["warning"] == "invalid_metadata"
    assert answer["response_metadata"]["warnings"] == ["invalid_metadata"]
    assert [message["text"] for message in slack.messages(SOC)] == ["t"]


async def test_a_locked_thread_takes_no_replies_and_its_channel_does(
    slack: SlackSandbox, client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    ts = (await client.chat_postMessage(channel=SOC, text="t"))["ts"]
    await client.chat_postMessage(channel=SOC, text="reply", thread_ts=ts)
    assert await order(slack, session, "lock_thread", channel=SOC, ts=ts) == 200
    with pytest.raises(SlackApiError, match="restricted_action_thread_locked"):
        await client.chat_postMessage(channel=SOC, text="late", thread_ts=ts)
    await client.chat_postMessage(channel=SOC, text="beside")
    await client.chat_update(channel=SOC, ts=ts, text="changed")
    replies = await client.conversations_replies(channel=SOC, ts=ts)
    assert [message["text"] for message in replies["messages"]] == ["changed", "reply"]
    assert await order(slack, session, "lock_thread", channel=SOC, ts="1.0") == 404
