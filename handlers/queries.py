"""Lists, cards, details, and what waits, for whoever may read it. Nothing changes SecMaster."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import Block

from bot import messages
from bot.domain.actions import TABLE
from bot.domain.batches import BatchQuery
from bot.domain.objects import OBJECT_KINDS, ListQuery, ObjectKind, Ref
from bot.domain.ordering import most_urgent_first
from bot.domain.run_results import waiting_kind
from bot.domain.slack import Actor, Requester
from bot.domain.snapshots import ListPage, Snapshot
from bot.domain.tracking import Assignment
from bot.messages import PAGE, Message, denials, lists, modals, private_cards
from bot.messages.catalogue import Catalogue
from bot.messages.details import HISTORY
from bot.messages.details import details as details_view
from bot.operations.around import attach_recent
from bot.operations.authorization import viewer_of
from bot.operations.reading import Reader, ReadRefused, open_reader, run_listing
from bot.operations.search import Search, tokens
from bot.secmaster import Forbidden, NotFound, NotRouted, QueryType, SecMaster, SecMasterError
from bot.slack.client import code_of
from bot.slack.directory import LookupFailed
from bot.slack.error_codes import VIEW_GONE
from handlers import audit, list_filters
from handlers.context import AppContext
from handlers.errors import UserError, error_message, note_failure
from handlers.parsing import ParseError
from handlers.requests import ShowCard

# What somebody may take decides what waits for them.
DECISIONS = tuple(action for action in TABLE if action.is_decision or action.is_retry)
LAST_OFFSET = 9999  # the highest that SecMaster takes
# What a view shows in the place of what it was opened for.
SHOWN_FAILURES = (SecMasterError, ReadRefused, LookupFailed)
# What a region without runs of playbooks answers to a request for one, or where the bot's own user
# may not read them.
NOT_SERVED = (NotRouted, Forbidden)


async def listing(app: AppContext, query: ListQuery, actor: Actor) -> Message:
    """Return one page of the tasks or runs that a person may read."""
    search = list_filters.read_search(query)
    reader = await open_reader(app.services, actor, *(DECISIONS if search.mine else ()))
    page = await list_page(app, reader, query)
    return messages.listing(app.catalogue, query, page, app.workspace, app.services.clock.now())


async def turn_page(app: AppContext, value: str, requester: Requester) -> None:
    """Put the page that a paging button names in the place of the one that is shown."""
    query = lists.parse_page_button(value)
    if query is None:
        raise UserError(denials.newer_button(app.catalogue))
    try:
        page = await listing(app, query, requester.actor)
    except ParseError:  # a filter of another version
        raise UserError(denials.newer_button(app.catalogue)) from None
    await app.services.slack.respond(requester.location.response_url, page, replace=True)


async def list_page(app: AppContext, reader: Reader, query: ListQuery) -> ListPage:
    """Return one page of a list: what is open, most urgent first, or what is settled.

    Where ``mine`` is among the filters the reader must have been opened for the ``DECISIONS``.
    """
    if not list_filters.is_open_list(query):
        return await _settled_page(app, reader, query)
    workspace, now = app.workspace, app.services.clock.now()
    active: Sequence[Snapshot] = ()
    if not query.filter:
        active = await reader.active_runs(query.kind, workspace)
    objects = await reader.open_objects(query.kind, workspace)
    rows = {snapshot.id: snapshot for snapshot in (*objects.rows, *active)}
    assignments = await asyncio.to_thread(app.services.store.tracked.assignments, now)
    matching = search_open(app, reader, query, workspace, rows.values(), assignments)
    unrated = search_open(app, reader, query, workspace, rows.values(), assignments, unrated=True)
    page = objects.page(matching, query.offset, PAGE)
    snoozes = await asyncio.to_thread(
        app.services.store.personal_snoozes.of, reader.principal.id, now
    )
    return replace(
        page,
        snoozes={ref.id: until for ref, until in snoozes.items()},
        assignees={
            ref.id: assignment.assignee
            for ref, assignment in assignments.items()
            if ref.kind == query.kind and ref.workspace == workspace
        },
        unrated=len(unrated),
    )


def search_open(  # noqa: PLR0913, PLR0917 - whose, which, and who has claimed them
    app: AppContext,
    reader: Reader,
    query: ListQuery | BatchQuery,
    workspace: str,
    snapshots: Iterable[Snapshot],
    assignments: Mapping[Ref, Assignment],
    *,
    unrated: bool = False,
) -> list[Snapshot]:
    """Return those objects of a workspace that a query finds, most urgent first.

    With ``unrated`` those that it would find if it were known how severe they are. What somebody
    else has claimed, by the ``assignments``, does not wait for the person.
    """
    search, now = Search.parse(query.text), app.services.clock.now()
    finds = search.leaves_out_unrated if unrated else search.matches

    def waits_for_person(snapshot: Snapshot) -> bool:
        try:
            ref = Ref(kind=query.kind, workspace=workspace, id=snapshot.id)
        except ValidationError:  # no button can carry its id
            return False
        assignment = assignments.get(ref)
        if assignment and assignment.assignee != reader.principal.id:
            return False
        return bool(reader.allowed_actions(ref, snapshot, DECISIONS))

    return most_urgent_first(
        snapshot
        for snapshot in snapshots
        if finds(snapshot, now) and (not search.mine or waits_for_person(snapshot))
    )


async def _settled_page(app: AppContext, reader: Reader, query: ListQuery) -> ListPage:
    """Read one page of handled tasks, or of runs by their status, as SecMaster searches them."""
    name = " ".join(word for word, _ in tokens(query.text))
    offset = min(query.offset, LAST_OFFSET)

    async def tasks(client: SecMaster, offset: int, limit: int) -> tuple[Sequence[Snapshot], int]:
        page = await client.list_tasks(
            query_type=QueryType.ALL_HANDLED,
            sort_key="update_time",
            sort_dir="DESC",
            offset=offset,
            limit=limit,
            name=name,
        )
        return page.tasks, page.total

    status = "" if query.filter == "all" else query.filter.upper()
    rows = tasks if query.kind == "task" else run_listing(query.kind, status, name=name)
    return await reader.page(query.kind, app.workspace, rows, offset, PAGE)


async def find_object(
    app: AppContext, reader: Reader, object_id: str, kinds: tuple[ObjectKind, ...]
) -> tuple[Ref, Snapshot]:
    """Read the object with this id, of the first of ``kinds`` that has one.

    Raises NotFound where none has, or ReadRefused where it may be one that is not to be read.
    Where SecMaster serves no runs of playbooks, an id that may be of another kind is none of them.
    """
    reader.require(*kinds)
    # What nobody may read is kept from nobody in particular: it is as if it were not served.
    unreadable = reader.config.unreadable_kinds
    kinds = tuple(kind for kind in kinds if kind not in unreadable) or kinds
    error: NotFound | ReadRefused | None = None
    for kind in kinds:
        ref = Ref(kind=kind, id=object_id, workspace=app.workspace)
        try:
            return ref, await reader.read(ref)
        except (NotFound, ReadRefused) as caught:
            error = error if isinstance(error, ReadRefused) else caught
        except NOT_SERVED:
            if kind != "playbook" or len(kinds) == 1:
                raise
    raise error or NotFound(object_id)


async def home(app: AppContext, actor: Actor, above: Sequence[Block] = ()) -> None:
    """Draw somebody's Home with what waits now below these blocks; a failure is shown in it."""

    def draw_failure(error: Exception) -> dict[str, Any]:
        return modals.failed_home(app.catalogue, error_message(error, app).text)

    view = await _waiting_view(app, actor, modals.home, draw_failure)
    view["blocks"] = [*(block.to_dict() for block in above), *view["blocks"]]
    await app.services.slack.client.views_publish(user_id=actor.id, view=view)


