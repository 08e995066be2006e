"""The HTTP door, from outside: only what Slack signed within five minutes gets in."""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from aiohttp import web
from slack_bolt.async_app import AsyncApp

from bot.app import App
from bot.logs import FLOODED, Damper
from bot.sandbox.secmaster import SecMasterSandbox
from bot.web.server import MAX_BYTES, web_app
from bot.web.signature import RequestVerifier
from tests.support.environment import BotEnvironment, policy, settings_for
from tests.support.people import ALICE, SOC
from tests.support.slack_recorder import SlackRecorder

Post = Callable[..., Awaitable[httpx.Response]]
TurnedAway = Callable[..., Awaitable[None]]
Serve = Callable[..., Awaitable[str]]
SECRET = "demo-signing-secret"
COMMAND = urlencode(
    {
        "command": "/secmaster",
        "text": "help",
        "team_id": "T0DEMO",
        "user_id": ALICE,
        "user_name": "alice",
        "channel_id": SOC,
        "trigger_id": "1.2",
        "response_url": "http://127.0.0.1:1/x",
    }
).encode()
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
ARABIC = str(int(time.time())).translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))


def signature(body: bytes, stamp: Any, secret: str = SECRET) -> str:
    stamp = stamp if isinstance(stamp, bytes) else str(stamp).encode()
    signed = b"v0:" + stamp + b":" + body
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def headers(
    body: bytes, stamp: Any = None, kind: str = FORM, secret: str = SECRET
) -> dict[bytes, bytes]:
    """The headers of a request that Slack signed at this time."""
    stamp = str(int(time.time())) if stamp is None else stamp
    raw = stamp if isinstance(stamp, bytes) else str(stamp).encode()
    return {
        b"X-Slack-Request-Timestamp": raw,
        b"X-Slack-Signature": signature(body, raw, secret).encode(),
        b"Content-Type": kind.encode(),
    }


@pytest.fixture
async def http(environment: BotEnvironment) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=environment.app.url, trust_env=False) as client:
        yield client


@pytest.fixture
def post(http: httpx.AsyncClient) -> Post:
    async def post(body: bytes, sent_headers: Any) -> httpx.Response:
        return await http.post("/slack/events", content=body, headers=sent_headers)

    return post


@pytest.fixture
def turned_away(environment: BotEnvironment, post: Post) -> TurnedAway:
    """Post each of these, and see that all are turned away without a trace."""

    async def turned_away(requests: Any, status: int = 401) -> None:
        before = len(environment.slack.calls), len(environment.secmaster.requests)
        answers = {
            case: await post(body, sent_headers) for case, (body, sent_headers) in requests.items()
        }
        statuses = {case: answer.status_code for case, answer in answers.items()}
        assert statuses == dict.fromkeys(requests, status)
        assert max(len(answer.content) for answer in answers.values()) < 200
        assert (len(environment.slack.calls), len(environment.secmaster.requests)) == before
        assert not environment.slack.ephemerals(ALICE)

    return turned_away


# What Slack signed.


async def test_a_command_that_slack_signed_is_answered(post: Post) -> None:
    for age in (0, -290, 290):
        answer = await post(COMMAND, headers(COMMAND, int(time.time()) - age))
        assert answer.status_code == 200
        assert "How to use /secmaster" in answer.json()["text"]


async def test_a_command_about_a_payload_is_a_command(post: Post) -> None:
    body = COMMAND.replace(b"text=help", b"text=help+with+the+payload")
    assert "How to use /secmaster" in (await post(body, headers(body))).json()["text"]


async def test_a_body_of_one_mebibyte_is_still_read(post: Post) -> None:
    body = COMMAND + b"&padding=" + b"x" * (MAX_BYTES - len(COMMAND) - len(b"&padding="))
    assert len(body) == MAX_BYTES
    assert (await post(body, headers(body))).status_code == 200


async def test_the_challenge_and_the_probe_that_slack_sends_at_first_are_answered(
    post: Post,
) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "a-1", "token": "x"}).encode()
    answer = await post(body, headers(body, kind=JSON))
    assert answer.status_code == 200
    assert "a-1" in answer.text
    probe = b"ssl_check=1&token=x"
    assert (await post(probe, headers(probe))).status_code == 200


