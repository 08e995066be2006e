"""A file on its way out of Slack and into SecMaster.

Bringing it twice does no harm: an upload that no task lists is attached to nothing.
"""

from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.domain.operations import Operation, OperationState, Outcome
from bot.domain.reasons import OutcomeReason
from bot.domain.slack import MAX_FILE_MEGABYTES
from bot.operations.step_results import ResultKind, UploadResult, failed, not_sent
from bot.secmaster import SecMasterError
from bot.services import Services
from bot.slack.gateway import SlackFailed, SlackGateway, call

OK, SERVER_ERRORS = 200, 500
TEMPORARY_STATUSES = (408, 429)
MAX_BYTES = MAX_FILE_MEGABYTES * 1024**2
TOO_LARGE = "file_too_large"
CHUNK = 64 * 1024
DOWNLOAD_TIMEOUT = 60  # seconds for one file


class FileUnavailable(Exception):
    """Slack does not hand the file out, and asking again would not help; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def upload(services: Services, operation: Operation) -> UploadResult:
    """Take the operation's file out of Slack and upload it where its object is."""
    if operation.file is None:
        raise ValueError("the operation has no file")
    try:
        async with services.uploads:
            name, content = await _fetch(services.slack, operation.file.id)
            client = services.workspaces.client(operation.ref.workspace)
            attachment = await client.upload_attachment(name, content)
    except SlackFailed as error:
        outcome = failed(OutcomeReason.FILE_DELAYED, code=error.code)
        return UploadResult(kind=ResultKind.RETRYABLE, outcome=outcome)
    except FileUnavailable as error:
        too_large = error.code == TOO_LARGE
        reason = OutcomeReason.FILE_TOO_LARGE if too_large else OutcomeReason.FILE_UNAVAILABLE
        return UploadResult(kind=ResultKind.FINAL, outcome=failed(reason, code=error.code))
    except SecMasterError as error:
        return UploadResult(**dict(not_sent(error)))
    uploaded = Outcome(state=OperationState.DONE)
    return UploadResult(kind=ResultKind.DONE, outcome=uploaded, attachment_id=attachment.id)


async def _fetch(slack: SlackGateway, file_id: str) -> tuple[str, bytes]:
    """Return a file's name and content, asked of Slack anew: what was said before may be old.

    Raises FileUnavailable, or SlackFailed where asking again may help.
    https://docs.slack.dev/reference/objects/file-object
    """
    try:
        file: dict[str, Any] = (await call(slack.client.files_info(file=file_id)))["file"]
    except SlackFailed as error:
        if error.is_temporary:
            raise
        raise FileUnavailable(error.code) from error
    url = file.get("url_private_download", "")
    if file.get("is_external") or not _is_slacks_own(url, slack.client.base_url):
        raise FileUnavailable("not_stored_in_slack")
    if file["size"] > MAX_BYTES:
        raise FileUnavailable(TOO_LARGE)
    status, content = await _download(slack, url)
    if status in TEMPORARY_STATUSES or status >= SERVER_ERRORS:
        raise SlackFailed(f"http_{status}")
    # Without the right to it Slack answers with a page to sign in, and calls that a success.
    if len(content) != file["size"]:
        raise FileUnavailable("no_permission" if status == OK else f"http_{status}")
    return file.get("name") or file_id, content


def _is_slacks_own(url: str, api_url: str) -> bool:
    """Return whether our token may go there: to the Web API's host, and its own subdomains."""
    address, api = urlsplit(url), urlsplit(api_url)
    if (address.scheme, address.netloc) == (api.scheme, api.netloc):
        return True
    return address.scheme == "https" and (address.hostname or "").endswith(f".{api.hostname}")


async def _download(slack: SlackGateway, url: str) -> tuple[int, bytes]:
    """Return the HTTP status, and up to a chunk more than the largest file; raises SlackFailed."""
    client, content = slack.client, bytearray()
    if client.session is None:
        raise SlackFailed("")
    request = client.session.get(
        url,
        headers={"Authorization": f"Bearer {client.token}"},
        timeout=aiohttp.ClientTimeout(DOWNLOAD_TIMEOUT),
        allow_redirects=False,
    )
    try:
        async with request as response:
            async for chunk in response.content.iter_chunked(CHUNK):
                content += chunk
                if len(content) > MAX_BYTES:
                    break
            return response.status, bytes(content)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise SlackFailed("") from error
