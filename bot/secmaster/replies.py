"""Turn a response, or the lack of one, into a value or one of the errors. Data in, data out."""

import html
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Self, TypeVar

import httpx

from bot.network import STRAIGHT, ConnectionFailure, Route
from bot.secmaster import errors
from bot.secmaster.values import text, whole

# What `code` says in the body of a request that succeeded.
# https://support.huaweicloud.com/api-secmaster/UpdateTask.html
SUCCESS = "00000000"

# What the API gateway's codes begin with: https://support.huaweicloud.com/devg-apisign/api-sign-errorcode.html.
# A 404 with one of them, or without any code (a proxy's), says nothing of a task.
GATEWAY_CODES = ("APIGW.", "APIG.")

# Long enough for any sentence meant for people, short enough for a chat message and a log line.
LONGEST_TEXT = 500

REFUSALS: dict[int, type[errors.Refused]] = {
    HTTPStatus.BAD_REQUEST: errors.Invalid,
    HTTPStatus.UNAUTHORIZED: errors.Forbidden,
    HTTPStatus.FORBIDDEN: errors.Forbidden,
    HTTPStatus.NOT_FOUND: errors.NotFound,
    HTTPStatus.CONFLICT: errors.Conflict,
    HTTPStatus.UNPROCESSABLE_ENTITY: errors.Invalid,
}

# Only what httpx raises before the first byte of the request leaves. Anything not listed here
# counts as sent, so a kind of error that httpx adds one day is treated with caution.
NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)

E = TypeVar("E", bound=errors.SecMasterError)


@dataclass(frozen=True)
class Peer:
    """The service that is asked, at this host by this route.

    ``unsent`` if that comes before the request itself.
    """

    name: str
    unsent: bool = False
    host: str = ""
    route: Route = STRAIGHT

    def at(self, address: str, route: Route) -> Self:
        """Return the same service at an address."""
        return replace(self, host=httpx.URL(address).netloc.decode("ascii"), route=route)

    def unreachable(self, reason: str, status: int | None = None) -> errors.Unreachable:
        """Return the error for a connection that did not come about."""
        message = f"{self.name} can't be reached: {reason}"
        error = errors.Unreachable(message, status=status, unsent=self.unsent)
        error.cause = reason
        return error


SECMASTER = Peer("SecMaster")
IAM = Peer("IAM", unsent=True)
METADATA = Peer("ECS metadata", unsent=True)


@dataclass(frozen=True)
class Reply:
    """A whole response; ``body`` is its JSON object, empty when there is none."""

    peer: Peer
    status: int
    request_id: str
    body: dict[str, Any]

    def object(self, key: str) -> dict[str, Any]:
        """Return the object in ``key``; raises Unreadable."""
        value = self.body.get(key)
        if not isinstance(value, dict):
            raise self.unreadable(f"without an object in {key!r}")
        return value

    def rows(self, key: str, total: str) -> tuple[int, list[Any]]:
        """Return the count in ``total`` and the list in ``key``; raises Unreadable.

        The list may be null when the count is 0.
        """
        value = self.body.get(key)
        if value is None and self.body.get(total) == 0:
            return 0, []
        if not isinstance(value, list):
            raise self.unreadable(f"without a list in {key!r}")
        return whole(self.body.get(total)), value

    def unreadable(self, how: str) -> errors.Unreadable:
        """Return the error for a response in another form, such as "without a list"."""
        return self.error(errors.Unreadable, f"{self.peer.name} answered {self.status} {how}")

    def error(self, kind: type[E], message: str, code: str = "") -> E:
        """Return an error of this class with what the response says of itself."""
        name, proxy = self.peer.name, self.peer.route.proxy
        # One that looks into TLS answers in SecMaster's place there too.
        source = f"{name}, or the proxy {proxy.url} before it," if proxy else name
        text = message or f"{source} answered {self.status} without saying why"
        if self.peer.unsent and not text.startswith(name):
            text = f"{name}: {text}"
        error = kind(
            _clip(text),
            code=code,
            status=self.status,
            request_id=self.request_id,
            unsent=self.peer.unsent,
        )
        error.is_unexplained = not message
        return error


def broken(
    error: Exception, peer: Peer = SECMASTER, *, may_be_sent: bool = True
) -> errors.SecMasterError:
    """Return the error for an exception that httpx raised instead of returning a response."""
    if isinstance(error, NOTHING_SENT) or not may_be_sent:
        return peer.unreachable(peer.route.explain(error, peer.host))
    # httpx's own messages stay out: some quote the header that they can't send.
    kind = type(error).__name__
    return errors.AnswerLost(f"{peer.name}'s answer was lost ({kind})", unsent=peer.unsent)


