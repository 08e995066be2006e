"""The forms that people fill in before an action: its parameters, its reason, its object's name."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.domain.actions import MAX_REASON, Action
from bot.domain.approvals import (
    ApprovalIntent,
    earlier_end,
    missing_in_turn,
    standing,
    turn_of,
)
from bot.domain.objects import Ref, visible
from bot.domain.slack import Actor, Requester, SlackLocation
from bot.domain.snapshots import Snapshot
from bot.domain.stages import stage_at
from bot.messages import approvals, denials, modals, private_cards
from bot.messages.blocks import Tally, consequences
from bot.messages.stages import not_yet, stage_roles
from bot.operations.around import attach_recent, attach_stored
from bot.operations.authorization import Grant, authorize
from bot.operations.reading import may_read
from bot.policy.rules import ReasonRule
from bot.secmaster import Instance
from bot.services import Services
from handlers import operations
from handlers.context import AppContext, Recorder, attempt_id
from handlers.errors import InvalidInput, UserError
from handlers.parsing import ParseError, check_param, check_reason
from handlers.payloads import Press, Submission
from handlers.requests import ActionRequest, ChangeApproval


async def record_or_open_form(  # noqa: PLR0913 - who asks for what, and where a form opens
    recorder: Recorder,
    request: ActionRequest,
    requester: Requester,
    trigger_id: str,
    *,
    asks: bool = False,
    in_modal: bool = False,
) -> None:
    """Record the action of a button or shortcut at once, or open the form that it needs first.

    With ``asks`` the form opens in any case: a reason can be given there. It opens on top of the
    modal that the button is in, if it is ``in_modal``.
    """
    app = recorder.app
    grant = await operations.authorize_or_offer_again(app, request, requester, trigger_id)
    needs_form = request.action.opens_form or grant.allowed.confirm
    if asks or needs_form or operations.lacks_reason(grant, request.action, ""):
        await open_form(app, request, requester, trigger_id, grant, in_modal=in_modal)
    else:
        await operations.record(recorder, request, requester, trigger_id, grant)


async def open_decline_form(
    app: AppContext, request: ActionRequest, requester: Requester, trigger_id: str
) -> None:
    """Open the form that asks why an approval request is declined.

    Whoever opened the request need not say why. Raises NotAllowed, or UserError where no request
    waits any more.
    """
    services, ref = app.services, request.ref
    await authorize(
        services,
        requester,
        request.action,
        ref,
        attempt_id=attempt_id(trigger_id),
        intent=ApprovalIntent.DECLINE,
    )
    requests = await asyncio.to_thread(
        services.store.claims.approval_requests, ref, services.clock.now()
    )
    pending = next((each for each in requests if each.action == request.action.name), None)
    if pending is None:
        raise UserError(denials.nothing_waits(app.catalogue, ref))
    state = modals.FormState(
        action=request.action.name,
        ref=ref,
        location=requester.location,
        intent=ApprovalIntent.DECLINE,
    )
    snapshot = await _shown_snapshot(app, request)
    name = await _shown_name(app, request, requester.location, snapshot)
    content = modals.FormContent(visible(name) or ref.id, services.workspaces.name(ref.workspace))
    is_requester = pending.approvals[0].actor.id == requester.actor.id
    form = modals.decline_form(app.catalogue, state, content, is_requester=is_requester)
    await open_view(services, trigger_id, form)


async def open_form(  # noqa: PLR0913 - what is asked, where, and by which right
    app: AppContext,
    request: ActionRequest,
    requester: Requester,
    trigger_id: str,
    grant: Grant,
    *,
    in_modal: bool = False,
) -> None:
    """Open the form; what it suggests that was not shown comes in once the object was read.

    Whoever may read the object is told what the decision is about, and a run's nodes with what
    they were given are suggested to them.
    """
    ref, location = request.ref, requester.location
    snapshot = await _shown_snapshot(app, request)
    name = visible(await _shown_name(app, request, location, snapshot)) or ref.id
    state = modals.FormState(
        action=request.action.name,
        ref=ref,
        location=location,
        files=request.files,
        decision_fingerprint=request.decision_fingerprint,
        break_glass=request.break_glass,
        name_hash=modals.hash_name(name) if grant.allowed.confirm else "",
    )
    content = modals.FormContent(
        name,
        app.services.workspaces.name(ref.workspace),
        request.params | {modals.REASON: request.reason},
        await _warning(app, request, grant),
        tally=await count_approvals(app, request, grant),
    )
    readable = await _readable(app, requester.actor, ref, snapshot)
    content = replace(content, snapshot=readable)
    content = modals.with_nodes(content, request.action, readable)
    form = modals.form(app.catalogue, state, content, grant.allowed.reason)
    response = await open_view(app.services, trigger_id, form, in_modal=in_modal)
    view = FormView(app, request, requester.actor, grant.allowed.reason, state, content, response)

    async def ignore(_error: Exception) -> None:
        """Do nothing: without what is added the form works as well."""

    if any(param.suggested for param in request.action.params):
        if not content.nodes:
            app.services.background.start(view.suggest_nodes(), ignore)
    elif readable and request.action.has_effect:
        app.services.background.start(view.add_evidence(readable), ignore)


@dataclass(frozen=True, slots=True)
class FormView:
    """A form that somebody has open, to which is added what was not known when it was opened.

    ``response`` is Slack's to its opening.
    """

    app: AppContext
    request: ActionRequest
    actor: Actor
    reason: ReasonRule
    state: modals.FormState
    content: modals.FormContent
    response: AsyncSlackResponse

    async def suggest_nodes(self) -> None:
        """Suggest a run's nodes by name: nobody types a UUID at three in the morning."""
        ref = self.request.ref
        run = await self.app.services.workspaces.read(ref)
        readable = await _readable(self.app, self.actor, ref, run)
        content = modals.with_nodes(self.content, self.request.action, readable)
        # Somebody may have typed parameters by now, which an offer would take the place of.
        await self._update(replace(content, offers_parameters=False))

    async def add_evidence(self, stored: Snapshot) -> None:
        """Say what the decision is about, as SecMaster knows it now, where that is not shown."""
        catalogue, action = self.app.catalogue, self.request.action
        recent = await attach_recent(self.app.services, self.request.ref, stored)
        before, after = (
            consequences(catalogue, action, snapshot, None) for snapshot in (stored, recent)
        )
        if before != after:
            await self._update(replace(self.content, snapshot=recent))

    async def _update(self, content: modals.FormContent) -> None:
        """Show other content in the form, unless it has changed meanwhile."""
        form = modals.form(self.app.catalogue, self.state, content, self.reason)
        view = self.response["view"]
        slack = self.app.services.slack.client
        await slack.views_update(view_id=view["id"], hash=view["hash"], view=form)


