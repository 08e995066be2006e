"""Check an installation part by part, and say what is wrong with it and what to do; change nothing.

A check takes the settings, and returns one sentence or raises CheckFailed.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
import sqlalchemy as sa
from rich.console import Console
from rich.markup import escape
from slack_sdk.errors import SlackApiError

from bot.domain.slack import EVENTS_PATH
from bot.logs import hide
from bot.messages.permissions import missing_read_rules, nobody_reads
from bot.policy.channels import named_channels
from bot.policy.config import Config, ConfigError
from bot.policy.config import load as load_policy
from bot.runtime.clock import Clock
from bot.runtime.timeouts import SocketTimeouts
from bot.secmaster import Forbidden, SecMasterError
from bot.secmaster.connect import open_secmaster
from bot.settings import Settings, SettingsError
from bot.settings import load as load_settings
from bot.slack.audience import AudienceReader
from bot.slack.client import advice, code_of
from bot.slack.connect import address_client, open_slack
from bot.slack.error_codes import SlackErrorKind, is_of_place, kind_of, may_pass
from bot.slack.installation import Installation
from bot.slack.scopes import losses, missing_scopes
from bot.store import (
    UnsupportedDatabase,
    check_sessions,
    connect,
    network_file_system,
    readable_by_others,
    schema_versions,
)
from bot.web.socket_connection import NotOpened, new_address

MAX_CLOCK_SKEW = 60.0  # seconds; the gateway refuses signatures more than 15 minutes off


class CheckFailed(Exception):
    """A check found something wrong; the text says what, and what to do."""


Check = Callable[[Settings], Awaitable[str]]


async def examine(console: Console | None = None) -> bool:
    """Print a line for each check, and return whether all is well."""
    console = console or Console()
    settings = usable_settings(console)
    if settings is None:
        return False
    print_result(console, "settings", "complete", well=True)
    results = [await carry_out(console, name, check(settings)) for name, check in CHECKS]
    return all(results)


def usable_settings(console: Console) -> Settings | None:
    """Return the settings; None where they can't be used, after a line for each problem."""
    try:
        return load_settings()
    except SettingsError as error:
        for line in str(error).splitlines():
            print_result(console, "settings", line, well=False)
        return None


async def carry_out(console: Console, name: str, check: Awaitable[str]) -> bool:
    """Print what a check comes to, and return whether all is well with it."""
    try:
        sentence, well = await check, True
    except CheckFailed as error:
        sentence, well = str(error), False
    print_result(console, name, hide(sentence), well=well)
    return well


def print_result(console: Console, name: str, sentence: str, *, well: bool) -> None:
    mark = "[green]✓[/green]" if well else "[red]✗[/red]"
    console.print(f"{mark} {name}: {escape(sentence)}", highlight=False, soft_wrap=True)


async def check_policy(settings: Settings) -> str:
    """Check that the policy can be read, has rules, and lets somebody read what there is."""
    config = read_policy(settings)
    if not config.rules:
        raise CheckFailed(f"{settings.bot_config} has no rules, so nobody may do anything")
    if unread := nobody_reads(config):
        lines = missing_read_rules(config)
        raise CheckFailed(f"{unread}; add to {settings.bot_config}:\n{lines}")
    return f"{len(config.roles)} roles, {len(config.rules)} rules"


def read_policy(settings: Settings) -> Config:
    """Read the policy that the settings name; raises CheckFailed."""
    try:
        return load_policy(settings.bot_config)
    except ConfigError as error:
        raise CheckFailed(str(error)) from error


async def check_slack(settings: Settings) -> str:
    """Ask Slack who the bot is, and check the scopes that its token has.

    Missing optional ones are told; what is lost without them is nobody's mistake.
    """
    config = read_policy(settings)
    async with AsyncExitStack() as stack:
        stack.enter_context(calls_of_slack(settings))
        identity = await (await open_slack(settings, stack)).auth_test()
        granted = identity.headers.get("x-oauth-scopes", "")
        name = f"{identity['user']} in {identity['team']}"
        installation = Installation.read(identity)
    missing = missing_scopes(config, granted)
    if required := [scope for scope in missing if not scope.optional]:
        names = ", ".join(scope.name for scope in required)
        raise CheckFailed(
            f"scopes are missing: {names}; {losses(missing)}. Print the manifest, put it in "
            "the app's settings and reinstall the app"
        )
    notes = organisation_notes(installation, config)
    if installation.is_org_wide:
        await check_workspaces(settings, installation, config)
    scope_notes = f"optional scopes are missing: {losses(missing)}" if missing else "all scopes"
    return "; ".join([f"{name}, {scope_notes}", *notes])