async def waiting(app: AppContext, requester: Requester, view_id: str) -> None:
    """Fill the modal that is open already with what waits now; a failure is shown in it."""

    def draw_failure(error: Exception) -> dict[str, Any]:
        note_failure(error, requester)
        return modals.failed(app.catalogue, modals.WAITING, error_message(error, app).text)

    view = await _waiting_view(app, requester.actor, modals.waiting, draw_failure)
    await _update_view(app, view_id, view)


async def _waiting_view(
    app: AppContext,
    actor: Actor,
    draw: Callable[[Catalogue, modals.WaitingObjects], dict[str, Any]],
    draw_failure: Callable[[Exception], dict[str, Any]],
) -> dict[str, Any]:
    unlisted = set[ObjectKind]()

    async def first_page(reader: Reader, kind: ObjectKind, status: str) -> ListPage | None:
        query = ListQuery(kind=kind, filter=status)
        try:
            return await list_page(app, reader, query) if reader.reads(kind) else None
        except SecMasterError:
            if kind != "playbook":  # not every region has those, and the others matter more
                raise
            unlisted.add(kind)
            return None

    try:
        reader = await open_reader(app.services, actor)
        reader.require(*OBJECT_KINDS)
        tasks, failed, failed_playbooks = await asyncio.gather(
            first_page(reader, "task", "todo"),
            first_page(reader, "instance", "failed"),
            first_page(reader, "playbook", "failed"),
        )
    except SHOWN_FAILURES as error:
        return draw_failure(error)
    return draw(
        app.catalogue,
        modals.WaitingObjects(
            tasks=tasks,
            failed=failed,
            failed_playbooks=failed_playbooks,
            unlisted=unlisted,
            alias=app.workspace,
            root=app.root,
            now=app.services.clock.now(),
        ),
    )


