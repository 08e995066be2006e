"""Each way to authenticate: what is sent, when a token is renewed, and that nothing shows it."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import httpx
import pytest
from aiohttp import web

from bot.secmaster import (
    Forbidden,
    IamAuth,
    SecMaster,
    SecMasterError,
    SigningAuth,
    TaskAction,
    TokenAuth,
    Unavailable,
    Unreachable,
    Unreadable,
    open_http,
)
from tests.support.clock import FakeClock
from tests.support.http_stand import OpenClient, OpenIamAuth, RecordedRequest, Stand, StartWire

NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
PASSWORD = "pa$$ word-of-the-bot"


def noon() -> datetime:
    return NOON


async def signed(auth: httpx.Auth, request: httpx.Request) -> httpx.Request:
    """The request as it would go out."""
    flow = auth.async_auth_flow(request)
    try:
        return await anext(flow)
    finally:
        await flow.aclose()


def hexed(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


async def test_a_request_is_signed_as_documented_step_by_step() -> None:
    request = httpx.Request(
        "PUT",
        "https://secmaster.cn-north-4.myhuaweicloud.com:8443/v1/p1/soc/tasks/a%2fb%20~c?z=1&a=b%20c&a=B&e=",
        headers={"Content-Type": "application/json;charset=UTF-8", "X-Ignored": "1"},
        content=b'{"action": "CONTINUE"}',
    )
    sent = await signed(SigningAuth("AK1", "SK1", project_id="p1", clock=noon), request)
    canonical = (
        "PUT\n"
        "/v1/p1/soc/tasks/a%2Fb%20~c/\n"
        "a=B&a=b%20c&e=&z=1\n"
        "content-type:application/json;charset=UTF-8\n"
        "host:secmaster.cn-north-4.myhuaweicloud.com:8443\n"
        "x-project-id:p1\n"
        "x-sdk-date:20260304T120000Z\n"
        "\n"
        "content-type;host;x-project-id;x-sdk-date\n" + hexed(b'{"action": "CONTINUE"}')
    )
    to_sign = "SDK-HMAC-SHA256\n20260304T120000Z\n" + hexed(canonical.encode())
    signature = hmac.new(b"SK1", to_sign.encode(), "sha256").hexdigest()
    assert sent.headers["X-Sdk-Date"] == "20260304T120000Z"
    assert sent.headers["X-Project-Id"] == "p1"
    assert sent.headers["Authorization"] == (
        "SDK-HMAC-SHA256 Access=AK1, "
        f"SignedHeaders=content-type;host;x-project-id;x-sdk-date, Signature={signature}"
    )


async def test_a_request_without_a_body_signs_the_hash_of_nothing() -> None:
    request = httpx.Request("GET", "https://secmaster.example/")
    sent = await signed(SigningAuth("AK1", "SK1", project_id="p1", clock=noon), request)
    canonical = (
        "GET\n/\n\nhost:secmaster.example\nx-project-id:p1\nx-sdk-date:20260304T120000Z\n\n"
        "host;x-project-id;x-sdk-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    to_sign = "SDK-HMAC-SHA256\n20260304T120000Z\n" + hexed(canonical.encode())
    assert sent.headers["Authorization"].endswith(
        hmac.new(b"SK1", to_sign.encode(), "sha256").hexdigest()
    )


async def test_a_temporary_credential_signs_its_token_too() -> None:
    request = httpx.Request("GET", "https://secmaster.example/x")
    sent = await signed(SigningAuth("AK1", "SK1", "STS", project_id="p1", clock=noon), request)
    assert sent.headers["X-Security-Token"] == "STS"
    assert (
        "SignedHeaders=host;x-project-id;x-sdk-date;x-security-token,"
        in sent.headers["Authorization"]
    )


async def test_a_clock_anywhere_signs_in_utc() -> None:
    def in_china() -> datetime:
        return NOON.astimezone(timezone(timedelta(hours=8)))

    sent = await signed(
        SigningAuth("A", "S", project_id="p1", clock=in_china), httpx.Request("GET", "https://x")
    )
    assert sent.headers["X-Sdk-Date"] == "20260304T120000Z"
    assert sent.headers["X-Project-Id"] == "p1"


async def test_an_upload_is_signed_without_reading_it() -> None:
    async def content() -> AsyncIterator[bytes]:
        raise AssertionError("read")
        yield b""

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    request = httpx.Request("POST", "https://x.example/up", headers=headers, content=content())
    sent = await signed(SigningAuth("AK1", "SK1", project_id="p1", clock=noon), request)
    assert sent.headers["X-Sdk-Content-Sha256"] == "UNSIGNED-PAYLOAD"
    canonical = (
        "POST\n/up/\n\ncontent-type:multipart/form-data; boundary=b\nhost:x.example\n"
        "x-project-id:p1\nx-sdk-content-sha256:UNSIGNED-PAYLOAD\nx-sdk-date:20260304T120000Z\n\n"
        "content-type;host;x-project-id;x-sdk-content-sha256;x-sdk-date\nUNSIGNED-PAYLOAD"
    )
    to_sign = "SDK-HMAC-SHA256\n20260304T120000Z\n" + hexed(canonical.encode())
    assert sent.headers["Authorization"].endswith(
        hmac.new(b"SK1", to_sign.encode(), "sha256").hexdigest()
    )


async def test_json_from_a_stream_is_read_to_be_signed() -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"{}"

    headers = {"Content-Type": "application/json"}
    stream = httpx.Request("PUT", "https://x.example", headers=headers, content=content())
    whole = httpx.Request("PUT", "https://x.example", headers=headers, content=b"{}")
    auth = SigningAuth("AK1", "SK1", project_id="p1", clock=noon)
    first, second = await signed(auth, stream), await signed(auth, whole)
    assert first.headers["Authorization"] == second.headers["Authorization"]


async def test_what_arrives_is_what_was_signed(stand: Stand, client_for: OpenClient) -> None:
    client = await client_for(stand.url, SigningAuth("AK1", "SK1", project_id="p1", clock=noon))
    await client.update_task("t/1", action=TaskAction.ADD_COMMENT, comment="误报")
    [request] = stand.requests
    names = ("content-type", "host", "x-project-id", "x-sdk-date")
    lines = "".join(f"{name}:{request.headers[name]}\n" for name in names)
    canonical = f"PUT\n{request.target}/\n\n{lines}\n{';'.join(names)}\n{hexed(request.body)}"
    to_sign = f"SDK-HMAC-SHA256\n{request.headers['x-sdk-date']}\n{hexed(canonical.encode())}"
    signature = hmac.new(b"SK1", to_sign.encode(), "sha256").hexdigest()
    assert request.headers["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize("credential", ["", " x", "x\n", "a\r\nb", "密码", "a\x00"])
def test_a_credential_no_header_can_carry_is_refused_unseen(credential: str) -> None:
    for build in (
        lambda: SigningAuth(credential, "sk", project_id="p1"),
        lambda: SigningAuth("ak", credential, project_id="p1"),
        lambda: SigningAuth("ak", "sk", project_id=credential),
        lambda: SigningAuth("ak", "sk", credential or "\n", project_id="p1"),
        lambda: TokenAuth(credential),
    ):
        with pytest.raises(ValueError, match="must be printable ASCII") as caught:
            build()
        assert not credential.strip() or credential.strip() not in str(caught.value)


class Tokens:
    """What IAM gives out, and which of it SecMaster accepts."""

    def __init__(self, iam: Stand, stand: Stand) -> None:
        self.given = 0
        self.accepted: str | None = None
        self.lasts = timedelta(hours=24)
        iam.answer = self.give
        stand.answer = self.check

    def give(self, _: RecordedRequest) -> web.Response:
        self.given += 1
        expires = datetime.now(UTC) + self.lasts
        return web.json_response(
            {"token": {"expires_at": f"{expires:%Y-%m-%dT%H:%M:%S.%fZ}"}},
            status=201,
            headers={"X-Subject-Token": f"secret-token-{self.given}"},
        )

    def check(self, request: RecordedRequest) -> web.Response:
        if self.accepted not in (None, request.headers["x-auth-token"]):
            body = {
                "error_code": "APIGW.0301",
                "error_msg": f"bad {request.headers['x-auth-token']}",
            }
            return web.json_response(body, status=401)
        return web.json_response({"code": "00000000", "success": True, "data": {"id": "t1"}})


@pytest.fixture
def tokens(iam: Stand, stand: Stand) -> Tokens:
    return Tokens(iam, stand)


@pytest.fixture
def iam_auth() -> OpenIamAuth:
    async def iam_auth(url: str, wait: float | httpx.Timeout = 5.0, **options: Any) -> IamAuth:
        open_client = partial(open_http, httpx.Timeout(wait))
        return IamAuth(url, "bot", PASSWORD, "corp", "p1", open_client=open_client, **options)

    return iam_auth


@pytest.fixture
async def client(
    client_for: OpenClient, stand: Stand, iam: Stand, iam_auth: OpenIamAuth
) -> SecMaster:
    return await client_for(stand.url, await iam_auth(iam.url))


@pytest.mark.usefixtures("tokens")
async def test_iam_is_asked_as_documented(iam: Stand, stand: Stand, client: SecMaster) -> None:
    await client.show_task("t1")
    [request] = iam.requests
    assert (request.method, request.target) == ("POST", "/v3/auth/tokens")
    assert request.headers["content-type"] == "application/json;charset=UTF-8"
    user = {"name": "bot", "password": PASSWORD, "domain": {"name": "corp"}}
    assert request.json == {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"id": "p1"}},
        }
    }
    assert stand.requests[0].headers["x-auth-token"] == "secret-token-1"


@pytest.mark.usefixtures("tokens")
async def test_many_callers_share_one_token(iam: Stand, stand: Stand, client: SecMaster) -> None:
    await asyncio.gather(*(client.show_task("t1") for _ in range(20)))
    assert len(iam.requests) == 1
    assert len(stand.requests) == 20


async def test_a_token_refused_to_many_callers_is_renewed_once(
    iam: Stand, stand: Stand, tokens: Tokens, client: SecMaster
) -> None:
    await client.show_task("t1")
    tokens.accepted = "secret-token-2"
    await asyncio.gather(*(client.update_task("t1", action=TaskAction.CONTINUE) for _ in range(20)))
    assert len(iam.requests) == 2
    bodies = [request.body for request in stand.requests if request.method == "PUT"]
    accepted = [a for a in stand.requests if a.headers["x-auth-token"] == "secret-token-2"]
    assert len(accepted) == 20
    assert set(bodies) == {b'{"action": "CONTINUE"}'}


async def test_a_second_refusal_is_final(
    iam: Stand, stand: Stand, tokens: Tokens, client: SecMaster
) -> None:
    tokens.accepted = "nothing"
    with pytest.raises(Forbidden) as caught:
        await client.update_task("t1", action=TaskAction.CONTINUE)
    assert not caught.value.in_doubt
    assert (len(iam.requests), len(stand.requests)) == (2, 2)
    assert "secret-token" not in f"{caught.value!r}{vars(caught.value)}"


async def test_an_upload_is_sent_whole_again_after_a_refusal(
    stand: Stand, tokens: Tokens, client: SecMaster
) -> None:
    await client.show_task("t1")
    tokens.accepted = "secret-token-2"
    await client.upload_attachment("a.txt", b"contents")
    first, second = stand.requests[1:]
    assert first.body == second.body
    assert b"contents" in second.body


async def test_a_token_is_renewed_before_it_ends(  # noqa: PLR0917 - pytest passes fixtures by name
    iam: Stand,
    stand: Stand,
    tokens: Tokens,
    client_for: OpenClient,
    iam_auth: OpenIamAuth,
    clock: FakeClock,
) -> None:
    client = await client_for(stand.url, await iam_auth(iam.url, clock=clock.now))
    tokens.lasts = timedelta(minutes=6)
    await client.show_task("t1")
    clock.forward(minutes=2)
    tokens.lasts = timedelta(hours=1)
    for _ in range(3):
        await client.show_task("t1")
    assert len(iam.requests) == 2


@pytest.mark.usefixtures("tokens")
async def test_when_a_password_ends_is_known_from_then_on(
    iam: Stand, client: SecMaster, iam_auth: OpenIamAuth
) -> None:
    for value, expected in (
        ("2026-03-04T12:00:00.000000", NOON),
        ("", None),
        (None, None),
        ("never", None),
    ):
        auth = await iam_auth(iam.url)
        body = {"token": {"expires_at": "", "user": {"password_expires_at": value}}}
        iam.says(body, 201, X_Subject_Token="secret-token-1")
        assert auth.ends_at is None
        await client.with_auth(auth).show_task("t1")
        assert auth.ends_at == expected


@pytest.mark.usefixtures("tokens")
async def test_a_token_that_names_no_end_is_used_until_it_is_refused(
    iam: Stand, client: SecMaster
) -> None:
    iam.says({"token": {}}, 201, X_Subject_Token="secret-token-1")
    for _ in range(3):
        await client.show_task("t1")
    assert len(iam.requests) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (({"error": {"code": 401, "message": f"wrong: {PASSWORD}"}}, 401), Forbidden),
        ((b"<html>", 503), Unavailable),
        (({"token": {}}, 201), Unreadable),
        (({}, 201), Unreadable),
        ((b"<html>", 201), Unreadable),
    ],
)
async def test_trouble_with_iam_is_named_and_nothing_is_sent_to_secmaster(
    iam: Stand,
    stand: Stand,
    client: SecMaster,
    answer: tuple[object, int],
    kind: type[SecMasterError],
) -> None:
    iam.says(*answer)
    with pytest.raises(kind, match="IAM") as caught:
        await client.update_task("t1", action=TaskAction.CONTINUE)
    assert not caught.value.in_doubt
    assert stand.requests == []
    assert PASSWORD not in f"{caught.value!r}{vars(caught.value)}"


async def test_iam_out_of_reach_is_named(
    stand: Stand, client_for: OpenClient, iam_auth: OpenIamAuth
) -> None:
    client = await client_for(stand.url, await iam_auth("http://127.0.0.1:1"))
    with pytest.raises(Unreachable, match="IAM"):
        await client.show_task("t1")


async def test_iam_that_never_answers_leaves_no_doubt_about_the_request(
    stand: Stand, wire: StartWire, client_for: OpenClient, iam_auth: OpenIamAuth
) -> None:
    url, _ = await wire(b"", hang_up=False)
    auth = await iam_auth(url, wait=httpx.Timeout(5, read=0.05))
    client = await client_for(stand.url, auth)
    with pytest.raises(SecMasterError, match="IAM") as caught:
        await client.update_task("t1", action=TaskAction.CONTINUE)
    assert not caught.value.in_doubt
    assert stand.requests == []


async def test_callers_who_wait_together_share_a_failure_and_later_ones_ask_anew(
    iam: Stand, stand: Stand, client: SecMaster
) -> None:
    iam.says(b"", 503)
    calls = [client.show_task("t1") for _ in range(8)]
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(failure) for failure in failures} == {Unavailable}
    assert len(iam.requests) == 1
    Tokens(iam, stand)
    assert (await client.show_task("t1")).id == "t1"


async def test_no_secret_is_shown_by_anything_or_logged(  # noqa: PLR0917 - pytest passes fixtures by name
    iam: Stand,
    stand: Stand,
    tokens: Tokens,
    client_for: OpenClient,
    iam_auth: OpenIamAuth,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "httpx")  # a bot that ran in this process has made it quieter
    auth = await iam_auth(iam.url)
    client = await client_for(stand.url, auth)
    tokens.accepted = "secret-token-2"
    await client.show_task("t1")
    objects = [each for each in vars(auth).values() if not isinstance(each, str | bytes)]
    printed = f"{client!r} {auth!r} {objects!r} {caplog.text}"
    signer, giver = SigningAuth("AK-1", "SK-1", "STS-1", project_id="p1"), TokenAuth("GIVEN-1")
    printed += f"{signer!r} {giver!r}"
    secrets = (PASSWORD, "secret-token", "AK-1", "SK-1", "STS-1", "GIVEN-1")
    assert not [secret for secret in secrets if secret in printed]
    assert "v1/p1" in caplog.text


@pytest.mark.usefixtures("tokens")
async def test_no_connection_to_iam_stays_open(iam: Stand) -> None:
    clients: list[httpx.AsyncClient] = []

    def open_client() -> httpx.AsyncClient:
        clients.append(open_http())
        return clients[-1]

    async def ask(url: str) -> None:
        auth = IamAuth(url, "bot", PASSWORD, "corp", "p1", open_client=open_client)
        await signed(auth, httpx.Request("GET", "https://secmaster.example"))

    await ask(iam.url)
    with pytest.raises(Unreachable):
        await ask("http://127.0.0.1:1")
    assert [client.is_closed for client in clients] == [True, True]


def test_an_iam_user_without_a_password_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="password"):
        IamAuth("https://iam.example", "bot", "", "corp", "p1", open_client=open_http)


async def test_a_given_token_is_sent_as_it_is(stand: Stand, client_for: OpenClient) -> None:
    stand.says({"code": "00000000", "data": {}})
    client = await client_for(stand.url, TokenAuth("given"))
    await client.show_task("t")
    assert [request.headers["x-auth-token"] for request in stand.requests] == ["given"]


@pytest.mark.parametrize("body", [{}, {"token": "text"}, b"<html>"])
async def test_a_token_in_an_answer_nobody_can_read_is_not_used(
    iam: Stand, stand: Stand, client: SecMaster, body: object
) -> None:
    iam.says(body, 201, X_Subject_Token="secret-token-1")
    with pytest.raises(Unreadable, match="IAM"):
        await client.show_task("t1")
    assert stand.requests == []
