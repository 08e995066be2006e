"""A person looks: lists, cards, details, what waits. Nothing here changes SecMaster."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from slack_sdk.errors import SlackApiError

from bot import messages
from bot.domain.objects import ListQuery, Ref
from bot.domain.slack import Actor, Requester
from bot.messages import PAGE, Message, command_help, modals
from bot.secmaster import InstancePage, QueryType, SecMasterError, TaskPage
from bot.slack.gateway import code_of
from handlers.context import AppContext
from handlers.errors import error_message
from handlers.requests import ShowCard


async def listing(app: AppContext, wanted: ListQuery) -> Message:
    """One page of tasks or instances."""
    now = app.services.clock.now()
    if wanted.kind == "task":
        tasks = await _tasks(app, wanted)
        return messages.listing(wanted, tasks.tasks, tasks.total, app.workspace, now)
    runs = await _runs(app, wanted)
    return messages.listing(wanted, runs.instances, runs.total, app.workspace, now)


async def _tasks(app: AppContext, wanted: ListQuery) -> TaskPage:
    handled = wanted.filter == "handled"
    return await app.services.workspaces.client(app.workspace).list_tasks(
        query_type=QueryType.ALL_HANDLED if handled else QueryType.MY_TODO,
        # What waits longest is due first; of what is decided the latest is looked for.
        sort_key="update_time" if handled else "create_time",
        sort_dir="DESC" if handled else "ASC",
        offset=wanted.offset,
        limit=PAGE,
        name=wanted.text,
    )


async def _runs(app: AppContext, wanted: ListQuery) -> InstancePage:
    return await app.services.workspaces.client(app.workspace).list_workflow_instances(
        status=wanted.filter.upper(), offset=wanted.offset, limit=PAGE, name=wanted.text
    )


async def home(app: AppContext, user: str) -> None:
    """Draw somebody's Home with what waits now; what went wrong is told in it."""
    view = await _waiting(app, modals.home, modals.failed_home)
    await app.services.slack.client.views_publish(user_id=user, view=view)


async def waiting(app: AppContext, view_id: str) -> None:
    """Fill the modal that was opened at once."""
    view = await _waiting(app, modals.waiting, partial(modals.failed, modals.WAITING))
    await _fill(app, view_id, view)


async def _fill(app: AppContext, view_id: str, view: dict[str, Any]) -> None:
    try:
        await app.services.slack.client.views_update(view_id=view_id, view=view)
    except SlackApiError as error:
        if code_of(error) != "not_found":  # who asked has closed it meanwhile
            raise


async def _waiting(
    app: AppContext,
    drawn: Callable[[modals.WaitingObjects], dict[str, Any]],
    troubled: Callable[[str], dict[str, Any]],
) -> dict[str, Any]:
    try:
        tasks, runs = await asyncio.gather(
            _tasks(app, ListQuery(kind="task", filter="todo")),
            _runs(app, ListQuery(kind="instance", filter="failed")),
        )
    except SecMasterError as error:
        return troubled(error_message(error, app).text)
    return drawn(
        modals.WaitingObjects(
            tasks=tasks.tasks,
            tasks_total=tasks.total,
            failed=runs.instances,
            failed_total=runs.total,
            alias=app.workspace,
            root=app.root,
            now=app.services.clock.now(),
        )
    )


async def show(app: AppContext, wanted: ShowCard, requester: Requester) -> None:
    """Post the card here, in a thread's channel, or from Home in our chat."""
    channel = requester.location.channel
    if not channel:
        channel = await app.services.slack.open_dm(requester.actor.id)
    snapshot = await app.services.workspaces.read(wanted.ref)
    await app.services.cards.post_new(wanted.ref, snapshot, channel)


async def whoami(app: AppContext, actor: Actor) -> Message:
    member = await app.services.directory.principal(actor)
    return command_help.whoami(member, await app.services.directory.name(actor.id), app.config)


async def details(app: AppContext, ref: Ref, view_id: str) -> None:
    """Fill the modal that was opened at once; what went wrong is told in it."""
    try:
        snapshot = await app.services.cards.read_and_track(ref)
        view: dict[str, Any] = modals.details(app.services.cards.render_context(ref), snapshot)
    except SecMasterError as error:
        view = modals.failed("Details", error_message(error, app).text)
    await _fill(app, view_id, view)
