"""The sandboxes serve programs and their own pages, not other sites in the same browser."""

import httpx
import pytest

from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.slack import SlackSandbox

ELSEWHERE = {"Origin": "https://evil.example"}
SAME_MACHINE = {"Sec-Fetch-Site": "same-site"}


async def status(
    sandbox: SlackSandbox | SecMasterSandbox, method: str, path: str, headers: dict[str, str]
) -> int:
    async with httpx.AsyncClient(base_url=sandbox.url) as http:
        return (await http.request(method, path, headers=headers)).status_code


@pytest.mark.parametrize("headers", [ELSEWHERE, SAME_MACHINE, {"Origin": "null"}])
async def test_no_other_page_acts_here(
    slack: SlackSandbox, secmaster: SecMasterSandbox, headers: dict[str, str]
) -> None:
    for method, path in [
        ("POST", "/_sandbox/press"),
        ("POST", "/_sandbox/faults"),
        ("DELETE", "/_sandbox/faults"),
        ("GET", "/api/chat.postMessage?token=xoxb-demo&channel=C0SOC&text=t"),
    ]:
        assert await status(slack, method, path, headers) == 403
    assert await status(secmaster, "POST", "/_sandbox/tasks", headers) == 403
    assert (slack.calls, secmaster.requests) == ([], [])


async def test_programs_own_pages_and_visitors_are_served(
    slack: SlackSandbox, secmaster: SecMasterSandbox
) -> None:
    same_origin = {"Origin": secmaster.url, "Sec-Fetch-Site": "same-origin"}
    assert await status(secmaster, "POST", "/_sandbox/tasks", same_origin) == 201
    assert await status(secmaster, "POST", "/_sandbox/tasks", {}) == 201
    assert await status(slack, "GET", "/api/api.test", {}) == 200
    assert await status(slack, "GET", "/", {"Sec-Fetch-Site": "cross-site"}) == 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("evil.example:8600", 403),
        ("10.0.0.1", 403),
        ("[oops", 403),
        ("localhost:8600", 200),
        ("127.8.9.1", 200),
        ("[::1]:8600", 200),
    ],
)
async def test_only_names_of_this_machine_lead_here(
    slack: SlackSandbox, secmaster: SecMasterSandbox, name: str, expected: int
) -> None:
    for sandbox in (slack, secmaster):
        assert await status(sandbox, "GET", "/_sandbox/faults", {"Host": name}) == expected


async def test_who_listens_everywhere_is_reached_by_address_and_not_by_any_name() -> None:
    sandbox = SlackSandbox()
    await sandbox.start("0.0.0.0")
    assert await status(sandbox, "GET", "/_sandbox/faults", {"Host": "10.0.0.1"}) == 200
    assert await status(sandbox, "GET", "/_sandbox/faults", {"Host": "evil.example"}) == 403
    await sandbox.stop()
