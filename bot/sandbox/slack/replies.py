"""What the app says back outside the Web API: with an acknowledgement, or to a response_url."""

from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bot.sandbox import strict_json
from bot.sandbox.faults import Fault, Faults
from bot.sandbox.slack.chat import from_bot
from bot.sandbox.slack.delivery import Delivered
from bot.sandbox.slack.permits import Hook, SlackError
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.web_api import refusal
from bot.sandbox.slack.workspace import Json, Workspace

ON = "response_url"
GONE = ("used_url", "expired_url", "no_such_url")


def show_command_answer(
    workspace: Workspace, user: str, channel: str, delivered: Delivered
) -> Delivered:
    """Show what came with a command's acknowledgement, by default to its author only.

    https://docs.slack.dev/interactivity/implementing-slash-commands#responding_immediate_response
    """
    body = delivered.body
    if delivered.error or not body:
        return delivered
    answer = body if isinstance(body, dict) else {"text": str(body)}
    try:
        _show(workspace, user, channel, answer)
    except SlackError:
        return replace(delivered, error="invalid_command_response")
    return delivered


def _show(workspace: Workspace, user: str, channel: str, answer: Json) -> None:
    message, thread_ts = from_bot(workspace, answer), str(answer.get("thread_ts") or "")
    if answer.get("response_type") == "in_channel":
        workspace.post(channel, message, thread_ts)
    else:
        workspace.whisper(user, channel, message, thread_ts)


def show_view_answer(modals: Views, user: str, view_id: str, delivered: Delivered) -> Delivered:
    """Do to the modal what the acknowledgement of its submission says.

    https://docs.slack.dev/surfaces/modals#response_actions
    """
    if delivered.error:
        return delivered
    body = delivered.body if isinstance(delivered.body, dict) else {}
    try:
        _respond(modals, user, view_id, body)
    except SlackError as no:
        return replace(delivered, error=no.code)
    return delivered


def _respond(modals: Views, user: str, view_id: str, body: Json) -> None:
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
            raise SlackError("invalid_response_action")


def _show_errors(modals: Views, user: str, view_id: str, errors: Any) -> None:
    """Errors belong to input blocks; Slack shows trouble of its own when they do not."""
    blocks = modals.top(user, view_id)["blocks"]
    inputs = {block["block_id"] for block in blocks if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or errors.keys() - inputs:
        raise SlackError("invalid_view_errors")
    if not all(isinstance(said, str) for said in errors.values()):
        raise SlackError("invalid_view_errors")
    modals.refuse(view_id, errors)


@dataclass(frozen=True)
class ResponseUrls:
    """The response_urls' own endpoint.

    https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
    """

    workspace: Workspace
    faults: Faults

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/_hooks/{id}", self._answer)]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        answer = await _said(request)

        async def run(_request: web.Request) -> web.Response:
            return self._run(request.match_info["id"], answer)

        def refuse(fault: Fault) -> web.Response:
            return refusal(fault)[0]

        return await self.faults.meet(ON, request, run, refuse)

    def _run(self, hook_id: str, answer: Json | None) -> web.Response:
        if answer is None:
            return web.Response(text="invalid_payload", status=400)
        try:
            hook = self.workspace.permits.find_hook(hook_id)
            _answer_to(self.workspace, hook, answer)
        except SlackError as no:
            return web.Response(text=no.code, status=404 if no.code in GONE else 400)
        hook.uses += 1
        return web.Response(text="ok")


def _answer_to(workspace: Workspace, hook: Hook, answer: Json) -> None:
    ephemeral = workspace.find_ephemeral(hook.user, hook.channel, hook.original)
    original = ephemeral.message if ephemeral else workspace.message(hook.channel, hook.original)
    if original and answer.get("delete_original"):
        if ephemeral:
            workspace.unwhisper(ephemeral)
        else:
            workspace.delete(hook.channel, original)
    elif original and answer.get("replace_original"):
        new = from_bot(workspace, answer)
        if "blocks" not in new:
            original.pop("blocks", None)
        workspace.change(original, new)
    else:
        _show(workspace, hook.user, hook.channel, answer)


async def _said(request: web.Request) -> Json | None:
    """The body, as JSON or as the ``payload`` of a form, unless it cannot be read."""
    try:
        if request.content_type == "application/json":
            body = strict_json.loads(await request.read() or b"{}")
        else:
            body = strict_json.loads(str((await request.post()).get("payload", "{}")))
    except (ValueError, LookupError, HttpProcessingError):
        return None
    return body if isinstance(body, dict) else {}