async def choose_node(app: AppContext, press: Press) -> None:
    """Fill in the parameters of the node that was chosen in a form, unless others were typed.

    Raises NotAllowed for whoever may not do it any more.
    """
    state = modals.FormState.parse(press.metadata)
    if state is None:
        raise UserError(denials.newer_form(app.catalogue))
    request = ActionRequest(
        modals.action_of(state),
        state.ref,
        decision_fingerprint=state.decision_fingerprint,
        break_glass=state.break_glass,
    )
    requester = replace(press.requester, location=state.location)
    await authorize(
        app.services,
        requester,
        request.action,
        request.ref,
        attempt_id=attempt_id(press.trigger_id),
        break_glass=request.break_glass,
        decision_fingerprint=request.decision_fingerprint,
    )
    snapshot = await _shown_snapshot(app, request)
    if not isinstance(snapshot, Instance) or not snapshot.nodes:
        snapshot = await app.services.workspaces.read(state.ref)
    name = await _shown_name(app, request, state.location, snapshot)
    content = modals.FormContent(
        visible(name) or state.ref.id, app.services.workspaces.name(state.ref.workspace)
    )
    readable = await _readable(app, requester.actor, state.ref, snapshot)
    if readable is None:  # the right to read it has gone since it was offered
        return
    content = replace(content, snapshot=readable)
    content = modals.with_chosen_node(content, request.action, readable, press.inputs)
    form = modals.form(app.catalogue, state, content, ReasonRule.NONE)
    await app.services.slack.client.views_update(view_id=press.view_id, view=form)


async def _warning(app: AppContext, request: ActionRequest, grant: Grant) -> str:
    """Return what must be known before a form is filled in; "" for nothing."""
    if request.break_glass:
        channel = grant.terms.break_glass_channel
        return f"🚨 {private_cards.override_warning(app.catalogue, channel)}"
    tally = await count_approvals(app, request, grant)
    if tally and tally.missing and not grant.allowed.may_fill(tally.turn):
        stage = stage_at(tally.stages, tally.turn)
        return f"ℹ️ {not_yet(app.catalogue, stage_roles(app.catalogue, stage), tally.missing)}"
    return await _silence_warning(app, request, grant)


