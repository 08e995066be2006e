"""The local Slack as an app and people use it: real HTTP, Slack's SDK, a Bolt app."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.sandbox.faults import Fault
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.methods import ALL_SCOPES

READING = {"channels:read", "groups:read", "im:read", "channels:join"}


class Clock:
    """Real time, plus whatever a test lets pass."""

    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> float:
        return time.time() + self.passed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[SlackSandbox]:
    sandbox = SlackSandbox(scopes=ALL_SCOPES | READING, clock=clock)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


def web_client(
    slack: SlackSandbox, session: aiohttp.ClientSession, token: str = "xoxb-demo"
) -> AsyncWebClient:
    return AsyncWebClient(token, base_url=slack.url + "/api/", session=session)


@pytest.fixture
async def bolt(slack: SlackSandbox, client: AsyncWebClient) -> AsyncIterator[AsyncApp]:
    """A Bolt app, served over HTTP; its request URL is known to Slack."""
    app = AsyncApp(
        client=client, signing_secret="demo-signing-secret", process_before_response=True
    )

    async def receive(request: web.Request) -> web.Response:
        return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))

    async with served(receive) as slack.request_url:
        yield app


class served:  # noqa: N801 - reads as the verb it is
    """A handler on a port of its own, for as long as the block lasts."""

    def __init__(self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        app = web.Application()
        app.router.add_post("/slack/events", handler)
        self.runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def __aenter__(self) -> str:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}/slack/events"

    async def __aexit__(self, *_error: object) -> None:
        await self.runner.cleanup()


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def buttons(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


APPROVE = {"type": "button", "text": plain("Approve"), "action_id": "approve", "value": "task-1"}
CARD = [section("*Task 1*"), buttons(APPROVE)]
COMMENT = {
    "type": "input",
    "block_id": "comment",
    "label": plain("Comment"),
    "element": {
        "type": "plain_text_input",
        "action_id": "text",
        "min_length": 3,
        "max_length": 10,
    },
}


def modal(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": "comment",
        "title": plain("Comment"),
        "submit": plain("Send"),
        "blocks": list(blocks or [COMMENT]),
        **more,
    }


async def refused(call: Awaitable[Any]) -> AsyncSlackResponse:
    with pytest.raises(SlackApiError) as caught:
        await call
    response: AsyncSlackResponse = caught.value.response
    return response


async def error(call: Awaitable[Any]) -> str:
    code: str = (await refused(call))["error"]
    return code


# The journey.


async def test_a_button_is_pressed_and_the_thread_shows_the_answer(
    slack: SlackSandbox, client: AsyncWebClient, bolt: AsyncApp
) -> None:
    @bolt.action("approve")
    async def approve(
        ack: AsyncAck, action: dict[str, Any], body: dict[str, Any], client: AsyncWebClient
    ) -> None:
        await client.chat_postMessage(
            channel=body["channel"]["id"],
            thread_ts=body["message"]["ts"],
            text=f"<@{body['user']['id']}> approved {action['value']}",
        )
        await ack()

    card = await client.chat_postMessage(channel="C0SOC", text="Task 1", blocks=CARD)
    delivered = await slack.press("U0ALICE", "C0SOC", card["ts"], "approve")

    assert (delivered.status, delivered.error) == (200, "")
    replies = await client.conversations_replies(channel="C0SOC", ts=card["ts"])
    assert [one["text"] for one in replies["messages"]] == [
        "Task 1",
        "<@U0ALICE> approved task-1",
    ]
    assert [one["text"] for one in slack.thread("C0SOC", card["ts"])][1:] == [
        "<@U0ALICE> approved task-1"
    ]
    assert [call.method for call in slack.calls if call.method != "auth.test"] == [
        "chat.postMessage",
        "chat.postMessage",
        "conversations.replies",
    ]


async def test_a_command_opens_a_modal_whose_submission_is_answered(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    @bolt.command("/secmaster")
    async def open_modal(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=modal())
        await ack()

    @bolt.view("comment")
    async def submitted(
        ack: AsyncAck, view: dict[str, Any], body: dict[str, Any], client: AsyncWebClient
    ) -> None:
        comment = view["state"]["values"]["comment"]["text"]["value"]
        await client.chat_postMessage(channel=body["user"]["id"], text=comment)
        await ack()

    await slack.command("U0BOB", "C0SOC", "/secmaster comment")
    [view] = slack.views("U0BOB")
    await slack.submit("U0BOB", view["id"], {"comment": "all clear"})

    assert slack.views("U0BOB") == []
    assert [one["text"] for one in slack.messages("D0BOB")] == ["all clear"]


async def test_two_people_press_at_once_and_neither_waits_for_the_other(
    slack: SlackSandbox, client: AsyncWebClient, bolt: AsyncApp
) -> None:
    both = asyncio.Barrier(2)

    @bolt.action("approve")
    async def approve(ack: AsyncAck) -> None:
        await both.wait()
        await ack()

    card = await client.chat_postMessage(channel="C0SOC", text="Task 1", blocks=CARD)
    first, second = await asyncio.gather(
        slack.press("U0ALICE", "C0SOC", card["ts"], "approve"),
        slack.press("U0BOB", "C0SOC", card["ts"], "approve"),
    )
    assert (first.error, second.error) == ("", "")


# Who is asking.


async def test_a_call_needs_a_token_that_is_known_and_of_the_right_kind(
    slack: SlackSandbox, client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    async with session.post(slack.url + "/api/auth.test") as answer:
        assert (await answer.json())["error"] == "not_authed"
    assert await error(web_client(slack, session, "xoxb-other").auth_test()) == "invalid_auth"
    wrong_kind = web_client(slack, session, "xapp-demo").users_info(user="U0BOB")
    assert await error(wrong_kind) == "not_allowed_token_type"
    connecting = client.apps_connections_open(app_token="xoxb-demo")
    assert await error(connecting) == "not_allowed_token_type"


async def test_a_method_that_is_not_there_is_unknown(client: AsyncWebClient) -> None:
    assert await error(client.api_call("chat.shout")) == "unknown_method"


async def test_a_missing_scope_is_named(session: aiohttp.ClientSession) -> None:
    slack = SlackSandbox(scopes=["chat:write", "users:read"])
    await slack.start()
    client = web_client(slack, session)
    answer = await refused(client.usergroups_list())
    assert answer["error"] == "missing_scope"
    assert answer["needed"] == "usergroups:read"
    assert answer["provided"] == "chat:write,users:read"
    assert answer.headers["x-oauth-scopes"] == "chat:write,users:read"
    person = await client.users_info(user="U0ALICE")
    assert "email" not in person["user"]["profile"]
    posting = client.chat_postMessage(channel="C0RANDOM", text="hello")
    assert await error(posting) == "not_in_channel"
    await slack.stop()


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"channel": "C0SOC", "text": "t", "blocks": CARD}},
        {"data": {"channel": "C0SOC", "text": "t", "blocks": json.dumps(CARD)}},
        {"params": {"channel": "C0SOC", "text": "t", "blocks": json.dumps(CARD)}},
    ],
    ids=["json", "form", "query"],
)
async def test_arguments_come_as_json_form_or_query(
    slack: SlackSandbox, client: AsyncWebClient, body: dict[str, Any]
) -> None:
    await client.api_call("chat.postMessage", **body)
    [message] = slack.messages("C0SOC")
    assert message["blocks"][1]["elements"][0]["action_id"] == "approve"


async def test_arguments_come_in_parts(slack: SlackSandbox, session: aiohttp.ClientSession) -> None:
    with aiohttp.MultipartWriter("form-data") as writer:
        for name, value in (("token", "xoxb-demo"), ("channel", "C0SOC"), ("text", "hello")):
            writer.append(value).set_content_disposition("form-data", name=name)
    async with session.post(slack.url + "/api/chat.postMessage", data=writer) as answer:
        assert (await answer.json())["ok"]
    assert slack.messages("C0SOC")[0]["text"] == "hello"


# Messages.


@pytest.mark.parametrize(
    ("channel", "code"),
    [
        ("C0NOWHERE", "channel_not_found"),
        ("C0PRIVATE", "channel_not_found"),
        ("C0ARCHIVED", "is_archived"),
        ("C0QUIET", "restricted_action"),
    ],
)
async def test_a_channel_that_takes_no_message_says_why(
    client: AsyncWebClient, channel: str, code: str
) -> None:
    assert await error(client.chat_postMessage(channel=channel, text="hello")) == code


@pytest.mark.parametrize(
    ("channel", "lands_in"),
    [("C0RANDOM", "C0RANDOM"), ("#soc", "C0SOC"), ("U0ALICE", "D0ALICE"), ("D0BOB", "D0BOB")],
)
async def test_a_message_reaches_a_public_channel_a_name_and_a_person(
    slack: SlackSandbox, client: AsyncWebClient, channel: str, lands_in: str
) -> None:
    posted = await client.chat_postMessage(channel=channel, text="hello")
    assert posted["channel"] == lands_in
    assert slack.messages(lands_in)[0]["ts"] == posted["ts"]


async def test_a_message_says_something_and_not_too_much(client: AsyncWebClient) -> None:
    silent = client.api_call("chat.postMessage", json={"channel": "C0SOC", "text": " "})
    assert await error(silent) == "no_text"
    long = client.chat_postMessage(channel="C0SOC", text="x" * 40_001)
    assert await error(long) == "msg_too_long"


async def test_blocks_that_slack_would_refuse_are_refused_with_a_pointer(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    answer = await refused(
        client.chat_postMessage(channel="C0SOC", text="t", blocks=[section("x" * 3001)])
    )
    assert answer["error"] == "invalid_blocks"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]
    unreadable = client.chat_postMessage(channel="C0SOC", text="t", blocks="[not json")
    assert await error(unreadable) == "invalid_blocks_format"
    assert slack.messages("C0SOC") == []


async def test_timestamps_only_ever_rise(client: AsyncWebClient, clock: Clock) -> None:
    clock.passed = 100
    posts = [await client.chat_postMessage(channel="C0SOC", text=str(one)) for one in range(5)]
    clock.passed = 0
    posts += [await client.chat_postMessage(channel="C0SOC", text="back in time")]
    stamps = [post["ts"] for post in posts]
    assert stamps == sorted(set(stamps), key=float)
    assert len(stamps) == 6


async def test_replies_stay_in_their_thread_unless_broadcast(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    root = await client.chat_postMessage(channel="C0SOC", text="root")
    await client.chat_postMessage(channel="C0SOC", text="quiet", thread_ts=root["ts"])
    await client.chat_postMessage(
        channel="C0SOC", text="loud", thread_ts=root["ts"], reply_broadcast=True
    )
    assert [one["text"] for one in slack.messages("C0SOC")] == ["root", "loud"]
    assert [one["text"] for one in slack.thread("C0SOC", root["ts"])] == ["root", "quiet", "loud"]
    assert slack.messages("C0SOC")[0]["reply_count"] == 2
    history = await client.conversations_history(channel="C0SOC")
    assert [one["text"] for one in history["messages"]] == ["loud", "root"]
    nowhere = client.chat_postMessage(channel="C0SOC", text="lost", thread_ts="1.000100")
    assert await error(nowhere) == "thread_not_found"


async def test_a_thread_is_read_page_by_page_and_between_times(client: AsyncWebClient) -> None:
    root = await client.chat_postMessage(channel="C0SOC", text="0")
    later = [
        await client.chat_postMessage(channel="C0SOC", text=str(one), thread_ts=root["ts"])
        for one in range(1, 5)
    ]
    pages = await client.conversations_replies(channel="C0SOC", ts=root["ts"], limit=2)
    read = [[one["text"] for one in page["messages"]] async for page in pages]
    assert read == [["0", "1"], ["2", "3"], ["4"]]
    since = await client.conversations_replies(
        channel="C0SOC", ts=root["ts"], oldest=later[1]["ts"], latest=later[3]["ts"]
    )
    assert [one["text"] for one in since["messages"]] == ["0", "3"]
    missing = client.conversations_replies(channel="C0SOC", ts="1.000100")
    assert await error(missing) == "thread_not_found"
    unread = client.conversations_history(channel="C0RANDOM")
    assert await error(unread) == "not_in_channel"


async def test_what_is_posted_between_two_pages_shifts_neither(client: AsyncWebClient) -> None:
    for one in range(3):
        await client.chat_postMessage(channel="C0SOC", text=str(one))
    first = await client.conversations_history(channel="C0SOC", limit=2)
    await client.chat_postMessage(channel="C0SOC", text="3")
    cursor = first["response_metadata"]["next_cursor"]
    second = await client.conversations_history(channel="C0SOC", limit=2, cursor=cursor)
    assert [one["text"] for one in first["messages"]] == ["2", "1"]
    assert [one["text"] for one in second["messages"]] == ["0"]
    assert not second["has_more"]
    unknown = client.conversations_history(channel="C0SOC", cursor="next:2")
    assert await error(unknown) == "invalid_cursor"


async def test_metadata_comes_back_only_when_asked_for(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    mark = {"event_type": "task_card", "event_payload": {"id": "1"}}
    posted = await client.chat_postMessage(channel="C0SOC", text="t", metadata=mark)
    read = {"channel": "C0SOC", "ts": posted["ts"]}
    assert "metadata" not in (await client.conversations_replies(**read))["messages"][0]
    marked = await client.conversations_replies(**read, include_all_metadata=True)
    assert marked["messages"][0]["metadata"] == mark
    updated = await client.chat_update(channel="C0SOC", ts=posted["ts"], text="u")
    assert updated["message"]["metadata"] == mark
    await client.chat_update(channel="C0SOC", ts=posted["ts"], text="u", metadata={})
    assert "metadata" not in slack.messages("C0SOC")[0]


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({"event_type": "t"}, "invalid_metadata_format"),
        ({"event_type": "t", "event_payload": "text"}, "invalid_metadata_format"),
        ({"event_type": "t", "event_payload": {"a": "x" * 8001}}, "metadata_too_large"),
    ],
)
async def test_metadata_has_a_type_and_a_small_payload(
    client: AsyncWebClient, metadata: dict[str, Any], code: str
) -> None:
    posting = client.chat_postMessage(channel="C0SOC", text="t", metadata=metadata)
    assert await error(posting) == code


async def test_only_the_bots_own_messages_can_be_changed_or_deleted(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    mine = await client.chat_postMessage(channel="C0SOC", text="mine", blocks=CARD)
    theirs = await slack.say("U0DAVE", "C0SOC", "theirs")
    await client.chat_update(channel="C0SOC", ts=mine["ts"], text="changed", blocks=[])
    [changed, _] = slack.messages("C0SOC")
    assert (changed["text"], "blocks" in changed) == ("changed", False)
    assert "edited" in changed
    foreign = {"channel": "C0SOC", "ts": theirs["ts"]}
    assert await error(client.chat_update(**foreign, text="x")) == "cant_update_message"
    assert await error(client.chat_delete(**foreign)) == "cant_delete_message"
    gone = client.chat_update(channel="C0SOC", ts="1.000100", text="x")
    assert await error(gone) == "message_not_found"
    await client.chat_delete(channel="C0SOC", ts=mine["ts"])
    assert [one["text"] for one in slack.messages("C0SOC")] == ["theirs"]


async def test_an_ephemeral_message_is_seen_by_its_person_only(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    whisper: dict[str, Any] = {"channel": "C0SOC", "text": "between us"}
    ephemeral = await client.chat_postEphemeral(**whisper, user="U0ALICE")
    assert [one["text"] for one in slack.messages("C0SOC", user="U0ALICE")] == ["between us"]
    assert slack.messages("C0SOC", user="U0BOB") == slack.messages("C0SOC") == []
    assert (await client.conversations_history(channel="C0SOC"))["messages"] == []
    changing = client.chat_update(channel="C0SOC", ts=ephemeral["message_ts"], text="x")
    assert await error(changing) == "message_not_found"
    absent = client.chat_postEphemeral(channel="C0ONCALL", text="x", user="U0GUEST")
    assert await error(absent) == "user_not_in_channel"


async def test_a_permalink_leads_into_the_thread(client: AsyncWebClient) -> None:
    root = await client.chat_postMessage(channel="C0SOC", text="root")
    reply = await client.chat_postMessage(channel="C0SOC", text="reply", thread_ts=root["ts"])
    link = await client.chat_getPermalink(channel="C0SOC", message_ts=reply["ts"])
    assert link["permalink"].endswith(f"?thread_ts={root['ts']}&cid=C0SOC")


async def test_a_reaction_is_added_once(slack: SlackSandbox, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="C0SOC", text="t")
    mark = {"channel": "C0SOC", "timestamp": posted["ts"], "name": "eyes"}
    await client.reactions_add(**mark)
    assert slack.messages("C0SOC")[0]["reactions"][0]["users"] == ["U0BOT"]
    assert await error(client.reactions_add(**mark)) == "already_reacted"


# Who and where.


async def test_people_are_told_apart(client: AsyncWebClient) -> None:
    people = {one["id"]: one for one in (await client.users_list())["members"]}
    assert people["U0GUEST"]["is_restricted"]
    assert people["U0SOLO"]["is_ultra_restricted"]
    outsider = (await client.users_info(user="U0OUTSIDER"))["user"]
    assert (outsider["is_stranger"], outsider["team_id"]) == (True, "T0OTHER")
    assert await error(client.users_info(user="U0NOBODY")) == "user_not_found"
    bot = (await client.bots_info(bot="B0BOT"))["bot"]
    assert people[bot["user_id"]]["is_bot"]


async def test_user_groups_have_members(client: AsyncWebClient) -> None:
    groups = (await client.usergroups_list(include_users=True))["usergroups"]
    assert {one["id"]: one["users"] for one in groups}["S0ONCALL"] == ["U0CAROL"]
    soc = await client.usergroups_users_list(usergroup="S0SOC")
    assert soc["users"] == ["U0ALICE", "U0BOB"]
    assert await error(client.usergroups_users_list(usergroup="S0NONE")) == "no_such_subteam"


async def test_channels_are_listed_joined_and_opened(client: AsyncWebClient) -> None:
    async def names(call: Awaitable[Any]) -> set[str]:
        return {one["name"] for one in (await call)["channels"]}

    assert "random" in await names(client.conversations_list())
    assert "archived" not in await names(client.conversations_list(exclude_archived=True))
    assert "private" not in await names(client.conversations_list(types="private_channel"))
    assert "random" not in await names(client.users_conversations())
    await client.conversations_join(channel="C0RANDOM")
    assert "random" in await names(client.users_conversations())
    assert (await client.conversations_info(channel="C0RANDOM"))["channel"]["is_member"]
    assert "U0GUEST" in (await client.conversations_members(channel="C0SOC"))["members"]
    assert (await client.conversations_open(users="U0DAVE"))["channel"]["id"] == "D0DAVE"


# Commands.


async def test_a_command_arrives_escaped_with_all_its_fields(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    received = {}

    @bolt.command("/secmaster")
    async def run(ack: AsyncAck, body: dict[str, Any]) -> None:
        received.update(body)
        await ack()

    await slack.command(
        "U0ALICE", "C0SOC", "/secmaster give @bob #oncall https://a.example/?b&c <x>"
    )
    assert received["text"] == (
        "give <@U0BOB|bob> <#C0ONCALL|oncall> <https://a.example/?b&amp;c> &lt;x&gt;"
    )
    assert (received["team_id"], received["channel_name"], received["user_name"]) == (
        "T0DEMO",
        "soc",
        "alice",
    )
    assert (received["api_app_id"], received["is_enterprise_install"]) == ("A0BOT", "false")
    assert received["response_url"].startswith(slack.url)
    await slack.command("U0ALICE", "D0ALICE", "/secmaster @bob", escape=False)
    assert (received["text"], received["channel_name"]) == ("@bob", "directmessage")


@pytest.mark.parametrize(
    ("answer", "everyone", "alone"),
    [
        ({"text": "hi"}, [], ["hi"]),
        ({"text": "hi", "response_type": "in_channel"}, ["hi"], []),
        ({"text": "hi", "blocks": CARD}, [], ["hi"]),
        ({}, [], []),
    ],
    ids=["text", "in channel", "blocks", "nothing"],
)
async def test_what_comes_with_the_ack_of_a_command_is_shown(
    slack: SlackSandbox,
    bolt: AsyncApp,
    answer: dict[str, Any],
    everyone: list[Any] | list[str],
    alone: list[Any] | list[str],
) -> None:
    @bolt.command("/secmaster")
    async def run(ack: AsyncAck) -> None:
        await ack(**answer)

    await slack.command("U0ALICE", "C0SOC", "/secmaster")
    assert [one["text"] for one in slack.messages("C0SOC")] == everyone
    assert [one["text"] for one in slack.ephemerals("U0ALICE", "C0SOC")] == alone


async def test_an_unreadable_answer_to_a_command_is_an_error_to_the_person(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    @bolt.command("/secmaster")
    async def run(ack: AsyncAck) -> None:
        await ack(text="hi", blocks=[{"type": "nonsense"}])

    delivered = await slack.command("U0ALICE", "C0SOC", "/secmaster")
    assert delivered.error == "invalid_command_response"
    assert slack.ephemerals("U0ALICE") == []


async def test_an_app_that_is_late_broken_or_away_is_an_error_to_the_person(
    slack: SlackSandbox,
) -> None:
    assert (await slack.command("U0ALICE", "C0SOC", "/secmaster")).error == "dispatch_failed"

    async def broken(_request: web.Request) -> web.Response:
        return web.Response(status=500)

    async with served(broken) as slack.request_url:
        delivered = await slack.command("U0ALICE", "C0SOC", "/secmaster")
        assert (delivered.status, delivered.error) == (500, "dispatch_failed")
    assert (await slack.command("U0ALICE", "C0SOC", "/secmaster")).error == "dispatch_failed"

    never = asyncio.Event()

    async def late(_request: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    slack.delivery.patience = 0.05
    async with served(late) as slack.request_url:
        assert (await slack.command("U0ALICE", "C0SOC", "/secmaster")).error == "operation_timeout"


# Presses.


async def test_a_press_tells_where_it_happened_without_metadata(
    slack: SlackSandbox, client: AsyncWebClient, bolt: AsyncApp
) -> None:
    payloads = []

    @bolt.action("approve")
    async def approve(ack: AsyncAck, body: dict[str, Any]) -> None:
        payloads.append(body)
        await ack()

    mark = {"event_type": "t", "event_payload": {}}
    posted = await client.chat_postMessage(channel="C0SOC", text="t", blocks=CARD, metadata=mark)
    await slack.press("U0OUTSIDER", "C0SOC", posted["ts"], "approve")
    [body] = payloads
    assert body["container"]["message_ts"] == body["message"]["ts"] == posted["ts"]
    assert "metadata" not in body["message"]
    assert body["user"] == {
        "id": "U0OUTSIDER",
        "username": "outsider",
        "name": "outsider",
        "team_id": "T0OTHER",
    }
    assert body["actions"][0]["block_id"]
    assert body["state"] == {"values": {}}


async def test_a_button_carries_its_own_value_unless_it_is_forged(
    slack: SlackSandbox, client: AsyncWebClient, bolt: AsyncApp
) -> None:
    values = []

    @bolt.action("approve")
    async def approve(ack: AsyncAck, action: dict[str, Any]) -> None:
        values.append(action["value"])
        await ack()

    posted = await client.chat_postMessage(channel="C0SOC", text="t", blocks=CARD)
    where = ("U0ALICE", "C0SOC", posted["ts"], "approve")
    with pytest.raises(ValueError, match="task-1"):
        await slack.press(*where, value="task-2")
    await slack.press(*where)
    await slack.press(*where, value="task-2", forge_value=True)
    assert values == ["task-1", "task-2"]


async def test_menus_send_the_option_that_was_picked(
    slack: SlackSandbox, client: AsyncWebClient, bolt: AsyncApp
) -> None:
    options = [{"text": plain(one), "value": one} for one in ("low", "high")]
    menu = {"type": "overflow", "action_id": "more", "options": options}
    select = {"type": "static_select", "action_id": "level", "options": options}
    actions = []

    async def picked(ack: AsyncAck, body: dict[str, Any]) -> None:
        actions.append((body["actions"][0]["selected_option"]["value"], body["state"]["values"]))
        await ack()

    bolt.action("more")(picked)
    bolt.action("level")(picked)
    blocks = [{**buttons(menu, select), "block_id": "b"}]
    posted = await client.chat_postMessage(channel="C0SOC", text="t", blocks=blocks)
    await slack.press("U0ALICE", "C0SOC", posted["ts"], "more", value="low")
    await slack.press("U0ALICE", "C0SOC", posted["ts"], "level", value="high")
    untouched = {"b": {"level": {"type": "static_select", "selected_option": None}}}
    chosen = {"b": {"level": {"type": "static_select", "selected_option": options[1]}}}
    assert actions == [("low", untouched), ("high", chosen)]
    with pytest.raises(ValueError, match="no option"):
        await slack.press("U0ALICE", "C0SOC", posted["ts"], "level", value="other")


async def test_nobody_presses_what_they_do_not_see(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    whisper = await client.chat_postEphemeral(
        channel="C0SOC", user="U0ALICE", text="t", blocks=CARD
    )
    posted = await client.chat_postMessage(channel="C0ONCALL", text="t", blocks=CARD)
    with pytest.raises(ValueError, match="sees no message"):
        await slack.press("U0BOB", "C0SOC", whisper["message_ts"], "approve")
    with pytest.raises(ValueError, match="is not in"):
        await slack.press("U0GUEST", "C0ONCALL", posted["ts"], "approve")
    with pytest.raises(ValueError, match="no element"):
        await slack.press("U0BOB", "C0ONCALL", posted["ts"], "reject")


# response_url.


@pytest.fixture
async def respond(
    slack: SlackSandbox, client: AsyncWebClient, bolt: AsyncApp, session: aiohttp.ClientSession
) -> Callable[..., Awaitable[tuple[int, str]]]:
    """Press a button on an ephemeral card, and answer to the response_url that came with it."""
    urls = []

    @bolt.action("approve")
    async def approve(ack: AsyncAck, body: dict[str, Any]) -> None:
        urls.append(body["response_url"])
        await ack()

    whisper: dict[str, Any] = {
        "channel": "C0SOC",
        "user": "U0ALICE",
        "text": "card",
        "blocks": CARD,
    }
    card = await client.chat_postEphemeral(**whisper)
    await slack.press("U0ALICE", "C0SOC", card["message_ts"], "approve")
    hook = AsyncWebhookClient(urls[0], session=session)

    async def send(**answer: Any) -> tuple[int, str]:
        response = await hook.send_dict(answer)
        return response.status_code, response.body

    return send


async def test_a_response_url_answers_its_person_five_times(
    slack: SlackSandbox, respond: Callable[..., Awaitable[tuple[int, str]]]
) -> None:
    for _ in range(5):
        assert await respond(text="hello") == (200, "ok")
    assert await respond(text="hello") == (404, "used_url")
    assert len(slack.ephemerals("U0ALICE", "C0SOC")) == 6
    assert slack.messages("C0SOC") == []


async def test_a_response_url_ends_after_half_an_hour(
    respond: Callable[..., Awaitable[tuple[int, str]]], clock: Clock
) -> None:
    clock.passed = 30 * 60 - 5
    assert await respond(text="still there") == (200, "ok")
    clock.passed = 30 * 60 + 5
    assert await respond(text="too late") == (404, "expired_url")


async def test_a_response_url_replaces_and_deletes_even_an_ephemeral_message(
    slack: SlackSandbox, respond: Callable[..., Awaitable[tuple[int, str]]]
) -> None:
    await respond(text="done", replace_original=True)
    [card] = slack.ephemerals("U0ALICE")
    assert (card["text"], "blocks" in card) == ("done", False)
    await respond(delete_original=True)
    assert slack.ephemerals("U0ALICE") == []


async def test_a_response_url_speaks_to_the_channel_or_a_thread_when_told(
    slack: SlackSandbox, respond: Callable[..., Awaitable[tuple[int, str]]]
) -> None:
    await respond(text="all", response_type="in_channel")
    [root] = slack.messages("C0SOC")
    await respond(text="in thread", response_type="in_channel", thread_ts=root["ts"])
    assert [message["text"] for message in slack.thread("C0SOC", root["ts"])] == [
        "all",
        "in thread",
    ]


async def test_a_response_url_refuses_bad_blocks_and_silence(
    respond: Callable[..., Awaitable[tuple[int, str]]],
) -> None:
    assert await respond(text="t", blocks=[{"type": "nonsense"}]) == (400, "invalid_blocks")
    assert await respond() == (400, "no_text")


async def test_a_response_url_has_faults_too(
    slack: SlackSandbox, respond: Callable[..., Awaitable[tuple[int, str]]]
) -> None:
    await slack.faults.set(Fault(on="response_url", status=500, times=1))
    assert (await respond(text="hello"))[0] == 500
    assert await respond(text="hello") == (200, "ok")


# Modals.


@pytest.fixture
async def trigger(slack: SlackSandbox) -> Callable[..., str]:
    """A fresh trigger id of Alice's."""
    return lambda user="U0ALICE": slack.workspace.permits.new_trigger(user)


