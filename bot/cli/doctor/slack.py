"""Check what Slack says: of the bot, its scopes, where it is installed, and the way to it."""

from contextlib import AsyncExitStack

from slack_sdk.errors import SlackApiError

from bot.cli.doctor.results import CheckFailed, Result, note, ok
from bot.cli.doctor.slack_access import SlackAccess, calls_of_slack
from bot.cli.doctor.subject import Subject
from bot.domain.slack import EVENTS_PATH
from bot.policy.config import Config
from bot.runtime.timeouts import SocketTimeouts
from bot.settings import Settings
from bot.slack.client import code_of
from bot.slack.connect import address_client, open_slack
from bot.slack.error_codes import is_of_place
from bot.slack.scopes import losses, missing_scopes
from bot.web.socket_connection import NotOpened, new_address


async def check_slack(subject: Subject) -> list[Result]:
    """Ask Slack who the bot is."""
    return [ok((await subject.slack.get()).name)]


async def check_scopes(subject: Subject) -> list[Result]:
    """Check the scopes that the token has.

    Missing optional ones are told; what is lost without them is nobody's mistake.
    """
    config = await subject.policy.need()
    missing = missing_scopes(config, (await subject.slack.need()).granted)
    if required := [scope for scope in missing if not scope.optional]:
        names = ", ".join(scope.name for scope in required)
        raise CheckFailed(
            f"missing: {names}; {losses(missing)}. Print the manifest, put it in the app's "
            "settings and reinstall the app"
        )
    if missing:
        return [note(f"optional ones are missing: {losses(missing)}")]
    return [ok("all that the bot asks for")]


async def check_organisation(subject: Subject) -> list[Result]:
    """Say who belongs here where the workspace is in an Enterprise Grid."""
    config, access = await subject.policy.need(), await subject.slack.need()
    installation = access.installation
    workspaces = ", ".join(config.organisation.workspaces)
    if not installation.enterprise:
        unused = "[organisation] changes nothing: this workspace is a part of no Enterprise Grid"
        return [note(unused)] if workspaces else []
    if installation.is_org_wide and not workspaces and not installation.team:
        raise CheckFailed(
            f"the app is installed for all of the Enterprise Grid {installation.enterprise}, and "
            "Slack lists user groups by workspace: name workspaces under [organisation] in the "
            "policy"
        )
    if installation.is_org_wide:
        await check_workspaces(subject.settings, access, config)
    kind = "installed for all of" if installation.is_org_wide else "a part of"
    all_workspaces = f"{workspaces} and {installation.team}" if installation.team else workspaces
    people = (
        f"those who are in {all_workspaces}" if workspaces else "the people of all its workspaces"
    )
    return [ok(f"{kind} the Enterprise Grid {installation.enterprise}: {people} belong here")]


async def check_workspaces(settings: Settings, access: SlackAccess, config: Config) -> None:
    """Ask for a person of each workspace that counts; raises CheckFailed for those closed to us."""
    closed: list[str] = []
    for team in access.installation.teams(config.organisation.workspaces):
        with calls_of_slack(settings):
            try:
                await access.client.users_list(limit=1, team_id=team)
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


async def check_delivery(subject: Subject) -> list[Result]:
    """Check how Slack reaches the bot: in Socket Mode by asking for an address.

    A connection would be given clicks that are meant for the bot beside it.
    """
    token = subject.settings.slack_app_token
    if not token:
        return [ok(f"HTTP: point the app's request URLs at https://…{EVENTS_PATH} of this bot")]
    async with AsyncExitStack() as stack:
        # Not the client of the other checks: an app token may be good where the bot's is refused.
        client = address_client(await open_slack(subject.settings, stack))
        try:
            await new_address(client, token.get_secret_value(), SocketTimeouts())
        except NotOpened as error:
            raise CheckFailed(str(error)) from error
    return [
        ok(
            "Socket Mode: Slack gave an address; `doctor --listen`, with the bot stopped, opens a "
            "connection"
        )
    ]
