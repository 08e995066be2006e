"""Turn every error into a message, and put it where the person looks.

Before the acknowledgement the answer is the acknowledgement; after it, a message that only they
see, or the modal they look at. An unforeseen error becomes a reference, which is in the log too.
"""

import asyncio
import logging
import secrets
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, assert_never

from slack_bolt import BoltResponse
from slack_bolt.error import BoltUnhandledRequestError
from slack_sdk.errors import SlackApiError

from bot.domain.deliveries import DeliveryOutcome
from bot.domain.reasons import RefusalReason
from bot.domain.slack import Requester
from bot.messages import (
    Message,
    command_problems,
    denials,
    explain,
    modals,
    operation_results,
    text_message,
)
from bot.messages import permissions as permission_messages
from bot.messages.catalogue import Sentence
from bot.messages.command_problems import problem_text
from bot.messages.text import clip, without_markup
from bot.operations.authorization import ChangeNotAllowed, NoRight, NotAllowed
from bot.operations.reading import ReadRefused
from bot.secmaster import NotFound, SecMasterError
from bot.slack.client import code_of
from bot.slack.connect import NotInTime
from bot.slack.directory import LookupFailed
from bot.slack.error_codes import TRIGGER_GONE
from bot.slack.gateway import CannotPost, SlackFailed, failure_of
from bot.store import is_database_fault, may_have_committed
from handlers import traces
from handlers.context import AppContext, StillRecording
from handlers.parsing import ParseError
from handlers.payloads import AnsweredIn, Payload, Submission, Unreadable

log = logging.getLogger(__name__)

INPUT_ERROR = 500  # characters of what stands below an input of a form


class UserError(Exception):
    """A request can't be fulfilled, and its ``message`` is all the answer there is."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.text)
        self.message = message


class InvalidInput(Exception):
    """One input of a form, by its ``block``, holds what can't be accepted.

    ``problem`` says why: a text, or a sentence that is rendered for whoever filled in the form.
    """

    def __init__(self, block: str, problem: str | Sentence) -> None:
        super().__init__(block, problem)
        self.block = block
        self.problem = problem


def error_message(  # noqa: C901, PLR0911, PLR0912 - a row each
    error: Exception, app: AppContext, *, nothing_sent: bool = False
) -> Message:
    """Return the message for an error; an unforeseen one is logged under a reference.

    ``nothing_sent``: something was to be sent to SecMaster, and certainly was not.
    """
    match error:
        case UserError():
            return error.message
        case Unreadable():
            extra = {"payload": error.kind.__name__, "missing": error.field}
            log.warning("a payload of Slack's can't be read", extra=extra)
            return denials.unreadable(app.catalogue, error.field)
        case ParseError():
            return not_understood(app, error, app.root)
        case NotAllowed():
            roles = app.config.roles
            return denials.not_allowed(
                app.catalogue, error.action, error.ref, error.refused, roles, error.answer
            )
        case ChangeNotAllowed():
            return denials.change_not_allowed(
                app.catalogue, error.change, error.ref, error.refused, app.config.roles
            )
        case ReadRefused():
            return denials.may_not_read(app.catalogue, error.kind, error.refused, app.config.roles)
        case NoRight():
            return permission_messages.no_right(
                app.catalogue, error.right, error.roles, app.config.roles
            )
        case SecMasterError():
            return text_message(explain(app.catalogue, error))
        case CannotPost():
            return denials.cannot_post(app.catalogue, error.code)
        case SlackFailed() if error.is_temporary:
            return denials.slack_in_trouble(app.catalogue)
        case LookupFailed():
            return denials.unknown_person(app.catalogue)
        case SlackApiError() if code_of(error) in TRIGGER_GONE:
            return denials.too_late(app.catalogue)
        case SlackApiError():
            return error_message(failure_of(error), app, nothing_sent=nothing_sent)
        case _:
            return _own_failure(app, error, nothing_sent=nothing_sent)


def not_understood(app: AppContext, error: ParseError, root: str) -> Message:
    """Return the message that words make no request; ``root`` is typed before a command's."""
    return command_problems.not_understood(
        app.catalogue,
        root,
        error.problem,
        usage=error.usage,
        nearest=error.nearest,
        sends=error.sends,
    )


