"""The sandboxes' pages: files as they stand, with no build step between writing and reading.

``slack/`` is the workspace, ``console/`` the SecMaster console; ``blocks/`` draws Block Kit, and
``shared/`` serves both pages.
"""

from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent
KINDS = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# Only our own files run or style anything: text that a name smuggles in stays text even if the
# drawing of it had a hole. Pictures come from wherever a message shows them.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def routes(page: str) -> list[web.RouteDef]:
    """A sandbox's page at ``/``, and every page's files at ``/_page/<folder>/<name>``."""

    async def first(_request: web.Request) -> web.Response:
        return _file(page, "index.html")

    async def other(request: web.Request) -> web.Response:
        return _file(request.match_info["folder"], request.match_info["name"])

    return [web.get("/", first), web.get("/_page/{folder}/{name}", other)]


def _file(folder: str, name: str) -> web.Response:
    there = {(path.parent.name, path.name): path for path in FOLDER.glob("*/*")}
    path = there.get((folder, name))
    if path is None or path.suffix not in KINDS:
        raise web.HTTPNotFound
    return web.Response(
        body=path.read_bytes(), content_type=KINDS[path.suffix], charset="utf-8", headers=HEADERS
    )