@contextmanager
def calls_of_slack(settings: Settings) -> Iterator[None]:
    """Have the calls of Slack's in a block end in CheckFailed where they raise anything."""
    try:
        yield
    except SlackApiError as error:
        raise CheckFailed(refusal(code_of(error))) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CheckFailed(f"{settings.slack_api_url} can't be reached: {error}") from error
    except Exception as error:  # its answer is not of the shape that the SDK or we read
        raise CheckFailed(refusal("")) from error


def refusal(code: str) -> str:
    """Return what is wrong where Slack refuses a call with this code, "" for none."""
    kind = kind_of(code)
    if kind is SlackErrorKind.TOKEN_REFUSED:
        return f"SLACK_BOT_TOKEN is refused: {code}; {advice(code)}"
    if kind is SlackErrorKind.PASSES:
        return f"Slack is in trouble ({code or 'unreadable answer'}): try again later"
    return f"Slack refuses what it is asked: {code}"


async def check_workspaces(settings: Settings, installation: Installation, config: Config) -> None:
    """Ask for a person of each workspace that counts; raises CheckFailed for those closed to us."""
    closed: list[str] = []
    async with AsyncExitStack() as stack:
        stack.enter_context(calls_of_slack(settings))
        client = await open_slack(settings, stack)
        for team in installation.teams(config.organisation.workspaces):
            try:
                await client.users_list(limit=1, team_id=team)
            except SlackApiError as error:
                if not is_of_place(code_of(error)):
                    raise
                closed.append(f"{team} ({code_of(error)})")
    if closed:
        raise CheckFailed(
            f"the Slack workspaces {', '.join(closed)} can't be read: have the organisation add "
            "the app there, or take them out of [organisation] in the policy. Until then nobody "
            "may do what depends on a user group that no other workspace has"
        )


def organisation_notes(installation: Installation, config: Config) -> list[str]:
    """Return who belongs here where the workspace is in an Enterprise Grid; raises CheckFailed."""
    named = ", ".join(config.organisation.workspaces)
    if not installation.enterprise:
        unused = "[organisation] changes nothing: this workspace is a part of no Enterprise Grid"
        return [unused] if named else []
    if installation.is_org_wide and not named and not installation.team:
        raise CheckFailed(
            f"the app is installed for all of the Enterprise Grid {installation.enterprise}, and "
            "Slack lists user groups by workspace: name workspaces under [organisation] in the "
            "policy"
        )
    kind = "installed for all of" if installation.is_org_wide else "a part of"
    workspaces = f"{named} and {installation.team}" if installation.team else named
    people = f"those who are in {workspaces}" if named else "the people of all its workspaces"
    return [f"{kind} the Enterprise Grid {installation.enterprise}: {people} belong here"]


async def check_slack_delivery(settings: Settings) -> str:
    """Check how Slack reaches the bot: in Socket Mode by asking for an address.

    A connection would be given clicks that are meant for the bot beside it.
    """
    token = settings.slack_app_token
    if not token:
        return f"HTTP: point the app's request URLs at https://…{EVENTS_PATH} of this bot"
    async with AsyncExitStack() as stack:
        client = address_client(await open_slack(settings, stack))
        try:
            await new_address(client, token.get_secret_value(), SocketTimeouts())
        except NotOpened as error:
            raise CheckFailed(str(error)) from error
    return (
        "Socket Mode: Slack gave an address; `doctor --listen`, with the bot stopped, opens a "
        "connection"
    )


