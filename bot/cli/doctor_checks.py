"""What is wrong with this installation? Looks at everything, changes nothing."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import sqlalchemy as sa
from rich.console import Console
from rich.markup import escape
from slack_sdk.errors import SlackApiError

from bot import settings
from bot.logs import hide
from bot.policy import config
from bot.runtime.clock import Clock
from bot.secmaster import Forbidden, SecMasterError
from bot.secmaster.connect import open_secmaster
from bot.settings import Settings
from bot.slack.connect import open_slack
from bot.slack.manifest import scopes
from bot.store import connect

MOST_SKEW = 60.0  # seconds; the gateway refuses signatures more than 15 minutes off


class Ill(Exception):
    """What is wrong, and what to do."""


Check = Callable[[Settings], Awaitable[str]]


async def examine(console: Console | None = None) -> bool:
    """Print a line for each check; returns whether all is well."""
    console = console or Console()
    try:
        given = settings.load()
    except settings.SettingsError as wrong:
        for line in str(wrong).splitlines():
            _print(console, "settings", line, well=False)
        return False
    _print(console, "settings", "complete", well=True)
    results = [await _run(console, name, check, given) for name, check in CHECKS]
    return all(results)


async def _run(console: Console, name: str, check: Check, given: Settings) -> bool:
    try:
        said, well = await check(given), True
    except Ill as wrong:
        said, well = str(wrong), False
    _print(console, name, hide(said), well=well)
    return well


def _print(console: Console, name: str, said: str, *, well: bool) -> None:
    mark = "[green]✓[/green]" if well else "[red]✗[/red]"
    console.print(f"{mark} {name}: {escape(said)}", highlight=False, soft_wrap=True)


async def policy(given: Settings) -> str:
    rights = _rights(given)
    if not rights.rules:
        raise Ill(f"{given.bot_config} has no rules, so nobody may do anything")
    return f"{len(rights.roles)} roles, {len(rights.rules)} rules"


def _rights(given: Settings) -> config.Config:
    try:
        return config.load(given.bot_config)
    except config.ConfigError as wrong:
        raise Ill(str(wrong)) from wrong


async def slack(given: Settings) -> str:
    """Ask Slack who we are, and with which scopes."""
    async with AsyncExitStack() as stack:
        client = await open_slack(given, stack)
        try:
            identity = await client.auth_test()
        except SlackApiError as wrong:
            raise Ill(f"SLACK_BOT_TOKEN is refused: {wrong.response.get('error')}") from wrong
        except (aiohttp.ClientError, TimeoutError) as wrong:
            raise Ill(f"{given.slack_api_url} can't be reached: {wrong}") from wrong
    has = {scope.strip() for scope in identity.headers.get("x-oauth-scopes", "").split(",")}
    rights = _rights(given)
    if missing := sorted(set(scopes(rights)) - has):
        raise Ill(f"scopes are missing, reinstall the app with them: {', '.join(missing)}")
    return f"{identity['user']} in {identity['team']}, all scopes"


async def way_in(given: Settings) -> str:
    """Check how Slack reaches us: in Socket Mode by asking for a connection's address."""
    if not given.slack_app_token:
        return "HTTP: point the app's request URLs at https://…/slack/events of this bot"
    async with AsyncExitStack() as stack:
        client = await open_slack(given, stack)
        try:
            await client.apps_connections_open(app_token=given.slack_app_token.get_secret_value())
        except SlackApiError as wrong:
            raise Ill(f"SLACK_APP_TOKEN is refused: {wrong.response.get('error')}") from wrong
        except (aiohttp.ClientError, TimeoutError) as wrong:
            raise Ill(f"{given.slack_api_url} can't be reached: {wrong}") from wrong
    return "Socket Mode: connections may be opened"


async def secmaster(given: Settings) -> str:
    """Read one task page: it needs the address, the credentials, the ids and the right to read."""
    async with AsyncExitStack() as stack:
        try:
            page = await (await open_secmaster(given, stack, Clock().now)).list_tasks(limit=1)
        except Forbidden as wrong:
            raise Ill(f"{given.endpoint} refuses these credentials: {_said(wrong)}") from wrong
        except (SecMasterError, ValueError) as wrong:
            raise Ill(f"{given.endpoint} can't be read: {_said(wrong)}") from wrong
    return f"{given.endpoint}, {page.total} tasks waiting"


def _said(error: Exception) -> str:
    if not isinstance(error, SecMasterError):
        return str(error)
    parts = (error.code, error.message, error.request_id and f"request {error.request_id}")
    return " ".join(filter(None, parts))


async def clock(given: Settings) -> str:
    """Compare our clock with SecMaster's: a signature carries the time."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(given.endpoint, allow_redirects=False) as reply,
        ):
            told = reply.headers.get("Date")
    except (aiohttp.ClientError, TimeoutError) as wrong:
        raise Ill(f"SecMaster's clock can't be read: {wrong}") from wrong
    if not told:
        return "SecMaster tells no time"
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(told)).total_seconds())
    if skew > MOST_SKEW:
        raise Ill(f"this machine's clock is {skew:.0f} s off SecMaster's: synchronise it")
    return f"{skew:.0f} s off SecMaster's"


async def database(given: Settings) -> str:
    """Ask the database for an answer; a file that is not there yet is not made."""
    url = sa.make_url(given.database_url)
    file = Path(url.database or "") if url.drivername == "sqlite" else None
    if file and not file.exists():
        if not os.access(file.resolve().parent, os.W_OK):
            raise Ill(f"DATABASE_URL can't be used: {file} can't be made")
        return f"{file} will be made"

    def ask() -> None:
        engine = connect(given.database_url)
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
        engine.dispose()

    try:
        await asyncio.to_thread(ask)
    except sa.exc.SQLAlchemyError as wrong:
        raise Ill(f"DATABASE_URL can't be used: {type(wrong).__name__}") from wrong
    return "usable"


CHECKS: tuple[tuple[str, Check], ...] = (
    ("policy", policy),
    ("Slack", slack),
    ("way in", way_in),
    ("SecMaster", secmaster),
    ("clock", clock),
    ("database", database),
)
