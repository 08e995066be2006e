"""Lists, cards, details, and what waits. Nothing here changes SecMaster."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from slack_sdk.errors import SlackApiError

from bot import messages
from bot.domain.objects import ListQuery, ObjectKind, Ref
from bot.domain.slack import Requester, SlackLocation
from bot.domain.snapshots import Snapshot
from bot.messages import PAGE, Message, denials, lists, modals, private_cards
from bot.secmaster import InstancePage, NotFound, QueryType, SecMasterError, TaskPage
from bot.slack.gateway import code_of
from handlers.context import AppContext
from handlers.errors import UserError, error_message
from handlers.requests import ShowCard


async def listing(app: AppContext, query: ListQuery) -> Message:
    """Return one page of tasks or instances."""
    now = app.services.clock.now()
    if query.kind == "task":
        tasks = await list_tasks(app, query)
        return messages.listing(query, tasks.tasks, tasks.total, app.workspace, now)
    instances = await list_instances(app, query)
    return messages.listing(query, instances.instances, instances.total, app.workspace, now)


async def turn_page(app: AppContext, value: str, location: SlackLocation) -> None:
    """Put the page that a paging button names in the place of the one that is shown."""
    query = lists.parse_page_button(value)
    if query is None:
        raise UserError(denials.newer_button())
    page = await listing(app, query)
    await app.services.slack.respond(location.response_url, page, replace=True)


async def list_tasks(app: AppContext, query: ListQuery) -> TaskPage:
    """Read one page of the tasks that wait, or of those that are handled."""
    handled = query.filter == "handled"
    return await app.services.workspaces.client(app.workspace).list_tasks(
        query_type=QueryType.ALL_HANDLED if handled else QueryType.MY_TODO,
        # Of what waits, the oldest is due first; of what is decided, the latest is looked for.
        sort_key="update_time" if handled else "create_time",
        sort_dir="DESC" if handled else "ASC",
        offset=query.offset,
        limit=PAGE,
        name=query.text,
    )


async def list_instances(app: AppContext, query: ListQuery) -> InstancePage:
    """Read one page of the instances in the status that the query names, "" for any."""
    return await app.services.workspaces.client(app.workspace).list_workflow_instances(
        status=query.filter.upper(), offset=query.offset, limit=PAGE, name=query.text
    )


async def find_object(
    app: AppContext, object_id: str, kinds: tuple[ObjectKind, ...]
) -> tuple[Ref, Snapshot]:
    """Read the object with this id, of the first of ``kinds`` that has one.

    Raises NotFound where none has.
    """
    *first_refs, last_ref = (
        Ref(kind=kind, id=object_id, workspace=app.workspace) for kind in kinds
    )
    for ref in first_refs:
        try:
            return ref, await app.services.workspaces.read(ref)
        except NotFound:
            continue
    return last_ref, await app.services.workspaces.read(last_ref)


async def home(app: AppContext, user: str) -> None:
    """Draw somebody's Home with what waits now; a failure is shown in it."""
    view = await _waiting_view(app, modals.home, modals.failed_home)
    await app.services.slack.client.views_publish(user_id=user, view=view)


async def waiting(app: AppContext, view_id: str) -> None:
    """Fill the modal that is open already with what waits now; a failure is shown in it."""
    view = await _waiting_view(app, modals.waiting, partial(modals.failed, modals.WAITING))
    await _update_view(app, view_id, view)


async def _waiting_view(
    app: AppContext,
    draw: Callable[[modals.WaitingObjects], dict[str, Any]],
    draw_failure: Callable[[str], dict[str, Any]],
) -> dict[str, Any]:
    try:
        tasks, instances = await asyncio.gather(
            list_tasks(app, ListQuery(kind="task", filter="todo")),
            list_instances(app, ListQuery(kind="instance", filter="failed")),
        )
    except SecMasterError as error:
        return draw_failure(error_message(error, app).text)
    return draw(
        modals.WaitingObjects(
            tasks=tasks.tasks,
            tasks_total=tasks.total,
            failed=instances.instances,
            failed_total=instances.total,
            alias=app.workspace,
            root=app.root,
            now=app.services.clock.now(),
        )
    )


async def show(
    app: AppContext,
    request: ShowCard,
    requester: Requester,
    *,
    private: bool = False,
    in_place: bool = False,
) -> None:
    """Post a new card in the requester's channel, or from Home in the direct messages.

    A channel that the policy does not name shows it to the requester alone, and any channel does
    where it is asked for in ``private``: ``in_place`` of the message that was pressed, or below.
    """
    slack, cards, location = app.services.slack, app.services.cards, requester.location
    channel = location.channel or await slack.open_dm(requester.actor.id)
    refusal = await slack.channels.refusal(channel)
    snapshot = await app.services.workspaces.read(request.ref)
    if refusal is None and not private:
        await cards.post_new(request.ref, snapshot, channel)
        return
    card = await cards.private_message(request.ref, snapshot)
    message = private_cards.private_card(card, request.ref, refusal)
    if in_place:
        await slack.respond(location.response_url, message, replace=True)
    else:
        await slack.send_private(location, requester.actor.id, message)


async def show_pressed(app: AppContext, ref: Ref, requester: Requester, *, posts: bool) -> None:
    """Show an object of a list as the list is shown; ``posts`` its private card for everybody."""
    location = requester.location
    await show(app, ShowCard(ref), requester, private=location.is_private and not posts)
    if posts:
        message = private_cards.posted_here()
        await app.services.slack.respond(location.response_url, message, replace=True)


async def refresh(app: AppContext, ref: Ref, requester: Requester) -> None:
    """Draw all cards of an object anew, or the private one that was pressed."""
    if requester.location.is_private:
        await show(app, ShowCard(ref), requester, private=True, in_place=True)
    else:
        await app.services.cards.redraw(ref)


async def details(app: AppContext, ref: Ref, view_id: str) -> None:
    """Fill the modal that is open already with an object's details; a failure is shown in it."""
    try:
        snapshot = await app.services.cards.read_and_track(ref)
        view: dict[str, Any] = modals.details(app.services.cards.render_context(ref), snapshot)
    except SecMasterError as error:
        view = modals.failed("Details", error_message(error, app).text)
    await _update_view(app, view_id, view)


async def _update_view(app: AppContext, view_id: str, view: dict[str, Any]) -> None:
    """Update a modal, unless the requester has closed it meanwhile."""
    try:
        await app.services.slack.client.views_update(view_id=view_id, view=view)
    except SlackApiError as error:
        if code_of(error) != "not_found":
            raise
