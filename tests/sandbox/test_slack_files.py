"""Files in Slack, as the app and its people share them: real HTTP, the real SDK."""

import io
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.sandbox.faults import Fault
from bot.sandbox.slack import SlackSandbox
from bot.sandbox.slack.file_store import LARGEST
from bot.sandbox.slack.methods import ALL_SCOPES

HELLO = b"hello, world"
TOKEN = {"Authorization": "Bearer xoxb-demo"}


@pytest.fixture
async def upload(
    slack: SlackSandbox, session: aiohttp.ClientSession
) -> Callable[..., Awaitable[tuple[int, dict[str, Any]]]]:
    """Have a person upload a file; Bob, unless it says who."""

    async def send(
        name: str = "report.txt", content: bytes = HELLO, user: str = "U0BOB"
    ) -> tuple[int, dict[str, Any]]:
        query = {"user": user, "name": name}
        url = f"{slack.url}/_sandbox/upload"
        async with session.post(url, params=query, data=io.BytesIO(content)) as answer:
            return answer.status, await answer.json()

    return send


async def refused(call: Awaitable[Any]) -> AsyncSlackResponse:
    with pytest.raises(SlackApiError) as caught:
        await call
    response: AsyncSlackResponse = caught.value.response
    return response


async def error(call: Awaitable[Any]) -> str:
    code: str = (await refused(call))["error"]
    return code


async def fetched(
    session: aiohttp.ClientSession, url: str, **headers: str
) -> tuple[int, str, bytes]:
    async with session.get(url, headers=headers) as answer:
        return answer.status, answer.content_type, await answer.read()


async def announced(client: AsyncWebClient, content: bytes = HELLO, **more: Any) -> tuple[str, str]:
    ticket = await client.files_getUploadURLExternal(
        filename="report.txt", length=len(content), **more
    )
    return ticket["file_id"], ticket["upload_url"]


async def waiting(
    client: AsyncWebClient, session: aiohttp.ClientSession, content: bytes = HELLO
) -> str:
    """A file of the app's whose bytes have arrived."""
    file_id, url = await announced(client, content)
    async with session.post(url, data=content) as answer:
        assert (answer.status, await answer.text()) == (200, f"OK - {len(content)}")
    return file_id


# The app's files.