async def test_a_trigger_opens_one_modal_within_three_seconds(
    client: AsyncWebClient, trigger: Callable[..., str], clock: Clock
) -> None:
    used, late = trigger(), trigger()
    await client.views_open(trigger_id=used, view=modal())
    assert await error(client.views_open(trigger_id=used, view=modal())) == "exchanged_trigger_id"
    clock.passed = 4
    assert await error(client.views_open(trigger_id=late, view=modal())) == "expired_trigger_id"
    unknown = client.views_open(trigger_id="1.2", view=modal())
    assert await error(unknown) == "invalid_trigger_id"


async def test_modals_stack_up_to_three(
    slack: SlackSandbox, client: AsyncWebClient, trigger: Callable[..., str]
) -> None:
    await client.views_open(trigger_id=trigger(), view=modal())
    await client.views_push(trigger_id=trigger(), view=modal())
    await client.views_push(trigger_id=trigger(), view=modal())
    fourth = client.views_push(trigger_id=trigger(), view=modal())
    assert await error(fourth) == "push_limit_reached"
    bottom, middle, top = slack.views("U0ALICE")
    assert top["previous_view_id"] == middle["id"]
    assert top["root_view_id"] == bottom["id"]
    assert middle["previous_view_id"] == bottom["id"]
    alone = client.views_push(trigger_id=trigger("U0BOB"), view=modal())
    assert await error(alone) == "not_found"