def delivery_outcome(error: Exception) -> DeliveryOutcome:
    """Return what an error makes of the delivery that it ends."""
    match error:
        case (
            NotAllowed(is_unread=True)
            | SecMasterError()
            | SlackFailed()
            | LookupFailed()
            | SlackApiError()
        ):
            return DeliveryOutcome.UNAVAILABLE
        case NotAllowed() | ChangeNotAllowed() | ReadRefused() | NoRight():
            return DeliveryOutcome.REFUSED
        case UserError() | Unreadable() | ParseError() | InvalidInput():
            return DeliveryOutcome.INVALID
        case NotInTime() | StillRecording():
            return DeliveryOutcome.LATE
        case BoltUnhandledRequestError():
            return DeliveryOutcome.IGNORED
        case _:
            return DeliveryOutcome.FAILED


def note_failure(error: Exception, requester: Requester | None) -> None:
    """Have the trace of somebody's delivery say why it was not done."""
    if requester is None:
        return
    reason, trace = None, requester.trace
    if isinstance(error, UserError) and isinstance(error.__cause__, NotAllowed):
        error = error.__cause__  # which the message tells in another way
    match error:
        case NotAllowed():
            reason = error.refused.reason
            trace.operation, trace.target = error.attempt_id, str(error.ref)
            trace.command = trace.command or error.action.name
        case ChangeNotAllowed():
            reason = error.refused.reason
            trace.target, trace.command = str(error.ref), trace.command or error.change
        case ReadRefused():
            reason = error.refused.reason
        case NoRight():
            reason = RefusalReason.RULE
    trace.fail(delivery_outcome(error), reason)


def _own_failure(app: AppContext, error: Exception, *, nothing_sent: bool) -> Message:
    """Return the message for a failure on our side, which is logged."""
    if isinstance(error, NotInTime):
        log.error("Slack was not answered in time")
        return denials.not_in_time(app.catalogue)
    if isinstance(error, StillRecording):
        log.error("Slack was answered before the database did")
        return denials.still_recording(app.catalogue)
    if is_database_fault(error):
        log.error("the database fails", exc_info=error)
        recorded_perhaps = may_have_committed(error)
        return (
            denials.perhaps_recorded(app.catalogue)
            if recorded_perhaps
            else denials.not_recorded(app.catalogue)
        )
    reference = secrets.token_hex(3)
    if isinstance(error, SlackFailed):
        log.error("Slack refused a call", extra={"code": error.code, "reference": reference})
        return denials.own_fault(app.catalogue, reference, nothing_sent=nothing_sent)
    log.error("unforeseen error", exc_info=error, extra={"reference": reference})
    return denials.own_fault(app.catalogue, reference, nothing_sent=nothing_sent)


