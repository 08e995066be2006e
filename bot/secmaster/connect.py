"""Open SecMaster with the one way to sign in that is set."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime

import httpx

from bot.secmaster.auth import IamAuth, SigningAuth, TokenAuth
from bot.secmaster.client import SecMaster
from bot.secmaster.connection import open_http
from bot.secmaster.measured import OnRequest, ignore
from bot.settings import Settings


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
        auth=await _authentication(settings, stack, now),
        on_request=on_request,
    )
    return await stack.enter_async_context(client)


async def _authentication(
    settings: Settings, stack: AsyncExitStack, now: Callable[[], datetime]
) -> httpx.Auth:
    if settings.ak and settings.sk:
        security_token = settings.security_token
        return SigningAuth(
            settings.ak.get_secret_value(),
            settings.sk.get_secret_value(),
            security_token.get_secret_value() if security_token else "",
            clock=now,
        )
    if settings.iam_password:
        return IamAuth(
            settings.iam,
            settings.iam_username,
            settings.iam_password.get_secret_value(),
            settings.iam_domain,
            settings.secmaster_project_id,
            http=await stack.enter_async_context(open_http()),
            clock=now,
        )
    token = settings.secmaster_auth_token
    return TokenAuth(token.get_secret_value() if token else "")
