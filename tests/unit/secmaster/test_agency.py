"""The keys of an ECS's agency: a machine's metadata and SecMaster, both over HTTP."""

import asyncio
import logging
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest
from aiohttp import web

from bot.sandbox.secmaster import SecMasterSandbox, seed
from bot.secmaster import (
    AgencyAuth,
    AnswerLost,
    Forbidden,
    SecMaster,
    SecMasterError,
    SigningAuth,
    TaskAction,
    Unavailable,
    Unreachable,
    Unreadable,
    open_http,
)
from bot.secmaster.connect import open_secmaster
from bot.settings import Settings
from tests.support.clock import FakeClock
from tests.support.http_stand import RecordedRequest, Stand

CALLERS = 50


def settings_for(secmaster: str, metadata: str, **more: Any) -> Settings:
    return Settings(
        _env_file=None,
        slack_bot_token="xoxb-demo",
        slack_signing_secret="demo",
        secmaster_endpoint=secmaster,
        SECMASTER_PROJECT_ID="demo-project",
        secmaster_workspace_id="demo-workspace",
        ecs_agency=True,
        ecs_metadata_endpoint=metadata,
        **more,
    )


@pytest.fixture
async def client(secmaster: SecMasterSandbox, clock: FakeClock, stack: AsyncExitStack) -> SecMaster:
    """A client on an ECS whose agency may use SecMaster."""
    return await open_secmaster(settings_for(secmaster.url, secmaster.url), stack, clock.now)


@pytest.fixture
async def elsewhere(stand: Stand, secmaster: SecMasterSandbox, stack: AsyncExitStack) -> SecMaster:
    """A client whose metadata is the stand's."""
    clock = FakeClock()
    return await open_secmaster(settings_for(secmaster.url, stand.url), stack, clock.now)


async def test_many_callers_share_the_keys_of_the_agency(
    client: SecMaster, secmaster: SecMasterSandbox
) -> None:
    await asyncio.gather(*(client.list_tasks(limit=1) for _ in range(CALLERS)))
    assert secmaster.metadata.asked == 1
    assert len(secmaster.requests) == CALLERS
    [proof] = {(request.signed_by, request.key[:8]) for request in secmaster.requests}
    assert proof == ("aksk", "sandbox-")
    assert client.auth.ends_at is None


async def test_keys_are_renewed_before_their_end_once_for_all_callers(
    client: SecMaster, secmaster: SecMasterSandbox, clock: FakeClock
) -> None:
    secmaster.metadata.life = timedelta(minutes=30)
    for _ in range(4):
        await asyncio.gather(*(client.list_tasks(limit=1) for _ in range(5)))
        clock.forward(minutes=26)
    assert secmaster.metadata.asked == 4
    assert {request.status for request in secmaster.requests} == {200}
    assert len({request.key for request in secmaster.requests}) == 4


async def test_keys_that_are_refused_are_renewed_once_and_a_write_is_sent_again(
    client: SecMaster, secmaster: SecMasterSandbox
) -> None:
    await client.list_tasks(limit=1)
    secmaster.metadata.revoke()
    action = TaskAction.ADD_COMMENT
    await asyncio.gather(
        *(
            client.update_task(seed.TASK_ISOLATE, action=action, comment="seen")
            for _ in range(CALLERS)
        )
    )
    assert secmaster.metadata.asked == 2
    assert len(secmaster.writes("UpdateTask", seed.TASK_ISOLATE)) == CALLERS


async def test_the_same_keys_are_not_tried_again_after_a_refusal(
    client: SecMaster, secmaster: SecMasterSandbox
) -> None:
    await client.list_tasks(limit=1)
    secmaster.authenticator.revoke()  # and the metadata gives out the same keys
    with pytest.raises(Forbidden, match="verify aksk signature fail"):
        await client.list_tasks(limit=1)
    assert (secmaster.metadata.asked, len(secmaster.requests)) == (2, 2)


async def test_keys_that_can_not_be_renewed_are_used_until_their_end(
    client: SecMaster,
    secmaster: SecMasterSandbox,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    secmaster.metadata.life = timedelta(minutes=30)
    await client.list_tasks(limit=1)
    secmaster.metadata.is_up = False
    clock.forward(minutes=26)
    for _ in range(3):
        await asyncio.gather(*(client.list_tasks(limit=1) for _ in range(5)))
        clock.forward(seconds=31)
    # Once in half a minute, so that what is down does not hold up each request.
    assert secmaster.metadata.asked == 4
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len({record.getMessage() for record in warnings}) == 1
    assert "used until its end" in warnings[0].getMessage()
    assert {request.status for request in secmaster.requests} == {200}
    clock.forward(minutes=5)
    before = len(secmaster.requests)
    calls = [client.list_tasks(limit=1) for _ in range(8)]
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(failure) for failure in failures} == {Unavailable}
    assert len({id(failure) for failure in failures}) == 1
    assert (secmaster.metadata.asked, len(secmaster.requests)) == (5, before)
    secmaster.metadata.is_up = True
    await client.list_tasks(limit=1)


