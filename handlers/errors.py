"""The one error door: what went wrong, said to the person where they are.

Before the acknowledgement the answer is the acknowledgement; after it, a message that only they
see, or the modal they look at. What nobody foresaw is told as a reference that is in the log.
"""

import logging
import secrets
from collections.abc import Coroutine
from functools import singledispatch
from typing import Any

from slack_bolt import BoltResponse
from slack_bolt.error import BoltUnhandledRequestError
from slack_sdk.errors import SlackApiError

from bot.domain.reasons import RefusalReason
from bot.domain.slack import Requester
from bot.messages import Message, command_help, denials, explain, modals, permissions, text_message
from bot.operations.authorization import NoRight, NotAllowed
from bot.secmaster import SecMasterError
from bot.slack import cards
from bot.slack.directory import LookupFailed
from bot.slack.gateway import CannotPost, SlackFailed, code_of, send_private
from handlers.context import AppContext, requester_of
from handlers.parsing import ParseError

log = logging.getLogger(__name__)

# A trigger_id lives three seconds and opens one form.
TOO_LATE = {"expired_trigger_id", "trigger_exchanged", "invalid_trigger_id"}


class UserError(Exception):
    """There is nothing to be done but to say this."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.text)
        self.message = message


class InvalidInput(Exception):
    """What was typed into one input of a form can't be taken."""

    def __init__(self, block: str, problem: str) -> None:
        super().__init__(block, problem)
        self.block = block
        self.problem = problem


@singledispatch
def error_message(error: Exception, _app: AppContext) -> Message:
    """The sentence for an error; unforeseen ones get a reference, and the log the traceback."""
    reference = secrets.token_hex(3)
    log.error("unforeseen error", exc_info=error, extra={"reference": reference})
    return denials.own_fault(reference)


@error_message.register
def _told(error: UserError, _app: AppContext) -> Message:
    return error.message


@error_message.register
def _not_understood(error: ParseError, app: AppContext) -> Message:
    return command_help.not_understood(error.problem, error.usage, error.nearest, app.root)


@error_message.register
def _not_allowed(error: NotAllowed, app: AppContext) -> Message:
    return denials.not_allowed(error.action, error.ref, error.refused, app.config.roles)


@error_message.register
def _no_right(error: NoRight, app: AppContext) -> Message:
    return permissions.no_right(error.right, error.roles, app.config.roles)


@error_message.register
def _secmaster(error: SecMasterError, _app: AppContext) -> Message:
    return text_message(explain(error))


@error_message.register
def _closed(error: CannotPost, _app: AppContext) -> Message:
    return denials.cannot_post(error.code)


@error_message.register
def _slack_troubled(_error: SlackFailed, _app: AppContext) -> Message:
    return text_message("Slack is in trouble, so this could not be shown. Try again in a moment.")


@error_message.register
def _nobody_known(_error: LookupFailed, _app: AppContext) -> Message:
    return text_message("Slack could not be asked who you are. Try again in a moment.")


@error_message.register
def _slack(error: SlackApiError, app: AppContext) -> Message:
    if code_of(error) in TOO_LATE:
        return denials.too_late()
    return error_message.dispatch(Exception)(error, app)


async def answer_before_ack(
    app: AppContext, error: Exception, body: dict[str, Any]
) -> BoltResponse:
    """Answer a request whose listener raised: Slack always gets its 200."""
    if isinstance(error, BoltUnhandledRequestError):
        return BoltResponse(status=200)
    if isinstance(error, InvalidInput):
        errors = {error.block: error.problem}
        return BoltResponse(status=200, body={"response_action": "errors", "errors": errors})
    message = error_message(error, app)
    if isinstance(error, NotAllowed) and error.refused.reason is RefusalReason.GONE:
        app.background.start(cards.redraw(error.ref), _give_up)
    if "command" in body:
        return BoltResponse(status=200, body={"response_type": "ephemeral", **message.payload})
    if body.get("type") == "view_submission":
        shown = modals.failed("Not sent", message.text)
        return BoltResponse(status=200, body={"response_action": "update", "view": shown})
    requester = requester_of(body)
    whispering = send_private(requester.location, requester.actor.id, message)
    app.background.start(whispering, _give_up)
    return BoltResponse(status=200)


def run_after_ack(app: AppContext, errand: Coroutine[Any, Any, None], requester: Requester) -> None:
    """Run a read after the acknowledgement; what it raises is told to whoever asked."""

    async def door(error: Exception) -> None:
        message = error_message(error, app)
        app.background.start(
            send_private(requester.location, requester.actor.id, message), _give_up
        )

    app.background.start(errand, door)


async def _give_up(error: Exception) -> None:
    log.error("somebody could not be told", exc_info=error)
