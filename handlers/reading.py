"""A person looks: lists, cards, details, who they are. Nothing here changes SecMaster."""

from typing import Any

from bot import messages
from bot.flows import telling
from bot.messages import PAGE, Message, about, views
from bot.models import Actor, Place, Ref
from bot.secmaster import QueryType, SecMasterError
from handlers.failures import words_for
from handlers.house import House
from handlers.parsing import Listing, Show


async def listing(house: House, wanted: Listing) -> Message:
    """One page of tasks or instances."""
    client = house.desk.secmaster[house.main]
    frame = house.desk.frame(Ref(noun=wanted.noun, workspace=house.main, id="list"))
    asked = (wanted.filter, wanted.text, wanted.offset)
    if wanted.noun == "task":
        handled = wanted.filter == "handled"
        tasks = await client.list_tasks(
            offset=wanted.offset,
            limit=PAGE,
            name=wanted.text,
            query_type=QueryType.ALL_HANDLED if handled else QueryType.MY_TODO,
        )
        return messages.task_list(tasks.tasks, tasks.total, frame, asked)
    runs = await client.list_workflow_instances(
        offset=wanted.offset, limit=PAGE, name=wanted.text, status=wanted.filter.upper()
    )
    return messages.instance_list(runs.instances, runs.total, frame, asked)


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
