"""Who is asking: the gateway's check of signatures and tokens, and IAM's issuing of tokens.

The signature is recomputed from what arrived, by the published rules, on its own: a signer
that has the rules wrong is found out here.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
    """What the sandbox accepts; with a security token, the key pair is a temporary one."""

    ak: str
    sk: str
    security_token: str
    token: str
    iam_user: str
    iam_password: str
    iam_domain: str
    project_id: str


@dataclass(frozen=True)
class Caller:
    """Who was let in, by which proof (``aksk``, ``token`` or ``iam``), and with whose key."""

    id: str
    name: str
    signed_by: str
    key: str = ""

    @property
    def person(self) -> Person:
        return Person(self.id, self.name, via=f"{self.signed_by} {self.key}".rstrip())


BOT = ("07a1c0de00000000000000000000b070", "secmaster-bot")


class Gate:
    """Lets in whoever can prove who they are."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self.issued: dict[str, datetime] = {}
        self._credentials = credentials
        self._clock = clock

    def admit(self, method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> Caller:
        """Name the caller, or refuse with 401. ``raw_path`` is as it arrived, query included."""
        if "X-Auth-Token" in headers:
            return self._holder(headers["X-Auth-Token"])
        if "Authorization" not in headers:
            raise _no("Incorrect IAM authentication information: no auth info in the request")
        return self._signer(method, raw_path, headers, body)

    def check_project(self, project_id: str) -> None:
        if not _same(project_id, self._credentials.project_id):
            raise GatewayRejection(403, "APIGW.0302", "The IAM user is not authorized")

    def issue(self, body: Any) -> tuple[str, Record]:
        """A token for a name, a password and a project, and IAM's words about it."""
        try:
            asked = _TokenRequest.model_validate(body)
        except ValidationError:
            raise IamRejection(
                400, "Bad Request", "The request body is missing or malformed"
            ) from None
        self._check_password(asked.auth)
        now = self._clock()
        token = f"MIIsandbox{secrets.token_urlsafe(48)}"
        self.issued[token] = now + TOKEN_LIFE
        return token, _described(now, self._credentials)

    def revoke(self) -> None:
        """Forget the tokens issued so far: their holders must ask again."""
        self.issued.clear()

    def _check_password(self, auth: "_Auth") -> None:
        user, known = auth.identity.password.user, self._credentials
        given = (user.name, user.password, user.domain.name)
        right = (known.iam_user, known.iam_password, known.iam_domain)
        # As a list, so that how far a guess got cannot be told from the time it took.
        if not all(list(map(_same, given, right))):
            raise IamRejection(401, "Unauthorized", "The username or password is wrong.")
        if not _same(auth.scope.project.id, known.project_id):
            raise IamRejection(401, "Unauthorized", "The project is not one of the user's.")

    def _holder(self, token: str) -> Caller:
        if _same(token, self._credentials.token):
            return Caller(*BOT, "token")
        expires_at = next((at for known, at in self.issued.items() if _same(known, token)), None)
        if expires_at is None or expires_at <= self._clock():
            raise _no("Incorrect IAM authentication information: decrypt token fail")
        user = self._credentials.iam_user
        return Caller("iam-user", user, "iam", user)

    def _signer(
        self, method: str, raw_path: str, headers: Mapping[str, str], body: bytes
    ) -> Caller:
        parts = _AUTHORIZATION.fullmatch(headers["Authorization"])
        if parts is None:
            raise _no("Incorrect IAM authentication information: Authorization format is wrong")
        ak, names, signature = parts.groups()
        signed = sorted(names.split(";"))
        self._check_date(headers.get("X-Sdk-Date", ""))
        canonical = _canonical(method, raw_path, signed, headers, body)
        proofs = [
            _same(ak, self._credentials.ak),
            _same(headers.get("X-Security-Token", ""), self._credentials.security_token),
            _must_be_signed(headers) <= set(signed),
            _same(signature, _signature(self._credentials.sk, headers["X-Sdk-Date"], canonical)),
        ]
        if not all(proofs):
            raise _no("Incorrect IAM authentication information: verify aksk signature fail")
        return Caller(*BOT, "aksk", ak)

    def _check_date(self, date: str) -> None:
        try:
            sent = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise _no("Incorrect IAM authentication information: x-sdk-date is wrong") from None
        if abs(self._clock() - sent) > SKEW:
            raise _no(
                "Incorrect IAM authentication information: x-sdk-date is more than "
                "15 minutes away from the server's time"
            )


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


def _described(now: datetime, known: Credentials) -> Record:
    domain = {"id": "demo-domain-id", "name": known.iam_domain}
    return {
        "token": {
            "expires_at": f"{now + TOKEN_LIFE:%Y-%m-%dT%H:%M:%S.%fZ}",
            "issued_at": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}",
            "methods": ["password"],
            "user": {"id": "iam-user", "name": known.iam_user, "domain": domain},
            "project": {"id": known.project_id, "name": "sandbox", "domain": domain},
            "roles": [],
            "catalog": [],
        }
    }


def _canonical(
    method: str, raw_path: str, signed: Iterable[str], headers: Mapping[str, str], body: bytes
) -> str:
    path, _, query = raw_path.partition("?")
    uri = "/".join(_encoded(unquote(segment)) for segment in path.split("/"))
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "\n".join(
        [
            method,
            uri if uri.endswith("/") else f"{uri}/",
            "&".join(f"{_encoded(key)}={_encoded(value)}" for key, value in pairs),
            "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in signed),
            ";".join(signed),
            _payload(headers, body),
        ]
    )


def _payload(headers: Mapping[str, str], body: bytes) -> str:
    kind = headers.get("Content-Type", "application/json")
    if kind.startswith("application/json"):
        return hashlib.sha256(body).hexdigest()
    # A body that is not JSON is never hashed: without the header nothing can match.
    return UNSIGNED if headers.get("X-Sdk-Content-Sha256") == UNSIGNED else ""


def _signature(sk: str, date: str, canonical: str) -> str:
    digest = hashlib.sha256(_bytes(canonical)).hexdigest()
    to_sign = f"SDK-HMAC-SHA256\n{date}\n{digest}"
    return hmac.new(sk.encode(), _bytes(to_sign), hashlib.sha256).hexdigest()


def _must_be_signed(headers: Mapping[str, str]) -> set[str]:
    temporary = {"x-security-token"} if "X-Security-Token" in headers else set()
    return {"host", "x-sdk-date"} | temporary


def _encoded(text: str) -> str:
    return quote(text, safe="-._~")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(text: str) -> bytes:
    # A header may hold bytes that are no UTF-8, which arrive as surrogates.
    return text.encode("utf-8", "surrogateescape")


def _no(message: str) -> Rejection:
    return GatewayRejection(401, "APIGW.0301", message)
