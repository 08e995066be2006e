"""The actions of a workspace administrator on a channel and on the app, and Slack's own moods.

The app is not told: it subscribes to no event about them.
"""

from collections.abc import Sequence

from bot.sandbox.slack.errors import SlackError
from bot.sandbox.slack.workspace import BOT_USER, Channel, Workspace


class AdminActions:
    """Actions on a channel, by its id, and on the app. Repeating one changes nothing."""

    workspace: Workspace

    def archive(self, channel: str) -> None:
        """Archive a channel: it can be read, and nothing can be written or changed in it."""
        self._find_channel(channel).is_archived = True
        self.workspace.changes.happened()

    def unarchive(self, channel: str) -> None:
        """Open an archived channel again."""
        self._find_channel(channel).is_archived = False
        self.workspace.changes.happened()

    def lock_thread(self, channel: str, ts: str) -> None:
        """Lock the thread of a message, which can then be read and not replied in."""
        message = self.workspace.message(channel, ts)
        if message is None:
            raise ValueError(f"there is no message {ts} in {channel} to lock")
        message["is_locked"] = True
        self.workspace.touch(message)

    def remove_bot(self, channel: str) -> None:
        """Take the app out of a channel; a private one is then invisible to it."""
        target = self._find_channel(channel)
        target.members = [member for member in target.members if member != BOT_USER]
        self.workspace.changes.happened()

    def add_bot(self, channel: str) -> None:
        """Make the app a member of a channel."""
        target = self._find_channel(channel)
        target.members = [*dict.fromkeys([*target.members, BOT_USER])]
        self.workspace.changes.happened()

    def revoke_token(self, code: str = "token_revoked") -> None:
        """Let Slack refuse the bot's token in every call, with an error code."""
        self.workspace.token_refusal = code
        self.workspace.changes.happened()

    def restore_token(self) -> None:
        """Let Slack take the bot's token again."""
        self.workspace.token_refusal = ""
        self.workspace.changes.happened()

    def refuse_blocks(self, code: str = "invalid_blocks", reasons: Sequence[str] = ()) -> None:
        """Let Slack refuse every message with blocks, for these ``reasons``; "" takes them again.

        It says them twice, as in its answers: https://docs.slack.dev/reference/methods
        """
        messages = {"messages": [f"[ERROR] {reason}" for reason in reasons]}
        refusal = SlackError(code, errors=list(reasons), response_metadata=messages)
        self.workspace.blocks_refusal = refusal if code else None

    def warn(self, method: str, warning: str) -> None:
        """Let Slack answer a method with a warning, though it carries it out; "" ends that."""
        self.workspace.warnings[method] = warning

    def _find_channel(self, channel: str) -> Channel:
        target = self.workspace.channels.get(channel)
        if target is None or target.person:
            raise ValueError(f"there is no channel {channel} to arrange")
        return target
