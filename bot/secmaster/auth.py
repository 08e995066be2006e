"""Authenticate requests in one of three ways, each an ``httpx.Auth``: keys, token, password.

Knows how credentials become headers, and how IAM gives a token for a password. None of it is
ever shown: these objects keep the default ``repr``, which has no values in it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus

import httpx

from bot.network import STRAIGHT, Route
from bot.secmaster import signing
from bot.secmaster.errors import SecMasterError
from bot.secmaster.replies import IAM, Reply, broken, read
from bot.secmaster.values import moment
from bot.secmaster.wire import JSON, base_url, json_body

Clock = Callable[[], datetime]

now: Clock = partial(datetime.now, UTC)

# Whatever a proxy on the way may add or rewrite is left out.
SIGNED = (
    "content-type",
    "host",
    "x-project-id",
    "x-sdk-content-sha256",
    "x-sdk-date",
    "x-security-token",
)

# Longer than any request takes, so that a token does not expire on its way.
RENEW_AHEAD = timedelta(minutes=5)


def _check_credential(name: str, value: str) -> str:
    # httpx and h11 quote a header they cannot send in their errors, so it is refused here,
    # where the message can leave it out.
    if not value or not value.isascii() or not value.isprintable() or value != value.strip():
        raise ValueError(f"{name} must be printable ASCII, without spaces around it")
    return value


class SigningAuth(httpx.Auth):
    """Sign each request for a project with an access key (AK) and its secret (SK).

    Without the project's id the gateway takes the key's default project, and refuses what is in
    another. ``security_token`` comes with temporary keys. The gateway refuses a clock 15 minutes
    off.
    """

    requires_request_body = True

    def __init__(
        self, ak: str, sk: str, security_token: str = "", *, project_id: str, clock: Clock = now
    ) -> None:
        self._ak = _check_credential("the access key", ak)
        self._sk = _check_credential("the secret key", sk)
        self._token = security_token and _check_credential("the security token", security_token)
        self._project_id = _check_credential("the project's id", project_id)
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        self._sign(request)
        yield request

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        # Instead of the inherited flow, which would read an upload into memory for nothing.
        if _signs_body(request):
            await request.aread()
        self._sign(request)
        yield request

    def _sign(self, request: httpx.Request) -> None:
        headers = request.headers
        headers["X-Sdk-Date"] = f"{self._clock().astimezone(UTC):%Y%m%dT%H%M%SZ}"
        headers["X-Project-Id"] = self._project_id
        if self._token:
            headers["X-Security-Token"] = self._token
        payload = signing.UNSIGNED
        if _signs_body(request):
            payload = signing.digest(request.content)
        else:
            headers["X-Sdk-Content-Sha256"] = payload
        signed = {name: headers[name] for name in SIGNED if name in headers}
        target = request.url.raw_path.decode("ascii")
        canonical = signing.canonical_request(request.method, target, signed, payload)
        headers["Authorization"] = signing.authorization(self._ak, self._sk, canonical, signed)


def _signs_body(request: httpx.Request) -> bool:
    content_type: str = request.headers.get("Content-Type", "application/json")
    return content_type.partition(";")[0].strip().lower() == "application/json"


class TokenAuth(httpx.Auth):
    """Send a token that someone else got from IAM; for trials, since it ends within a day."""

    def __init__(self, token: str) -> None:
        self._token = _check_credential("the token", token)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        request.headers["X-Auth-Token"] = self._token
        yield request


@dataclass(frozen=True, repr=False)
class _Token:
    value: str
    expires: datetime | None

    def set_on(self, request: httpx.Request) -> httpx.Request:
        request.headers["X-Auth-Token"] = self.value
        return request


class IamAuth(httpx.Auth):
    """Get a token from IAM for a user's password, share it, and renew it in time.

    ``http`` is only used to ask IAM, by ``route``, and stays the caller's to close. Trouble with
    IAM comes out as the same errors, named IAM and ``unsent``.

    https://support.huaweicloud.com/api-iam/iam_30_0001.html
    """

    def __init__(  # noqa: PLR0913 - what IAM asks for, and nothing to group it by
        self,
        endpoint: str,
        username: str,
        password: str,
        domain: str,
        project_id: str,
        *,
        http: httpx.AsyncClient,
        route: Route = STRAIGHT,
        clock: Clock = now,
    ) -> None:
        if not all((username, password, domain, project_id)):
            raise ValueError("IAM needs a user name, a password, a domain and a project id")
        self._url = f"{base_url(endpoint)}/v3/auth/tokens"
        self._peer = IAM.at(self._url, route)
        self._password = password
        self._body = json_body(_token_request(username, password, domain, project_id))
        self._http = http
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: _Token | None = None
        self._failure: SecMasterError | None = None

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self._valid_token()
        response = yield token.set_on(request)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            await response.aread()  # gives its connection back before IAM is asked
            token = await self._renewed(token)
            # A 401 says that the request was turned away, so nothing has happened yet and
            # sending it again is safe, a write included. Once: a second 401 is about rights.
            yield token.set_on(request)

    async def _valid_token(self) -> _Token:
        token = self._token
        if token is None:
            return await self._renewed(token)
        # One that does not say when it ends is used until it is refused.
        ends_soon = token.expires is not None and token.expires - self._clock() < RENEW_AHEAD
        return await self._renewed(token) if ends_soon else token

    async def _renewed(self, stale: _Token | None) -> _Token:
        """Replace a stale token; callers who wait together share one call and its outcome."""
        failure = self._failure
        async with self._lock:
            if self._token is not None and self._token is not stale:
                return self._token
            if self._failure is not None and self._failure is not failure:
                # Otherwise each would wait for a dead IAM in turn, minutes for the last one.
                raise self._failure.with_traceback(None)
            try:
                self._token = await self._request_token()
            except SecMasterError as error:
                self._failure = error
                raise
            return self._token

    async def _request_token(self) -> _Token:
        """Ask IAM for a token; raises SecMasterError."""
        try:
            response = await self._http.request(
                "POST",
                self._url,
                content=self._body,
                headers={"Content-Type": JSON},
                auth=None,
                follow_redirects=False,
            )
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise broken(error, self._peer) from error
        return _read_token(response, read(response, self._peer, secrets=(self._password,)))


def _token_request(username: str, password: str, domain: str, project_id: str) -> dict[str, object]:
    user = {"name": username, "password": password, "domain": {"name": domain}}
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"auth": {"identity": identity, "scope": {"project": {"id": project_id}}}}


def _read_token(response: httpx.Response, reply: Reply) -> _Token:
    try:
        value = _check_credential("the token", response.headers.get("X-Subject-Token", ""))
    except ValueError:
        raise reply.unreadable("without a usable token") from None
    return _Token(value, moment(reply.object("token").get("expires_at")))
