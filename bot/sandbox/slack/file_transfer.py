"""The transfer of file contents over HTTP: uploads and downloads by the app and by people.

https://docs.slack.dev/messaging/working-with-files
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import BodyPartReader, web

from bot.sandbox.faults import Fault, Faults
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.file_store import LARGEST, TOO_LARGE, Files, StoredFile
from bot.sandbox.slack.web_api import fault_response
from bot.sandbox.slack.workspace import TEAM

Handler = Callable[[web.Request], Awaitable[web.Response]]

CHUNK = 1024**2

# Slack answers 200 with a page to sign in on, so that a client which looks only at the status
# keeps the page for the file. Some are first redirected there, which is easier to notice.
SIGN_IN = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>"


@dataclass
class FileTransfer:
    """The endpoints of file contents.

    Faults can be set on ``upload_url`` and ``url_private``, which the app uses.
    """

    files: Files
    faults: Faults
    bot_token: str
    scopes: frozenset[str]

    def routes(self) -> list[web.RouteDef]:
        download = self._with_faults("url_private", self._download)
        return [
            web.post("/_upload/{ticket}", self._with_faults("upload_url", self._receive)),
            web.get(f"/files-pri/{TEAM}-{{id}}/{{name}}", download),
            web.get(f"/files-pri/{TEAM}-{{id}}/download/{{name}}", download),
            web.post("/_sandbox/upload", self._upload),
            web.get("/_sandbox/files/{id}", self._show),
        ]

    def _with_faults(
        self, on: str, handler: Handler
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        def refuse(fault: Fault) -> web.Response:
            return fault_response(fault)[0]

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self.faults.meet(on, request, handler, refuse)

        return handle

    async def _receive(self, request: web.Request) -> web.Response:
        try:
            content = await _content(request)
            self.files.receive(request.match_info["ticket"], content)
        except ValueError as error:
            return web.Response(text=str(error), status=400)
        return web.Response(text=f"OK - {len(content)}")

    async def _download(self, request: web.Request) -> web.Response:
        allowed = request.headers.get("Authorization") == f"Bearer {self.bot_token}"
        try:
            file = self.files.for_app(request.match_info["id"])
        except SlackError as error:
            allowed, file = allowed and error.code == "file_deleted", None
        if not allowed or "files:read" not in self.scopes:
            return web.Response(text=SIGN_IN, content_type="text/html")
        return (
            _bytes(file, file.mimetype) if file else web.Response(text="file_deleted", status=404)
        )

    async def _upload(self, request: web.Request) -> web.Response:
        user, name = request.query.get("user", ""), request.query.get("name", "")
        try:
            file = self.files.upload(user, name, await _content(request))
        except ValueError as error:
            status = 413 if str(error) == TOO_LARGE else 404
            return web.json_response({"error": str(error)}, status=status)
        return web.json_response(self.files.described(file))

    async def _show(self, request: web.Request) -> web.Response:
        try:
            file = self.files.for_person(request.query.get("user", ""), request.match_info["id"])
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=404)
        # A page takes no script, style or drawing that runs from among what people uploaded.
        picture = file.mimetype.startswith("image/") and "svg" not in file.mimetype
        return _bytes(file, file.mimetype if picture else "application/octet-stream")


async def _content(request: web.Request) -> bytes:
    """Read the body, or the first part of a form."""
    is_form = request.content_type == "multipart/form-data"
    try:
        content = await (_first_part(request) if is_form else request.read())
    except web.HTTPRequestEntityTooLarge:
        raise ValueError(TOO_LARGE) from None
    if len(content) > LARGEST:
        raise ValueError(TOO_LARGE)
    return content


async def _first_part(request: web.Request) -> bytes:
    part = await (await request.multipart()).next()
    content = b""
    while isinstance(part, BodyPartReader) and (chunk := await part.read_chunk(CHUNK)):
        content += chunk
        if len(content) > LARGEST:
            raise ValueError(TOO_LARGE)
    return content


def _bytes(file: StoredFile, mimetype: str) -> web.Response:
    """Answer with the file as a download, which no browser shows as a page of this address.

    https://www.rfc-editor.org/rfc/rfc6266
    """
    ascii_name = re.sub(r"[^\w. -]", "_", file.name, flags=re.ASCII)
    headers = {
        "Content-Disposition": f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''"
        + quote(file.name, safe=""),
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=file.content, content_type=mimetype, headers=headers)