async def check_channels(settings: Settings) -> str:
    """Look at each channel that the policy names: that Slack shows it, and who else reads it."""
    config = read_policy(settings)
    named = sorted(named_channels(config))
    sentences, problems = [f"{len(named)} named by the policy"], []
    async with AsyncExitStack() as stack:
        stack.enter_context(calls_of_slack(settings))
        client = await open_slack(settings, stack)
        installation = Installation.read(await client.auth_test())
        reader = AudienceReader(client, installation.teams(config.organisation.workspaces))
        for channel in named:
            try:
                audience = await reader.read(channel)
            except SlackApiError as error:
                kind = kind_of(code_of(error))
                if may_pass(kind):
                    raise
                is_scope = kind is SlackErrorKind.SCOPE_MISSING
                remedy = "see Slack above" if is_scope else "correct its id, or invite me"
                problems.append(f"{channel} can't be read ({code_of(error)}): {remedy}")
                continue
            name = f"#{audience.name} ({channel})"
            if audience.guests:
                sentences.append(f"{audience.guests} guests read what is posted in {name}")
            if audience.shared and config.channels.shared:
                sentences.append(f"another organisation reads what is posted in {name}")
            elif audience.shared:
                problems.append(
                    f"another organisation shares {name}, so nothing is posted there: set shared = "
                    "true under [channels] if it may read the cards, or name another channel"
                )
    if reader.is_partial:
        sentences.append("there are more people than were looked at")
    if problems:
        raise CheckFailed("; ".join([*problems, *sentences[1:]]))
    return "; ".join(sentences)


async def check_secmaster(settings: Settings) -> str:
    """Read one task page: it needs the address, the credentials, the ids and the right to read."""
    async with AsyncExitStack() as stack:
        try:
            client = await open_secmaster(settings, stack, Clock().now)
            page = await client.list_tasks(limit=1)
        except Forbidden as error:
            raise CheckFailed(
                f"{settings.endpoint} refuses these credentials: {error_details(error)}"
            ) from error
        except SecMasterError as error:
            raise CheckFailed(
                f"{settings.endpoint} can't be read: {error_details(error)}"
            ) from error
        except ValueError as error:
            raise CheckFailed(f"{settings.endpoint} can't be read: {error}") from error
    return f"{settings.endpoint}, {page.total} tasks waiting"


def error_details(error: SecMasterError) -> str:
    """Return what SecMaster's support asks for: the code, the message and the request's id."""
    parts = (error.code, error.message, error.request_id and f"request {error.request_id}")
    return " ".join(filter(None, parts))


async def check_clock(settings: Settings) -> str:
    """Compare this machine's clock with SecMaster's: a signature carries the time."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(settings.endpoint, allow_redirects=False) as response,
        ):
            date = response.headers.get("Date")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CheckFailed(f"SecMaster's clock can't be read: {error}") from error
    if not date:
        return "SecMaster tells no time"
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    if skew > MAX_CLOCK_SKEW:
        raise CheckFailed(f"this machine's clock is {skew:.0f} s off SecMaster's: synchronise it")
    return f"{skew:.0f} s off SecMaster's"


async def check_database(settings: Settings) -> str:
    """Ask the database for the version of its tables; a file that is not there is not made."""

    def examine_database() -> str:
        url = sa.make_url(settings.database_url)
        file = Path(url.database or "") if url.drivername == "sqlite" else None
        if file and (file_system := network_file_system(file)):
            raise CheckFailed(
                f"{file} is on a network file system ({file_system}), where SQLite can damage it: "
                "move it to a local disk, or use Postgres"
            )
        if file and not file.exists():
            if not os.access(file.resolve().parent, os.W_OK):
                raise CheckFailed(f"DATABASE_URL can't be used: {file} can't be made")
            return f"{file} will be made"
        engine = connect(settings.database_url)
        try:
            check_sessions(engine)
            schema_versions(engine)
            if exposed := readable_by_others(engine):
                return f"usable, and open to others until the next start: {exposed[0]}"
        finally:
            engine.dispose()
        return "usable"

    try:
        return await asyncio.to_thread(examine_database)
    except UnsupportedDatabase as error:
        raise CheckFailed(str(error)) from error
    except OSError as error:
        raise CheckFailed(f"DATABASE_URL can't be used: {error.strerror}") from error
    except sa.exc.SQLAlchemyError as error:
        raise CheckFailed(f"DATABASE_URL can't be used: {type(error).__name__}") from error


CHECKS: tuple[tuple[str, Check], ...] = (
    ("policy", check_policy),
    ("Slack", check_slack),
    ("channels", check_channels),
    ("way in", check_slack_delivery),
    ("SecMaster", check_secmaster),
    ("clock", check_clock),
    ("database", check_database),
)