async def test_the_app_uploads_with_the_real_client_and_shares_in_a_thread(
    slack: SlackSandbox, client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    root = await client.chat_postMessage(channel="C0SOC", text="root")
    done = await client.files_upload_v2(
        channel="C0SOC",
        thread_ts=root["ts"],
        filename="报告 1.txt",
        content=HELLO.decode(),
        title="The report",
        initial_comment="Here it is",
    )
    message = slack.thread("C0SOC", root["ts"])[1]
    [file] = message["files"]
    assert (message["user"], message["text"]) == ("U0BOT", "Here it is")
    assert file == done["file"]
    assert file["url_private"].startswith(f"{slack.url}/files-pri/T0DEMO-{file['id']}/")
    described = {key: file[key] for key in ("name", "title", "mimetype", "filetype", "user")}
    assert described == {
        "name": "报告 1.txt",
        "title": "The report",
        "mimetype": "text/plain",
        "filetype": "text",
        "user": "U0BOT",
    }
    assert (file["size"], file["mode"], file["is_external"]) == (len(HELLO), "hosted", False)
    assert (file["channels"], file["groups"], file["ims"]) == (["C0SOC"], [], [])
    assert (await client.files_info(file=file["id"]))["file"] == file
    for url in (file["url_private"], file["url_private_download"]):
        assert await fetched(session, url, **TOKEN) == (200, "text/plain", HELLO)


async def test_files_are_shared_together_and_in_several_channels(
    slack: SlackSandbox, client: AsyncWebClient
) -> None:
    uploads = [{"filename": name, "content": "x"} for name in ("a.txt", "b.bin")]
    await client.files_upload_v2(file_uploads=uploads, channels=["C0SOC", "U0BOB"])
    [in_channel], [in_dm] = slack.messages("C0SOC"), slack.messages("D0BOB")
    assert [one["name"] for one in in_channel["files"]] == ["a.txt", "b.bin"]
    assert [one["pretty_type"] for one in in_dm["files"]] == ["Plain Text", "Binary"]
    assert in_dm["files"][0]["ims"] == ["D0BOB"]


async def test_a_file_that_is_shared_nowhere_is_the_apps_alone(
    slack: SlackSandbox, client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    done = await client.files_upload_v2(filename="a.txt", content="x", alt_txt="An x")
    file = done["file"]
    assert (file["channels"], file["alt_txt"]) == ([], "An x")
    assert (await fetched(session, file["url_private"], **TOKEN))[2] == b"x"
    page_url = f"{slack.url}/_sandbox/files/{file['id']}?user=U0BOB"
    assert (await fetched(session, page_url))[0] == 404


async def test_an_upload_address_takes_what_was_announced_once(
    client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    _, url = await announced(client)
    async with session.post(url, data=b"short") as answer:
        assert answer.status == 400
        assert await answer.text() == "12 bytes were announced, and 5 came"
    form = aiohttp.FormData()
    form.add_field("filename", HELLO, filename="whatever.txt")
    async with session.post(url, data=form) as answer:
        assert (answer.status, await answer.text()) == (200, "OK - 12")
    async with session.post(url, data=HELLO) as answer:
        assert answer.status == 400


async def test_a_file_that_the_app_shares_in_a_thread_is_on_the_page_there(
    slack: SlackSandbox, client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    root = await client.chat_postMessage(channel="C0SOC", text="root")
    file_id = await waiting(client, session)
    await client.files_completeUploadExternal(
        files=[{"id": file_id, "title": "All of them"}],
        channel_id="C0SOC",
        thread_ts=root["ts"],
        initial_comment="The whole list",
    )
    query = {"user": "U0BOB", "channel": "C0SOC", "thread": root["ts"]}
    async with session.get(f"{slack.url}/_sandbox/page", params=query) as answer:
        page = await answer.json()
    assert [one["text"] for one in page["channel"]["messages"]] == ["root"]
    [_, reply] = page["thread"]["messages"]
    assert reply["text"] == "The whole list"
    [file] = reply["files"]
    assert (file["id"], file["title"], file["size"]) == (file_id, "All of them", len(HELLO))
    assert page["channel"]["messages"][0]["reply_count"] == 1
    response = await fetched(session, f"{slack.url}/_sandbox/files/{file_id}?user=U0BOB")
    assert (response[0], response[2]) == (200, HELLO)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"length": 5}, "invalid_arguments"),
        ({"filename": "a.txt"}, "missing_argument"),
        ({"filename": "a.txt", "length": 0}, "missing_argument"),
        ({"filename": "a.txt", "length": "x"}, "invalid_arguments"),
        ({"filename": "a.txt", "length": LARGEST + 1}, "file_upload_size_restricted"),
        ({"filename": "a.txt", "length": 5, "alt_txt": "x" * 1001}, "alt_txt_too_large"),
        (
            {"filename": "a.py", "length": 1024**2 + 1, "snippet_type": "python"},
            "snippet_too_large",
        ),
    ],
)
async def test_an_upload_that_slack_would_not_take_is_refused(
    client: AsyncWebClient, args: dict[str, Any], code: str
) -> None:
    assert await error(client.api_call("files.getUploadURLExternal", params=args)) == code


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"channel_id": "C0NOWHERE"}, "channel_not_found"),
        ({"channel_id": "C0PRIVATE"}, "channel_not_found"),
        ({"channel_id": "C0RANDOM"}, "not_in_channel"),
        ({"channel_id": "C0ARCHIVED"}, "is_archived"),
        ({"channel_id": "#soc"}, "invalid_arguments"),
        ({"channel_id": "U0BOB"}, "invalid_arguments"),
        ({"channel_id": "C0SOC", "thread_ts": "1.0"}, "thread_not_found"),
        ({"channels": "C0SOC,C0ONCALL", "thread_ts": "1.0"}, "invalid_arguments"),
        ({"channel_id": "C0SOC", "blocks": [{"type": "nonsense"}]}, "invalid_blocks"),
        ({"files": []}, "invalid_arguments"),
        ({"files": "[not json"}, "invalid_arguments"),
        ({"files": [{"title": "no id"}]}, "invalid_arguments"),
        ({"files": [{"id": "F0NONE"}]}, "file_not_found"),
    ],
)
async def test_a_completion_that_slack_would_refuse_shares_nothing(
    slack: SlackSandbox,
    client: AsyncWebClient,
    session: aiohttp.ClientSession,
    args: dict[str, Any],
    code: str,
) -> None:
    file_id = await waiting(client, session)
    args = {"files": [{"id": file_id}], **args}
    assert await error(client.api_call("files.completeUploadExternal", json=args)) == code
    assert slack.messages("C0SOC") == []
    await client.files_completeUploadExternal(files=[{"id": file_id}], channel_id="C0SOC")
    assert len(slack.messages("C0SOC")) == 1


