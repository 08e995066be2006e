"""What an operator reads when the doctor listens in the place of the bot for one request."""

import asyncio
import io
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from rich.console import Console

from bot.cli.doctor.listen import wait_for_envelope, wait_for_request
from bot.cli.doctor.results import CheckFailed
from bot.messages.slack_delivery import DOCTOR_HEARD, NO_HELLO, SWITCHED_OFF
from bot.sandbox.faults import Fault
from bot.sandbox.secmaster import SecMasterSandbox
from bot.sandbox.slack.delivery import Delivered
from tests.support.clock import FakeClock
from tests.support.command_line import installation, run_beside
from tests.support.environment import settings_for
from tests.support.people import ALICE, SOC
from tests.support.slack_recorder import SlackRecorder
from tests.support.timeouts import PATIENCE

EVENT = '{"type":"event_callback","event":{"type":"app_mention","text":"<@U0BOT> hi"}}'


class Hear(Protocol):
    def __call__(
        self, act: Callable[[], Awaitable[Any]], within: float = PATIENCE
    ) -> Awaitable[tuple[str, Any]]: ...


class Terminal(Console):
    """A terminal that a test can wait for, and read."""

    def __init__(self) -> None:
        self.output = io.StringIO()
        super().__init__(file=self.output)
        self.printed = asyncio.Event()

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*objects, **options)
        self.printed.set()


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def hear(slack: SlackRecorder, secmaster: SecMasterSandbox, port: int, terminal: Terminal) -> Hear:
    """Have something done while the doctor listens; returns its sentence and what was answered."""
    settings = settings_for(slack.url, secmaster.url, "sqlite:///unused.db")
    settings = settings.model_copy(update={"bot_port": port, "bot_health_port": 0})
    slack.request_url = f"http://127.0.0.1:{port}/slack/events"

    async def hear(act: Callable[[], Awaitable[Any]], within: float = PATIENCE) -> tuple[str, Any]:
        terminal.printed.clear()
        listening = asyncio.create_task(wait_for_request(settings, within, terminal))
        await terminal.printed.wait()
        terminal.printed.clear()
        answer = await act()
        try:
            return await listening, answer
        except CheckFailed as error:
            return str(error), answer

    return hear


async def test_a_command_is_answered_that_the_doctor_heard_it(
    slack: SlackRecorder, hear: Hear
) -> None:
    sentence, delivered = await hear(lambda: slack.command(ALICE, SOC, "/secmaster help"))
    assert sentence == "it came in time, with a valid signature, and as Slack sent it"
    assert delivered.error == ""
    assert [message["text"] for message in slack.ephemerals(ALICE)] == [DOCTOR_HEARD]


async def test_what_can_be_delivered_again_is_not_taken_and_the_challenge_is_answered(
    slack: SlackRecorder, hear: Hear
) -> None:
    kind = "application/json"
    _sentence, delivered = await hear(lambda: slack.deliver_raw(EVENT, kind))
    assert delivered.status == 503
    challenge = '{"type":"url_verification","challenge":"a-1"}'
    _sentence, delivered = await hear(lambda: slack.deliver_raw(challenge, kind))
    assert (delivered.status, delivered.body) == (200, {"challenge": "a-1"})


async def test_it_says_which_of_the_reasons_it_is(
    slack: SlackRecorder, hear: Hear, clock: FakeClock, port: int
) -> None:
    async def rewrite() -> Delivered:
        stamp = str(int(clock.now().timestamp()))
        mark = slack.delivery.sign(stamp, EVENT.encode())
        body = EVENT.replace(":", ": ")
        return await slack.deliver_raw(body, "application/json", timestamp=stamp, signature=mark)

    sentence, delivered = await hear(rewrite)
    assert "rewrites requests (JSON is written anew)" in sentence
    assert delivered.status == 401
    slack.request_url = f"http://127.0.0.1:{port}/"
    sentence, delivered = await hear(lambda: slack.command(ALICE, SOC, "/secmaster help"))
    assert "Slack posts to /, and the bot answers at /slack/events" in sentence
    assert delivered.status == 404
    clock.forward(minutes=15, seconds=30)
    sentence, _delivered = await hear(lambda: slack.command(ALICE, SOC, "/secmaster help"))
    assert "this machine's clock is 15 min behind Slack's" in sentence


