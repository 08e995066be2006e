"""The sandboxes' pages, served from their source files without a build step.

``slack/`` is the workspace, ``console/`` the SecMaster console; ``blocks/`` draws Block Kit, and
``shared/`` is used by both pages.
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
# Only the pages' own files may run or style anything: markup in a name has no effect even if
# the page failed to escape it. Images may come from any address that a message names.
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
    """Serve a sandbox's page at ``/``, and the files of all at ``/_page/<folder>/<name>``."""

    async def index(_request: web.Request) -> web.Response:
        return _file(page, "index.html")

    async def file(request: web.Request) -> web.Response:
        return _file(request.match_info["folder"], request.match_info["name"])

    return [web.get("/", index), web.get("/_page/{folder}/{name}", file)]


def _file(folder: str, name: str) -> web.Response:
    # Only names that exist are served, so that no name leads out of the folder.
    paths = {(path.parent.name, path.name): path for path in FOLDER.glob("*/*")}
    path = paths.get((folder, name))
    if path is None or path.suffix not in KINDS:
        raise web.HTTPNotFound
    return web.Response(
        body=path.read_bytes(), content_type=KINDS[path.suffix], charset="utf-8", headers=HEADERS
    )