async def test_a_machine_that_knows_no_tokens_is_asked_without(
    client: SecMaster, secmaster: SecMasterSandbox
) -> None:
    secmaster.metadata.insists_on_token = False
    await client.list_tasks(limit=1)


async def test_a_machine_without_an_agency_is_told_to_its_operator(
    client: SecMaster, secmaster: SecMasterSandbox
) -> None:
    secmaster.metadata.has_agency = False
    with pytest.raises(Forbidden, match=r"^this machine has no agency: give the ECS one") as caught:
        await client.update_task(seed.TASK_ISOLATE, action=TaskAction.CONTINUE)
    assert caught.value.unsent
    assert not caught.value.in_doubt
    assert secmaster.requests == []


@pytest.mark.parametrize("answer", [{"credential": {}}, {"credential": "text"}, [], b"<html>"])
async def test_what_is_no_agencys_keys_is_unreadable(
    stand: Stand, elsewhere: SecMaster, answer: object
) -> None:
    stand.says(answer)
    with pytest.raises(SecMasterError, match="ECS metadata") as caught:
        await elsewhere.list_tasks(limit=1)
    assert isinstance(caught.value, Unreadable | AnswerLost)
    assert caught.value.unsent


async def test_keys_stay_out_of_everything_that_is_shown(
    stand: Stand, elsewhere: SecMaster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = ("ACCESS-1", "SECRET-2", "STS-3", "METADATA-4")

    def answer(request: RecordedRequest) -> web.Response:
        if request.method == "PUT":
            return web.Response(text=secrets[3])
        assert request.headers["x-metadata-token"] == secrets[3]
        names = ("access", "secret", "securitytoken")
        return web.json_response({"credential": dict(zip(names, secrets, strict=False))})

    stand.answer = answer
    with pytest.raises(Forbidden) as caught:  # the real one's keys are others
        await elsewhere.list_tasks(limit=1)
    auth = elsewhere.auth
    assert isinstance(auth, AgencyAuth)
    shown = f"{auth!r} {vars(auth)!r} {caught.value!r} {vars(caught.value)} {caplog.text}"
    assert not [secret for secret in secrets if secret in shown]
    stand.answer = lambda request: (
        answer(request)
        if request.method == "PUT"
        else web.json_response({"message": f"bad token {secrets[3]}"}, status=403)
    )
    with pytest.raises(Forbidden) as caught:
        await elsewhere.list_tasks(limit=1)
    assert secrets[3] not in f"{caught.value!r}{vars(caught.value)}"


async def test_no_connection_to_the_metadata_stays_open(
    secmaster: SecMasterSandbox, clock: FakeClock
) -> None:
    clients: list[httpx.AsyncClient] = []

    def open_client() -> httpx.AsyncClient:
        clients.append(open_http())
        return clients[-1]

    def signer(ak: str, sk: str, token: str) -> SigningAuth:
        return SigningAuth(ak, sk, token, project_id="p1", clock=clock.now)

    auth = AgencyAuth(secmaster.url, signer, open_client=open_client, clock=clock.now)
    flow = auth.async_auth_flow(httpx.Request("GET", secmaster.url))
    await anext(flow)
    await flow.aclose()
    assert {client.is_closed for client in clients} == {True}


async def test_the_metadata_is_asked_without_the_proxy(
    secmaster: SecMasterSandbox, stack: AsyncExitStack
) -> None:
    settings = settings_for(secmaster.url, secmaster.url, secmaster_proxy="http://127.0.0.1:1")
    client = await open_secmaster(settings, stack, FakeClock().now)
    with pytest.raises(Unreachable, match="SecMaster can't be reached: the proxy"):
        await client.list_tasks(limit=1)
    assert secmaster.metadata.asked == 1


async def test_where_no_metadata_is_that_is_said_and_nothing_was_sent(
    secmaster: SecMasterSandbox, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", secmaster.url)  # must not be asked in its place
    settings = settings_for(secmaster.url, "http://127.0.0.1:1")
    client = await open_secmaster(settings, stack, FakeClock().now)
    with pytest.raises(Unreachable, match="ECS metadata can't be reached: 127") as caught:
        await client.update_task(seed.TASK_ISOLATE, action=TaskAction.CONTINUE)
    assert caught.value.unsent
    assert secmaster.requests == []
