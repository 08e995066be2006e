"""The first read says which setting is wrong: one story for each kind, over HTTP."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from bot.messages.secmaster_access import access_problem, error_details
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox
from bot.secmaster import Refused, SecMasterError, connect
from bot.settings import Settings
from tests.support.clock import FakeClock
from tests.support.http_stand import Stand, serve

NOBODY = "http://127.0.0.1:1"
BASE: dict[str, Any] = {
    "slack_bot_token": "xoxb-demo",
    "slack_signing_secret": "demo",
    "SECMASTER_PROJECT_ID": "demo-project",
    "secmaster_workspace_id": "demo-workspace",
}
KEYS = {"HUAWEICLOUD_SDK_AK": "demo-ak", "HUAWEICLOUD_SDK_SK": "demo-sk"}
PASSWORD = {"iam_username": "demo", "iam_password": "demo", "iam_domain": "demo"}
AGENCY = {"ecs_agency": True}
TOKEN = {"secmaster_auth_token": "demo-token"}

# What is changed, how the sentence begins after the address, and what else is in it.
WRONG: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "secret key": (
        KEYS | {"HUAWEICLOUD_SDK_SK": "wrong-secret"},
        "refuses these credentials: check whether HUAWEICLOUD_SDK_AK",
        ("clock", "401 APIGW.0301, ", ", request "),
    ),
    "temporary keys": (
        KEYS | {"HUAWEICLOUD_SDK_SECURITY_TOKEN": "wrong-secret"},
        "refuses these credentials: check whether HUAWEICLOUD_SDK_AK",
        ("HUAWEICLOUD_SDK_SECURITY_TOKEN have ended",),
    ),
    "token": (
        {"secmaster_auth_token": "wrong-secret"},
        "refuses these credentials: check SECMASTER_AUTH_TOKEN: it ends within a day",
        ("APIGW.0301",),
    ),
    "password": (
        PASSWORD | {"iam_password": "wrong-secret"},
        "refuses this user: check IAM_USERNAME, IAM_PASSWORD, IAM_DOMAIN",
        ("401", "The username or password is wrong."),
    ),
    "iam's address": (
        PASSWORD | {"iam_endpoint": NOBODY},
        "can't be reached: 127.0.0.1:1 refuses the connection",
        (),
    ),
    "metadata's address": (
        AGENCY | {"ecs_metadata_endpoint": NOBODY},
        "gives no keys: ECS_AGENCY needs an ECS",
        ("ECS metadata can't be reached: 127.0.0.1",),
    ),
    "project": (
        KEYS | {"SECMASTER_PROJECT_ID": "other-project"},
        "accepts these credentials and denies them this request",
        ("correct SECMASTER_PROJECT_ID", "403 APIGW.0302"),
    ),
    "workspace": (
        KEYS | {"secmaster_workspace_id": "other-workspace"},
        "knows no such project or workspace: correct SECMASTER_PROJECT_ID and",
        ("SECMASTER_WORKSPACE_ID", "404 ", "the workspace does not exist"),
    ),
    "address, with an agency": (
        AGENCY | {"secmaster_endpoint": NOBODY},
        "can't be reached: 127.0.0.1:1 refuses the connection",
        (),
    ),
    "address": (
        KEYS | {"secmaster_endpoint": NOBODY},
        "can't be reached: 127.0.0.1:1 refuses the connection",
        (),
    ),
}
FAULTS: dict[str, tuple[Fault, str, tuple[str, ...]]] = {
    "gateway": (
        Fault(on="ListTasks", status=404),
        "is not SecMaster's address, or something stands before it",
        ("404 APIGW.0101", "SECMASTER_ENDPOINT"),
    ),
    "request": (
        Fault(on="ListTasks", status=400),
        "knows no such project or workspace",
        ("400 SecMaster.20010000",),
    ),
    "refusal": (Fault(on="ListTasks", status=418), "refuses to be read", ("418",)),
    "trouble": (
        Fault(on="ListTasks", status=503),
        "is in trouble: it should pass",
        ("503 APIGW.0202",),
    ),
    "iam's trouble": (Fault(on="CreateToken", status=503), "is in trouble", ("503", "IAM")),
    "lost": (Fault(on="ListTasks", hang_up=True), "did not answer in time", ("answer was lost",)),
    "held": (Fault(on="ListTasks", hold=True), "did not answer in time", ("no answer within 0 s",)),
}


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def problem_with(secmaster: SecMasterSandbox, changed: dict[str, Any]) -> str:
    """Read once with these settings, and return what is said of it, without the address."""
    urls = dict.fromkeys(
        ("secmaster_endpoint", "iam_endpoint", "ecs_metadata_endpoint"), secmaster.url
    )
    settings = Settings(_env_file=None, **(BASE | urls | changed))
    async with AsyncExitStack() as stack:
        client = await connect.open_secmaster(settings, stack, FakeClock().now)
        with pytest.raises(SecMasterError) as caught:
            await connect.read_first(client)
    sentence = access_problem(caught.value, settings)
    assert "wrong-secret" not in sentence
    return sentence.partition(" ")[2]


@pytest.mark.parametrize(("changed", "begins", "has"), WRONG.values(), ids=list(WRONG))
async def test_what_is_wrong_is_named(
    secmaster: SecMasterSandbox, changed: dict[str, Any], begins: str, has: tuple[str, ...]
) -> None:
    problem = await problem_with(secmaster, changed)
    assert problem.startswith(begins)
    assert all(part in problem for part in has)


@pytest.mark.parametrize(("fault", "begins", "has"), FAULTS.values(), ids=list(FAULTS))
async def test_what_passes_and_what_does_not_are_told_apart(
    secmaster: SecMasterSandbox,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    begins: str,
    has: tuple[str, ...],
) -> None:
    monkeypatch.setattr(connect, "FIRST_READ", 0.3)
    await secmaster.faults.set(fault)
    problem = await problem_with(secmaster, PASSWORD)
    assert problem.startswith(begins)
    assert all(part in problem for part in has)


async def test_an_agency_that_is_missing_or_may_not_is_named(secmaster: SecMasterSandbox) -> None:
    secmaster.metadata.has_agency = False
    problem = await problem_with(secmaster, AGENCY)
    assert problem.startswith("gives no keys: ECS_AGENCY needs an ECS")
    assert "this machine has no agency" in problem
    secmaster.metadata.has_agency = True
    await secmaster.faults.set(Fault(on="ListTasks", status=401))
    assert "check the agency of this ECS, and this machine's clock" in await problem_with(
        secmaster, AGENCY
    )


async def test_a_page_in_secmasters_place_is_a_wrong_address(
    secmaster: SecMasterSandbox, stack: AsyncExitStack
) -> None:
    stand = Stand()
    stand.url = await serve(stand.handle, stack)
    stand.says(b"<html>Welcome</html>")
    problem = await problem_with(secmaster, KEYS | {"secmaster_endpoint": stand.url})
    assert problem.startswith("is not SecMaster's address, or something stands before it")


def test_a_status_that_the_message_says_is_not_said_again() -> None:
    plain = Refused("SecMaster answered 418 without saying why", status=418, request_id="r-1")
    assert error_details(plain) == "SecMaster answered 418 without saying why, request r-1"
    coded = Refused("no tea", status=418, code="APIG.0418", request_id="r-1")
    assert error_details(coded) == "418 APIG.0418, no tea, request r-1"
