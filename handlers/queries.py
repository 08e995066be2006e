"""A person looks: lists, cards, details, what waits. Nothing here changes SecMaster."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from slack_sdk.errors import SlackApiError

from bot import messages
from bot.domain.objects import ListQuery, Ref
from bot.domain.slack import Actor, SlackLocation
from bot.messages import PAGE, Message, command_help, modals
from bot.secmaster import InstancePage, QueryType, SecMasterError, TaskPage
from bot.slack import cards, gateway
from bot.slack.gateway import code_of
from handlers.context import AppContext, Requester
from handlers.errors import error_message
from handlers.requests import ShowCard


async def listing(house: AppContext, wanted: ListQuery) -> Message:
    """One page of tasks or instances."""
    now = house.services.clock()
    if wanted.kind == "task":
        tasks = await _tasks(house, wanted)
        return messages.listing(wanted, tasks.tasks, tasks.total, house.workspace, now)
    runs = await _runs(house, wanted)
    return messages.listing(wanted, runs.instances, runs.total, house.workspace, now)


async def _tasks(house: AppContext, wanted: ListQuery) -> TaskPage:
    handled = wanted.filter == "handled"
    return await house.services.secmaster[house.workspace].list_tasks(
        query_type=QueryType.ALL_HANDLED if handled else QueryType.MY_TODO,
        # What waits longest is due first; of what is decided the latest is looked for.
        sort_key="update_time" if handled else "create_time",
        sort_dir="DESC" if handled else "ASC",
        offset=wanted.offset,
        limit=PAGE,
        name=wanted.text,
    )


async def _runs(house: AppContext, wanted: ListQuery) -> InstancePage:
    return await house.services.secmaster[house.workspace].list_workflow_instances(
        status=wanted.filter.upper(), offset=wanted.offset, limit=PAGE, name=wanted.text
    )


async def home(house: AppContext, user: str) -> None:
    """Draw somebody's Home with what waits now; what went wrong is told in it."""
    view = await _waiting(house, modals.home, modals.failed_home)
    await house.services.slack.views_publish(user_id=user, view=view)


async def waiting(house: AppContext, view_id: str) -> None:
    """Fill the modal that was opened at once."""
    view = await _waiting(house, modals.waiting, partial(modals.failed, modals.WAITING))
    await _fill(house, view_id, view)


async def _fill(house: AppContext, view_id: str, view: dict[str, Any]) -> None:
    try:
        await house.services.slack.views_update(view_id=view_id, view=view)
    except SlackApiError as error:
        if code_of(error) != "not_found":  # who asked has closed it meanwhile
            raise


async def _waiting(
    house: AppContext,
    drawn: Callable[[modals.WaitingObjects], dict[str, Any]],
    troubled: Callable[[str], dict[str, Any]],
) -> dict[str, Any]:
    try:
        tasks, runs = await asyncio.gather(
            _tasks(house, ListQuery(kind="task", filter="todo")),
            _runs(house, ListQuery(kind="instance", filter="failed")),
        )
    except SecMasterError as error:
        return troubled(error_message(error, house).text)
    return drawn(
        modals.WaitingObjects(
            tasks=tasks.tasks,
            tasks_total=tasks.total,
            failed=runs.instances,
            failed_total=runs.total,
            alias=house.workspace,
            root=house.root,
            now=house.services.clock(),
        )
    )


async def show(house: AppContext, wanted: ShowCard, asker: Requester) -> None:
    """Post the card here, in a thread's channel, or from Home in our chat."""
    place = asker.location
    if not place.channel:
        place = SlackLocation(channel=await gateway.open_dm(asker.actor.id))
    snapshot = await house.services.read(wanted.ref)
    await cards.post_new(place, wanted.ref, snapshot)


async def whoami(house: AppContext, actor: Actor) -> Message:
    member = await house.directory.principal(actor)
    return command_help.whoami(member, await house.directory.name(actor.id), house.config)


async def details(house: AppContext, ref: Ref, view_id: str) -> None:
    """Fill the modal that was opened at once; what went wrong is told in it."""
    try:
        snapshot = await cards.read_and_track(ref)
        view: dict[str, Any] = modals.details(house.services.render_context(ref), snapshot)
    except SecMasterError as error:
        view = modals.failed("Details", error_message(error, house).text)
    await _fill(house, view_id, view)