async def test_an_upload_is_completed_once_and_not_before_its_bytes_came(
    client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    early, _ = await announced(client)
    assert await error(client.files_completeUploadExternal(files=[{"id": early}])) == (
        "file_not_found"
    )
    file_id = await waiting(client, session)
    assert await error(client.files_info(file=file_id)) == "file_not_found"
    await client.files_completeUploadExternal(files=[{"id": file_id}])
    again = client.files_completeUploadExternal(files=[{"id": file_id}])
    assert await error(again) == "file_not_found"


async def test_a_deleted_file_leaves_a_tombstone(
    slack: SlackSandbox,
    client: AsyncWebClient,
    session: aiohttp.ClientSession,
    upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]],
) -> None:
    done = await client.files_upload_v2(channel="C0SOC", filename="a.txt", content="x")
    file = done["file"]
    await client.files_delete(file=file["id"])
    assert slack.messages("C0SOC")[0]["files"] == [{"id": file["id"], "mode": "tombstone"}]
    assert await error(client.files_info(file=file["id"])) == "file_deleted"
    assert await error(client.files_delete(file=file["id"])) == "file_deleted"
    assert (await fetched(session, file["url_private"], **TOKEN))[0] == 404
    _, theirs = await upload()
    await slack.say("U0BOB", "C0SOC", files=[theirs["id"]])
    assert await error(client.files_delete(file=theirs["id"])) == "cant_delete_file"
    assert await error(client.files_delete(file="F0NONE")) == "file_not_found"


# Who may have the bytes.


@pytest.mark.parametrize("token", [None, "xoxb-other", "xapp-demo", ""])
async def test_without_the_right_token_there_is_a_page_in_place_of_the_file(
    client: AsyncWebClient, session: aiohttp.ClientSession, token: str | None
) -> None:
    file = (await client.files_upload_v2(filename="a.txt", content="secret"))["file"]
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    status, kind, body = await fetched(session, file["url_private"], **headers)
    assert (status, kind) == (200, "text/html")
    assert b"Sign in" in body
    assert b"secret" not in body


async def test_without_the_scope_there_is_a_page_in_place_of_the_file(
    session: aiohttp.ClientSession,
) -> None:
    slack = SlackSandbox(scopes=ALL_SCOPES - {"files:read"})
    await slack.start()
    client = AsyncWebClient("xoxb-demo", base_url=slack.url + "/api/", session=session)
    file = (await client.files_upload_v2(filename="a.txt", content="secret"))["file"]
    assert (await fetched(session, file["url_private"], **TOKEN))[1] == "text/html"
    assert await error(client.files_info(file=file["id"])) == "missing_scope"
    await slack.stop()


async def test_the_app_has_a_persons_file_once_it_is_shared_where_the_app_is(
    slack: SlackSandbox,
    client: AsyncWebClient,
    session: aiohttp.ClientSession,
    upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]],
) -> None:
    _, file = await upload()

    async def hidden() -> bool:
        missing = await error(client.files_info(file=file["id"])) == "file_not_found"
        page = (await fetched(session, file["url_private"], **TOKEN))[1] == "text/html"
        assert missing == page
        return missing

    assert await hidden()
    await slack.say("U0BOB", "C0RANDOM", files=[file["id"]])
    assert await hidden()
    await slack.say("U0BOB", "C0SOC", files=[file["id"]])
    info = (await client.files_info(file=file["id"]))["file"]
    assert (info["user"], info["channels"]) == ("U0BOB", ["C0RANDOM", "C0SOC"])
    assert (await fetched(session, file["url_private"], **TOKEN))[2] == HELLO


async def test_files_have_faults_too(
    slack: SlackSandbox, client: AsyncWebClient, session: aiohttp.ClientSession
) -> None:
    file = (await client.files_upload_v2(filename="a.txt", content="x"))["file"]
    await slack.faults.set(Fault(on="url_private", status=500, times=1))
    assert (await fetched(session, file["url_private"], **TOKEN))[0] == 500
    assert (await fetched(session, file["url_private"], **TOKEN))[2] == b"x"
    await slack.faults.set(Fault(on="upload_url", status=500, times=1))
    _, url = await announced(client)
    async with session.post(url, data=HELLO) as answer:
        assert answer.status == 500