# What Slack did not sign.


def without(*names: bytes) -> dict[bytes, bytes]:
    return {key: value for key, value in headers(COMMAND).items() if key not in names}


def signed_as(value: bytes) -> dict[bytes, bytes]:
    return headers(COMMAND) | {b"X-Slack-Signature": value}


async def test_a_request_without_slacks_signature_is_turned_away(turned_away: TurnedAway) -> None:
    wrong = {
        "nothing": {},
        "no signature": without(b"X-Slack-Signature"),
        "no time": without(b"X-Slack-Request-Timestamp"),
        "another secret": headers(COMMAND, secret="another-secret"),
        "no secret": headers(COMMAND, secret=""),
        "another body": headers(COMMAND + b" "),
        "no body": headers(b""),
        "another time": headers(COMMAND) | {b"X-Slack-Request-Timestamp": b"1"},
        "empty": signed_as(b""),
        "cut off": signed_as(b"v0="),
        "zeros": signed_as(b"v0=" + b"0" * 64),
        "no version": signed_as(signature(COMMAND, int(time.time()))[3:].encode()),
        "another version": signed_as(b"v1" + signature(COMMAND, int(time.time()))[2:].encode()),
        "capitals": signed_as(signature(COMMAND, int(time.time())).upper().encode()),
        "beyond ascii": signed_as("v0=ünïcode".encode()),
        "long": signed_as(b"x" * 7000),
    }
    await turned_away({case: (COMMAND, sent_headers) for case, sent_headers in wrong.items()})


async def test_a_signature_that_is_no_text_is_turned_away(turned_away: TurnedAway) -> None:
    await turned_away({"bytes": (COMMAND, signed_as(b"v0=\xff\xfe"))})


async def test_a_challenge_or_a_probe_that_nobody_signed_is_turned_away(
    turned_away: TurnedAway,
) -> None:
    await turned_away(
        {
            "challenge": (b'{"type":"url_verification","challenge":"a"}', {"Content-Type": JSON}),
            "probe": (b"ssl_check=1&token=x", {"Content-Type": FORM}),
        }
    )


async def test_a_signed_request_of_another_time_is_turned_away(turned_away: TurnedAway) -> None:
    ages = (302, 3600, 10**9, -302, -3600, -(10**9))
    await turned_away({age: (COMMAND, headers(COMMAND, int(time.time()) - age)) for age in ages})


async def test_a_signed_request_whose_time_is_no_time_is_turned_away(
    turned_away: TurnedAway,
) -> None:
    stamps = [
        *(b"", b"now", b"-1", b"+1", b"0", b"0x10", b"1e9", b"nan", b"inf", b"1 2", b"1_000"),
        *(b"9" * 15, b"9" * 16, b"9" * 5000, b"0" * 5000, str(time.time()).encode()),
        *(ARABIC.encode(), "²".encode(), b"\xff\xfe"),
    ]
    await turned_away({stamp[:20]: (COMMAND, headers(COMMAND, stamp)) for stamp in stamps})


async def test_garbage_that_nobody_signed_is_turned_away(turned_away: TurnedAway) -> None:
    bodies = (b"", b"\xff\xfe", b"payload=\xff", b"[" * 100_000, b"null", b"payload=[", b"\0")
    kinds = (FORM, JSON, "text/plain", "multipart/form-data", "x")
    await turned_away(
        {(body[:9], kind): (body, {"Content-Type": kind}) for body in bodies for kind in kinds}
    )


async def test_signed_bytes_that_are_no_text_are_turned_away(turned_away: TurnedAway) -> None:
    body = COMMAND + b"\xff\xfe"
    await turned_away({kind: (body, headers(body, kind=kind)) for kind in (FORM, JSON)})


# What is said of a request that is refused.


