"""JSON that a sandbox cannot store is refused, by each sandbox in its service's words."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from bot.sandbox import strict_json
from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.sandbox.slack import SlackSandbox
from tests.support.secmaster_caller import SOC

BAD = ['{"text": 1e999}', '{"text": NaN}', '{"text": -Infinity}']
BAD += ['{"text": ' + "[" * deep + "]" * deep + "}" for deep in (101, 600, 100_000)]
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def send() -> AsyncIterator[Callable[..., Awaitable[tuple[int, str]]]]:
    async with httpx.AsyncClient(headers=JSON) as http:

        async def request(
            method: str, url: str, body: str | bytes, **headers: str
        ) -> tuple[int, str]:
            answer = await http.request(method, url, content=body, headers=headers)
            return answer.status_code, answer.text

        yield request


def test_a_hundred_levels_are_read() -> None:
    text = "[" * 100 + "]" * 100
    assert strict_json.dumps(strict_json.loads(text)) == text


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
async def test_slack_refuses_what_it_cannot_keep(
    slack: SlackSandbox, send: Callable[..., Awaitable[tuple[int, str]]], body: str | bytes
) -> None:
    _, text = await send("POST", slack.url + "/api/chat.postMessage", body)
    assert '"invalid_json"' in text
    hook = slack.workspace.permits.new_hook("U0BOB", "C0SOC", "")
    assert await send("POST", f"{slack.url}/_hooks/{hook}", body) == (400, "invalid_payload")
    assert (await send("POST", slack.url + "/_sandbox/say", body))[0] == 400
    assert (await send("GET", slack.url + "/_sandbox/calls", ""))[0] == 200


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
async def test_secmaster_refuses_what_it_cannot_keep(
    secmaster: SecMasterSandbox, send: Callable[..., Awaitable[tuple[int, str]]], body: str | bytes
) -> None:
    token = {"X-Auth-Token": "demo-token"}
    path = f"{secmaster.url}{SOC}/tasks/{seed.TASK_ISOLATE}"
    status, text = await send("PUT", path, body, **token)
    assert (status, "must be a JSON object" in text) == (400, True)
    assert (await send("POST", secmaster.url + "/v3/auth/tokens", body))[0] == 400
    assert (await send("GET", secmaster.url + "/_sandbox/requests", ""))[0] == 200


@pytest.mark.parametrize("number", ["1e999", "NaN", "Infinity"])
async def test_faults_and_rates_are_finite(
    secmaster: SecMasterSandbox, send: Callable[..., Awaitable[tuple[int, str]]], number: str
) -> None:
    for path, field in (("faults", '"on": "*", "delay"'), ("clock", '"tasks_every"')):
        body = f"{{{field}: {number}}}"
        assert (await send("POST", f"{secmaster.url}/_sandbox/{path}", body))[0] == 400


FORM = "multipart/form-data; boundary=b"
FILE = '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n'


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        (FORM, FILE, '"ok": true'),
        ("multipart/form-data", FILE, '"invalid_form_data"'),
        ("application/x-www-form-urlencoded; charset=nonsense", "a=b", '"invalid_charset"'),
        ("application/json", "[]", '"json_not_object"'),
    ],
)
async def test_slack_says_what_is_wrong_with_a_body(
    slack: SlackSandbox,
    send: Callable[..., Awaitable[tuple[int, str]]],
    kind: str,
    body: str | bytes,
    text: str,
) -> None:
    status, answer = await send("POST", slack.url + "/api/api.test", body, **{"Content-Type": kind})
    assert (status, text in answer) == (200, True)
    assert (await send("GET", slack.url + "/_sandbox/calls", ""))[0] == 200
