"""Modals and home tabs: each person's stack of modals, and the hash that prevents a race."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.slack.blocks import check_view, with_ids
from bot.sandbox.slack.element_state import carried_over, initial_state
from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.workspace import APP, BOT, TEAM, Json, Workspace

STACK = 3


@dataclass
class Views:
    """Every open view. ``errors`` holds the error messages of a submission, by view and block."""

    workspace: Workspace
    stacks: dict[str, list[Json]] = field(default_factory=dict)
    homes: dict[str, Json] = field(default_factory=dict)
    errors: dict[str, dict[str, str]] = field(default_factory=dict)

    def open(self, trigger_id: str, view: Any) -> Json:
        """Open a modal in exchange for a trigger id; it replaces the person's open modals."""
        self._check_modal(view)
        user = self.workspace.permits.use_trigger(trigger_id)
        self.clear(user)
        return self._add(user, view)

    def push(self, trigger_id: str, view: Any) -> Json:
        """Put a modal on top of the open ones, in exchange for a trigger id."""
        self._check_modal(view)
        return self.push_for(self.workspace.permits.use_trigger(trigger_id), view)

    def push_for(self, user: str, view: Any) -> Json:
        """Put a modal on top of a person's open ones.

        https://docs.slack.dev/surfaces/modals#view_stack
        """
        self._check_modal(view)
        stack = self.stacks.get(user, [])
        if not stack:
            raise SlackError("not_found")
        if len(stack) >= STACK:
            raise SlackError("push_limit_reached")
        return self._add(user, view)

    def update(self, view: Any, view_id: str, external_id: str = "", hash_: str = "") -> Json:
        """Change an open view in place; what was entered stays where the inputs stay.

        The view is found by ``view_id`` or ``external_id``. ``hash_``, where set, must be the
        one of the view as it is now.
        """
        matches = (
            item
            for item in self._all()
            if item["id"] == view_id or (external_id and item["external_id"] == external_id)
        )
        old = next(matches, None)
        if old is None:
            raise SlackError("not_found")
        check_view(view, old["type"])
        self._check_external_id(view, except_for=old)
        _check_hash(old, hash_)
        new = self._complete(view, view_id=old["id"])
        for key in ("root_view_id", "previous_view_id"):
            new[key] = old[key]
        new["state"] = {"values": carried_over(old["state"]["values"], new["blocks"])}
        self.errors.pop(old["id"], None)
        old.clear()
        old.update(new)
        self.workspace.changes.happened()
        return old

    def publish(self, user: str, view: Any, hash_: str = "") -> Json:
        """Show a view in a person's home tab."""
        if user not in self.workspace.users:
            raise SlackError("user_not_found")
        user = self.workspace.local_id(user)
        check_view(view, "home")
        old = self.homes.get(user)
        if old:
            _check_hash(old, hash_)
        self.homes[user] = self._complete(view, view_id=old["id"] if old else "")
        self.workspace.changes.happened()
        return self.homes[user]

    def top(self, user: str, view_id: str) -> Json:
        """Return the person's top modal, which must have this id."""
        stack = self.stacks.get(user, [])
        if not stack or stack[-1]["id"] != view_id:
            raise ValueError(f"{user} is not looking at view {view_id}")
        return stack[-1]

    def find_visible(self, user: str, view_id: str) -> Json:
        """Return the person's home tab or top modal, whichever has this id."""
        home = self.homes.get(user)
        return home if home and home["id"] == view_id else self.top(user, view_id)

    def clear(self, user: str) -> None:
        """Close all of a person's modals."""
        for view in self.stacks.pop(user, []):
            self.errors.pop(view["id"], None)
        self.workspace.changes.happened()

    def pop(self, user: str, view_id: str) -> None:
        """Close one modal; the one below it is visible again."""
        stack = self.stacks.get(user, [])
        self.stacks[user] = [view for view in stack if view["id"] != view_id]
        self.errors.pop(view_id, None)
        self.workspace.changes.happened()

    def refuse(self, view_id: str, errors: dict[str, str]) -> None:
        """Keep a modal open and show error messages under its inputs, by block id."""
        self.errors[view_id] = errors
        self.workspace.changes.happened()

    def _add(self, user: str, view: Json) -> Json:
        new = self._complete(view)
        stack = self.stacks.setdefault(user, [])
        new["previous_view_id"] = stack[-1]["id"] if stack else None
        new["root_view_id"] = stack[0]["id"] if stack else new["id"]
        stack.append(new)
        self.workspace.changes.happened()
        return new

    def _complete(self, view: Json, view_id: str = "") -> Json:
        """Return Slack's view object, with every field that the app left out."""
        blocks = with_ids(view["blocks"], self.workspace.new_id)
        new_id = view_id or self.workspace.new_id("V")
        return {
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "clear_on_close": False,
            "notify_on_close": False,
            "close": None,
            "submit": None,
            **view,
            "id": new_id,
            "team_id": TEAM,
            "app_id": APP,
            "bot_id": BOT,
            "app_installed_team_id": TEAM,
            "blocks": blocks,
            "state": {"values": initial_state(blocks)},
            "hash": f"{self.workspace.ts()}.{secrets.token_hex(4)}",
            "previous_view_id": None,
            "root_view_id": new_id,
        }

    def _all(self) -> list[Json]:
        modals = [view for stack in self.stacks.values() for view in stack]
        return [*modals, *self.homes.values()]

    def _check_modal(self, view: Any) -> None:
        check_view(view, "modal")
        self._check_external_id(view)

    def _check_external_id(self, view: Json, except_for: Json | None = None) -> None:
        external_id = view.get("external_id")
        others = (item for item in self._all() if item is not except_for)
        if external_id and any(item["external_id"] == external_id for item in others):
            raise SlackError("duplicate_external_id")


def _check_hash(view: Json, hash_: str) -> None:
    if hash_ and hash_ != view["hash"]:
        raise SlackError("hash_conflict")