async def test_a_signature_that_does_not_fit_is_told_at_once_and_listening_goes_on(
    slack: SlackRecorder, hear: Hear, terminal: Terminal
) -> None:
    async def forge() -> int:
        slack.delivery.signing_secret = "of-another-app"
        delivered = await slack.command(ALICE, SOC, "/secmaster help")
        await asyncio.wait_for(terminal.printed.wait(), PATIENCE)
        slack.delivery.signing_secret = "demo-signing-secret"
        return delivered.status

    async def forge_first() -> None:
        assert [await forge(), await forge()] == [401, 401]
        await slack.command(ALICE, SOC, "/secmaster help")

    sentence, _answer = await hear(forge_first)
    assert sentence == "it came in time, with a valid signature, and as Slack sent it"
    assert [message["text"] for message in slack.ephemerals(ALICE)] == [DOCTOR_HEARD]
    output = terminal.output.getvalue()
    assert output.count("A request came whose signature doesn't fit. If it was yours: no re") == 1
    sentence, _answer = await hear(forge, within=1.5)
    assert sentence.startswith("it is refused: ")
    assert "SLACK_SIGNING_SECRET is most likely not this app's" in sentence


async def test_strangers_are_not_what_it_waits_for(
    slack: SlackRecorder, hear: Hear, port: int
) -> None:
    async def act() -> list[int]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            answers = [await http.get("/healthz"), await http.post("/slack/events", content=b"x")]
        await slack.command(ALICE, SOC, "/secmaster help")
        assert slack.ephemerals(ALICE)[0]["text"] == DOCTOR_HEARD
        return [answer.status_code for answer in answers]

    sentence, statuses = await hear(act)
    assert statuses == [200, 401]
    assert sentence.startswith("it came in time")


async def test_nothing_that_comes_and_a_port_that_is_taken_have_their_exit_codes(
    slack: SlackRecorder, secmaster: SecMasterSandbox, installed: Path, port: int
) -> None:
    environment = installation(slack, secmaster) | {"BOT_PORT": str(port)}
    arguments = ("doctor", "--listen", "--within", "0.1")
    result = await run_beside(*arguments, folder=installed, **environment)
    assert result.exit_code == 1
    assert f"Listening at http://127.0.0.1:{port}. Type /secmaster help" in result.stdout
    assert "✗ request: nothing was posted within" in result.stdout
    with socket.create_server(("127.0.0.1", port)):
        result = await run_beside(*arguments, folder=installed, **environment)
        environment |= {"BOT_PORT": "0", "BOT_HEALTH_PORT": str(port)}
        other = await run_beside(*arguments, folder=installed, **environment)
    assert (result.exit_code, other.exit_code) == (2, 2)
    assert "can't be listened on" in result.stderr
    assert "BOT_HEALTH_PORT" in other.stderr


async def test_over_a_connection_it_hears_a_command_and_says_why_it_hears_nothing(
    slack: SlackRecorder, secmaster: SecMasterSandbox, installed: Path
) -> None:
    settings = settings_for(slack.url, secmaster.url, "sqlite:///unused.db", socket=True)
    terminal = Terminal()
    listening = asyncio.create_task(wait_for_envelope(settings, PATIENCE, terminal))
    await terminal.printed.wait()
    await slack.until(lambda: slack.socket_mode.connections)
    [connection] = slack.socket_mode.connections
    await connection.socket.send_str('{"type": "interactive", "envelope_id": "a"}')
    unreadable = slack.socket_mode.send("interactive", {}, {"payload": None})
    assert await asyncio.wait_for(unreadable, PATIENCE) == ""
    await slack.command(ALICE, SOC, "/secmaster help")
    assert await listening == "it came over the connection"
    assert [message["text"] for message in slack.ephemerals(ALICE)] == [DOCTOR_HEARD]
    environment = installation(slack, secmaster) | {"SLACK_APP_TOKEN": "xapp-demo"}
    arguments = ("doctor", "--listen", "--within", "0.1")
    result = await run_beside(*arguments, folder=installed, **environment)
    assert result.exit_code == 1
    assert "the connection is open, and nothing came over it" in result.stdout
    await slack.faults.set(Fault(on="socket", status=403))
    result = await run_beside(*arguments, folder=installed, **environment)
    assert result.exit_code == 1
    assert "✗ request: the websocket's handshake was refused with 403" in result.stdout
    await slack.faults.clear()
    await slack.socket_mode.enable(is_enabled=False)
    result = await run_beside(*arguments, folder=installed, **environment)
    assert result.exit_code == 1
    assert SWITCHED_OFF in result.stdout
    assert NO_HELLO not in result.stdout
