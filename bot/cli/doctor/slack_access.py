"""Ask Slack in the bot's name, and say in words what keeps it from answering."""

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.cli.doctor.results import CheckFailed, NotChecked
from bot.domain.slack import code_text
from bot.messages.slack_delivery import token_advice
from bot.settings import Settings
from bot.slack.client import SlackClient, code_of
from bot.slack.connect import open_slack
from bot.slack.error_codes import SlackErrorKind, kind_of
from bot.slack.gateway import SlackFailed
from bot.slack.installation import Installation
from bot.slack.session import unreachable


@dataclass(frozen=True, slots=True)
class SlackAccess:
    """A client that Slack answers: the ``name`` of bot and workspace, and the token's scopes."""

    client: SlackClient
    installation: Installation
    name: str
    granted: str


async def ask_identity(settings: Settings, stack: AsyncExitStack) -> SlackAccess:
    """Ask Slack who the bot is; raises CheckFailed where it does not say."""
    with calls_of_slack(settings):
        client = await open_slack(settings, stack)
        identity = await client.auth_test()
        return SlackAccess(
            client,
            Installation.read(identity),
            name=f"{identity['user']} in {identity['team']}",
            granted=identity.headers.get("x-oauth-scopes", ""),
        )


@contextmanager
def calls_of_slack(settings: Settings) -> Iterator[None]:
    """Have the calls of Slack's in a block end in CheckFailed where they raise anything.

    For want of a scope, of which another check speaks, they end in NotChecked.
    """
    try:
        yield
    except (CheckFailed, NotChecked):
        raise
    except SlackApiError as error:
        if kind_of(code_of(error)) is SlackErrorKind.SCOPE_MISSING:
            raise NotChecked(scope_missing(error)) from error
        raise CheckFailed(refusal(code_of(error))) from error
    except SlackFailed as error:
        raise CheckFailed(refusal(error.code)) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CheckFailed(unreachable(error, settings.slack_api_url)) from error
    except Exception as error:  # its answer is not of the shape that the SDK or we read
        raise CheckFailed(refusal("")) from error


def scope_missing(error: SlackApiError) -> str:
    """Return why something can't be looked at for want of a scope."""
    return f"the scope {error.response.get('needed') or ''} is missing".replace("  ", " ")


def refusal(code: str) -> str:
    """Return what is wrong where Slack refuses a call with this code, "" for none."""
    kind = kind_of(code)
    if kind is SlackErrorKind.TOKEN_REFUSED:
        return f"SLACK_BOT_TOKEN is refused: {code}. {token_advice(code)}"
    if kind is SlackErrorKind.PASSES:
        return f"Slack is in trouble ({code_text(code)}): try again later"
    return f"Slack refuses what it is asked: {code}"