async def show(
    app: AppContext,
    request: ShowCard,
    requester: Requester,
    *,
    private: bool = False,
    in_place: bool = False,
) -> bool:
    """Post a new card in the requester's channel, or from Home in the direct messages.

    Returns whether it was posted.

    A channel that the policy does not name shows it to the requester alone, and any channel does
    where it is asked for in ``private``: ``in_place`` of the message that was pressed, or below.
    """
    slack, cards, location = app.services.slack, app.services.cards, requester.location
    channel = location.channel or await slack.open_dm(requester.actor.id)
    refusal = await slack.channels.refusal(channel)
    reader = await open_reader(app.services, requester.actor)
    snapshot = await reader.read(request.ref)
    if refusal is None and not private:
        await cards.post_new(request.ref, snapshot, channel)
        return True
    snapshot = await attach_recent(app.services, request.ref, snapshot)
    viewer = await viewer_of(app.services, requester.actor, request.ref, snapshot)
    viewer = replace(viewer, reads_runs=reader.reads_all(waiting_kind(snapshot)))
    card = await cards.private_message(request.ref, snapshot, viewer)
    message = private_cards.private_card(app.catalogue, card, request.ref, refusal)
    if in_place:
        await slack.respond(location.response_url, message, replace=True)
    else:
        await slack.send_private(location, requester.actor.id, message)
    return False


async def show_pressed(app: AppContext, ref: Ref, requester: Requester, *, posts: bool) -> None:
    """Show an object of a list as the list is shown; ``posts`` its private card for everybody."""
    location = requester.location
    private = location.is_private and not posts
    if await show(app, ShowCard(ref), requester, private=private) and posts:
        message = private_cards.posted_here(app.catalogue)
        await app.services.slack.respond(location.response_url, message, replace=True)


async def refresh(app: AppContext, ref: Ref, requester: Requester) -> None:
    """Draw all cards of an object anew, or the private one that was pressed."""
    location = requester.location
    if location.is_private:
        await show(app, ShowCard(ref), requester, private=True, in_place=True)
    else:
        await (await open_reader(app.services, requester.actor)).require_object(ref)
        if location.card:
            # Its record may have been deleted for its age, and only what is on record is drawn.
            unrecorded, now = app.services.store.cards.add_unrecorded, app.services.clock.now()
            await asyncio.to_thread(unrecorded, ref, location.channel, location.card, now)
        await app.services.cards.redraw(ref)


async def details(app: AppContext, ref: Ref, requester: Requester, view_id: str) -> None:
    """Fill the modal that is open already with an object's details; a failure is shown in it."""
    try:
        reader = await open_reader(app.services, requester.actor)
        snapshot = await attach_recent(app.services, ref, await reader.read(ref, track=True))
        viewer = await viewer_of(app.services, requester.actor, ref, snapshot)
        viewer = replace(viewer, reads_runs=reader.reads_all(waiting_kind(snapshot)))
        context, state = await app.services.cards.state_of(ref, snapshot)
        history = await audit.object_history(app, reader, requester.actor, ref, HISTORY)
        view: dict[str, Any] = details_view(
            replace(context, viewer=viewer), snapshot, state, history, requester.location
        )
    except SHOWN_FAILURES as error:
        note_failure(error, requester)
        view = modals.failed(app.catalogue, modals.DETAILS, error_message(error, app).text)
    await _update_view(app, view_id, view)


async def _update_view(app: AppContext, view_id: str, view: dict[str, Any]) -> None:
    """Update a modal, unless the requester has closed it meanwhile."""
    try:
        await app.services.slack.client.views_update(view_id=view_id, view=view)
    except SlackApiError as error:
        if code_of(error) != VIEW_GONE:
            raise
