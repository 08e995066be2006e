"""Modals and home tabs: each person's stack of at most three, and the hash that guards a race."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.slack.blocks import check_view, with_ids
from bot.sandbox.slack.entries import carried_over, initial_state
from bot.sandbox.slack.permits import SlackError
from bot.sandbox.slack.workspace import APP, BOT, TEAM, Json, Workspace

STACK = 3


@dataclass
class Views:
    """Every open view. ``errors`` holds what a submission got back, by view and block."""

    workspace: Workspace
    stacks: dict[str, list[Json]] = field(default_factory=dict)
    homes: dict[str, Json] = field(default_factory=dict)
    errors: dict[str, dict[str, str]] = field(default_factory=dict)

    def open(self, trigger_id: str, view: Any) -> Json:
        """Open a modal; one that is open already makes way."""
        self._check_modal(view)
        user = self.workspace.permits.use_trigger(trigger_id)
        self.clear(user)
        return self._add(user, view)

    def push(self, trigger_id: str, view: Any) -> Json:
        self._check_modal(view)
        return self.push_for(self.workspace.permits.use_trigger(trigger_id), view)

    def push_for(self, user: str, view: Any) -> Json:
        """Put a view on top of a person's open ones.

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
        """Change an open view in place; what was entered stays where the inputs stay."""
        old = self._find(view_id, external_id)
        check_view(view, old["type"])
        self._check_external_id(view, besides=old)
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
        if user not in self.workspace.users:
            raise SlackError("user_not_found")
        check_view(view, "home")
        old = self.homes.get(user)
        if old:
            _check_hash(old, hash_)
        self.homes[user] = self._complete(view, view_id=old["id"] if old else "")
        self.workspace.changes.happened()
        return self.homes[user]

    def top(self, user: str, view_id: str) -> Json:
        """The view a person is looking at, which must be this one."""
        stack = self.stacks.get(user, [])
        if not stack or stack[-1]["id"] != view_id:
            raise ValueError(f"{user} is not looking at view {view_id}")
        return stack[-1]

    def shown(self, user: str, view_id: str) -> Json:
        """The person's home, or the modal they are looking at."""
        home = self.homes.get(user)
        return home if home and home["id"] == view_id else self.top(user, view_id)

    def clear(self, user: str) -> None:
        for view in self.stacks.pop(user, []):
            self.errors.pop(view["id"], None)
        self.workspace.changes.happened()

    def pop(self, user: str, view_id: str) -> None:
        """Close one view; the one below it shows again."""
        stack = self.stacks.get(user, [])
        self.stacks[user] = [view for view in stack if view["id"] != view_id]
        self.errors.pop(view_id, None)
        self.workspace.changes.happened()

    def refuse(self, view_id: str, errors: dict[str, str]) -> None:
        """Keep a view open and show an error under its inputs."""
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

    def _find(self, view_id: str, external_id: str) -> Json:
        for view in self._all():
            if view["id"] == view_id or (external_id and view["external_id"] == external_id):
                return view
        raise SlackError("not_found")

    def _check_modal(self, view: Any) -> None:
        check_view(view, "modal")
        self._check_external_id(view)

    def _check_external_id(self, view: Json, besides: Json | None = None) -> None:
        wanted = view.get("external_id")
        if wanted and any(
            one["external_id"] == wanted for one in self._all() if one is not besides
        ):
            raise SlackError("duplicate_external_id")


def _check_hash(view: Json, hash_: str) -> None:
    if hash_ and hash_ != view["hash"]:
        raise SlackError("hash_conflict")
