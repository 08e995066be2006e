"""Authentication: the gateway's check of signatures and tokens, and IAM's issuing of tokens.

The signature is computed anew from the request by the published rules, without any code of
the bot, so that a signer which gets the rules wrong is refused here.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from pydantic import BaseModel, ValidationError

from bot.sandbox.secmaster.wire import (
    Clock,
    GatewayRejection,
    IamRejection,
    Person,
    Record,
    Rejection,
)

SKEW = timedelta(minutes=15)
TOKEN_LIFE = timedelta(hours=24)
UNSIGNED = "UNSIGNED-PAYLOAD"

_AUTHORIZATION = re.compile(
    r"SDK-HMAC-SHA256 Access=([^,\s]+), SignedHeaders=([^,\s]+), Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True)
class Credentials:
    """The credentials the sandbox accepts. With a security token, the key pair is temporary.

    ``project_id`` is the project that is served, and may be asked for by name alone: a key's own
    project, which counts where a signed request names none, is ``default_project_id``.
    """

    ak: str
    sk: str
    security_token: str
    token: str
    iam_user: str
    iam_password: str
    iam_domain: str
    project_id: str
    default_project_id: str


@dataclass(frozen=True)
class KeyPair:
    """What signs requests, until ``ends_at`` where that is not None."""

    ak: str
    sk: str
    security_token: str = ""
    ends_at: datetime | None = None


@dataclass(frozen=True)
class Caller:
    """An authenticated caller, the proof (``aksk``, ``token`` or ``iam``), and whose key it was.

    ``project_id`` is the project that the call is for.
    """

    id: str
    name: str
    signed_by: str
    project_id: str
    key: str = ""

    @property
    def person(self) -> Person:
        return Person(self.id, self.name, via=f"{self.signed_by} {self.key}".rstrip())


AGENCY = ("07a1c0de00000000000000000000a9e0", "secmaster-bot-agency")
BOT = ("07a1c0de00000000000000000000b070", "secmaster-bot")


class Authenticator:
    """Checks the credentials of requests, and issues tokens."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self.issued: dict[str, datetime] = {}
        self.password_ends_at: datetime | None = None
        self._issued_keys: dict[str, KeyPair] = {}
        self._credentials = credentials
        self._clock = clock

    def authenticate(
        self, method: str, raw_path: str, headers: Mapping[str, str], body: bytes
    ) -> Caller:
        """Return the caller, or raise a rejection with 401.

        ``raw_path`` is the path as it arrived, query included.
        """
        if "X-Auth-Token" in headers:
            return self._token_caller(headers["X-Auth-Token"])
        if "Authorization" not in headers:
            raise _unauthenticated("no auth info in the request")
        return self._signing_caller(method, raw_path, headers, body)

    def check_project(self, caller: Caller, project_id: str) -> None:
        """Raise a rejection with 403 unless a path's project is served, and the caller's."""
        is_served = _same(project_id, self._credentials.project_id)
        if not is_served or not _same(project_id, caller.project_id):
            raise GatewayRejection(403, "APIGW.0302", "The IAM user is not authorized")

    def issue(self, body: Any) -> tuple[str, Record]:
        """Return a token for a name, a password and a project, and IAM's description of it.

        ``body`` is the request as IAM documents it. Raises ``IamRejection``.
        """
        try:
            auth = _TokenRequest.model_validate(body).auth
        except ValidationError:
            raise IamRejection(
                400, "Bad Request", "The request body is missing or malformed"
            ) from None
        user, credentials = auth.identity.password.user, self._credentials
        attempt = (user.name, user.password, user.domain.name)
        correct = (credentials.iam_user, credentials.iam_password, credentials.iam_domain)
        # As a list, so that the time of the check does not tell how much of a guess was right.
        if not all(list(map(_same, attempt, correct))):
            raise IamRejection(401, "Unauthorized", "The username or password is wrong.")
        if not _same(auth.scope.project.id, credentials.project_id):
            raise IamRejection(401, "Unauthorized", "The project is not one of the user's.")
        now = self._clock()
        token = f"MIIsandbox{secrets.token_urlsafe(48)}"
        self.issued[token] = now + TOKEN_LIFE
        return token, _token_description(now, credentials, self.password_ends_at)

    def issue_keys(self, life: timedelta) -> KeyPair:
        """Return temporary keys of an agency."""
        ak, sk, security_token = (f"sandbox-{secrets.token_urlsafe(24)}" for _ in range(3))
        pair = KeyPair(ak, sk, security_token, self._clock() + life)
        self._issued_keys[pair.ak] = pair
        return pair

    def replace(self, **credentials: str) -> None:
        """Accept other credentials in the place of those of these names."""
        self._credentials = replace(self._credentials, **credentials)

    def revoke(self) -> None:
        """Forget the tokens and keys issued so far, so that their holders must get new ones."""
        self.issued.clear()
        self._issued_keys.clear()

    def _token_caller(self, token: str) -> Caller:
        if _same(token, self._credentials.token):
            return Caller(*BOT, "token", self._credentials.project_id)
        expiries = (expiry for issued, expiry in self.issued.items() if _same(issued, token))
        expires_at = next(expiries, None)
        if expires_at is None or expires_at <= self._clock():
            raise _unauthenticated("decrypt token fail")
        user = self._credentials.iam_user
        return Caller("iam-user", user, "iam", self._credentials.project_id, user)

    def _signing_caller(
        self, method: str, raw_path: str, headers: Mapping[str, str], body: bytes
    ) -> Caller:
        match = _AUTHORIZATION.fullmatch(headers["Authorization"])
        if match is None:
            raise _unauthenticated("Authorization format is wrong")
        ak, header_names, signature = match.groups()
        signed_headers = sorted(header_names.split(";"))
        date = headers.get("X-Sdk-Date", "")
        try:
            signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise _unauthenticated("x-sdk-date is wrong") from None
        if abs(self._clock() - signed_at) > SKEW:
            raise _unauthenticated("x-sdk-date is more than 15 minutes away from the server's time")
        canonical = _canonical_request(method, raw_path, signed_headers, headers, body)
        required = {"host", "x-sdk-date"}
        required |= {name for name in ("x-project-id", "x-security-token") if name in headers}
        credentials = self._credentials
        pair = self._issued_keys.get(ak) or KeyPair(
            credentials.ak, credentials.sk, credentials.security_token
        )
        checks = [
            _same(ak, pair.ak),
            _same(headers.get("X-Security-Token", ""), pair.security_token),
            required <= set(signed_headers),
            _same(signature, _signature(pair.sk, date, canonical)),
            pair.ends_at is None or pair.ends_at > self._clock(),
        ]
        if not all(checks):
            raise _unauthenticated("verify aksk signature fail")
        project_id = headers.get("X-Project-Id", credentials.default_project_id)
        return Caller(*(AGENCY if pair.ends_at else BOT), "aksk", project_id, ak)