async def test_a_modal_is_updated_under_its_hash_or_external_id(
    slack: SlackSandbox, client: AsyncWebClient, trigger: Callable[..., str]
) -> None:
    opened = await client.views_open(trigger_id=trigger(), view=modal(external_id="one"))
    view = opened["view"]
    title = {"title": plain("Changed")}
    await client.views_update(
        view_id=view["id"], hash=view["hash"], view=modal(external_id="one", **title)
    )
    stale = client.views_update(view_id=view["id"], hash=view["hash"], view=modal())
    assert await error(stale) == "hash_conflict"
    assert slack.views("U0ALICE")[0]["title"]["text"] == "Changed"
    await client.views_update(external_id="one", view=modal())
    assert await error(client.views_update(view_id="V0NONE", view=modal())) == "not_found"


async def test_an_external_id_is_used_once(
    client: AsyncWebClient, trigger: Callable[..., str]
) -> None:
    await client.views_open(trigger_id=trigger("U0BOB"), view=modal(external_id="one"))
    again = client.views_open(trigger_id=trigger(), view=modal(external_id="one"))
    assert await error(again) == "duplicate_external_id"


async def test_a_bad_view_is_refused_and_keeps_its_trigger(
    client: AsyncWebClient, trigger: Callable[..., str]
) -> None:
    mine = trigger()
    answer = await refused(client.views_open(trigger_id=mine, view=modal(title=plain("x" * 25))))
    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] must be less than 25 characters [json-pointer:/view/title/text]"
    ]
    await client.views_open(trigger_id=mine, view=modal())


