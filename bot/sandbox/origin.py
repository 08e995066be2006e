"""The check of a request's origin: programs and the sandbox's own pages are served.

Any other page of the same browser is refused.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

SAFE = ("GET", "HEAD", "OPTIONS")
SAME_SITE = ("same-origin", "none")
FOREIGN_PAGE = "another page may not act here"
FOREIGN_HOST = "this sandbox does not go by that name"


def guard(host: str) -> Middleware:
    """Build the middleware that refuses other pages' requests to a sandbox on ``host``.

    A client that is no browser sends no origin, and is served.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        error = ""
        if not _is_own_name(request.headers.get("Host", host), host):
            error = FOREIGN_HOST
        elif _has_effect(request) and _is_from_foreign_page(request):
            error = FOREIGN_PAGE
        if error:
            return web.json_response({"error": error}, status=403)
        return await handler(request)

    return check


def _has_effect(request: web.Request) -> bool:
    """Whether the request may change something; the Web API does so even on a GET."""
    if request.path.startswith("/_sandbox"):
        return request.method not in SAFE
    return request.path.startswith("/api")


def _is_from_foreign_page(request: web.Request) -> bool:
    """Whether a browser's headers name another page as the sender.

    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    sandbox_origin = f"{request.scheme}://{request.host}"
    origin = request.headers.get("Origin", sandbox_origin)
    site = request.headers.get("Sec-Fetch-Site", "none")
    return origin.lower() != sandbox_origin.lower() or site not in SAME_SITE


def _is_own_name(netloc: str, started_on: str) -> bool:
    """Whether a Host header names this machine.

    Anybody's DNS may point a name at this machine, and a page of that name would otherwise
    count as the sandbox's own.
    """
    try:
        name = urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return False
    if name in ("localhost", started_on.lower()):
        return True
    address, bound_address = _address(name), _address(started_on)
    on_all_addresses = bound_address is not None and bound_address.is_unspecified
    return address is not None and (address.is_loopback or on_all_addresses)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
