"""The actions of a workspace administrator on a channel.

The app is not told: it subscribes to no event about channels.
"""

from bot.sandbox.slack.workspace import BOT_USER, Channel, Workspace


class AdminActions:
    """Actions on a channel, by its id. Repeating one changes nothing."""

    workspace: Workspace

    def archive(self, channel: str) -> None:
        """Archive a channel: it can be read, and nothing can be written or changed in it."""
        self._find_channel(channel).is_archived = True
        self.workspace.changes.happened()

    def unarchive(self, channel: str) -> None:
        """Open an archived channel again."""
        self._find_channel(channel).is_archived = False
        self.workspace.changes.happened()

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

    def _find_channel(self, channel: str) -> Channel:
        target = self.workspace.channels.get(channel)
        if target is None or target.person:
            raise ValueError(f"there is no channel {channel} to arrange")
        return target
