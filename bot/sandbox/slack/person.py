"""What a person does in Slack: types, presses, fills in, closes, opens, says.

Each act checks what Slack's own windows would check, tells the app, and shows what the app
answered. An act that a person could not do here and now is a ``ValueError``.
"""

import copy
from collections.abc import Sequence

from bot.sandbox.slack import payloads
from bot.sandbox.slack.delivery import OK, Delivered, Delivery
from bot.sandbox.slack.entries import find_element, initial_state
from bot.sandbox.slack.filestore import Files
from bot.sandbox.slack.filling import FindFile, fill_in, pressed, touch
from bot.sandbox.slack.links import link_shared
from bot.sandbox.slack.replies import show_command_answer, show_view_answer
from bot.sandbox.slack.text import typed_in_command, typed_in_message
from bot.sandbox.slack.views import Views
from bot.sandbox.slack.workspace import BOT_USER, TEXT_LIMIT, Channel, Json, Workspace


class Acting:
    """The acts of every person, by their user id."""

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
        place = self._place(user, channel)
        if not text.startswith("/"):
            raise ValueError("a command begins with a slash")
        words = typed_in_command(self.workspace, text) if escape else text
        answer_url = self._hook_url(user, channel)
        fields = payloads.command(self.workspace, user, place, words, answer_url)
        delivered = await self.delivery.command(fields)
        return show_command_answer(self.workspace, user, channel, delivered)

    async def press(  # noqa: PLR0913 - a press is this person, this place, this element
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
        place = self._place(user, channel)
        message = self._visible_message(user, channel, ts)
        blocks = message.get("blocks", [])
        block, element = find_element(blocks, action_id, block_id)
        entered = pressed(element, value, self._files_of(user), forge_value=forge_value)
        state = {"values": touch(initial_state(blocks), block, element, entered)}
        payload = {
            **payloads.interaction(self.workspace, "block_actions", user),
            **payloads.in_message(place, message, self._hook_url(user, channel, ts)),
            "trigger_id": self.workspace.permits.new_trigger(user),
            "state": state,
            "actions": [payloads.action(block, element, entered, self.workspace.ts())],
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
        self._person(user)
        view = self.modals.shown(user, view_id)
        block, element = find_element(view["blocks"], action_id, block_id)
        entered = pressed(element, value, self._files_of(user))
        touch(view["state"]["values"], block, element, entered)
        self.workspace.changes.happened()
        if block["type"] == "input" and not block.get("dispatch_action"):
            return Delivered(OK)
        payload = {
            **payloads.interaction(self.workspace, "block_actions", user),
            **payloads.in_view(view),
            "trigger_id": self.workspace.permits.new_trigger(user),
            "actions": [payloads.action(block, element, entered, self.workspace.ts())],
        }
        return await self.delivery.interaction(payload)

    async def submit(
        self, user: str, view_id: str, values: dict[str, str | list[str]]
    ) -> Delivered:
        """Fill in inputs by block or action id, and submit the modal.

        What Slack refuses before asking the app comes back as the error, with the blocks.
        """
        self._person(user)
        view = self.modals.top(user, view_id)
        if not view["submit"]:
            raise ValueError(f"view {view_id} has no submit button")
        wrong = fill_in(view, values, self._files_of(user))
        if wrong:
            self.modals.refuse(view_id, wrong)
            return Delivered(body=wrong, error=next(iter(wrong.values())))
        payload = {
            **payloads.interaction(self.workspace, "view_submission", user),
            "trigger_id": self.workspace.permits.new_trigger(user),
            "view": copy.deepcopy(view),
            "response_urls": [],
        }
        delivered = await self.delivery.interaction(payload)
        return show_view_answer(self.modals, user, view_id, delivered)

    async def close(self, user: str, view_id: str) -> Delivered:
        """Close the modal; the app hears of it when it asked to."""
        self._person(user)
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
        """Write a message, with files by their ids.

        The app hears of a mention, of links to its domains, and of everything in its own chats.
        """
        place = self._place(user, channel)
        if place.is_archived:
            raise ValueError("nothing can be said here")
        if not text.strip() and not files:
            raise ValueError("nothing was said")
        if len(text) > TEXT_LIMIT:
            raise ValueError(f"a message has {TEXT_LIMIT:,} characters at most")
        if thread_ts:
            self._visible_message(user, channel, thread_ts)
        attached = [self.files.owned(user, file_id) for file_id in files]
        message: Json = {"user": user, "text": typed_in_message(self.workspace, text)}
        if attached:
            message["files"] = self.files.share(attached, place)
        said = self.workspace.post(channel, message, thread_ts or "")
        for event in self._events_about(place, said):
            await self.delivery.event(event)
        return copy.deepcopy(said)

    def _events_about(self, place: Channel, said: Json) -> list[Json]:
        mentions = f"<@{BOT_USER}>" in said["text"] and BOT_USER in place.members
        kind = "message" if place.person else "app_mention" if mentions else ""
        told = payloads.said(self.workspace, kind, place, said) if kind else None
        links = link_shared(self.workspace, place, said, self._unfurl_domains)
        return [event for event in (told, links) if event]

    async def open_home(self, user: str) -> Delivered:
        """Look at the app's home tab."""
        self._person(user)
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
        self._person(user)
        kind = "message_action" if channel and ts else "shortcut"
        payload = payloads.interaction(self.workspace, kind, user) | {
            "callback_id": callback_id,
            "trigger_id": self.workspace.permits.new_trigger(user),
            "action_ts": self.workspace.ts(),
        }
        if channel and ts:
            place = self._place(user, channel)
            message = self._visible_message(user, channel, ts)
            where = payloads.in_message(place, message, self._hook_url(user, channel, ts))
            del where["container"]
            payload |= where | {"message_ts": ts}
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
        """POST anything to the request URL, rightly signed unless told otherwise."""
        return await self.delivery.raw(
            body.encode(), content_type, timestamp=timestamp, signature=signature
        )

    def _person(self, user: str) -> None:
        if user not in self.workspace.users:
            raise ValueError(f"nobody is called {user}")

    def _place(self, user: str, channel: str) -> Channel:
        self._person(user)
        place = self.workspace.channels.get(channel)
        if place is None or user not in place.members:
            raise ValueError(f"{user} is not in {channel}")
        return place

    def _visible_message(self, user: str, channel: str, ts: str) -> Json:
        ephemeral = self.workspace.find_ephemeral(user, channel, ts)
        message = ephemeral.message if ephemeral else self.workspace.message(channel, ts)
        if message is None:
            raise ValueError(f"{user} sees no message {ts} in {channel}")
        return message

    def _files_of(self, user: str) -> FindFile:
        """Finds a file that this person puts into one of the app's inputs."""

        def give(file_id: str) -> Json:
            file = self.files.owned(user, file_id)
            file.given_to_app = True
            return self.files.described(file)

        return give

    def _hook_url(self, user: str, channel: str, original: str = "") -> str:
        return f"{self.url}/_hooks/{self.workspace.permits.new_hook(user, channel, original)}"
