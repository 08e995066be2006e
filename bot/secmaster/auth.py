"""Authenticate requests, each way an ``httpx.Auth``: keys, token, password, agency.

Knows how credentials become headers, how they are renewed, and how IAM gives a token for a
password. None of it is ever shown: these objects keep the default ``repr``, which has no values
in it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Protocol

import httpx

from bot.network import STRAIGHT, Route
from bot.secmaster import signing
from bot.secmaster.errors import SecMasterError
from bot.secmaster.replies import IAM, Reply, broken, read
from bot.secmaster.values import moment
from bot.secmaster.wire import JSON, base_url, json_body

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]

# Opens a client for the questions to a source of credentials.
OpenClient = Callable[[], httpx.AsyncClient]

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

# Longer than any request takes, so that a credential does not expire on its way.
RENEW_AHEAD = timedelta(minutes=5)
# Between two attempts while the credential is still good: a source that is down would otherwise
# keep every request waiting, and one that has no newer credential yet be asked for each.
RENEWAL_INTERVAL = timedelta(seconds=30)


def _check_credential(name: str, value: str) -> str:
    # httpx and h11 quote a header they cannot send in their errors, so it is refused here,
    # where the message can leave it out.
    if not value or not value.isascii() or not value.isprintable() or value != value.strip():
        raise ValueError(f"{name} must be printable ASCII, without spaces around it")
    return value


class Auth(httpx.Auth):
    """A way to sign in; ``ends_at`` is when it ends for good, None where that is unknown or never.

    What is renewed before its end, such as a token for a password, does not end.
    """

    ends_at: datetime | None = None


class SigningAuth(Auth):
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

    async def sign(self, request: httpx.Request) -> None:
        """Sign a request that is to be sent as it is then."""
        # Not in the inherited flow, which would read an upload into memory for nothing.
        if _signs_body(request):
            await request.aread()
        self._sign(request)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        await self.sign(request)
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


class TokenAuth(Auth):
    """Send a token that someone else got from IAM; for trials, since it ends within a day."""

    def __init__(self, token: str) -> None:
        self._token = _check_credential("the token", token)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        request.headers["X-Auth-Token"] = self._token
        yield request


class Credential(Protocol):
    """What a request is signed in with; two that are the same in every part are equal."""

    @property
    def expires(self) -> datetime | None:
        """When it ends; None where it does not say, and then it is used until it is refused."""

    async def sign(self, request: httpx.Request) -> None:
        """Put it on a request, in the place of another one."""


class RenewingAuth(Auth):
    """Ask a source for a credential, share it, and renew it in time and when it is refused.

    Trouble with the source comes out as SecMasterError, ``unsent``, unless the credential before
    is still good.
    """

    def __init__(self, source: Callable[[], Awaitable[Credential]], clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._lock = asyncio.Lock()
        self._credential: Credential | None = None
        self._failure: SecMasterError | None = None
        self._next_attempt = datetime.min.replace(tzinfo=UTC)

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        credential = await self._valid()
        await credential.sign(request)
        response = yield request
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            await response.aread()  # gives its connection back before the source is asked
            renewed = await self._renewed(credential)
            # A 401 says that the request was turned away, so nothing has happened yet and
            # sending it again is safe, a write included. Once: a second 401 is about rights.
            if renewed != credential:
                await renewed.sign(request)
                yield request

    async def _valid(self) -> Credential:
        credential, now = self._credential, self._clock()
        if credential is None:
            return await self._renewed(None)
        expires = credential.expires
        if expires is None or expires - now >= RENEW_AHEAD:
            return credential
        if expires <= now:
            return await self._renewed(credential)
        if now < self._next_attempt:
            return credential
        try:
            return await self._renewed(credential)
        except SecMasterError as error:
            problem = {"problem": error.message, "until": expires.isoformat()}
            log.warning("a credential is not renewed, and used until its end", extra=problem)
            return credential

    async def _renewed(self, stale: Credential | None) -> Credential:
        """Replace a stale credential; callers who wait together share one call and its outcome."""
        failure = self._failure
        async with self._lock:
            if self._credential is not None and self._credential is not stale:
                return self._credential
            if self._failure is not None and self._failure is not failure:
                # Otherwise each would wait for a dead source in turn, minutes for the last one.
                raise self._failure.with_traceback(None)
            self._next_attempt = self._clock() + RENEWAL_INTERVAL
            try:
                self._credential = await self._source()
            except SecMasterError as error:
                self._failure = error
                raise
            return self._credential


@dataclass(frozen=True, repr=False)
class _Token:
    value: str
    expires: datetime | None

    async def sign(self, request: httpx.Request) -> None:
        request.headers["X-Auth-Token"] = self.value


class IamAuth(RenewingAuth):
    """Get a token from IAM for a user's password, share it, and renew it in time.

    ``open_client`` opens what asks IAM, by ``route``; it is closed after each answer, so that
    nothing is left open once another credential is used. Trouble with IAM comes out as the same
    errors, named IAM and ``unsent``. ``ends_at`` is the password's end, which IAM tells with a
    token.

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
        open_client: OpenClient,
        route: Route = STRAIGHT,
        clock: Clock = now,
    ) -> None:
        if not all((username, password, domain, project_id)):
            raise ValueError("IAM needs a user name, a password, a domain and a project id")
        super().__init__(self._request_token, clock)
        self._url = f"{base_url(endpoint)}/v3/auth/tokens"
        self._peer = IAM.at(self._url, route)
        self._password = password
        self._body = json_body(_token_request(username, password, domain, project_id))
        self._open_client = open_client

    async def _request_token(self) -> _Token:
        """Ask IAM for a token; raises SecMasterError."""
        try:
            async with self._open_client() as http:
                response = await http.request(
                    "POST",
                    self._url,
                    content=self._body,
                    headers={"Content-Type": JSON},
                    auth=None,
                    follow_redirects=False,
                )
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise broken(error, self._peer) from error
        reply = read(response, self._peer, secrets=(self._password,))
        token = _read_token(response, reply)
        user = reply.object("token").get("user")
        self.ends_at = moment(user.get("password_expires_at")) if isinstance(user, dict) else None
        return token


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
