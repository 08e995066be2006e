"""Text as it travels: what a person typed, and the escaped form Slack hands to an app.

https://docs.slack.dev/messaging/formatting-message-text#escaping
"""

import re

from bot.sandbox.slack.workspace import Workspace

MARKS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
SPECIALS = {"@here": "<!here>", "@channel": "<!channel>", "@everyone": "<!everyone>"}
TOKEN = re.compile(r"https?://[^\s<>]+|(?<!\w)[@#][\w-]+|[&<>]")
MENTION = re.compile(r"<@([UW][A-Z0-9]+)>")


def escape(text: str) -> str:
    return re.sub("[&<>]", lambda found: MARKS[found[0]], text)


def unescape(text: str) -> str:
    """The opposite, of nothing but what Slack escapes."""
    back = {escaped: mark for mark, escaped in MARKS.items()}
    return re.sub("|".join(back), lambda found: back[found[0]], text)


def typed_in_command(workspace: Workspace, text: str) -> str:
    """A command's text under ``should_escape``: names become ids that carry the name."""
    return TOKEN.sub(lambda found: _token(workspace, found[0]), text)


def typed_in_message(workspace: Workspace, text: str) -> str:
    """A message's text: ``@name`` becomes ``<@U…>``, which may also be given as such."""
    handles = {id_: user["name"] for id_, user in workspace.users.items()}
    by_name = MENTION.sub(lambda found: f"@{handles.get(found[1], found[1])}", text)
    return re.sub(r"(<[@!][^|>]+)\|[^>]*>", r"\1>", typed_in_command(workspace, by_name))


def _token(workspace: Workspace, token: str) -> str:
    if token in SPECIALS:
        return SPECIALS[token]
    if token.startswith("http"):
        # A bar would begin a label, which is not the typist's to give.
        return f"<{escape(token.replace('|', '%7C'))}>"
    known = {**_mentions(workspace), **_channels(workspace)}
    return known.get(token.lower()) or escape(token)


def _mentions(workspace: Workspace) -> dict[str, str]:
    people = {f"@{one['name']}": f"<@{id_}|{one['name']}>" for id_, one in workspace.users.items()}
    groups = {
        f"@{one['handle']}": f"<!subteam^{id_}|@{one['handle']}>"
        for id_, one in workspace.groups.items()
    }
    return people | groups


def _channels(workspace: Workspace) -> dict[str, str]:
    named = [channel for channel in workspace.channels.values() if channel.name]
    return {f"#{channel.name}": f"<#{channel.id}|{channel.name}>" for channel in named}