async def test_a_refused_request_is_told_in_the_log_and_by_readyz_and_metrics(
    post: Post, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    async def log_and_requests() -> tuple[list[str], dict[str, Any]]:
        lines = [
            record.getMessage() for record in caplog.records if record.name == "bot.web.server"
        ]
        ready = await http.get("/readyz")
        assert ready.status_code == 200
        return lines, ready.json()["requests"]

    await post(COMMAND, {})
    await post(COMMAND, signed_as(b"v0="))
    assert await log_and_requests() == ([], {"genuine": 0})
    await post(COMMAND, headers(COMMAND, secret="another-secret"))
    lines, requests = await log_and_requests()
    assert lines == ["secret: a request was refused"]
    assert (requests["genuine"], requests["refused"], requests["reason"]) == (0, 1, "secret")
    assert "Basic Information → Signing Secret" in requests["problem"]
    await post(COMMAND, headers(COMMAND, int(time.time()) + 3600))
    lines, requests = await log_and_requests()
    assert lines[1:] == ["clock: a request was refused"]
    assert "59 min behind" in requests["problem"] or "1 h behind" in requests["problem"]
    assert (await post(COMMAND, headers(COMMAND))).status_code == 200
    body = b'{"type": "event_callback"}'
    await post(body + b"\n", headers(body, kind=JSON))
    lines, requests = await log_and_requests()
    assert lines[2:] == ["rewritten: a request was refused"]
    assert (requests["genuine"], requests["refused"]) == (1, 3)
    metrics = (await http.get("/metrics")).text
    for finding, count in {"genuine": 1, "unsigned": 2, "secret": 1, "path": 0}.items():
        assert f'secmaster_bot_requests_total{{finding="{finding}"}} {count}.0' in metrics
    for text in (caplog.text, json.dumps(requests), metrics):
        assert "alice" not in text
        assert SECRET not in text
        assert "v0=" not in text


# What is too large.

LARGE = b"x" * (MAX_BYTES + 1)


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 65536):
        yield body[at : at + 65536]


async def test_a_body_that_is_too_large_is_turned_away_signed_or_not(
    turned_away: TurnedAway,
) -> None:
    await turned_away(
        {
            "unsigned": (LARGE, {}),
            "signed": (LARGE, headers(LARGE)),
            "unsigned, in pieces": (in_pieces(LARGE), {}),
            "signed, in pieces": (in_pieces(LARGE), headers(LARGE)),
        },
        status=413,
    )


# What Slack signed, and yet does not send.


async def test_signed_words_that_are_no_json_are_a_bad_request(turned_away: TurnedAway) -> None:
    bodies = {b"not json": JSON, b"{": JSON, b'{"type":': JSON, b"payload=not+json": FORM}
    bodies[b"payload=%7B"] = FORM
    await turned_away(
        {body: (body, headers(body, kind=kind)) for body, kind in bodies.items()}, status=400
    )


async def test_signed_json_of_a_bottomless_depth_is_a_bad_request(turned_away: TurnedAway) -> None:
    bomb = b"[" * 100_000
    await turned_away(
        {
            "json": (bomb, headers(bomb, kind=JSON)),
            "form": (b"payload=" + bomb, headers(b"payload=" + bomb)),
        },
        status=400,
    )


async def test_signed_json_of_another_shape_is_no_fault_of_ours(
    post: Post, environment: BotEnvironment
) -> None:
    shapes = [
        *((body, JSON) for body in (b"", b"{}", b"[]", b'["x"]', b"null", b"3", b'"x"')),
        (b'{"type": "event_callback"}', JSON),
        (b'{"type": "event_callback", "event": null}', JSON),
        (b'{"type": "event_callback", "event": {"type": "app_mention"}}', JSON),
        *((body, FORM) for body in (b"", b"a=b", b"payload=[]", b"payload=null", b"payload={}")),
        (b'payload={"type": "block_actions"}', FORM),
        (b"command=/secmaster", FORM),
    ]
    statuses = {
        (body, kind): (await post(body, headers(body, kind=kind))).status_code
        for body, kind in shapes
    }
    assert {shape: status for shape, status in statuses.items() if status >= 500} == {}
    assert not environment.secmaster.requests


async def test_slacks_word_that_events_were_held_back_is_taken(post: Post) -> None:
    # https://docs.slack.dev/reference/events/app_rate_limited
    event = {"token": "x", "type": "app_rate_limited", "team_id": "T0DEMO", "api_app_id": "A0BOT"}
    body = json.dumps(event | {"minute_rate_limited": 1518467820}).encode()
    assert (await post(body, headers(body, kind=JSON))).status_code == 200


# The other routes.


