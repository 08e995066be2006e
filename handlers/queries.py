"""A person looks: lists, cards, details, what waits. Nothing here changes SecMaster."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from slack_sdk.errors import SlackApiError

from bot import messages
from bot.domain.models import Actor, Listing, Place, Ref
from bot.messages import PAGE, Message, command_help, modals
from bot.secmaster import InstancePage, QueryType, SecMasterError, TaskPage
from bot.slack import cards, gateway
from bot.slack.gateway import code_of
from handlers.context import Asker, House
from handlers.errors import words_for
from handlers.requests import Show


async def listing(house: House, wanted: Listing) -> Message:
    """One page of tasks or instances."""
    now = house.desk.clock()
    if wanted.noun == "task":
        tasks = await _tasks(house, wanted)
        return messages.listing(wanted, tasks.tasks, tasks.total, house.main, now)
    runs = await _runs(house, wanted)
    return messages.listing(wanted, runs.instances, runs.total, house.main, now)


async def _tasks(house: House, wanted: Listing) -> TaskPage:
    handled = wanted.filter == "handled"
    return await house.desk.secmaster[house.main].list_tasks(
        query_type=QueryType.ALL_HANDLED if handled else QueryType.MY_TODO,
        # What waits longest is due first; of what is decided the latest is looked for.
        sort_key="update_time" if handled else "create_time",
        sort_dir="DESC" if handled else "ASC",
        offset=wanted.offset,
        limit=PAGE,
        name=wanted.text,
    )


async def _runs(house: House, wanted: Listing) -> InstancePage:
    return await house.desk.secmaster[house.main].list_workflow_instances(
        status=wanted.filter.upper(), offset=wanted.offset, limit=PAGE, name=wanted.text
    )


async def home(house: House, user: str) -> None:
    """Draw somebody's Home with what waits now; what went wrong is told in it."""
    view = await _waiting(house, modals.home, modals.troubled_home)
    await house.desk.slack.views_publish(user_id=user, view=view)


async def waiting(house: House, view_id: str) -> None:
    """Fill the modal that was opened at once."""
    view = await _waiting(house, modals.waiting, partial(modals.failed, modals.WAITING))
    await _fill(house, view_id, view)


async def _fill(house: House, view_id: str, view: dict[str, Any]) -> None:
    try:
        await house.desk.slack.views_update(view_id=view_id, view=view)
    except SlackApiError as error:
        if code_of(error) != "not_found":  # who asked has closed it meanwhile
            raise


async def _waiting(
    house: House,
    drawn: Callable[[modals.Waiting], dict[str, Any]],
    troubled: Callable[[str], dict[str, Any]],
) -> dict[str, Any]:
    try:
        tasks, runs = await asyncio.gather(
            _tasks(house, Listing(noun="task", filter="todo")),
            _runs(house, Listing(noun="instance", filter="failed")),
        )
    except SecMasterError as error:
        return troubled(words_for(error, house).text)
    return drawn(
        modals.Waiting(
            tasks=tasks.tasks,
            tasks_total=tasks.total,
            failed=runs.instances,
            failed_total=runs.total,
            alias=house.main,
            root=house.root,
            now=house.desk.clock(),
        )
    )


async def show(house: House, wanted: Show, asker: Asker) -> None:
    """Post the card here, in a thread's channel, or from Home in our chat."""
    place = asker.place
    if not place.channel:
        place = Place(channel=await gateway.chat_with(asker.actor.id))
    snapshot = await house.desk.look(wanted.ref)
    await cards.show(place, wanted.ref, snapshot)


async def whoami(house: House, actor: Actor) -> Message:
    member = await house.directory.member(actor)
    return command_help.whoami(member, await house.directory.name(actor.id), house.config)


async def details(house: House, ref: Ref, view_id: str) -> None:
    """Fill the modal that was opened at once; what went wrong is told in it."""
    try:
        snapshot = await cards.look(ref)
        view: dict[str, Any] = modals.details(house.desk.frame(ref), snapshot)
    except SecMasterError as error:
        view = modals.failed("Details", words_for(error, house).text)
    await _fill(house, view_id, view)
