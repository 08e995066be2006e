"""Our client watches Slack's answers: a refused token, missing scopes, unknown codes, warnings."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.runtime.clock import Clock
from bot.sandbox.faults import Fault
from bot.sandbox.slack.methods import ALL_SCOPES
from bot.services import Services
from bot.slack.client import CHECK_INTERVAL, SlackClient, code_of, reasons_of
from bot.slack.gateway import CannotPost, call
from tests.support.clock import FakeClock
from tests.support.people import ALICE, SOC
from tests.support.slack_recorder import SlackRecorder


class SteppingClock(Clock):
    """A clock that stands until a test lets the next wait end."""

    def __init__(self) -> None:
        self._waits = asyncio.Queue[float]()
        self._steps = asyncio.Queue[None]()

    async def sleep(self, seconds: float) -> None:
        self._waits.put_nowait(seconds)
        await self._steps.get()

    async def next_wait(self) -> float:
        """Return for how many seconds somebody begins to wait."""
        return await self._waits.get()

    def step(self) -> None:
        self._steps.put_nowait(None)


@pytest.fixture
async def slack(clock: FakeClock, request: pytest.FixtureRequest) -> AsyncIterator[SlackRecorder]:
    """A local Slack that grants the app all scopes, or those that a test names."""
    scopes = getattr(request, "param", ALL_SCOPES)
    sandbox = SlackRecorder(clock=lambda: clock.now().timestamp(), scopes=scopes)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
def client(services: Services) -> SlackClient:
    return services.slack.client


@pytest.fixture
def stepping() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
async def accepted(client: SlackClient, stepping: SteppingClock) -> AsyncIterator[asyncio.Event]:
    """Set when the watched token is taken again."""
    event = asyncio.Event()
    watching = asyncio.create_task(client.watch_token(stepping, event.set))
    yield event
    watching.cancel()


async def refusal(client: SlackClient) -> str:
    """Ask for a person, and return the code with which that is refused."""
    with pytest.raises(SlackApiError) as caught:
        await client.users_info(user=ALICE)
    return code_of(caught.value)


def asked(slack: SlackRecorder, method: str) -> int:
    return sum(each.method == method for each in slack.calls)


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.ERROR) -> list[Any]:
    records = [record for record in caplog.records if record.name == "bot.slack.client"]
    return [record for record in records if record.levelno >= level]


async def test_while_the_token_is_refused_no_call_is_made_and_each_says_why(
    client: SlackClient, slack: SlackRecorder
) -> None:
    slack.revoke_token("account_inactive")
    assert [await refusal(client) for _ in range(5)] == ["account_inactive"] * 5
    assert asked(slack, "users.info") == 1
    assert client.token_health.refusal == "account_inactive"


async def test_a_refused_token_is_asked_about_once_a_minute_and_told_of_twice(
    client: SlackClient,
    slack: SlackRecorder,
    stepping: SteppingClock,
    accepted: asyncio.Event,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = asked(slack, "auth.test")
    slack.revoke_token()
    await refusal(client)
    for _ in range(3):
        assert await stepping.next_wait() == CHECK_INTERVAL
        stepping.step()
    assert await stepping.next_wait() == CHECK_INTERVAL
    assert asked(slack, "auth.test") == before + 3
    assert not accepted.is_set()
    slack.restore_token()
    assert await refusal(client) == "token_revoked"  # nobody else finds out
    stepping.step()
    await accepted.wait()
    await client.users_info(user=ALICE)
    began, ended = lines(caplog, logging.WARNING)
    assert (began.levelname, ended.levelname) == ("CRITICAL", "WARNING")
    assert began.code == "token_revoked"
    assert "Reinstall the app, set SLACK_BOT_TOKEN" in began.to_do
    assert not began.exc_info


async def test_a_refused_token_is_not_taken_for_well_because_slack_is_down(
    client: SlackClient, slack: SlackRecorder, stepping: SteppingClock, accepted: asyncio.Event
) -> None:
    slack.revoke_token()
    await refusal(client)
    await slack.faults.set(Fault(on="auth.test", hang_up=True, times=1))
    await stepping.next_wait()
    stepping.step()
    await stepping.next_wait()
    assert not accepted.is_set()
    assert client.token_health.refusal == "token_revoked"


async def test_another_token_ends_a_refusal_at_once(
    client: SlackClient, slack: SlackRecorder, stepping: SteppingClock, accepted: asyncio.Event
) -> None:
    slack.rotate(bot_token="xoxb-new")
    assert await refusal(client) == "invalid_auth"
    await stepping.next_wait()  # and the minute never passes
    client.use_token("xoxb-new")
    await accepted.wait()
    await client.users_info(user=ALICE)


async def test_a_refusal_of_the_token_before_says_nothing_of_the_one_in_use(
    client: SlackClient, slack: SlackRecorder
) -> None:
    await slack.faults.set(Fault(on="users.info", hold=True))
    late = asyncio.create_task(refusal(client))
    await slack.faults.until_held("users.info")
    slack.rotate(bot_token="xoxb-new")
    client.use_token("xoxb-new")
    await slack.faults.clear()
    assert await late == "invalid_auth"
    assert client.token_health.refusal == ""
    await client.users_info(user=ALICE)


OF_A_WORKSPACE = ["team_access_not_granted", "org_login_required", "team_added_to_org"]


@pytest.mark.parametrize("code", OF_A_WORKSPACE)
async def test_a_workspace_that_refuses_the_bot_is_a_closed_place_and_no_more(
    client: SlackClient, slack: SlackRecorder, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    before = asked(slack, "auth.test")
    await slack.faults.set(Fault(on="chat.postMessage", status=200, code=code))
    await slack.faults.set(Fault(on="auth.test", hold=True))
    posts = [
        asyncio.create_task(call(client.chat_postMessage(channel=SOC, text="Hello")))
        for _ in range(5)
    ]
    await slack.until(lambda: asked(slack, "chat.postMessage") == len(posts))
    await slack.faults.until_held("auth.test")
    await slack.faults.clear("auth.test")
    errors = await asyncio.gather(*posts, return_exceptions=True)
    assert [(type(error), str(error)) for error in errors] == [(CannotPost, "workspace_closed")] * 5
    assert asked(slack, "auth.test") == before + 1
    assert client.token_health.refusal == ""
    await client.users_info(user=ALICE)
    [line] = lines(caplog)
    assert (line.method, line.code, line.place) == ("chat.postMessage", code, SOC)


@pytest.mark.parametrize("code", OF_A_WORKSPACE)
async def test_where_the_check_is_refused_as_well_the_token_is(
    client: SlackClient, slack: SlackRecorder, code: str
) -> None:
    slack.revoke_token(code)
    assert [await refusal(client) for _ in range(5)] == [code] * 5
    assert asked(slack, "users.info") == 1
    assert client.token_health.refusal == code


async def test_while_the_check_is_not_answered_a_refusal_of_a_workspace_is_trouble(
    client: SlackClient, slack: SlackRecorder
) -> None:
    await slack.faults.set(Fault(on="users.info", status=200, code="team_access_not_granted"))
    await slack.faults.set(Fault(on="auth.test", status=500))
    assert await refusal(client) == "internal_error"
    assert client.token_health.refusal == ""


@pytest.mark.parametrize("slack", [ALL_SCOPES - {"users:read"}], indirect=True, ids=["fewer"])
async def test_a_missing_scope_is_logged_once_by_its_name(
    client: SlackClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert {await refusal(client) for _ in range(2)} == {"missing_scope"}
    [line] = lines(caplog)
    assert (line.method, line.scope) == ("users.info", "users:read")


async def test_an_unknown_code_is_logged_once(
    client: SlackClient, slack: SlackRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    await slack.faults.set(Fault(on="users.info", status=200, code="a_code_of_tomorrow"))
    assert {await refusal(client) for _ in range(3)} == {"a_code_of_tomorrow"}
    [line] = lines(caplog)
    assert (line.method, line.code) == ("users.info", "a_code_of_tomorrow")


async def test_a_warning_is_logged_once_for_each_method_unless_it_is_harmless(
    client: SlackClient, slack: SlackRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    slack.warn("chat.postMessage", "missing_charset,invalid_metadata")
    slack.warn("users.info", "superfluous_charset")
    for _ in range(2):
        await client.chat_postMessage(channel=SOC, text="Hello")
        await client.users_info(user=ALICE)
    [line] = lines(caplog)
    assert (line.method, line.warning) == ("chat.postMessage", "invalid_metadata")


@pytest.mark.parametrize("answer", ["upstream is away", ["internal_error"], None])
def test_an_answer_that_is_no_object_is_an_error_without_a_code(
    client: SlackClient, answer: Any
) -> None:
    response = AsyncSlackResponse(
        client=client,
        http_verb="POST",
        api_url="https://slack.example/api/users.info",
        req_args={},
        data=answer,
        headers={},
        status_code=503,
    )
    error: SlackApiError = SlackApiError("not answered", response)  # type: ignore[no-untyped-call]  # it has no types
    assert (code_of(error), reasons_of(error)) == ("", [])


async def test_a_call_that_is_limited_is_made_again_in_a_moment_and_given_up_for_a_day(
    client: SlackClient, slack: SlackRecorder
) -> None:
    await slack.faults.set(Fault(on="chat.postMessage", status=429, retry_after=0, times=1))
    assert (await client.chat_postMessage(channel=SOC, text="soon"))["ok"]
    await slack.faults.set(Fault(on="chat.postMessage", status=429, retry_after=86_400, times=1))
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=SOC, text="tomorrow")
    assert code_of(caught.value) == "ratelimited"
