"""The data behind the browser page: the workspace once, then one person's changes."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.methods import ALL_SCOPES

MANIFEST: dict[str, Any] = {
    "display_information": {"name": "SecMaster"},
    "features": {
        "app_home": {"home_tab_enabled": False},
        "bot_user": {"display_name": "guard", "always_online": True},
        "slash_commands": [
            {"command": "/task", "description": "Tasks", "usage_hint": "list", "url": "https://x"}
        ],
        "shortcuts": [
            {"name": "Note", "type": "message", "callback_id": "note", "description": "Take note"}
        ],
    },
}
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}


@pytest.fixture
async def read(
    session: aiohttp.ClientSession, slack: SlackSandbox
) -> Callable[..., Awaitable[tuple[int, Any]]]:
    async def get(path: str, **query: str) -> tuple[int, Any]:
        async with session.get(f"{slack.url}/_sandbox/{path}", params=query) as answer:
            return answer.status, await answer.json()

    return get


@pytest.fixture
async def page(read: Callable[..., Awaitable[tuple[int, Any]]]) -> Callable[..., Awaitable[Any]]:
    """One person's page; Bob's, unless it says whose."""

    async def look(**query: str) -> Any:
        status, state = await read("page", **{"user": "U0BOB", **query})
        assert status == 200
        return state

    return look


@pytest.fixture
async def act(
    session: aiohttp.ClientSession, slack: SlackSandbox
) -> Callable[..., Awaitable[tuple[int, Any]]]:
    async def post(name: str, **fields: Any) -> tuple[int, Any]:
        async with session.post(f"{slack.url}/_sandbox/{name}", json=fields) as answer:
            return answer.status, await answer.json()

    return post


def texts(page_part: dict[str, Any]) -> list[str]:
    return [message["text"] for message in page_part["messages"]]


# The workspace.


async def test_the_workspace_says_who_and_what_there_is(
    read: Callable[..., Awaitable[tuple[int, Any]]],
) -> None:
    _, workspace = await read("workspace")
    assert workspace["team"] == {"id": "T0DEMO", "name": "Demo"}
    assert {one["handle"]: one["kind"] for one in workspace["people"]} == {
        "alice": "member",
        "bob": "member",
        "carol": "member",
        "dave": "member",
        "guest": "guest",
        "solo": "single-channel guest",
        "outsider": "outsider",
        "secmaster": "bot",
    }
    by_id = {one["id"]: one for one in workspace["people"]}
    assert by_id["U0BOB"] == {
        "id": "U0BOB",
        "handle": "bob",
        "name": "Bob",
        "kind": "member",
        "dm": "D0BOB",
    }
    assert by_id["U0BOT"]["dm"] is None
    group = {"id": "S0ONCALL", "handle": "oncall-team", "name": "On call", "users": ["U0CAROL"]}
    assert group in workspace["groups"]
    assert {"id": "C0SOC", "name": "soc"} in workspace["channels"]
    assert all(one["name"] for one in workspace["channels"])
    assert workspace["app"] == {
        "user": "U0BOT",
        "name": "SecMaster",
        "commands": [],
        "shortcuts": [],
        "home": True,
    }


async def test_the_app_is_described_by_its_manifest() -> None:
    slack = SlackSandbox(manifest=MANIFEST)
    await slack.start()
    async with aiohttp.ClientSession() as session:
        async with session.get(slack.url + "/_sandbox/workspace") as answer:
            app = (await answer.json())["app"]
        async with session.get(slack.url + "/_sandbox/page?user=U0BOB") as answer:
            [dm] = [one for one in (await answer.json())["channels"] if one["kind"] == "im"]
    await slack.stop()
    assert app == {
        "user": "U0BOT",
        "name": "guard",
        "commands": [{"command": "/task", "description": "Tasks", "usage_hint": "list"}],
        "shortcuts": MANIFEST["features"]["shortcuts"],
        "home": False,
    }
    assert dm["name"] == "guard"


# What changed.


async def test_a_page_lists_the_channels_a_person_is_in(
    page: Callable[..., Awaitable[Any]],
) -> None:
    state = await page(user="U0GUEST")
    assert (state["channel"], state["thread"], state["views"], state["home"]) == (
        None,
        None,
        [],
        None,
    )
    assert state["channels"] == [
        {
            "id": "D0GUEST",
            "name": "SecMaster",
            "kind": "im",
            "is_archived": False,
            "is_member": True,
            "has_app": True,
            "unread": 0,
            "more_unread": False,
            "mentioned": False,
        },
        {
            "id": "C0SOC",
            "name": "soc",
            "kind": "channels",
            "is_archived": False,
            "is_member": True,
            "has_app": True,
            "unread": 0,
            "more_unread": False,
            "mentioned": False,
        },
    ]
    assert "C0PRIVATE" in {one["id"] for one in (await page())["channels"]}


async def test_a_page_gets_what_changed_since_and_the_order_of_all(
    slack: SlackSandbox, client: AsyncWebClient, page: Callable[..., Awaitable[Any]]
) -> None:
    first = await client.chat_postMessage(channel="C0SOC", text="first")
    second = await client.chat_postMessage(channel="C0SOC", text="second")
    both = [first["ts"], second["ts"]]
    state = await page(channel="C0SOC")
    assert (state["channel"]["order"], texts(state["channel"])) == (both, ["first", "second"])
    assert state["channel"]["id"] == "C0SOC"
    assert state["changes"] == slack.changes.count

    async def news() -> Any:
        nonlocal state
        state = await page(channel="C0SOC", since=state["changes"])
        assert state["channel"]["order"] == both
        return state["channel"]["messages"]

    assert await news() == []
    await client.chat_update(channel="C0SOC", ts=first["ts"], text="changed")
    assert [one["text"] for one in await news()] == ["changed"]
    await client.reactions_add(channel="C0SOC", timestamp=second["ts"], name="eyes")
    [reacted] = await news()
    assert reacted["reactions"] == [{"name": "eyes", "users": ["U0BOT"], "count": 1}]
    reply = await slack.say("U0ALICE", "C0SOC", "reply", thread_ts=first["ts"])
    [root] = await news()
    assert (root["ts"], root["reply_count"]) == (first["ts"], 1)
    message = slack.workspace.message("C0SOC", reply["ts"])
    assert message is not None
    slack.workspace.delete("C0SOC", message)
    assert [one["reply_count"] for one in await news()] == [0]
    both = [second["ts"]]
    await client.chat_delete(channel="C0SOC", ts=first["ts"])
    assert await news() == []


async def test_a_page_that_outlived_the_sandbox_it_knew_gets_everything(
    client: AsyncWebClient, page: Callable[..., Awaitable[Any]]
) -> None:
    await client.chat_postMessage(channel="C0SOC", text="first")
    assert texts((await page(channel="C0SOC", since=10**6))["channel"]) == ["first"]


async def test_only_its_person_sees_an_ephemeral_message_and_its_replacement(
    slack: SlackSandbox, client: AsyncWebClient, page: Callable[..., Awaitable[Any]]
) -> None:
    ephemeral = await client.chat_postEphemeral(channel="C0SOC", user="U0BOB", text="psst")
    state = await page(channel="C0SOC")
    [whisper] = state["channel"]["messages"]
    assert (whisper["text"], whisper["is_ephemeral"]) == ("psst", True)
    assert (await page(user="U0ALICE", channel="C0SOC"))["channel"]["order"] == []
    hook = slack.workspace.permits.new_hook("U0BOB", "C0SOC", ephemeral["message_ts"])
    webhook = AsyncWebhookClient(f"{slack.url}/_hooks/{hook}", session=client.session)
    await webhook.send_dict({"text": "done", "replace_original": True})
    state = await page(channel="C0SOC", since=state["changes"])
    assert texts(state["channel"]) == ["done"]
    await webhook.send_dict({"delete_original": True})
    assert (await page(channel="C0SOC"))["channel"]["order"] == []


async def test_a_thread_begins_with_its_root_and_has_what_is_for_one_alone(
    client: AsyncWebClient, page: Callable[..., Awaitable[Any]]
) -> None:
    mark = {"event_type": "t", "event_payload": {}}
    root = await client.chat_postMessage(channel="C0SOC", text="root", metadata=mark)
    await client.chat_postMessage(channel="C0SOC", text="reply", thread_ts=root["ts"])
    await client.chat_postEphemeral(
        channel="C0SOC", user="U0BOB", text="psst", thread_ts=root["ts"]
    )
    thread = (await page(channel="C0SOC", thread=root["ts"]))["thread"]
    assert thread["ts"] == root["ts"]
    assert texts(thread) == ["root", "reply", "psst"]
    assert thread["order"] == [one["ts"] for one in thread["messages"]]
    assert not any("metadata" in one for one in thread["messages"])
    assert (await page(channel="C0SOC"))["channel"]["order"] == [root["ts"]]


async def test_views_and_home_are_on_the_page(
    slack: SlackSandbox, client: AsyncWebClient, page: Callable[..., Awaitable[Any]]
) -> None:
    home = {"type": "home", "blocks": [SECTION]}
    await client.views_publish(user_id="U0BOB", view=home)
    title = {"type": "plain_text", "text": "T"}
    modal = {"type": "modal", "title": title, "blocks": [SECTION], "submit": title}
    trigger = slack.workspace.permits.new_trigger("U0BOB")
    await client.views_open(trigger_id=trigger, view=modal)
    state = await page()
    assert [(view["type"], view["errors"]) for view in state["views"]] == [("modal", {})]
    assert state["home"]["type"] == "home"
    assert (await page(user="U0ALICE"))["views"] == []


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ({"user": "U0NOBODY"}, "nobody is called U0NOBODY"),
        ({"user": "U0DAVE", "channel": "C0NOWHERE"}, "there is no channel C0NOWHERE"),
        ({"user": "U0DAVE", "channel": "C0PRIVATE"}, "U0DAVE does not see C0PRIVATE"),
        ({"user": "U0DAVE", "channel": "D0BOB"}, "U0DAVE does not see D0BOB"),
        (
            {"user": "U0DAVE", "channel": "C0SOC", "thread": "1.0"},
            "there is no thread 1.0 in C0SOC",
        ),
        ({"user": "U0DAVE", "since": "x"}, "since is a count of changes, not x"),
    ],
)
async def test_what_is_not_there_is_said_in_words(
    read: Callable[..., Awaitable[tuple[int, Any]]], query: dict[str, Any], why: str
) -> None:
    assert await read("page", **query) == (404, {"error": why})


# Reading.


async def state(
    page: Callable[..., Awaitable[Any]], channel: str, user: str = "U0BOB"
) -> tuple[int, int]:
    listed = (await page(user=user))["channels"]
    [one] = [each for each in listed if each["id"] == channel]
    return one["unread"], one["mentioned"]


@pytest.mark.parametrize(
    ("text", "mentioned"),
    [
        ("hello", False),
        ("<@U0BOB> look", True),
        ("<@U0BOB|bob> look", True),
        ("<@U0BOBBY> look", False),
        ("<!subteam^S0SOC|@soc-team> look", True),
        ("<!subteam^S0ONCALL> look", False),
        ("<!here> look", True),
        ("<!channel|@channel> look", True),
    ],
)
async def test_what_others_wrote_is_unread_and_may_call_for_somebody(
    client: AsyncWebClient, page: Callable[..., Awaitable[Any]], text: str, mentioned: bool
) -> None:
    await client.chat_postMessage(channel="C0SOC", text=text)
    assert await state(page, "C0SOC") == (1, mentioned)


def rich(**element: Any) -> dict[str, Any]:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [element]}],
    }


def section(kind: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": kind, "text": "<@U0BOB> look"}}


@pytest.mark.parametrize(
    ("block", "mentioned"),
    [
        (section("mrkdwn"), True),
        (section("plain_text"), False),
        (SECTION, False),
        (rich(type="user", user_id="U0BOB"), True),
        (rich(type="usergroup", usergroup_id="S0SOC"), True),
        (rich(type="usergroup", usergroup_id="S0ONCALL"), False),
        (rich(type="broadcast", range="here"), True),
        (rich(type="text", text="<@U0BOB>"), False),
    ],
)
async def test_blocks_call_for_people_and_their_text_does_not(
    client: AsyncWebClient,
    page: Callable[..., Awaitable[Any]],
    block: dict[str, Any],
    mentioned: bool,
) -> None:
    await client.chat_postMessage(channel="C0SOC", text="<@U0BOB> look", blocks=[block])
    assert await state(page, "C0SOC") == (1, mentioned)


async def test_an_edit_may_call_for_somebody(
    client: AsyncWebClient, page: Callable[..., Awaitable[Any]]
) -> None:
    posted = await client.chat_postMessage(channel="C0SOC", text="hello")
    await client.chat_update(channel="C0SOC", ts=posted["ts"], text="<@U0BOB> hello")
    assert await state(page, "C0SOC") == (1, True)


@pytest.mark.parametrize(
    ("user", "status"), [("U0DAVE", 200), ("U0GUEST", 404), ("U0SOLO", 404), ("U0OUTSIDER", 404)]
)
async def test_only_staff_look_into_a_public_channel_they_are_not_in(
    read: Callable[..., Awaitable[tuple[int, Any]]], slack: SlackSandbox, user: str, status: int
) -> None:
    slack.workspace.channels["C0RANDOM"].members.remove("U0DAVE")
    assert (await read("page", user=user, channel="C0RANDOM"))[0] == status


async def test_a_message_has_an_end(slack: SlackSandbox) -> None:
    with pytest.raises(ValueError, match="40,000 characters at most"):
        await slack.say("U0BOB", "C0SOC", "x" * 40_001)


async def test_a_reply_is_no_unread_message_of_the_channel_but_may_call(
    slack: SlackSandbox,
    client: AsyncWebClient,
    page: Callable[..., Awaitable[Any]],
    act: Callable[..., Awaitable[tuple[int, Any]]],
) -> None:
    root = await client.chat_postMessage(channel="C0SOC", text="root")
    await act("mark", user="U0BOB", channel="C0SOC")
    await slack.say("U0ALICE", "C0SOC", "quiet", thread_ts=root["ts"])
    assert await state(page, "C0SOC") == (0, False)
    await slack.say("U0ALICE", "C0SOC", "@bob look", thread_ts=root["ts"])
    assert await state(page, "C0SOC") == (0, True)


async def test_an_ephemeral_message_is_unread_to_its_person(
    client: AsyncWebClient, page: Callable[..., Awaitable[Any]]
) -> None:
    await client.chat_postEphemeral(channel="C0SOC", user="U0BOB", text="psst")
    assert await state(page, "C0SOC") == (1, False)
    assert await state(page, "C0SOC", "U0ALICE") == (0, False)


async def test_everything_in_a_direct_message_calls_for_its_person(
    client: AsyncWebClient, page: Callable[..., Awaitable[Any]]
) -> None:
    await client.chat_postMessage(channel="U0BOB", text="hello")
    assert await state(page, "D0BOB") == (1, True)


async def test_what_is_read_is_read_by_one_person_and_changes_something_once(
    slack: SlackSandbox,
    client: AsyncWebClient,
    page: Callable[..., Awaitable[Any]],
    act: Callable[..., Awaitable[tuple[int, Any]]],
) -> None:
    await client.chat_postMessage(channel="C0SOC", text="<!here>")
    await client.chat_postMessage(channel="C0SOC", text="again")
    assert await state(page, "C0SOC") == (2, True)
    assert await act("mark", user="U0BOB", channel="C0SOC") == (200, True)
    assert await state(page, "C0SOC") == (0, False)
    assert await state(page, "C0SOC", "U0ALICE") == (2, True)
    before = slack.changes.count
    assert await act("mark", user="U0BOB", channel="C0SOC") == (200, False)
    await slack.say("U0BOB", "C0SOC", "my own words")
    count = slack.changes.count
    assert await act("mark", user="U0BOB", channel="C0SOC") == (200, False)
    assert (count, slack.changes.count) == (before + 1, before + 1)
    assert await state(page, "C0SOC") == (0, False)
    assert await state(page, "C0SOC", "U0ALICE") == (3, True)
    assert (await act("mark", user="U0DAVE", channel="C0PRIVATE"))[0] == 404


async def test_looking_wakes_nobody(
    slack: SlackSandbox,
    read: Callable[..., Awaitable[tuple[int, Any]]],
    page: Callable[..., Awaitable[Any]],
) -> None:
    before = slack.changes.count
    await page(channel="C0SOC")
    await read("workspace")
    assert slack.changes.count == before


async def test_reactions_of_two_are_counted_together() -> None:
    workspace = SlackSandbox(scopes=ALL_SCOPES).workspace
    message = workspace.post("C0SOC", {"user": "U0BOB", "text": "hello"})
    workspace.react(message, "eyes", "U0BOT")
    workspace.react(message, "eyes", "U0BOB")
    assert message["reactions"] == [{"name": "eyes", "users": ["U0BOT", "U0BOB"], "count": 2}]
