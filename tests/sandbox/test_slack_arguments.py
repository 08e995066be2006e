"""Arguments that Slack does not know are ignored, as Slack ignores them, and remembered."""

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.arguments import ARGUMENTS
from bot.sandbox.slack.methods import METHODS
from tests.support.sdk_models import unmodelled_blocks


def test_the_arguments_of_every_method_are_known() -> None:
    assert METHODS.keys() - {"api.test"} <= ARGUMENTS.keys()


async def test_an_argument_that_is_misspelt_is_ignored_and_remembered(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    await client.chat_postMessage(channel="C0SOC", text="t", unfurl_link=False)
    message = slack.messages("C0SOC")[-1]
    assert "unfurl_link" not in message
    hook = slack.workspace.permits.new_hook("U0ALICE", "C0SOC", "")
    async with aiohttp.ClientSession() as session:
        body = {"text": "t", "respons_type": "ephemeral"}
        async with session.post(f"{slack.url}/_hooks/{hook}", json=body) as response:
            assert response.status == 200
    assert slack.workspace.unknown_arguments == [
        "chat.postMessage: unfurl_link",
        "response: respons_type",
    ]


async def test_a_block_that_no_model_of_the_sdk_says_is_found(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    text = {"type": "plain_text", "text": "t"}
    modelled = {"type": "section", "block_id": "a", "text": text}
    unmodelled = {
        "type": "data_table",
        "block_id": "b",
        "caption": "t",
        "rows": [[{"type": "raw_text", "text": "t"}]] * 2,
    }
    await client.chat_postMessage(channel="C0SOC", text="t", blocks=[modelled, unmodelled])
    assert unmodelled_blocks(slack) == [unmodelled] * 2  # in the call, and in the message
