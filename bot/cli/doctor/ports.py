"""Check the ports that the bot listens on, and take none of them from a bot that runs."""

import socket
from collections.abc import Iterator
from contextlib import suppress

import aiohttp

from bot.cli.doctor.results import Result, failed, note, ok
from bot.cli.doctor.subject import Subject
from bot.settings import Settings

TIMEOUT = aiohttp.ClientTimeout(total=3)
HEALTHY = "ok\n"  # what the bot's /healthz answers


async def check_ports(subject: Subject) -> list[Result]:
    """Check that each port can be listened on, or is in use by a bot that runs."""
    settings = subject.settings
    ports = dict(_ports(settings))
    if not ports:
        return [ok("any that is free")]
    if len(set(ports.values())) < len(ports):
        return [failed("BOT_PORT and BOT_HEALTH_PORT are the same: give each its own")]
    errors = {name: _listening_problem(settings.bot_host, port) for name, port in ports.items()}
    occupied = [name for name, error in errors.items() if error]
    if not occupied:
        return [ok(" and ".join(f"{settings.bot_host}:{port} is free" for port in ports.values()))]
    # The port of the health, where it has one of its own, tells whose the other one is as well.
    if await _is_bot(settings, list(ports.values())[-1]):
        return [note(f"{' and '.join(occupied)} in use by a bot that runs")]
    return [
        failed(
            f"{settings.bot_host}:{ports[name]} can't be listened on ({errors[name]}), and no bot "
            f"answers there: set BOT_HOST and {name}, or end what has it"
        )
        for name in occupied
    ]


def _ports(settings: Settings) -> Iterator[tuple[str, int]]:
    """Yield the ports that are named; 0 is any that is free."""
    if settings.bot_port:
        yield "BOT_PORT", settings.bot_port
    if settings.bot_health_port:
        yield "BOT_HEALTH_PORT", settings.bot_health_port


def _listening_problem(host: str, port: int) -> str:
    """Return why a port can't be listened on, "" where it can.

    It is bound and never listened on. So a bot that starts at this moment gets it all the same:
    with SO_REUSEADDR, which every server here sets, only a listener keeps a port from others.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


async def _is_bot(settings: Settings, port: int) -> bool:
    """Return whether a bot says at a port that it lives."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bot_host, settings.bot_host)  # noqa: S104 - no bind
    url = f"http://[{host}]:{port}/healthz" if ":" in host else f"http://{host}:{port}/healthz"
    with suppress(aiohttp.ClientError, TimeoutError, UnicodeDecodeError):
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            return response.status == 200 and await response.text() == HEALTHY  # noqa: PLR2004
    return False