# People's files.


async def test_a_person_says_a_file_and_the_app_is_told(
    slack: SlackSandbox,
    client: AsyncWebClient,
    upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]],
) -> None:
    _, first = await upload()
    message = await slack.say("U0BOB", "D0BOB", files=[first["id"]])
    event = slack.sent[-1].payload["event"]
    assert (message["text"], [one["id"] for one in message["files"]]) == ("", [first["id"]])
    assert (event["type"], event["subtype"], event["channel_type"]) == (
        "message",
        "file_share",
        "im",
    )
    assert event["files"][0]["url_private"] == first["url_private"]
    await slack.say("U0BOB", "C0SOC", "@secmaster look", files=[first["id"]])
    event = slack.sent[-1].payload["event"]
    assert (event["type"], "subtype" in event) == ("app_mention", False)
    assert event["files"][0]["id"] == first["id"]
    read = await client.conversations_history(channel="C0SOC")
    assert read["messages"][0]["files"][0]["name"] == "report.txt"


async def test_nobody_says_nothing_or_what_is_not_theirs(
    slack: SlackSandbox, upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]]
) -> None:
    _, file = await upload()
    with pytest.raises(ValueError, match="nothing was said"):
        await slack.say("U0BOB", "C0SOC", " ")
    with pytest.raises(ValueError, match="U0ALICE has no file"):
        await slack.say("U0ALICE", "C0SOC", "mine", files=[file["id"]])
    assert slack.messages("C0SOC") == []


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("shot.png", "image/png"),
        ("drawing.svg", "application/octet-stream"),
        ("code.js", "application/octet-stream"),
    ],
)
async def test_only_a_picture_is_served_to_a_page_as_what_it_is(
    slack: SlackSandbox,
    session: aiohttp.ClientSession,
    upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]],
    name: str,
    served: str,
) -> None:
    _, file = await upload(name=name)
    url = f"{slack.url}/_sandbox/files/{file['id']}?user=U0BOB"
    async with session.get(url) as answer:
        assert answer.content_type == served


async def test_a_name_longer_than_any_disk_takes_is_cut(
    upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]],
) -> None:
    _, file = await upload(name="n" * 300)
    assert file["name"] == "n" * 255


async def test_people_say_files_and_read_them_over_http(
    slack: SlackSandbox,
    session: aiohttp.ClientSession,
    upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]],
) -> None:
    name = '"x"/../\r\n报告\N{GRINNING FACE}.html'
    status, file = await upload(name=name)
    assert (status, file["name"], file["user"]) == (200, name, "U0BOB")
    fields = {"user": "U0BOB", "channel": "C0PRIVATE", "files": [file["id"]]}
    async with session.post(slack.url + "/_sandbox/say", json=fields) as answer:
        assert (await answer.json())["files"][0]["groups"] == ["C0PRIVATE"]
    url = f"{slack.url}/_sandbox/files/{file['id']}"
    async with session.get(url, params={"user": "U0ALICE"}) as answer:
        assert await answer.read() == HELLO
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.content_disposition is not None
        assert answer.content_disposition.type == "attachment"
        assert answer.content_disposition.filename == name
    async with session.get(url, params={"user": "U0DAVE"}) as answer:
        assert (answer.status, await answer.json()) == (
            404,
            {"error": f"U0DAVE sees no file {file['id']}"},
        )


@pytest.mark.parametrize("name", ["..", "/", "a/../../b", ".hidden", "C:\\x", "100%.txt", "\ud800"])
async def test_any_name_has_an_address_that_leads_to_its_file(
    client: AsyncWebClient, session: aiohttp.ClientSession, name: str
) -> None:
    args = {"filename": name, "length": len(HELLO)}
    ticket = await client.api_call("files.getUploadURLExternal", json=args)
    async with session.post(ticket["upload_url"], data=HELLO) as answer:
        assert answer.status == 200
    done = await client.files_completeUploadExternal(files=[{"id": ticket["file_id"]}])
    assert (await fetched(session, done["files"][0]["url_private"], **TOKEN))[2] == HELLO


async def test_uploads_are_refused_in_words(
    upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]],
) -> None:
    assert await upload(user="U0NOBODY") == (404, {"error": "nobody is called U0NOBODY"})
    assert await upload(name=" ") == (404, {"error": "a file has a name and is not empty"})
    assert await upload(content=b"") == (404, {"error": "a file has a name and is not empty"})