class _Named(BaseModel):
    name: str


class _User(_Named):
    password: str
    domain: _Named


class _Password(BaseModel):
    user: _User


class _Identity(BaseModel):
    methods: list[str]
    password: _Password


class _Project(BaseModel):
    id: str


class _Scope(BaseModel):
    project: _Project


class _Auth(BaseModel):
    identity: _Identity
    scope: _Scope


class _TokenRequest(BaseModel):
    auth: _Auth


def _token_description(
    now: datetime, credentials: Credentials, password_ends_at: datetime | None
) -> Record:
    domain = {"id": "demo-domain-id", "name": credentials.iam_domain}
    user = {"id": "iam-user", "name": credentials.iam_user, "domain": domain}
    # IAM writes "" for a password that never ends.
    user["password_expires_at"] = (
        f"{password_ends_at:%Y-%m-%dT%H:%M:%S.%fZ}" if password_ends_at else ""
    )
    return {
        "token": {
            "expires_at": f"{now + TOKEN_LIFE:%Y-%m-%dT%H:%M:%S.%fZ}",
            "issued_at": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
            "methods": ["password"],
            "user": user,
            "project": {"id": credentials.project_id, "name": "sandbox", "domain": domain},
            "roles": [],
            "catalog": [],
        }
    }


def _canonical_request(
    method: str,
    raw_path: str,
    signed_headers: Iterable[str],
    headers: Mapping[str, str],
    body: bytes,
) -> str:
    path, _, query = raw_path.partition("?")
    uri = "/".join(_encoded(unquote(segment)) for segment in path.split("/"))
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    if headers.get("Content-Type", "application/json").startswith("application/json"):
        payload_hash = hashlib.sha256(body).hexdigest()
    else:
        # A body that is not JSON is never hashed: without the header nothing can match.
        payload_hash = UNSIGNED if headers.get("X-Sdk-Content-Sha256") == UNSIGNED else ""
    return "\n".join(
        [
            method,
            uri if uri.endswith("/") else f"{uri}/",
            "&".join(f"{_encoded(key)}={_encoded(value)}" for key, value in pairs),
            "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in signed_headers),
            ";".join(signed_headers),
            payload_hash,
        ]
    )


def _signature(sk: str, date: str, canonical: str) -> str:
    digest = hashlib.sha256(_bytes(canonical)).hexdigest()
    to_sign = f"SDK-HMAC-SHA256\n{date}\n{digest}"
    return hmac.new(sk.encode(), _bytes(to_sign), hashlib.sha256).hexdigest()


def _encoded(text: str) -> str:
    return quote(text, safe="-._~")


def _same(first: str, second: str) -> bool:
    return hmac.compare_digest(_bytes(first), _bytes(second))


def _bytes(text: str) -> bytes:
    # A header may hold bytes that are no UTF-8, which arrive as surrogates.
    return text.encode("utf-8", "surrogateescape")


def _unauthenticated(reason: str) -> Rejection:
    message = f"Incorrect IAM authentication information: {reason}"
    return GatewayRejection(401, "APIGW.0301", message)
