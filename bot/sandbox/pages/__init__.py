"""The sandboxes' pages: files as they stand, with no build step between writing and reading.

``slack.*`` is the workspace, ``console.*`` the SecMaster console; the rest serves both.
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
    """A sandbox's page at ``/``, and every page's files under ``/_page/``."""

    async def first(_request: web.Request) -> web.Response:
        return _file(f"{page}.html")

    async def other(request: web.Request) -> web.Response:
        return _file(request.match_info["name"])

    return [web.get("/", first), web.get("/_page/{name}", other)]


def _file(name: str) -> web.Response:
    known = {path.name: path for path in FOLDER.iterdir() if path.suffix in KINDS}
    if name not in known:
        raise web.HTTPNotFound
    path = known[name]
    return web.Response(
        body=path.read_bytes(), content_type=KINDS[path.suffix], charset="utf-8", headers=HEADERS
    )
