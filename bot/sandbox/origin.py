"""Whom a sandbox serves: programs, and its own pages; no other page of the same browser."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

SAFE = ("GET", "HEAD", "OPTIONS")
HERE = ("same-origin", "none")
ELSEWHERE = "another page may not act here"
RENAMED = "this sandbox does not go by that name"


def guard(host: str) -> Middleware:
    """Refuse what a browser sends on behalf of others to a sandbox started on ``host``.

    A client that is no browser says nothing of where a request comes from, and is served.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if wrong := _wrong(request, host):
            return web.json_response({"error": wrong}, status=403)
        return await handler(request)

    return check


def _wrong(request: web.Request, host: str) -> str:
    if not _is_own_name(request.headers.get("Host", host), host):
        return RENAMED
    return ELSEWHERE if _acts(request) and _from_elsewhere(request) else ""


def _acts(request: web.Request) -> bool:
    """The Web API acts even on a GET, its token in the query."""
    if request.path.startswith("/_sandbox"):
        return request.method not in SAFE
    return request.path.startswith("/api")


def _from_elsewhere(request: web.Request) -> bool:
    """Whether a browser says so.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    own = f"{request.scheme}://{request.host}"
    origin = request.headers.get("Origin", own)
    site = request.headers.get("Sec-Fetch-Site", "none")
    return origin.lower() != own.lower() or site not in HERE


def _is_own_name(netloc: str, started_on: str) -> bool:
    """A name that anybody's DNS may lead here would make a page of theirs one of ours."""
    try:
        name = urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return False
    if name in ("localhost", started_on.lower()):
        return True
    address, bound = _address(name), _address(started_on)
    everywhere = bound is not None and bound.is_unspecified
    return address is not None and (address.is_loopback or everywhere)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
