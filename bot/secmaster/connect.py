"""Open SecMaster with the one way to sign in that is set."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from typing import assert_never

from bot.network import Network
from bot.secmaster.agency import TIMEOUT, AgencyAuth
from bot.secmaster.auth import Auth, IamAuth, SigningAuth, TokenAuth
from bot.secmaster.client import SecMaster
from bot.secmaster.connection import open_http
from bot.secmaster.errors import AnswerLost
from bot.secmaster.measured import OnRequest, ignore
from bot.secmaster.models import TaskPage
from bot.settings import Settings, SignIn, text_of

FIRST_READ = 6.0  # seconds: a little longer than a connection may take to come about


async def read_first(client: SecMaster) -> TaskPage:
    """Read one task, which needs the address, the credentials, the ids and the right to read.

    Raises SecMasterError, in time.
    """
    try:
        async with asyncio.timeout(FIRST_READ):
            return await client.list_tasks(limit=1)
    except TimeoutError as error:
        raise AnswerLost(f"no answer within {FIRST_READ:.0f} s") from error


async def open_secmaster(
    settings: Settings,
    stack: AsyncExitStack,
    now: Callable[[], datetime],
    on_request: OnRequest = ignore,
) -> SecMaster:
    """Open a client for the workspace of the settings; ``stack`` closes it.

    ``on_request`` is told how each request ended.
    """
    client = SecMaster(
        endpoint=settings.endpoint,
        project_id=settings.secmaster_project_id,
        workspace_id=settings.secmaster_workspace_id,
        auth=authentication(settings, settings.secmaster_network, now),
        route=settings.secmaster_network.route(settings.endpoint),
        on_request=on_request,
    )
    return await stack.enter_async_context(client)


def authentication(settings: Settings, network: Network, now: Callable[[], datetime]) -> Auth:
    """Return the way to sign in that is set; ``network`` is how IAM is reached."""
    project_id = settings.secmaster_project_id

    def signer(ak: str, sk: str, security_token: str) -> SigningAuth:
        return SigningAuth(ak, sk, security_token, project_id=project_id, clock=now)

    match settings.sign_in:
        case SignIn.KEYS:
            ak, sk = text_of(settings.ak), text_of(settings.sk)
            return signer(ak, sk, text_of(settings.security_token))
        case SignIn.PASSWORD:
            route = network.route(settings.iam)
            return IamAuth(
                settings.iam,
                settings.iam_username,
                text_of(settings.iam_password),
                settings.iam_domain,
                project_id,
                open_client=partial(open_http, route=route),
                route=route,
                clock=now,
            )
        case SignIn.AGENCY:
            # Link-local, so never through a proxy: that would hand its own machine's keys out.
            open_client = partial(open_http, TIMEOUT)
            return AgencyAuth(
                settings.ecs_metadata_endpoint, signer, open_client=open_client, clock=now
            )
        case SignIn.TOKEN:
            return TokenAuth(text_of(settings.secmaster_auth_token))
        case _:
            assert_never(settings.sign_in)
