"""What an administrator does to a channel: closes it, opens it, takes the app out, lets it in.

Nothing of it is told to the app: it subscribes to no event about channels.
"""

from bot.sandbox.slack.workspace import BOT_USER, Channel, Workspace


class Arranging:
    """The acts of an administrator, by a channel's id. What is so already stays so."""

    workspace: Workspace

    def archive(self, channel: str) -> None:
        """Close a channel: it can be read, and nothing can be written or changed in it."""
        self._arranged(channel).is_archived = True
        self.workspace.changes.happened()

    def unarchive(self, channel: str) -> None:
        self._arranged(channel).is_archived = False
        self.workspace.changes.happened()

    def remove_bot(self, channel: str) -> None:
        """Take the app out of a channel; a private one is then gone for it."""
        place = self._arranged(channel)
        place.members = [member for member in place.members if member != BOT_USER]
        self.workspace.changes.happened()

    def add_bot(self, channel: str) -> None:
        place = self._arranged(channel)
        place.members = [*dict.fromkeys([*place.members, BOT_USER])]
        self.workspace.changes.happened()

    def _arranged(self, channel: str) -> Channel:
        place = self.workspace.channels.get(channel)
        if place is None or place.person:
            raise ValueError(f"there is no channel {channel} to arrange")
        return place