async def answer_before_ack(
    app: AppContext, error: Exception, payload: Payload | None
) -> BoltResponse:
    """Answer a payload that could not be read, or whose listener raised: Slack gets its 200."""
    source = error if isinstance(error, Unreadable) else payload
    trace = source.requester.trace if source else None
    nothing_sent = trace is not None and trace.sends and not trace.operation
    note_failure(error, source.requester if source else None)
    if isinstance(error, BoltUnhandledRequestError):
        return BoltResponse(status=200)
    if isinstance(error, InvalidInput):
        problem = error.problem
        text = problem if isinstance(problem, str) else problem_text(app.catalogue, problem)
        errors = {error.block: text}
        return BoltResponse(status=200, body={"response_action": "errors", "errors": errors})
    message = error_message(error, app, nothing_sent=nothing_sent)
    if isinstance(error, NotAllowed) and error.refused.reason is RefusalReason.GONE:
        app.services.background.start(app.services.cards.redraw(error.ref), _log_undelivered)
    if source is None:  # it can't be told whose it was
        return BoltResponse(status=200)
    requester, is_message = source.requester, source.answered_in is AnsweredIn.MESSAGE
    if isinstance(error, StillRecording):
        work = _tell_recorded(app, error.recording, requester, message if is_message else None)
        run_after_ack(app, work, requester, is_read=False)
    match source.answered_in:
        case AnsweredIn.ACKNOWLEDGEMENT:
            return BoltResponse(status=200, body={"response_type": "ephemeral", **message.payload})
        case AnsweredIn.VIEW:
            return BoltResponse(status=200, body=_form_answer(app, error, source, message))
        case AnsweredIn.MESSAGE:
            if requester.actor.id and not isinstance(error, StillRecording):
                _start_sending(app, requester, message)
            return BoltResponse(status=200)
        case _:
            assert_never(source.answered_in)


def _form_answer(
    app: AppContext, error: Exception, payload: Payload | Unreadable, message: Message
) -> dict[str, Any]:
    """Return what becomes of a submitted form that was not taken.

    Where the same may be sent again it stays open with all that was typed, and says why below its
    last input, above its button.
    """
    inputs = payload.inputs if isinstance(payload, Submission) else {}
    if inputs and may_send_again(error):
        text = clip(without_markup(message.text), INPUT_ERROR)
        return {"response_action": "errors", "errors": {list(inputs)[-1]: text}}
    is_pending = isinstance(error, StillRecording)
    title = (denials.not_recorded_title if is_pending else denials.not_sent_title)(app.catalogue)
    view = modals.failed(app.catalogue, title, message.text)
    return {"response_action": "update", "view": view}


def may_send_again(error: Exception) -> bool:
    """Whether nothing was recorded of a request, and the same may well be taken in a moment."""
    match error:
        case NotAllowed() | ChangeNotAllowed():
            return error.may_pass
        case SlackFailed():
            return error.is_temporary
        case SecMasterError():
            return not isinstance(error, NotFound)
        case LookupFailed() | NotInTime():
            return True
        case _:
            return is_database_fault(error) and not may_have_committed(error)


async def _tell_recorded(
    app: AppContext, recording: asyncio.Task[Any], requester: Requester, message: Message | None
) -> None:
    """Say what came of a request once it is on record; raises what kept it from that.

    What says that it is not yet comes first, where the acknowledgement does not say so.
    """
    if message:
        send = app.services.slack.send_private
        with suppress(SlackFailed):  # its end may be told all the same
            await send(requester.location, requester.actor.id, message)
    is_changed = await recording is not False
    _start_sending(
        app, requester, operation_results.recorded_late(app.catalogue, is_changed=is_changed)
    )


def run_after_ack(
    app: AppContext,
    work: Coroutine[Any, Any, None],
    requester: Requester,
    *,
    is_read: bool = True,
) -> None:
    """Start work that goes on after the acknowledgement; its error is sent to the requester.

    What is not ``is_read`` waits for something that is being recorded.
    """

    async def send_error(error: Exception) -> None:
        note_failure(error, requester)
        message = error_message(error, app)
        if is_read and is_database_fault(error):
            message = denials.not_looked_up(app.catalogue)
        _start_sending(app, requester, message)

    requester.trace.pending += 1
    app.services.background.start(work, send_error, partial(traces.finish, app, requester))


def _start_sending(app: AppContext, requester: Requester, message: Message) -> None:
    """Start sending a message that only the requester sees."""
    sending = app.services.slack.send_private(requester.location, requester.actor.id, message)
    app.services.background.start(sending, _log_undelivered)


async def _log_undelivered(error: Exception) -> None:
    if isinstance(error, SlackFailed):
        log.warning("a message to one person was not delivered", extra={"code": error.code})
    else:
        log.error("a message to one person was not delivered", exc_info=error)
