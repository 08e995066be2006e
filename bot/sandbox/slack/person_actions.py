"""The actions of a person in Slack: typing, pressing, filling in, closing, opening, writing.

Each action checks what Slack's own windows would check, tells the app, and shows what the app
answered. An action that is not possible for this person at this moment is a ``ValueError``.
"""

import copy
from collections.abc import Sequence

from bot.sandbox.slack import payloads
from bot.sandbox.slack.delivery import OK, Delivered, Delivery
from bot.sandbox.slack.element_state import (
    FindFile,
    action_fields,
    fill_in,
    find_element,
    initial_state,
    record_entry,
)
from bot.sandbox.slack.escaping import typed_in_command, typed_in_message
from bot.sandbox.slack.file_store import Files
from bot.sandbox.slack.links import link_shared
from bot.sandbox.slack.responses import show_command_response, show_view_response
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import BOT_USER, TEXT_LIMIT, Channel, Json, Workspace


class PersonActions:
    """The actions of every person, by their user id."""

    url: str

    def __init__(
        self,
        workspace: Workspace,
        modals: Views,
        files: Files,
        delivery: Delivery,
        unfurl_domains: Sequence[str],
    ) -> None:
        self.workspace = workspace
        self.modals = modals
        self.files = files
        self.delivery = delivery
        self._unfurl_domains = unfurl_domains

    async def command(
        self, user: str, channel: str, text: str, *, escape: bool = True
    ) -> Delivered:
        """Type a slash command, ``text`` being the whole line."""
        target = self._joined_channel(user, channel)
        if not text.startswith("/"):
            raise ValueError("a command begins with a slash")
        if "commands" not in self.delivery.scopes:
            raise ValueError(f"{text.partition(' ')[0]} is not a valid command")
        line = typed_in_command(self.workspace, text) if escape else text
        response_url = self._response_url(user, channel)
        fields = payloads.command(self.workspace, user, target, line, response_url)
        delivered = await self.delivery.command(fields)
        return show_command_response(self.workspace, user, channel, delivered)

    async def press(  # noqa: PLR0913 - a press is a person, a message, an element and its value
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        *,
        value: str | list[str] | None = None,
        block_id: str = "",
        forge_value: bool = False,
    ) -> Delivered:
        """Press a button in a message, or pick ``value`` from a menu.

        ``forge_value`` sends a button's press with another value than the message carries.
        """
        target = self._joined_channel(user, channel)
        message = self._visible_message(user, channel, ts)
        blocks = message.get("blocks", [])
        block, element = find_element(blocks, action_id, block_id)
        fields = action_fields(element, value, self._file_finder(user), forge_value=forge_value)
        state = {"values": record_entry(initial_state(blocks), block, element, fields)}
        payload = {
            **payloads.interaction(self.workspace, "block_actions", user),
            **payloads.in_message(target, message, self._response_url(user, channel, ts)),
            "trigger_id": self.workspace.permits.new_trigger(user),
            "state": state,
            "actions": [payloads.action(block, element, fields, self.workspace.ts())],
        }
        return await self.delivery.interaction(payload)

    async def press_in_view(
        self,
        user: str,
        view_id: str,
        action_id: str,
        value: str | list[str] | None = None,
        *,
        block_id: str = "",
    ) -> Delivered:
        """Press or pick in the modal a person is looking at, or in their home tab.

        An input that does not dispatch is filled in, and the app hears of it on submission.
        """
        self._check_person(user)
        view = self.modals.find_visible(user, view_id)
        block, element = find_element(view["blocks"], action_id, block_id)
        fields = action_fields(element, value, self._file_finder(user))
        record_entry(view["state"]["values"], block, element, fields)
        self.workspace.changes.happened()
        if block["type"] == "input" and not block.get("dispatch_action"):
            return Delivered(OK)
        payload = {
            **payloads.interaction(self.workspace, "block_actions", user),
            **payloads.in_view(view),
            "trigger_id": self.workspace.permits.new_trigger(user),
            "actions": [payloads.action(block, element, fields, self.workspace.ts())],
        }
        return await self.delivery.interaction(payload)

    async def submit(
        self, user: str, view_id: str, values: dict[str, str | list[str]]
    ) -> Delivered:
        """Fill in inputs by block or action id, and submit the modal.

        What Slack refuses before asking the app comes back as ``error``, and in ``body`` by block.
        """
        self._check_person(user)
        view = self.modals.top(user, view_id)
        if not view["submit"]:
            raise ValueError(f"view {view_id} has no submit button")
        errors = fill_in(view, values, self._file_finder(user))
        if errors:
            self.modals.refuse(view_id, errors)
            return Delivered(body=errors, error=next(iter(errors.values())))
        payload = {
            **payloads.interaction(self.workspace, "view_submission", user),
            "trigger_id": self.workspace.permits.new_trigger(user),
            "view": copy.deepcopy(view),
            "response_urls": [],
        }
        delivered = await self.delivery.interaction(payload)
        return show_view_response(self.modals, user, view_id, delivered)

    async def close(self, user: str, view_id: str) -> Delivered:
        """Close the modal; the app is told if the view has ``notify_on_close``."""
        self._check_person(user)
        view = copy.deepcopy(self.modals.top(user, view_id))
        if view["clear_on_close"]:
            self.modals.clear(user)
        else:
            self.modals.pop(user, view_id)
        if not view["notify_on_close"]:
            return Delivered(OK)
        payload = {
            **payloads.interaction(self.workspace, "view_closed", user),
            "view": view,
            "is_cleared": view["clear_on_close"],
        }
        return await self.delivery.interaction(payload)

    async def say(
        self,
        user: str,
        channel: str,
        text: str = "",
        thread_ts: str | None = None,
        files: Sequence[str] = (),
    ) -> Json:
        """Write a message, with files by their ids; returns the message.

        The app is told of a mention, of links to its domains, and of every direct message to it.
        """
        target = self._joined_channel(user, channel)
        if target.is_archived:
            raise ValueError("nothing can be said here")
        if not text.strip() and not files:
            raise ValueError("nothing was said")
        if len(text) > TEXT_LIMIT:
            raise ValueError(f"a message has {TEXT_LIMIT:,} characters at most")
        if thread_ts:
            self._visible_message(user, channel, thread_ts)
        attachments = [self.files.owned(user, file_id) for file_id in files]
        message: Json = {"user": user, "text": typed_in_message(self.workspace, text)}
        if attachments:
            message["files"] = self.files.share(attachments, target)
        message = self.workspace.post(channel, message, thread_ts or "")
        # All events are drawn from the message as it was posted, before the app may change it.
        mention = "app_mention" if _is_mention(target, message) else ""
        kind = "message" if target.person else mention
        events = [payloads.message_event(self.workspace, kind, target, message)] if kind else []
        links = link_shared(self.workspace, target, message, self._unfurl_domains)
        for event in [*events, links] if links else events:
            await self.delivery.event(event)
        return copy.deepcopy(message)

    async def edit(self, user: str, channel: str, ts: str, text: str) -> Delivered | None:
        """Change the words of one's own message; returns the app's answer if it is told of it.

        It is told of a mention, as of a new one with "edited", and of every direct message.

        https://docs.slack.dev/reference/events/message/message_changed
        """
        target = self._joined_channel(user, channel)
        message = self._visible_message(user, channel, ts)
        if message["user"] != user:
            raise ValueError(f"{user} did not write {ts}")
        before = copy.deepcopy(message)
        self.workspace.change(message, {"text": typed_in_message(self.workspace, text)})
        if target.person:
            return await self.delivery.event(payloads.message_changed(target, before, message))
        if not _is_mention(target, message):
            return None
        event = payloads.message_event(self.workspace, "app_mention", target, message)
        return await self.delivery.event(event)

    async def open_home(self, user: str) -> Delivered:
        """Open the app's home tab."""
        self._check_person(user)
        dm = self.workspace.dm(user)
        event = {
            "type": "app_home_opened",
            "user": user,
            "channel": dm.id if dm else "",
            "tab": "home",
            "event_ts": self.workspace.ts(),
        }
        home = self.modals.homes.get(user)
        return await self.delivery.event(event | ({"view": copy.deepcopy(home)} if home else {}))

    async def shortcut(
        self, user: str, callback_id: str, channel: str | None = None, ts: str | None = None
    ) -> Delivered:
        """Use a shortcut: a global one, or a message's when ``channel`` and ``ts`` name it."""
        self._check_person(user)
        kind = "message_action" if channel and ts else "shortcut"
        payload = payloads.interaction(self.workspace, kind, user) | {
            "callback_id": callback_id,
            "trigger_id": self.workspace.permits.new_trigger(user),
            "action_ts": self.workspace.ts(),
        }
        if channel and ts:
            target = self._joined_channel(user, channel)
            message = self._visible_message(user, channel, ts)
            location = payloads.in_message(target, message, self._response_url(user, channel, ts))
            del location["container"]
            payload |= location | {"message_ts": ts}
        return await self.delivery.interaction(payload)

    async def redeliver(self, event_id: str, reason: str = "http_timeout") -> Delivered:
        """Have an event delivered once more, with the same id."""
        return await self.delivery.redeliver(event_id, reason)

    async def deliver_raw(
        self,
        body: str,
        content_type: str = "application/x-www-form-urlencoded",
        timestamp: str = "",
        signature: str = "",
    ) -> Delivered:
        """POST any body to the request URL, correctly signed unless ``signature`` is set."""
        return await self.delivery.raw(
            body.encode(), content_type, timestamp=timestamp, signature=signature
        )

    def _check_person(self, user: str) -> None:
        if user not in self.workspace.users:
            raise ValueError(f"nobody is called {user}")

    def _joined_channel(self, user: str, channel: str) -> Channel:
        self._check_person(user)
        target = self.workspace.channels.get(channel)
        if target is None or user not in target.members:
            raise ValueError(f"{user} is not in {channel}")
        return target

    def _visible_message(self, user: str, channel: str, ts: str) -> Json:
        ephemeral = self.workspace.find_ephemeral(user, channel, ts)
        message = ephemeral.message if ephemeral else self.workspace.message(channel, ts)
        if message is None:
            raise ValueError(f"{user} sees no message {ts} in {channel}")
        return message

    def _file_finder(self, user: str) -> FindFile:
        """Build the lookup of a file that this person puts into one of the app's inputs."""

        def find(file_id: str) -> Json:
            file = self.files.owned(user, file_id)
            file.given_to_app = True
            return self.files.described(file)

        return find

    def _response_url(self, user: str, channel: str, original: str = "") -> str:
        return f"{self.url}/_hooks/{self.workspace.permits.new_hook(user, channel, original)}"


def _is_mention(channel: Channel, message: Json) -> bool:
    """Return whether a message mentions the app in a channel that it is in."""
    return f"<@{BOT_USER}>" in message["text"] and BOT_USER in channel.members
