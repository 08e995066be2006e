"""The app's responses outside the Web API: acknowledgements, and posts to a response_url."""

from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bot.sandbox import strict_json
from bot.sandbox.faults import Fault, Faults
from bot.sandbox.slack.arguments import note_unknown
from bot.sandbox.slack.chat import from_bot
from bot.sandbox.slack.delivery import Delivered
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.permits import Hook
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.web_api import fault_response
from bot.sandbox.slack.workspace import Json, Workspace

FAULT_NAME = "response_url"
GONE = ("used_url", "expired_url", "no_such_url")


def show_command_response(
    workspace: Workspace, user: str, channel: str, delivered: Delivered
) -> Delivered:
    """Show what came with a command's acknowledgement, by default to its author only.

    https://docs.slack.dev/interactivity/implementing-slash-commands#responding_immediate_response
    """
    body = delivered.body
    if delivered.error or not body:
        return delivered
    response = body if isinstance(body, dict) else {"text": str(body)}
    note_unknown(workspace, "response", response)
    try:
        _post(workspace, user, channel, response)
    except SlackError:
        return replace(delivered, error="invalid_command_response")
    return delivered


def _post(workspace: Workspace, user: str, channel: str, response: Json) -> None:
    message, thread_ts = from_bot(workspace, response), str(response.get("thread_ts") or "")
    if response.get("response_type") == "in_channel":
        workspace.post(channel, message, thread_ts)
    else:
        workspace.post_ephemeral(user, channel, message, thread_ts)


def show_view_response(modals: Views, user: str, view_id: str, delivered: Delivered) -> Delivered:
    """Apply the response_action in the acknowledgement of a modal's submission.

    https://docs.slack.dev/surfaces/modals#response_actions
    """
    if delivered.error:
        return delivered
    body = delivered.body if isinstance(delivered.body, dict) else {}
    note_unknown(modals.workspace, "response_action", body)
    try:
        match body.get("response_action"):
            case None:
                modals.pop(user, view_id)
            case "clear":
                modals.clear(user)
            case "errors":
                _show_errors(modals, user, view_id, body.get("errors"))
            case "update":
                modals.update(body.get("view"), view_id)
            case "push":
                modals.push_for(user, body.get("view"))
            case _:
                raise SlackError("invalid_response_action")  # noqa: TRY301 -- beside its cases
    except SlackError as error:
        return replace(delivered, error=error.code)
    return delivered


def _show_errors(modals: Views, user: str, view_id: str, errors: Any) -> None:
    """Show errors under their input blocks; Slack refuses those of any other block."""
    blocks = modals.top(user, view_id)["blocks"]
    inputs = {block["block_id"] for block in blocks if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or errors.keys() - inputs:
        raise SlackError("invalid_view_errors")
    if not all(isinstance(message, str) for message in errors.values()):
        raise SlackError("invalid_view_errors")
    modals.refuse(view_id, errors)


@dataclass(frozen=True)
class ResponseUrls:
    """The endpoint of all response_urls. Faults can be set on ``response_url``.

    https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
    """

    workspace: Workspace
    faults: Faults

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/_hooks/{id}", self._handle)]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await _read_body(request)

        async def run(_request: web.Request) -> web.Response:
            if body is None:
                return web.Response(text="invalid_payload", status=400)
            try:
                hook = self.workspace.permits.find_hook(request.match_info["id"])
                _apply(self.workspace, hook, body)
            except SlackError as error:
                return web.Response(text=error.code, status=404 if error.code in GONE else 400)
            hook.uses += 1
            return web.Response(text="ok")

        def refuse(fault: Fault) -> web.Response:
            return fault_response(fault)[0]

        return await self.faults.meet(FAULT_NAME, request, run, refuse)


def _apply(workspace: Workspace, hook: Hook, body: Json) -> None:
    """Delete or replace the original message, or post a new one, as ``body`` says."""
    note_unknown(workspace, "response", body)
    ephemeral = workspace.find_ephemeral(hook.user, hook.channel, hook.original)
    original = ephemeral.message if ephemeral else workspace.message(hook.channel, hook.original)
    if original and body.get("delete_original"):
        if ephemeral:
            workspace.delete_ephemeral(ephemeral)
        else:
            workspace.delete(hook.channel, original)
    elif original and body.get("replace_original"):
        message = from_bot(workspace, body)
        if "blocks" not in message:
            original.pop("blocks", None)
        workspace.change(original, message)
    else:
        _post(workspace, hook.user, hook.channel, body)


async def _read_body(request: web.Request) -> Json | None:
    """Read the body, JSON or the ``payload`` of a form; None if it cannot be read."""
    try:
        if request.content_type == "application/json":
            body = strict_json.loads(await request.read() or b"{}")
        else:
            body = strict_json.loads(str((await request.post()).get("payload", "{}")))
    except (ValueError, LookupError, HttpProcessingError):
        return None
    return body if isinstance(body, dict) else {}