async def test_the_dialog_itself_refuses_what_is_missing_short_or_long(
    slack: SlackSandbox, client: AsyncWebClient, trigger: Callable[..., str]
) -> None:
    view = (await client.views_open(trigger_id=trigger(), view=modal()))["view"]
    for comment, error in (("", "missing_input"), ("no", "too_short"), ("x" * 11, "too_long")):
        delivered = await slack.submit("U0ALICE", view["id"], {"comment": comment})
        assert (delivered.error, delivered.body) == (error, {"comment": error})
    assert slack.sent == []
    assert slack.views("U0ALICE")[0]["errors"] == {"comment": "too_long"}


async def test_a_submission_carries_the_state_of_every_input(
    slack: SlackSandbox, client: AsyncWebClient, bolt: AsyncApp, trigger: Callable[..., str]
) -> None:
    options = [{"text": plain(one), "value": one} for one in ("low", "high")]
    select = {"type": "static_select", "options": options, "initial_option": options[0]}
    people = {"type": "multi_users_select", "action_id": "people"}
    level = {"type": "input", "block_id": "level", "label": plain("Level"), "element": select}
    who = {"type": "input", "block_id": "who", "label": plain("Who"), "element": people}
    note = {**COMMENT, "optional": True}
    received = {}

    @bolt.view("comment")
    async def submitted(ack: AsyncAck, view: dict[str, Any]) -> None:
        received.update(view["state"]["values"])
        await ack()

    opened = await client.views_open(trigger_id=trigger(), view=modal(level, who, note))
    await slack.submit("U0ALICE", opened["view"]["id"], {"people": ["U0BOB"]})
    assert [*received["level"].values()] == [
        {"type": "static_select", "selected_option": options[0]}
    ]
    assert received["who"] == {
        "people": {"type": "multi_users_select", "selected_users": ["U0BOB"]}
    }
    assert received["comment"] == {"text": {"type": "plain_text_input", "value": None}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, {"First": {}}),
        ({"response_action": "clear"}, {}),
        (
            {"response_action": "errors", "errors": {"comment": "not so"}},
            {"First": {}, "Comment": {"comment": "not so"}},
        ),
        (
            {"response_action": "update", "view": modal(title=plain("New"))},
            {"First": {}, "New": {}},
        ),
        (
            {"response_action": "push", "view": modal(title=plain("New"))},
            {"First": {}, "Comment": {}, "New": {}},
        ),
    ],
    ids=["close", "clear", "errors", "update", "push"],
)
async def test_a_submission_is_answered_in_five_ways(
    slack: SlackSandbox,
    client: AsyncWebClient,
    trigger: Callable[..., str],
    answer: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    async def answering(_request: web.Request) -> web.Response:
        return web.json_response(answer) if answer else web.Response()

    await client.views_open(trigger_id=trigger(), view=modal(title=plain("First")))
    top = (await client.views_push(trigger_id=trigger(), view=modal()))["view"]
    async with served(answering) as slack.request_url:
        delivered = await slack.submit("U0ALICE", top["id"], {"comment": "hello"})
    assert delivered.error == ""
    views = slack.views("U0ALICE")
    assert {view["title"]["text"]: view["errors"] for view in views} == expected


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"response_action": "errors", "errors": {"elsewhere": "x"}}, "invalid_view_errors"),
        ({"response_action": "errors", "errors": {"comment": {"a": 1}}}, "invalid_view_errors"),
        ({"response_action": "update", "view": {"type": "modal"}}, "invalid_arguments"),
        ({"response_action": "dance"}, "invalid_response_action"),
    ],
)
async def test_an_unreadable_answer_to_a_submission_leaves_the_modal_open(
    slack: SlackSandbox,
    client: AsyncWebClient,
    trigger: Callable[..., str],
    answer: dict[str, Any],
    code: str,
) -> None:
    async def answering(_request: web.Request) -> web.Response:
        return web.json_response(answer)

    view = (await client.views_open(trigger_id=trigger(), view=modal()))["view"]
    async with served(answering) as slack.request_url:
        delivered = await slack.submit("U0ALICE", view["id"], {"comment": "hello"})
    assert delivered.error == code
    assert len(slack.views("U0ALICE")) == 1