async def test_there_is_nothing_else_to_be_had(http: httpx.AsyncClient) -> None:
    routes = {
        ("GET", "/slack/events"): 405,
        ("PUT", "/slack/events"): 405,
        ("POST", "/"): 404,
        ("GET", "/"): 404,
        ("POST", "/healthz"): 405,
        ("GET", "/slack/../../etc/passwd"): 404,
    }
    statuses = {route: (await http.request(*route)).status_code for route in routes}
    assert statuses == routes


async def test_it_says_that_it_is_alive_and_ready(http: httpx.AsyncClient) -> None:
    alive, ready = await http.get("/healthz"), await http.get("/readyz")
    assert (alive.status_code, alive.text) == (200, "ok\n")
    assert ready.status_code == 200
    assert ready.json()["database"] == "ok"


async def test_where_health_has_a_port_of_its_own_the_public_one_does_not_tell_it(
    slack: SlackRecorder, secmaster: SecMasterSandbox, database_url: str
) -> None:
    settings = settings_for(slack.url, secmaster.url, database_url)
    settings = settings.model_copy(update={"bot_health_port": 0})
    routes = {"/healthz": 200, "/readyz": 200, "/metrics": 200, "/slack/events": 404}
    async with App(settings, policy()) as app, httpx.AsyncClient(trust_env=False) as client:
        own = {path: (await client.get(app.health_url + path)).status_code for path in routes}
        public = {path: (await client.get(app.url + path)).status_code for path in routes}
        command = await client.post(
            f"{app.url}/slack/events", content=COMMAND, headers=headers(COMMAND)
        )
    assert own == routes
    assert public == dict.fromkeys(routes, 404) | {"/slack/events": 405}
    assert command.status_code == 200


@pytest.fixture
async def served() -> AsyncIterator[Serve]:
    """Serve the routes by themselves, without a bot behind them."""
    runners = []

    async def serve(bolt: Any, **parts: Any) -> str:
        runner = web.AppRunner(web_app(bolt, RequestVerifier(SECRET), Health(parts)))
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield serve
    for runner in runners:
        await runner.cleanup()


def bolt_alone() -> AsyncApp:
    """Bolt without a listener, behind what refuses requests."""
    return AsyncApp(token="xoxb-demo", request_verification_enabled=False)


async def test_it_says_which_part_is_not_ready(served: Serve) -> None:
    url = await served(None, database="ok", slack="no open connection")
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = await client.get("/readyz")
        alive = await client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"database": "ok", "slack": "no open connection"}
    assert alive.status_code == 200


async def test_the_wrong_path_is_told_where_slack_posts_to_it_and_nobody_else(
    served: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    url = await served(bolt_alone())
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        for sent_headers in ({}, signed_as(b"v0=")):
            answer = await client.post("/slack", content=COMMAND, headers=sent_headers)
            assert answer.status_code == 404
        assert (await client.get("/slack")).status_code == 404
        assert not caplog.records
        answer = await client.post("/slack", content=COMMAND, headers=headers(COMMAND))
    assert answer.status_code == 404
    [record] = caplog.records
    assert record.getMessage() == "path: a request was refused"
    assert "posts to /slack, and the bot answers at /slack/events" in vars(record)["problem"]


async def test_what_anybody_can_send_fills_no_log(served: Serve) -> None:
    lines: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = lines.append  # type: ignore[assignment,method-assign]  # a list for a stream
    handler.addFilter(Damper(FLOODED))
    log = logging.getLogger("bot.web.server")
    log.addHandler(handler)
    url = await served(bolt_alone())
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            for _ in range(20):
                signed = headers(COMMAND, secret="another-secret")
                answer = await client.post("/slack/events", content=COMMAND, headers=signed)
                assert answer.status_code == 401
    finally:
        log.removeHandler(handler)
    assert len(lines) == Damper.ALLOWED


async def test_in_socket_mode_nothing_can_be_posted(served: Serve) -> None:
    url = await served(None)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = await client.post("/slack/events", content=COMMAND, headers=headers(COMMAND))
    assert answer.status_code == 404


@dataclass
class Health:
    """What a bot would tell."""

    told: dict[str, str]

    async def parts(self) -> Any:
        return self.told

    async def metrics(self) -> bytes:
        return b""