def read(response: httpx.Response, peer: Peer = SECMASTER, secrets: Iterable[str] = ()) -> Reply:
    """Return a response that says it succeeded, or raise the error that it says instead.

    ``secrets`` are hidden in the error's text, and so are the credentials that the request and the
    proxy got.
    """
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = None
    fields = body if isinstance(body, dict) else {}
    hidden = [*secrets, *_credentials(response.request, peer.route)]
    request_id = response.headers.get("X-Request-Id") or _scalar(fields, "request_id")
    code, message = complaint(fields)
    code, message = _redact(code, hidden), _redact(message, hidden)
    reply = Reply(peer, response.status_code, _redact(request_id, hidden), fields)
    if not response.is_success:
        raise _failure(response, reply, code, message)
    if not isinstance(body, dict):
        raise reply.unreadable("with something other than a JSON object")
    if code not in ("", SUCCESS) or fields.get("success") in (False, "false"):
        raise reply.error(errors.Refused, message, code)
    return reply


def complaint(fields: dict[str, Any]) -> tuple[str, str]:
    """Return code and message of an error body; "" where it has none.

    The service, the gateway and IAM each have their own shape: ``{code, message}``,
    ``{error_code, error_msg}``, ``{errorCode, errorMsg}``, ``{"error": {code, message}}``.
    """
    inner = fields.get("error")
    if isinstance(inner, dict):
        fields = fields | inner
    code = _scalar(fields, "code", "error_code", "errorCode")
    return code, _scalar(fields, "message", "error_msg", "errorMsg", "error")


def retry_after(header: str, now: datetime) -> float | None:
    """Return the seconds to wait, from a number or a date: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", header):
        seconds = float(header)
        return seconds if math.isfinite(seconds) else None
    try:
        until = parsedate_to_datetime(header)
        wait = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return max(0.0, wait)


def _failure(
    response: httpx.Response, reply: Reply, code: str, message: str
) -> errors.SecMasterError:
    if (
        reply.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
    ):  # a proxy's, which sends nothing on
        peer = reply.peer
        reason = peer.route.sentence(ConnectionFailure.PROXY_PASSWORD, peer.host)
        return peer.unreachable(reason, reply.status)
    if response.is_server_error or reply.status == HTTPStatus.TOO_MANY_REQUESTS:
        error = reply.error(errors.Unavailable, message, code)
        error.retry_after = retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC))
        return error
    if reply.status == HTTPStatus.NOT_FOUND and (not code or code.startswith(GATEWAY_CODES)):
        return reply.error(errors.NotRouted, message, code)
    if response.is_client_error:
        return reply.error(REFUSALS.get(reply.status, errors.Refused), message, code)
    return reply.unreadable("and did not deal with the request itself")


def _scalar(fields: dict[str, Any], *names: str) -> str:
    """Return the first of these fields that is not empty, as text; IAM's codes are numbers."""
    values = (fields.get(name) for name in names)
    return next((str(v) for v in values if isinstance(v, str | int) and v and v is not True), "")


def _credentials(request: httpx.Request, route: Route) -> list[str]:
    """Return the request's and the proxy's credentials, which must not come back in an error.

    The gateway quotes the request it could not verify: access key, token, signed headers.
    """
    headers = request.headers
    signed = re.findall(r"(?:Access|Signature)=([^,\s]+)", headers.get("Authorization", ""))
    # Without its scheme "Basic", which tells nothing: what follows it is the name and password.
    proxy = route.proxy.authorization.rpartition(" ")[2] if route.proxy else ""
    return [*signed, headers.get("X-Auth-Token", ""), headers.get("X-Security-Token", ""), proxy]


def _redact(message: str, hidden: Iterable[str]) -> str:
    """Return a message on one line, clipped, with "[hidden]" for each of these secrets."""
    for secret in filter(None, hidden):
        message = message.replace(secret, "[hidden]")
        if len(message) >= len(secret):  # no spelling is shorter, and a token has thousands
            message = re.sub("".join(map(_spellings, secret)), "[hidden]", message)
    return _clip(" ".join(text(message).split()))


def _spellings(character: str) -> str:
    """Return a pattern for a character as JSON, a form, an address or a page may have it.

    Encoders differ in what they escape, so each character is looked for in each spelling. The
    group is atomic, since a run of backslashes could be divided in very many ways; so the longer
    spelling comes first.
    """
    if character.isascii() and character.isalnum():
        return character
    code, units = ord(character), character.encode("utf-16-be", "surrogatepass").hex()
    encoded = [
        "(?i:" + "".join(rf"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)) + ")",
        "(?i:" + "".join(f"%{byte:02x}" for byte in character.encode(errors="surrogatepass")) + ")",
        f"(?i:&#0*{code};|&#x0*{code:x};)",
    ]
    names = {character, f"\\{character}", html.escape(character), json.dumps(character)[1:-1]}
    if character == " ":
        names.add("+")
    variants = encoded + [re.escape(name) for name in sorted(names, key=len, reverse=True)]
    return f"(?>{'|'.join(variants)})"


def _clip(message: str) -> str:
    return message if len(message) <= LONGEST_TEXT else message[: LONGEST_TEXT - 1] + "…"
