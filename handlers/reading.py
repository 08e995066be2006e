"""A person looks: lists, cards, details, who they are. Nothing here changes SecMaster."""

from typing import Any

from bot import messages
from bot.flows import telling
from bot.messages import PAGE, Message, about, views
from bot.models import Actor, Listing, Place, Ref
from bot.secmaster import QueryType, SecMasterError
from handlers.failures import words_for
from handlers.house import House
from handlers.parsing import Show


async def listing(house: House, wanted: Listing) -> Message:
    """One page of tasks or instances."""
    client, now = house.desk.secmaster[house.main], house.desk.clock()
    page: dict[str, Any] = {"offset": wanted.offset, "limit": PAGE, "name": wanted.text}
    if wanted.noun == "task":
        handled = wanted.filter == "handled"
        tasks = await client.list_tasks(
            query_type=QueryType.ALL_HANDLED if handled else QueryType.MY_TODO,
            # What waits longest is due first; of what is decided the latest is looked for.
            sort_key="update_time" if handled else "create_time",
            sort_dir="DESC" if handled else "ASC",
            **page,
        )
        return messages.listing(wanted, tasks.tasks, tasks.total, house.main, now)
    runs = await client.list_workflow_instances(status=wanted.filter.upper(), **page)
    return messages.listing(wanted, runs.instances, runs.total, house.main, now)


async def show(house: House, wanted: Show, place: Place) -> None:
    """Post the card here, or in a thread's channel."""
    snapshot = await house.desk.look(wanted.ref)
    await telling.show(place, wanted.ref, snapshot)


async def whoami(house: House, actor: Actor) -> Message:
    member = await house.directory.member(actor)
    return about.whoami(member, await house.directory.name(actor.id), house.config)


async def details(house: House, ref: Ref, view_id: str) -> None:
    """Fill the modal that was opened at once; what went wrong is told in it."""
    try:
        snapshot = await house.desk.look(ref)
        view: dict[str, Any] = views.details(house.desk.frame(ref), snapshot)
    except SecMasterError as error:
        view = views.failed("Details", words_for(error, house).text)
    await house.desk.slack.views_update(view_id=view_id, view=view)
