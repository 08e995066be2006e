"""A file on its way out of Slack and into SecMaster.

Bringing it twice does no harm: an upload that no task lists hangs nowhere.
"""

from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.domain.objects import Value
from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import SlackFile
from bot.operations.step_results import ResultKind, StepResult, failed, final
from bot.secmaster import SecMasterError
from bot.services import services
from bot.slack.gateway import SlackFailed, call

OK, SERVERS = 200, 500
PASSING = (408, 429)
LARGEST = 20 * 1024**2  # bytes; all of it is in memory on its way
TOO_LARGE = "file_too_large"
CHUNK = 64 * 1024
WHOLE = 60  # seconds for one file


class FileUnavailable(Exception):
    """Slack does not hand the file out, and asking again would not help; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class UploadResult(Value):
    """The id SecMaster gave the file, or an ``answer`` why it has none."""

    result: StepResult | None = None
    attachment_id: str = ""


async def upload(operation: Operation, file: SlackFile) -> UploadResult:
    """Take a file out of Slack and upload it where the operation's object is."""
    try:
        async with services().uploads:
            name, content = await _fetched(file.id)
            uploaded = await services().client(operation.ref).upload_attachment(name, content)
    except SlackFailed as error:
        late = Outcome(
            state=OperationState.FAILED, reason_code=OutcomeReason.FILE_DELAYED, code=error.code
        )
        return UploadResult(result=StepResult(kind=ResultKind.RETRYABLE, outcome=late))
    except FileUnavailable as no:
        trouble = TOO_LARGE if no.code == TOO_LARGE else "file_not_had"
        refused = Outcome(state=OperationState.FAILED, reason_code=trouble, code=no.code)
        return UploadResult(result=final(refused))
    except SecMasterError as error:
        return UploadResult(result=failed(error, sent=False))
    return UploadResult(attachment_id=uploaded.id)


async def _fetched(file_id: str) -> tuple[str, bytes]:
    """A file's name and content, asked of Slack anew: what was said of it before may be old.

    https://docs.slack.dev/reference/objects/file-object
    """
    try:
        file = (await call(services().slack.files_info(file=file_id)))["file"]
    except SlackFailed as error:
        if error.is_temporary:
            raise
        raise FileUnavailable(error.code) from error
    if file.get("is_external") or not _slacks_own(file.get("url_private_download", "")):
        raise FileUnavailable("not_stored_in_slack")
    if file["size"] > LARGEST:
        raise FileUnavailable(TOO_LARGE)
    return file.get("name") or file_id, await _content(file)


def _slacks_own(url: str) -> bool:
    """Whether our token may go there: to where the Web API is, and its own subdomains."""
    there, api = urlsplit(url), urlsplit(services().slack.base_url)
    if (there.scheme, there.netloc) == (api.scheme, api.netloc):
        return True
    return there.scheme == "https" and (there.hostname or "").endswith(f".{api.hostname}")


async def _content(file: dict[str, Any]) -> bytes:
    """The bytes; raises NotHad where they are not the file's, SlackTrouble where they may come."""
    status, content = await _download(file["url_private_download"])
    if status in PASSING or status >= SERVERS:
        raise SlackFailed(f"http_{status}")
    # Without the right to it Slack answers with a page to sign in, and calls that a success.
    if len(content) != file["size"]:
        raise FileUnavailable("no_permission" if status == OK else f"http_{status}")
    return content


async def _download(url: str) -> tuple[int, bytes]:
    """The HTTP status, and up to a byte more than the largest file."""
    slack, content = services().slack, bytearray()
    if slack.session is None:
        raise SlackFailed("")
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
        raise SlackFailed("") from error