@pytest.mark.slow
async def test_a_file_has_64_mib_at_most(
    upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]],
    client: AsyncWebClient,
    session: aiohttp.ClientSession,
) -> None:
    status, file = await upload(content=bytes(LARGEST))
    assert (status, file["size"]) == (200, LARGEST)
    too_large = {"error": "a file may have 64 MiB at most"}
    assert await upload(content=bytes(LARGEST + 1)) == (413, too_large)
    form = aiohttp.FormData()
    form.add_field("filename", io.BytesIO(bytes(LARGEST + 1)), filename="large")
    _, url = await announced(client)
    async with session.post(url, data=form) as answer:
        assert (answer.status, await answer.text()) == (400, too_large["error"])


# Files in a modal.


def modal(**limits: Any) -> dict[str, Any]:
    def plain(text: str) -> dict[str, Any]:
        return {"type": "plain_text", "text": text}

    element = {"type": "file_input", "action_id": "files", **limits}
    block = {"type": "input", "block_id": "evidence", "label": plain("Files"), "element": element}
    return {
        "type": "modal",
        "title": plain("Evidence"),
        "submit": plain("Send"),
        "blocks": [block],
    }


@pytest.fixture
async def open_modal(slack: SlackSandbox, client: AsyncWebClient) -> Callable[..., Awaitable[str]]:
    async def show(**limits: Any) -> str:
        trigger = slack.workspace.permits.new_trigger("U0BOB")
        answer = await client.views_open(trigger_id=trigger, view=modal(**limits))
        view_id: str = answer["view"]["id"]
        return view_id

    return show


async def test_a_submission_carries_whole_files_which_the_app_may_then_have(
    slack: SlackSandbox,
    client: AsyncWebClient,
    upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]],
    open_modal: Callable[..., Awaitable[str]],
) -> None:
    _, file = await upload(name="photo.JPG")
    view = await open_modal(filetypes=["jpg", "png"])
    await slack.submit("U0BOB", view, {"evidence": [file["id"]]})
    state = slack.sent[-1].payload["view"]["state"]["values"]["evidence"]["files"]
    assert state == {"type": "file_input", "files": [file]}
    assert (await client.files_info(file=file["id"]))["file"] == file


async def test_picking_a_file_in_a_modal_is_kept_until_it_is_sent(
    slack: SlackSandbox,
    upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]],
    open_modal: Callable[..., Awaitable[str]],
) -> None:
    _, file = await upload()
    view_id = await open_modal()
    await slack.press_in_view("U0BOB", view_id, "files", [file["id"]])
    [view] = slack.views("U0BOB")
    assert view["state"]["values"]["evidence"]["files"]["files"] == [file]
    await slack.submit("U0BOB", view_id, {})
    assert slack.sent[-1].payload["type"] == "view_submission"


@pytest.mark.parametrize(
    ("limits", "names", "why"),
    [
        ({}, [], "missing_input"),
        ({"max_files": 1}, ["a.txt", "b.txt"], "too_many_files"),
        ({}, [f"{one}.txt" for one in range(11)], "too_many_files"),
        ({"filetypes": ["pdf"]}, ["a.txt"], "file_type_not_allowed"),
        ({"filetypes": ["pdf"]}, ["pdf"], "file_type_not_allowed"),
    ],
)
async def test_the_dialog_refuses_files_it_did_not_ask_for(
    slack: SlackSandbox,
    open_modal: Callable[..., Awaitable[str]],
    limits: dict[str, Any],
    names: list[str],
    why: str,
) -> None:
    view = await open_modal(**limits)
    ids = [slack.files.upload("U0BOB", name, HELLO).id for name in names]
    delivered = await slack.submit("U0BOB", view, {"evidence": ids})
    assert (delivered.error, slack.sent) == (why, [])


async def test_the_dialog_takes_files_of_up_to_10_mib(
    slack: SlackSandbox,
    upload: Callable[..., Awaitable[tuple[int, dict[str, Any]]]],
    open_modal: Callable[..., Awaitable[str]],
) -> None:
    view = await open_modal()
    _, large = await upload(content=bytes(10 * 1024**2 + 1))
    assert (await slack.submit("U0BOB", view, {"evidence": large["id"]})).error == "file_too_large"
    with pytest.raises(ValueError, match="U0BOB has no file"):
        await slack.submit("U0BOB", view, {"evidence": "F0NONE"})