async def count_approvals(app: AppContext, request: ActionRequest, grant: Grant) -> Tally | None:
    """Count the approvals of an action that needs several; None where one is enough."""
    stages = grant.terms.stages
    if grant.terms.approvals == 1:
        return None
    services, ref = app.services, request.ref
    pending = await asyncio.to_thread(
        services.store.claims.approval_requests, ref, services.clock.now()
    )
    counted = [
        approval
        for each in pending
        if each.action == request.action.name and len(each.stages) == len(stages)
        for approval in standing(stages, each.approvals_of(request.decision_fingerprint))
    ]
    turn, missing = turn_of(stages, counted), missing_in_turn(stages, counted)
    return Tally(count=len(counted), stages=stages, turn=turn, missing=missing)


async def _silence_warning(app: AppContext, request: ActionRequest, grant: Grant) -> str:
    """Say what SecMaster does if nobody else agrees in time; "" where that is no other end."""
    if grant.terms.approvals == 1:
        return ""
    snapshot = grant.snapshot or await asyncio.to_thread(
        app.services.store.snapshots.get, request.ref, request.decision_fingerprint
    )
    now = app.services.clock.now()
    expires_at = now + timedelta(seconds=grant.terms.expires)
    end, due_handle = earlier_end(snapshot, now, expires_at)
    return approvals.silence_warning(app.catalogue, request.action, end, due_handle)


async def _shown_snapshot(app: AppContext, request: ActionRequest) -> Snapshot | None:
    """Return the object as the person saw it, with what is stored around it; None if unknown."""
    snapshot = await asyncio.to_thread(
        app.services.store.snapshots.get, request.ref, request.decision_fingerprint
    )
    return await attach_stored(app.services, request.ref, snapshot) if snapshot else None


async def _readable(
    app: AppContext, actor: Actor, ref: Ref, snapshot: Snapshot | None
) -> Snapshot | None:
    """Return an object of which a form says more than its name; None if they may not read it."""
    if snapshot is None:
        return None
    return snapshot if await may_read(app.services, actor, ref, snapshot) else None


async def _shown_name(
    app: AppContext, request: ActionRequest, location: SlackLocation, snapshot: Snapshot | None
) -> str:
    """Return the name under which the person saw the object; what they type is compared to it."""
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
    submission.requester.trace.sends = True
    if form is None:
        raise UserError(denials.newer_form(app.catalogue, sends=True))
    state, typed = form
    action = modals.action_of(state)
    submission.requester.trace.command = action.name
    reason = read_form_reason(typed.get(modals.REASON, ""))
    # A modal has no location of its own: it answers where it was opened.
    requester = replace(submission.requester, location=state.location)
    if state.intent is ApprovalIntent.DECLINE:
        change = ChangeApproval(state.intent, state.ref, reason, action.name)
        await operations.change_approval(recorder, change, requester, submission.view_id)
        return
    request = ActionRequest(
        action,
        state.ref,
        _read_params(action, typed),
        reason,
        state.files,
        state.decision_fingerprint,
        state.break_glass,
    )
    # The same words sent twice are one submission; others are another.
    dedupe_key = f"{submission.view_id}:{json.dumps(typed, sort_keys=True)}"
    grant = await authorize(
        app.services,
        requester,
        action,
        state.ref,
        attempt_id=attempt_id(dedupe_key),
        break_glass=state.break_glass,
        decision_fingerprint=state.decision_fingerprint,
    )
    require_what_the_rule_asks(app, state, typed, grant)
    confirmed = replace(request, confirmed=bool(grant.allowed.confirm))
    await operations.record(recorder, confirmed, requester, dedupe_key, grant)


def require_what_the_rule_asks(
    app: AppContext, state: modals.FormState, typed: Mapping[str, str], grant: Grant
) -> None:
    """Raise InvalidInput where the reason, the name or the file is missing that must be there.

    Raises UserError where the form does not ask for it, since the rule has changed meanwhile.
    """
    action = modals.action_of(state)
    if operations.lacks_reason(grant, action, typed.get(modals.REASON, "").strip()):
        if modals.REASON not in typed:
            raise UserError(
                denials.needs_reason(app.catalogue, action, app.root, break_glass=state.break_glass)
            )
        raise InvalidInput(modals.REASON, modals.REASON_MISSING)
    if grant.allowed.confirm:
        if modals.NAME not in typed or not state.name_hash:
            raise UserError(denials.needs_name(app.catalogue, action))
        if modals.hash_name(typed[modals.NAME]) != state.name_hash:
            raise InvalidInput(modals.NAME, modals.OTHER_NAME)
    if action.takes_file and not state.files:
        raise InvalidInput(action.params[0].name, modals.FILE_MISSING)


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
            params[param.name] = check_param(param, typed.get(param.name, ""))
        except ParseError as error:
            raise InvalidInput(param.name, error.problem) from error
    return params
