"""A real nginx with the configuration of deploy/ in front of the bot, over TLS."""

import asyncio
import os
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bot.sandbox.slack.delivery import encode_form
from tests.support.environment import BotEnvironment
from tests.support.people import ALICE, SOC
from tests.support.slack_recorder import SlackRecorder
from tests.support.tools import needs, run_program

ROOT = Path(__file__).parents[2]
NAME = "bot.example.com"
EVENTS = "/slack/events"

pytestmark = [pytest.mark.slow, needs("nginx", "openssl")]


@dataclass(frozen=True)
class Proxy:
    """Where nginx listens, and the certificate that it shows."""

    port: int
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


@pytest.fixture
def proxy(environment: BotEnvironment, tmp_path: Path) -> Iterator[Proxy]:
    """Nginx in front of the bot; its settings are those of deploy/ but for places and ports."""
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    made = run_program(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"),
        *("-keyout", key, "-out", certificate),
    )
    assert made.returncode == 0, made.stderr
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    site = (ROOT / "deploy/nginx.conf").read_text()
    for place, replacement in (
        (r"listen \[::\]:443 ssl;", ""),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        (r"127\.0\.0\.1:3000", environment.app.url.removeprefix("http://")),
        (r"/etc/letsencrypt/live/[^/]+", str(tmp_path)),
    ):
        site, count = re.subn(place, replacement, site)
        assert count
    (tmp_path / "site.conf").write_text(site)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    main = tmp_path / "nginx.conf"
    main.write_text(
        ("user root;\n" if os.geteuid() == 0 else "")
        + f"pid {tmp_path}/nginx.pid;\nerror_log {tmp_path}/error.log;\nevents {{}}\nhttp {{\n"
        + "".join(f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in kinds)
        + f"access_log off;\ninclude {tmp_path}/site.conf;\n}}\n"
    )
    nginx = ("nginx", "-e", tmp_path / "error.log", "-c", main)
    tested = run_program(*nginx, "-t")
    assert tested.returncode == 0, tested.stderr
    assert "warn" not in tested.stderr
    # It goes into the background when it listens.
    assert run_program(*nginx).returncode == 0
    yield Proxy(port, certificate)
    run_program(*nginx, "-s", "stop")


def signed(slack: SlackRecorder, body: bytes) -> dict[str, str]:
    stamp = str(int(slack.workspace.clock()))
    return {
        "Host": NAME,
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": slack.delivery.sign(stamp, body),
    }


async def help_command(slack: SlackRecorder) -> bytes:
    """Return what Slack posts for `/secmaster help`."""
    await slack.command(ALICE, SOC, "/secmaster help")
    await slack.until(lambda: slack.ephemerals(ALICE))
    [command] = slack.sent
    return encode_form(command.kind, command.payload)[0]


async def test_what_is_sent_slowly_reaches_the_bot_whole(
    environment: BotEnvironment, proxy: Proxy
) -> None:
    """The bot itself cuts a request off that takes longer than five seconds."""
    slack = environment.slack
    slack.ignore_messages("How to use /secmaster")
    body = await help_command(slack)
    head = f"POST {EVENTS} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in signed(slack, body).items())
    begin = head.encode() + b"\r\n" + b"5\r\n" + body[:5] + b"\r\n"
    end = b"%x\r\n" % len(body[5:]) + body[5:] + b"\r\n0\r\n\r\n"
    straight, straight_writer = await asyncio.open_connection(
        "127.0.0.1", int(environment.app.url.rpartition(":")[2])
    )
    through, through_writer = await asyncio.open_connection(
        "127.0.0.1", proxy.port, ssl=proxy.tls, server_hostname=NAME
    )
    for writer in (straight_writer, through_writer):
        writer.write(begin)
        await writer.drain()
    assert b"200 OK" not in await straight.read(), "the bot waits for longer than nginx has to"
    through_writer.write(end)
    answer = await through.read()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"How to use /secmaster" in answer
    for writer in (straight_writer, through_writer):
        writer.close()


async def test_nothing_else_is_passed_on(environment: BotEnvironment, proxy: Proxy) -> None:
    slack = environment.slack
    slack.ignore_messages("How to use /secmaster")
    body = await help_command(slack)
    headers = signed(slack, body)
    async with httpx.AsyncClient(
        base_url=proxy.url, verify=proxy.tls, headers={"Host": NAME}
    ) as outside:

        async def post(path: str, content: bytes, headers: dict[str, str]) -> int:
            extensions = {"sni_hostname": NAME}
            response = await outside.post(
                path, content=content, headers=headers, extensions=extensions
            )
            return response.status_code

        async def get(path: str) -> int:
            request = outside.build_request("GET", path, extensions={"sni_hostname": NAME})
            # As it is written: a client would tidy up its path.
            request.url = request.url.copy_with(raw_path=path.encode())
            return (await outside.send(request)).status_code

        assert await post(EVENTS, body, headers) == 200
        assert await post(f"{EVENTS}?ssl_check=1", body, headers) == 200
        assert await post(EVENTS, body + b"&", headers) == 401
        assert await post(EVENTS, b"x" * (1024**2 + 1), headers) == 413
        assert await get(EVENTS) == 403
        for path in ("/metrics", "/healthz", "/readyz"):
            assert (await outside.get(environment.app.url + path)).status_code == 200
            for form in (path, f"/{path}", f"{EVENTS}/..{path}", f"{EVENTS}/../..{path}"):
                assert await get(form) == 404
                assert await post(form, body, headers) == 404
