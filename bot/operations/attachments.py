"""A file on its way out of Slack and into SecMaster.

Bringing it twice does no harm: an upload that no task lists hangs nowhere.
"""

from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.domain.models import File, Operation, Outcome, State, Value
from bot.operations.step_results import Answer, Kind, settled, troubled
from bot.secmaster import SecMasterError
from bot.services import desk
from bot.slack.gateway import SlackTrouble, asked

OK, SERVERS = 200, 500
PASSING = (408, 429)
LARGEST = 20 * 1024**2  # bytes; all of it is in memory on its way
TOO_LARGE = "file_too_large"
CHUNK = 64 * 1024
WHOLE = 60  # seconds for one file


class NotHad(Exception):
    """Slack does not hand the file out, and asking again would not help; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Brought(Value):
    """The id SecMaster gave the file, or an ``answer`` why it has none."""

    answer: Answer | None = None
    attachment_id: str = ""


async def bring(operation: Operation, file: File) -> Brought:
    """Take a file out of Slack and upload it where the operation's object is."""
    try:
        async with desk().bringing:
            name, content = await _fetched(file.id)
            uploaded = await desk().client(operation.ref).upload_attachment(name, content)
    except SlackTrouble as error:
        late = Outcome(state=State.FAILED, trouble="file_late", code=error.code)
        return Brought(answer=Answer(kind=Kind.TROUBLE, outcome=late))
    except NotHad as no:
        trouble = TOO_LARGE if no.code == TOO_LARGE else "file_not_had"
        refused = Outcome(state=State.FAILED, trouble=trouble, code=no.code)
        return Brought(answer=settled(refused))
    except SecMasterError as error:
        return Brought(answer=troubled(error, sent=False))
    return Brought(attachment_id=uploaded.id)


async def _fetched(file_id: str) -> tuple[str, bytes]:
    """A file's name and content, asked of Slack anew: what was said of it before may be old.

    https://docs.slack.dev/reference/objects/file-object
    """
    try:
        file = (await asked(desk().slack.files_info(file=file_id)))["file"]
    except SlackTrouble as error:
        if error.passes:
            raise
        raise NotHad(error.code) from error
    if file.get("is_external") or not _slacks_own(file.get("url_private_download", "")):
        raise NotHad("not_stored_in_slack")
    if file["size"] > LARGEST:
        raise NotHad(TOO_LARGE)
    return file.get("name") or file_id, await _content(file)


def _slacks_own(url: str) -> bool:
    """Whether our token may go there: to where the Web API is, and its own subdomains."""
    there, api = urlsplit(url), urlsplit(desk().slack.base_url)
    if (there.scheme, there.netloc) == (api.scheme, api.netloc):
        return True
    return there.scheme == "https" and (there.hostname or "").endswith(f".{api.hostname}")


async def _content(file: dict[str, Any]) -> bytes:
    """The bytes; raises NotHad where they are not the file's, SlackTrouble where they may come."""
    status, content = await _download(file["url_private_download"])
    if status in PASSING or status >= SERVERS:
        raise SlackTrouble(f"http_{status}")
    # Without the right to it Slack answers with a page to sign in, and calls that a success.
    if len(content) != file["size"]:
        raise NotHad("no_permission" if status == OK else f"http_{status}")
    return content


async def _download(url: str) -> tuple[int, bytes]:
    """The HTTP status, and up to a byte more than the largest file."""
    slack, content = desk().slack, bytearray()
    if slack.session is None:
        raise SlackTrouble("")
    asking = slack.session.get(
        url,
        headers={"Authorization": f"Bearer {slack.token}"},
        proxy=slack.proxy,
        timeout=aiohttp.ClientTimeout(WHOLE),
        allow_redirects=False,
    )
    try:
        async with asking as reply:
            async for chunk in reply.content.iter_chunked(CHUNK):
                content += chunk
                if len(content) > LARGEST:
                    break
            return reply.status, bytes(content)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SlackTrouble("") from error