@pytest.mark.parametrize("kind", ["static_select", "multi_static_select"])
async def test_an_update_drops_what_was_picked_when_it_is_no_option_any_more(
    slack: SlackSandbox, client: AsyncWebClient, trigger: Callable[..., str], kind: str
) -> None:
    def picking(*values: Any) -> dict[str, Any]:
        offered = [{"text": plain(value), "value": value} for value in values]
        menu = {"type": kind, "action_id": "pick", "options": offered}
        return modal({"type": "actions", "block_id": "menu", "elements": [menu]})

    view = (await client.views_open(trigger_id=trigger(), view=picking("old", "both")))["view"]
    for picked, stays in (("both", True), ("old", False)):
        await client.views_update(view_id=view["id"], view=picking("old", "both"))
        await slack.press_in_view("U0ALICE", view["id"], "pick", picked)
        await client.views_update(view_id=view["id"], view=picking("new", "both"))
        [updated] = slack.views("U0ALICE")
        assert (picked in str(updated["state"])) is stays


async def test_pressing_in_a_modal_fills_it_in_and_an_update_keeps_what_was_entered(
    slack: SlackSandbox, client: AsyncWebClient, bolt: AsyncApp, trigger: Callable[..., str]
) -> None:
    @bolt.action("approve")
    async def approve(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await client.views_update(
            view_id=body["view"]["id"], view=modal(COMMENT, section("seen"), buttons(APPROVE))
        )
        await ack()

    opened = await client.views_open(trigger_id=trigger(), view=modal(COMMENT, buttons(APPROVE)))
    view_id = opened["view"]["id"]
    assert (await slack.press_in_view("U0ALICE", view_id, "text", "typed")).status == 200
    assert slack.sent == []
    assert (await slack.press_in_view("U0ALICE", view_id, "approve")).error == ""
    [view] = slack.views("U0ALICE")
    assert len(view["blocks"]) == 3
    assert view["state"]["values"]["comment"]["text"]["value"] == "typed"


async def test_closing_a_modal_is_told_only_to_an_app_that_asked(
    slack: SlackSandbox, client: AsyncWebClient, bolt: AsyncApp, trigger: Callable[..., str]
) -> None:
    closed = []

    @bolt.view_closed("comment")
    async def note(ack: AsyncAck, body: dict[str, Any]) -> None:
        closed.append(body["is_cleared"])
        await ack()

    quiet = (await client.views_open(trigger_id=trigger(), view=modal()))["view"]
    await slack.close("U0ALICE", quiet["id"])
    notifying = modal(notify_on_close=True, clear_on_close=True)
    await client.views_open(trigger_id=trigger(), view=modal())
    loud = (await client.views_push(trigger_id=trigger(), view=notifying))["view"]
    await slack.close("U0ALICE", loud["id"])
    assert closed == [True]
    assert slack.views("U0ALICE") == []
    with pytest.raises(ValueError, match="not looking"):
        await slack.close("U0ALICE", loud["id"])


async def test_a_home_tab_is_published_when_it_is_opened(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    @bolt.event("app_home_opened")
    async def opened(event: dict[str, Any], client: AsyncWebClient) -> None:
        view = {"type": "home", "blocks": CARD}
        await client.views_publish(user_id=event["user"], view=view)

    @bolt.action("approve")
    async def approve(ack: AsyncAck) -> None:
        await ack()

    await slack.open_home("U0CAROL")
    home = slack.home("U0CAROL")
    assert home is not None
    assert home["blocks"][0]["text"]["text"] == "*Task 1*"
    assert (await slack.press_in_view("U0CAROL", home["id"], "approve")).error == ""


async def test_one_of_several_buttons_with_the_same_action_is_pressed_in_a_view(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    blocks = [{**buttons(APPROVE | {"value": one}), "block_id": one} for one in ("one", "two")]
    await client.views_publish(user_id="U0CAROL", view={"type": "home", "blocks": blocks})
    home = slack.home("U0CAROL")
    assert home is not None
    await slack.press_in_view("U0CAROL", home["id"], "approve", block_id="two")
    [action] = slack.sent[-1].payload["actions"]
    assert (action["block_id"], action["value"]) == ("two", "two")


async def test_a_home_is_published_under_its_hash_to_somebody(client: AsyncWebClient) -> None:
    view = {"type": "home", "blocks": CARD}
    first = (await client.views_publish(user_id="U0BOB", view=view))["view"]
    await client.views_publish(user_id="U0BOB", view=view, hash=first["hash"])
    stale = client.views_publish(user_id="U0BOB", view=view, hash=first["hash"])
    assert await error(stale) == "hash_conflict"
    assert await error(client.views_publish(user_id="U0NO", view=view)) == "user_not_found"
    wrong = client.views_publish(user_id="U0BOB", view=modal())
    assert await error(wrong) == "invalid_arguments"


# Events and shortcuts.


async def test_a_mention_and_a_direct_message_reach_the_app(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    events = []

    @bolt.event("app_mention")
    async def mentioned(event: dict[str, Any]) -> None:
        events.append(("mention", event["text"], event["user"]))

    @bolt.event("message")
    async def written(event: dict[str, Any]) -> None:
        events.append((event["channel_type"], event["text"], event["user"]))

    await slack.say("U0DAVE", "C0SOC", "nothing for the app")
    await slack.say("U0DAVE", "C0SOC", "<@U0BOT> & @secmaster @channel <script>")
    await slack.say("U0DAVE", "D0DAVE", "hello")
    assert events == [
        ("mention", "<@U0BOT> &amp; <@U0BOT> <!channel> &lt;script&gt;", "U0DAVE"),
        ("im", "hello", "U0DAVE"),
    ]


async def test_an_edited_mention_is_a_new_event_and_an_edited_direct_message_another_kind(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    events = []

    @bolt.event("app_mention")
    async def mentioned(event: dict[str, Any]) -> None:
        events.append((event["ts"], event["text"], "edited" in event))

    @bolt.event({"type": "message", "subtype": "message_changed"})
    async def changed(event: dict[str, Any]) -> None:
        events.append((event["message"]["ts"], event["message"]["text"], "edited" in event))

    said = await slack.say("U0DAVE", "C0SOC", "<@U0BOT> helo")
    await slack.edit("U0DAVE", "C0SOC", said["ts"], "<@U0BOT> help")
    assert await slack.edit("U0DAVE", "C0SOC", said["ts"], "never mind") is None
    written = await slack.say("U0DAVE", "D0DAVE", "helo")
    await slack.edit("U0DAVE", "D0DAVE", written["ts"], "help")
    assert events == [
        (said["ts"], "<@U0BOT> helo", False),
        (said["ts"], "<@U0BOT> help", True),
        (written["ts"], "help", False),
    ]
    assert len(slack.delivery.events) == 4
    with pytest.raises(ValueError, match="did not write"):
        await slack.edit("U0BOB", "C0SOC", said["ts"], "I was here")


async def test_an_event_is_redelivered_with_the_same_id(slack: SlackSandbox) -> None:
    ids = []

    async def receive(request: web.Request) -> web.Response:
        body = await request.json()
        ids.append((body["event_id"], request.headers.get("X-Slack-Retry-Num")))
        return web.Response(status=500 if len(ids) == 1 else 200)

    async with served(receive) as slack.request_url:
        await slack.say("U0DAVE", "D0DAVE", "hello")
        [event_id] = slack.delivery.events
        assert slack.sent[0].delivered is not None
        assert slack.sent[0].delivered.error == "dispatch_failed"
        assert (await slack.redeliver(event_id)).error == ""
        await slack.redeliver(event_id)
    assert ids == [(event_id, None), (event_id, "1"), (event_id, "2")]


async def test_shortcuts_are_global_or_about_a_message(slack: SlackSandbox, bolt: AsyncApp) -> None:
    payloads = []

    @bolt.shortcut("new_task")
    async def used(ack: AsyncAck, body: dict[str, Any]) -> None:
        payloads.append((body["type"], "response_url" in body, body.get("message", {}).get("text")))
        await ack()

    message = await slack.say("U0DAVE", "C0SOC", "look at this")
    await slack.shortcut("U0DAVE", "new_task")
    await slack.shortcut("U0DAVE", "new_task", "C0SOC", message["ts"])
    assert payloads == [("shortcut", False, None), ("message_action", True, "look at this")]


async def test_raw_bytes_are_rightly_signed_unless_told_otherwise(
    slack: SlackSandbox, bolt: AsyncApp
) -> None:
    probe = "ssl_check=1&token=x"
    assert (await slack.deliver_raw(probe)).status == 200
    body = "command=%2Fsecmaster&team_id=T0DEMO&user_id=U0BOB"
    assert (await slack.deliver_raw(body, signature="v0=forged")).status == 401
    assert (await slack.deliver_raw(body, timestamp="1000000000")).status == 401
    assert bolt is not None


# Trouble.


async def test_a_rate_limit_says_how_long_to_wait(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    await slack.faults.set(Fault(on="chat.postMessage", status=429, retry_after=7, times=1))
    answer = await refused(client.chat_postMessage(channel="C0SOC", text="t"))
    assert (answer.status_code, answer["error"]) == (429, "ratelimited")
    assert answer.headers["Retry-After"] == "7"
    await client.chat_postMessage(channel="C0SOC", text="t")
    assert [(call.ok, call.error) for call in slack.calls] == [
        (False, "ratelimited"),
        (True, ""),
    ]


async def test_a_fault_can_refuse_in_slacks_words(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    await slack.faults.set(Fault(on="*", status=200, code="fatal_error"))
    answer = await refused(client.auth_test())
    assert (answer.status_code, answer["error"]) == (200, "fatal_error")


async def test_a_message_may_be_posted_though_its_answer_is_lost(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> None:
    await slack.faults.set(Fault(on="chat.postMessage", hang_up=True, applied=True, times=1))
    client = web_client(slack, session)
    client.retry_handlers = []
    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel="C0SOC", text="once")
    assert [one["text"] for one in slack.messages("C0SOC")] == ["once"]


async def test_a_held_call_waits_until_it_is_let_go(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    await slack.faults.set(Fault(on="chat.postMessage", hold=True))
    posting = asyncio.create_task(client.chat_postMessage(channel="C0SOC", text="late"))
    await slack.faults.until_held("chat.postMessage")
    assert slack.messages("C0SOC") == []
    await slack.faults.clear()
    await slack.until(lambda: slack.messages("C0SOC"))
    assert (await posting)["ok"]


# The same over HTTP.


async def test_acts_and_reads_are_json_over_http(
    slack: SlackSandbox, client: AsyncWebClient, session: aiohttp.ClientSession, bolt: AsyncApp
) -> None:
    @bolt.action("approve")
    async def approve(ack: AsyncAck) -> None:
        await ack()

    async def act(name: str, **fields: Any) -> tuple[int, Any]:
        async with session.post(f"{slack.url}/_sandbox/{name}", json=fields) as answer:
            return answer.status, await answer.json()

    async def read(path: str) -> Any:
        async with session.get(f"{slack.url}/_sandbox/{path}") as answer:
            return await answer.json()

    posted = await client.chat_postMessage(channel="C0SOC", text="Task 1", blocks=CARD)
    press = {"user": "U0ALICE", "channel": "C0SOC", "ts": posted["ts"], "action_id": "approve"}
    status, delivered = await act("press", **press)
    assert (status, delivered["status"], delivered["error"]) == (200, 200, "")
    assert (await act("press", **{**press, "ts": "1.0"}))[0] == 404
    assert (await act("press", user="U0ALICE"))[0] == 400
    assert (await act("say", user="U0BOB", channel="C0SOC", text="hi"))[1]["user"] == "U0BOB"
    assert [one["text"] for one in await read("channels/C0SOC?user=U0BOB")] == ["Task 1", "hi"]
    assert len(await read(f"threads/C0SOC/{posted['ts']}")) == 1
    assert await read("views?user=U0BOB") == {"views": [], "home": None}
    assert {one["id"] for one in await read("people")} >= {"U0ALICE", "U0BOT"}
    assert {one["id"] for one in await read("channels")} >= {"C0QUIET", "D0SOLO"}
    assert (await read("calls"))[0]["method"] == "chat.postMessage"
    assert (await read("sent"))[0]["kind"] == "interactive"
    assert await read("faults") == {"active": [], "held": {}}


async def test_a_reader_is_told_the_news_at_once_and_after_each_change(
    slack: SlackSandbox, client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"{slack.url}/_sandbox/news") as news:
        assert news.content_type == "text/event-stream"
        assert await news.content.readuntil(b"\n\n") == b"data: %d\n\n" % slack.changes.count
        await client.chat_postMessage(channel="C0SOC", text="t")
        while await news.content.readuntil(b"\n\n") != b"data: %d\n\n" % slack.changes.count:
            pass
