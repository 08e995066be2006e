"""The forms that people fill in before an action: its parameters, its reason, its object's name."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.actions import MAX_REASON, Action
from bot.domain.objects import visible
from bot.domain.slack import Requester, SlackLocation
from bot.domain.snapshots import due_end
from bot.messages import approvals, denials, modals
from bot.operations.authorization import Grant, authorize
from bot.secmaster import Instance
from bot.services import Services
from handlers import operations
from handlers.context import AppContext, Recorder, attempt_id
from handlers.errors import InvalidInput, UserError
from handlers.parsing import ParseError, check_param, check_reason
from handlers.payloads import Submission
from handlers.requests import ActionRequest


async def record_or_open_form(
    recorder: Recorder, request: ActionRequest, requester: Requester, trigger_id: str
) -> None:
    """Record the action of a button or shortcut at once, or open the form that it needs first."""
    app = recorder.app
    grant = await authorize(
        app.services,
        requester,
        request.action,
        request.ref,
        attempt_id=attempt_id(trigger_id),
        break_glass=request.break_glass,
        decision_fingerprint=request.decision_fingerprint,
    )
    needs_form = request.action.opens_form or grant.allowed.confirm
    if needs_form or operations.lacks_reason(grant, request.action, ""):
        await open_form(app, request, requester.location, trigger_id, grant)
    else:
        await operations.record(recorder, request, requester, trigger_id, grant)


async def open_form(
    app: AppContext,
    request: ActionRequest,
    location: SlackLocation,
    trigger_id: str,
    grant: Grant,
) -> None:
    """Open the form, and suggest the failed node in it once the instance was read."""
    slack, ref = app.services.slack, request.ref
    name = visible(await _shown_name(app, request, location)) or ref.id
    heading = (name, app.services.workspaces.name(ref.workspace))
    state = modals.FormState(
        action=request.action.name,
        ref=ref,
        location=location,
        files=request.files,
        decision_fingerprint=request.decision_fingerprint,
        break_glass=request.break_glass,
        name_hash=modals.hash_name(name) if grant.allowed.confirm else "",
    )
    filled = request.params | {modals.REASON: request.reason}
    warning = await _silence_warning(app, request, grant)
    form = modals.form(app.catalogue, state, heading, grant.allowed.reason, filled, warning)
    response = await open_view(app.services, trigger_id, form)
    suggested = [param for param in request.action.params if param.suggested]

    async def suggest_failed_node() -> None:
        """Fill in the node that failed: nobody types a UUID at three in the morning."""
        instance = await app.services.workspaces.read(ref)
        if isinstance(instance, Instance) and instance.failed_node:
            node_id = instance.failed_node.action_id
            values = {param.name: node_id for param in suggested} | filled
            form = modals.form(app.catalogue, state, heading, grant.allowed.reason, values)
            view = response["view"]
            await slack.client.views_update(view_id=view["id"], hash=view["hash"], view=form)

    async def ignore(_error: Exception) -> None:
        """Do nothing: without the suggestion the form works as well."""

    if suggested:
        app.services.background.start(suggest_failed_node(), ignore)


async def _silence_warning(app: AppContext, request: ActionRequest, grant: Grant) -> str:
    """Say what SecMaster does if nobody else agrees in time; "" where that is no other end."""
    if grant.terms.approvals == 1:
        return ""
    snapshot = grant.snapshot or await asyncio.to_thread(
        app.services.store.snapshots.get, request.ref, request.decision_fingerprint
    )
    now = app.services.clock.now()
    end = due_end(snapshot, now)
    if end is None or end[0] > now + timedelta(seconds=grant.terms.expires):
        return ""
    return approvals.silence_warning(app.catalogue, request.action, *end)


async def _shown_name(app: AppContext, request: ActionRequest, location: SlackLocation) -> str:
    """Return the name under which the person saw the object; what they type is compared to it."""
    snapshot = await asyncio.to_thread(
        app.services.store.snapshots.get, request.ref, request.decision_fingerprint
    )
    if snapshot:
        return snapshot.name
    card = await asyncio.to_thread(
        app.services.store.cards.card_at, location.channel, location.card, request.ref
    )
    return card.title if card else ""


async def open_view(
    services: Services, trigger_id: str, view: dict[str, Any], *, in_modal: bool = False
) -> AsyncSlackResponse:
    """Open a modal, on top of another one if ``in_modal``.

    It may take what is left of the time until Slack is answered: the trigger lives no longer.
    """
    client = services.slack.client
    open_or_push = client.views_push if in_modal else client.views_open
    return await open_or_push(trigger_id=trigger_id, view=view)


async def submit(recorder: Recorder, submission: Submission) -> None:
    """Check a submitted form and record its action.

    The requester is authorized again, for their right may have gone since the form was opened.
    Raises NotAllowed, InvalidInput for an input to correct, or UserError.
    """
    app, form = recorder.app, modals.read_form(submission.metadata, submission.inputs)
    if form is None:
        raise UserError(denials.newer_form(recorder.app.catalogue))
    state, typed = form
    action = modals.action_of(state)
    submission.requester.trace.command = action.name
    reason = read_form_reason(typed.get(modals.REASON, ""))
    params = _read_params(action, typed)
    # The same words sent twice are one submission; others are another.
    dedupe_key = f"{submission.view_id}:{json.dumps(typed, sort_keys=True)}"
    # A modal has no location of its own: it answers where it was opened.
    requester = replace(submission.requester, location=state.location)
    grant = await authorize(
        app.services,
        requester,
        action,
        state.ref,
        attempt_id=attempt_id(dedupe_key),
        break_glass=state.break_glass,
        decision_fingerprint=state.decision_fingerprint,
    )
    if operations.lacks_reason(grant, action, reason):
        if modals.REASON not in typed:  # the rule has changed since the form was opened
            raise UserError(
                denials.needs_reason(
                    recorder.app.catalogue, action, app.root, break_glass=state.break_glass
                )
            )
        raise InvalidInput(modals.REASON, "A reason is required.")
    if grant.allowed.confirm:
        if modals.NAME not in typed or not state.name_hash:  # the rule has changed here too
            raise UserError(denials.needs_name(recorder.app.catalogue, action))
        if modals.hash_name(typed[modals.NAME]) != state.name_hash:
            raise InvalidInput(
                modals.NAME, "That is not its name. Type the name that stands above."
            )
    if action.takes_file and not state.files:
        raise InvalidInput(action.params[0].name, "A file is required.")
    request = ActionRequest(
        action,
        state.ref,
        params,
        reason,
        state.files,
        state.decision_fingerprint,
        state.break_glass,
        confirmed=bool(grant.allowed.confirm),
    )
    await operations.record(recorder, request, requester, dedupe_key, grant)


def read_form_reason(text: str, limit: int = MAX_REASON) -> str:
    """Return the reason typed in a form; raises InvalidInput for one that is too long.

    Slack's own windows let nobody type a longer one.
    """
    reason = text.strip()
    try:
        check_reason(reason, limit)
    except ParseError as error:
        raise InvalidInput(modals.REASON, error.problem) from error
    return reason


def _read_params(action: Action, typed: dict[str, str]) -> dict[str, str]:
    """Return the parameters that were typed, by name; raises InvalidInput for the first bad one."""
    params = {}
    for param in action.params:
        if param.file:
            continue
        try:
            params[param.name] = check_param(param, typed.get(param.name, "").strip())
        except ParseError as error:
            raise InvalidInput(param.name, error.problem) from error
    return params
