"""Batches: a person selects many tasks or instances, and decides them with one confirmation.

A selection form, a confirmation form, and the batch that is recorded and carried out. Each object
is authorized and decided on its own.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from slack_bolt.async_app import AsyncAck
from slack_sdk.errors import SlackApiError

from bot.domain import snapshots
from bot.domain.actions import BY_NAME, batch_statuses
from bot.domain.batches import Batch, BatchItem, BatchQuery, SkippedItem
from bot.domain.cards import ButtonValue
from bot.domain.deliveries import DeliveryKind
from bot.domain.objects import Ref
from bot.domain.reasons import SkipReason
from bot.domain.slack import Requester, SlackLocation
from bot.domain.snapshots import Snapshot
from bot.messages import batch_forms, denials, evidence, modals
from bot.messages.batch_forms import (
    BatchConfirmation,
    BatchFormState,
    BatchOptions,
    BatchSelection,
    SelectedItem,
)
from bot.messages.labels import consequence
from bot.operations.around import read_object
from bot.operations.authorization import Grant, NotAllowed, authorize
from bot.operations.reading import Reader, open_reader
from bot.operations.search import is_search
from bot.secmaster import NotFound, SecMasterError, Task
from bot.slack.client import code_of
from bot.slack.directory import LookupFailed
from bot.slack.error_codes import VIEW_GONE
from handlers import forms, operations, queries
from handlers.context import AppContext, Recorder, attempt_id
from handlers.errors import InvalidInput, UserError, error_message, note_failure, run_after_ack
from handlers.payloads import Submission
from handlers.requests import ActionRequest

T = TypeVar("T")

CONCURRENCY = 8  # checks side by side: SecMaster's client has no more connections
# A view that was pushed is there once Slack has our answer: so often, and in seconds so long after.
UPDATE_ATTEMPTS, UPDATE_PAUSE = 12, 0.25
# A list of instances has no nodes; new comments are looked for by their time.
UNLISTED_FIELDS = {"failed_node", "error_msg", "comment"}
CLOCK_SKEW = timedelta(minutes=2)  # by which SecMaster's clock may be behind ours


async def open_form(
    app: AppContext,
    query: BatchQuery | None,
    requester: Requester,
    trigger_id: str,
    *,
    in_modal: bool = False,
) -> None:
    """Open the selection form at once; its options come into it after the acknowledgement.

    ``query`` is None for a button of another version. Raises UserError.
    """
    if query is None or query.workspace not in app.services.workspaces or not is_search(query.text):
        raise UserError(denials.newer_button(app.catalogue))
    loading = modals.loading(app.catalogue, batch_forms.CHOOSE)
    response = await forms.open_view(app.services, trigger_id, loading, in_modal=in_modal)
    view_id = response["view"]["id"]
    run_after_ack(app, _fill_selection_form(app, query, requester, view_id), requester)


async def _fill_selection_form(
    app: AppContext, query: BatchQuery, requester: Requester, view_id: str
) -> None:
    """Put what the requester may read into the selection form; a failure is shown in it."""
    location = requester.location
    state = BatchFormState(
        kind=query.kind,
        location=SlackLocation(channel=location.channel, channel_name=location.channel_name),
    )
    try:
        reader = await open_reader(app.services, requester.actor, *queries.DECISIONS)
        objects, total = await list_options(app, reader, query)
    except queries.SHOWN_FAILURES as error:
        note_failure(error, requester)
        view = modals.failed(app.catalogue, batch_forms.CHOOSE, error_message(error, app).text)
        await _update_view(app, view, view_id=view_id)
        return

    def save_snapshots() -> None:
        """Save what is listed, so that what changes before the confirmation is noticed."""
        for snapshot in objects:
            ref = Ref.parse(f"1:{query.kind}:{query.workspace}:{snapshot.id}")
            if ref:
                app.services.store.snapshots.save(
                    ref, snapshots.stored(snapshot), app.services.clock.now()
                )

    await asyncio.to_thread(save_snapshots)
    now = app.services.clock.now()
    with suppress(LookupFailed):  # else in UTC
        now = now.astimezone(await app.services.directory.time_zone(requester.actor.id))
    options = BatchOptions(objects, total, app.root, now)
    view = batch_forms.selection_form(app.catalogue, query, state, options)
    await _update_view(app, view, view_id=view_id)


async def list_options(
    app: AppContext, reader: Reader, query: BatchQuery
) -> tuple[Sequence[Snapshot], int | None]:
    """Return the objects of a query that are open to a batch, and how many there are.

    They are read from SecMaster at this moment, since they are decided on as they are shown. The
    number is None where not all of them were looked through.
    """
    objects = await reader.open_objects(
        query.kind, query.workspace, fresh=True, definition_id=query.definition_id
    )
    statuses = batch_statuses(query.kind)
    now = app.services.clock.now()
    assignments = await asyncio.to_thread(app.services.store.tracked.assignments, now)
    rows = queries.search_open(app, reader, query, query.workspace, objects.rows, assignments)
    options = [row for row in rows if row.status in statuses][: batch_forms.MAX_OPTIONS]
    return options, len(rows) if objects.looked_through is None else None


async def submit_selection(ack: AsyncAck, slack_payload: Submission, app: AppContext) -> None:
    """Push the confirmation form while it loads; it is filled once each object is checked."""
    form = batch_forms.read_selection(slack_payload.metadata, slack_payload.inputs)
    if form is None:
        raise UserError(denials.newer_form(app.catalogue))
    state, selection = form
    if not selection.action:
        raise InvalidInput(batch_forms.ACTION, batch_forms.no_action(app.catalogue))
    if not selection.items:
        raise InvalidInput(batch_forms.OBJECTS, batch_forms.too_few(app.catalogue))
    if len(selection.items) > batch_forms.MAX_OBJECTS:
        raise InvalidInput(
            batch_forms.OBJECTS, batch_forms.too_many(app.catalogue, len(selection.items))
        )
    forms.read_form_reason(selection.reason, batch_forms.LONGEST_REASON)
    # Slack's answer does not tell the id of the view that ours pushes, so it gets a name of ours.
    external_id = secrets.token_hex(16)
    requester = replace(slack_payload.requester, location=state.location)
    run_after_ack(app, _fill_confirmation_form(app, selection, requester, external_id), requester)
    loading = modals.loading(app.catalogue, batch_forms.CHOOSE) | {"external_id": external_id}
    await ack(response_action="push", view=loading)


async def _fill_confirmation_form(
    app: AppContext, selection: BatchSelection, requester: Requester, external_id: str
) -> None:
    """Check each selected object, and show which can be decided and which are skipped."""
    requests = _action_requests(selection.action, selection.items, selection.reason)
    checked = await _gather(
        requests, lambda request: check_object(app, requester, request, external_id)
    )
    selected = [item for item in checked if isinstance(item, SelectedItem)]
    skipped = [item for item in checked if isinstance(item, SkippedItem)]
    workspace = selection.items[0].ref.workspace
    confirmation = BatchConfirmation(
        action=selection.action,
        workspace=workspace,
        location=requester.location,
        reason=selection.reason,
        items=tuple(
            f"{item.button.ref.id}:{item.button.decision_fingerprint}" for item in selected
        ),
    )
    view = batch_forms.confirmation_form(
        app.catalogue, confirmation, selected, skipped, app.services.workspaces.name(workspace)
    )
    await _update_view(app, view | {"external_id": external_id}, external_id=external_id)


async def submit_confirmation(ack: AsyncAck, slack_payload: Submission, recorder: Recorder) -> None:
    """Authorize every object again, record the batch, and only then acknowledge."""
    app, view_id = recorder.app, slack_payload.view_id
    confirmation = BatchConfirmation.parse(slack_payload.metadata)
    slack_payload.requester.trace.sends = True
    if confirmation is None:
        raise UserError(denials.newer_form(recorder.app.catalogue, sends=True))
    requester = replace(slack_payload.requester, location=confirmation.location)
    requests = _action_requests(confirmation.action, confirmation.buttons, confirmation.reason)
    # Asked once, for all: while Slack can't tell, each object would wait for that in its turn.
    roles = app.config.roles_about(BY_NAME[confirmation.action])
    await app.services.directory.principal(requester.actor, roles)

    async def batch_item(request: ActionRequest) -> BatchItem | SkippedItem:
        fingerprint = request.decision_fingerprint
        grant = await _authorize_in_batch(app, requester, request, view_id, fingerprint)
        if isinstance(grant, SkippedItem):
            return grant
        operation = await operations.operation_of(app, request, requester, view_id, grant)
        operation = operation.model_copy(update={"delivery": DeliveryKind.BATCH})
        return BatchItem(operation=operation, name=await _shown_name(app, request))

    authorized = await _gather(requests, batch_item)
    items = tuple(item for item in authorized if isinstance(item, BatchItem))
    skipped = tuple(item for item in authorized if isinstance(item, SkippedItem))
    if not items:
        workspace = app.services.workspaces.name(requests[0].ref.workspace)
        form = batch_forms.confirmation_form(
            recorder.app.catalogue, confirmation, [], skipped, workspace
        )
        await ack(response_action="update", view=form)
        return
    # A second delivery of the same confirmation is the same batch.
    batch_id = f"many:{requester.actor.team}:{view_id}"
    batch = Batch(id=batch_id, items=items, skipped=skipped)
    requester.trace.operation = batch_id
    await recorder.record(partial(recorder.batches.start, batch))
    await ack(response_action="clear")


def _action_requests(
    action: str, buttons: Sequence[ButtonValue], reason: str
) -> list[ActionRequest]:
    """Return one request for each object; of two buttons for the same object the last counts."""
    return [
        ActionRequest(
            BY_NAME[action],
            button.ref,
            reason=reason,
            decision_fingerprint=button.decision_fingerprint,
        )
        for button in {button.ref: button for button in buttons}.values()
    ]


async def _gather(
    requests: Sequence[ActionRequest], check: Callable[[ActionRequest], Awaitable[T]]
) -> list[T]:
    """Return what ``check`` answers for each request, in their order; a few run side by side."""
    semaphore = asyncio.Semaphore(CONCURRENCY)

    async def check_in_turn(request: ActionRequest) -> T:
        async with semaphore:
            return await check(request)

    return await asyncio.gather(*map(check_in_turn, requests))


async def check_object(
    app: AppContext, requester: Requester, request: ActionRequest, view_id: str
) -> SelectedItem | SkippedItem:
    """Check whether an object may be decided now, by the policy, its status and its changes."""
    grant = await _authorize_in_batch(app, requester, request, view_id)
    if isinstance(grant, SkippedItem):
        return grant
    try:
        snapshot = grant.snapshot or await read_object(app.services, request.ref)
    except NotFound:
        return await _skip(app, request, SkipReason.GONE)
    except SecMasterError:
        return await _skip(app, request, SkipReason.UNREAD)
    if snapshot.status not in request.action.allowed_statuses:
        return await _skip(app, request, SkipReason.SETTLED)
    if await has_changed(app, request, snapshot):
        return await _skip(app, request, SkipReason.CHANGED)
    fingerprint = await operations.save_snapshot(app, request.ref, snapshot)
    return SelectedItem(
        button=ButtonValue(ref=request.ref, decision_fingerprint=fingerprint),
        name=snapshot.name,
        consequence=consequence(app.catalogue, request.action, snapshot),
        facts=tuple(evidence.row_facts(app.catalogue, snapshot)),
    )


async def has_changed(app: AppContext, request: ActionRequest, snapshot: Snapshot) -> bool:
    """Return whether an object has changed since it was listed, or has new comments.

    Comments count by their time too, since not every list has them.
    """
    listed = await asyncio.to_thread(
        app.services.store.snapshots.get, request.ref, request.decision_fingerprint
    )
    changes = snapshots.changes(listed, snapshot) if listed else ()
    if any(change.before or change.label not in UNLISTED_FIELDS for change in changes):
        return True
    listed_at = await asyncio.to_thread(
        app.services.store.snapshots.saved_at, request.decision_fingerprint
    )
    if listed_at is None or not isinstance(snapshot, Task) or not isinstance(listed, Task):
        return False
    since = listed_at - CLOCK_SKEW
    listed_ids = {comment.id for comment in listed.comments}
    return any(
        comment.time is None or comment.time >= since
        for comment in snapshot.comments
        if comment.id not in listed_ids
    )


async def _authorize_in_batch(
    app: AppContext,
    requester: Requester,
    request: ActionRequest,
    view_id: str,
    decision_fingerprint: str = "",
) -> Grant | SkippedItem:
    """Authorize one object of a batch; it is skipped where more than a press is asked for.

    It is read, unless ``decision_fingerprint`` names the snapshot that was checked before. What is
    refused is recorded once for each view.
    """
    try:
        grant = await authorize(
            app.services,
            requester,
            request.action,
            request.ref,
            attempt_id=attempt_id(f"{view_id}:{request.ref}"),
            decision_fingerprint=decision_fingerprint,
        )
    except NotAllowed as error:
        app.services.metrics.refuse(error.refused.reason)
        detail = denials.refusal(
            app.catalogue, error.action, error.ref, error.refused, app.config.roles, error.answer
        )
        return await _skip(app, request, SkipReason.REFUSED, detail)
    if grant.terms.approvals > 1:
        return await _skip(app, request, SkipReason.NEEDS_APPROVALS)
    if grant.allowed.confirm:
        return await _skip(app, request, SkipReason.NEEDS_NAME)
    if grant.allowed.reason == "required" and not request.reason:
        return await _skip(app, request, SkipReason.NEEDS_REASON)
    return grant


async def _skip(
    app: AppContext, request: ActionRequest, reason: SkipReason, detail: str = ""
) -> SkippedItem:
    name = await _shown_name(app, request)
    return SkippedItem(ref=request.ref, name=name, reason=reason, detail=detail)


async def _shown_name(app: AppContext, request: ActionRequest) -> str:
    """Return the name under which the person saw the object, or else its id."""
    snapshot = await asyncio.to_thread(
        app.services.store.snapshots.get, request.ref, request.decision_fingerprint
    )
    return snapshot.name if snapshot else request.ref.id


async def _update_view(app: AppContext, view: dict[str, Any], **target: str) -> None:
    """Update a view, by its ``view_id`` or our ``external_id``, once Slack has it.

    One that never comes was closed by the requester.
    """
    for _ in range(UPDATE_ATTEMPTS):
        try:
            await app.services.slack.client.views_update(view=view, **target)
        except SlackApiError as error:
            if code_of(error) != VIEW_GONE:
                raise
            await asyncio.sleep(UPDATE_PAUSE)
        else:
            return
