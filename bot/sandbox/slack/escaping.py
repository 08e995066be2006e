"""Escaping: the text a person typed, turned into the form in which Slack hands it to an app.

https://docs.slack.dev/messaging/formatting-message-text#escaping
"""

import re

from bot.sandbox.slack.workspace import Workspace

MARKS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
SPECIALS = {"@here": "<!here>", "@channel": "<!channel>", "@everyone": "<!everyone>"}
TOKEN = re.compile(r"https?://[^\s<>]+|(?<!\w)[@#][\w-]+|[&<>]")
MENTION = re.compile(r"<@([UW][A-Z0-9]+)>")


def escape(text: str) -> str:
    """Escape the three characters that Slack escapes."""
    return re.sub("[&<>]", lambda match: MARKS[match[0]], text)


def unescape(text: str) -> str:
    """Undo ``escape``, and nothing else."""
    marks = {escaped: mark for mark, escaped in MARKS.items()}
    return re.sub("|".join(marks), lambda match: marks[match[0]], text)


def typed_in_command(workspace: Workspace, text: str) -> str:
    """Return a command's text under ``should_escape``: names become ids with their names."""
    return TOKEN.sub(lambda match: _escape_token(workspace, match[0]), text)


def typed_in_message(workspace: Workspace, text: str) -> str:
    """Return a message's text: ``@name`` becomes ``<@U…>``, which may also be typed as such."""
    handles = {id_: user["name"] for id_, user in workspace.users.items()}
    by_name = MENTION.sub(lambda match: f"@{handles.get(match[1], match[1])}", text)
    return re.sub(r"(<[@!][^|>]+)\|[^>]*>", r"\1>", typed_in_command(workspace, by_name))


def _escape_token(workspace: Workspace, token: str) -> str:
    """Escape a URL, or a name with its ``@`` or ``#``, or one of the three characters."""
    if token in SPECIALS:
        return SPECIALS[token]
    if token.startswith("http"):
        # A bar would begin a label, which a person cannot give to a link by typing.
        return f"<{escape(token.replace('|', '%7C'))}>"
    references = {
        f"@{user['name']}": f"<@{id_}|{user['name']}>" for id_, user in workspace.users.items()
    }
    for id_, group in workspace.groups.items():
        references[f"@{group['handle']}"] = f"<!subteam^{id_}|@{group['handle']}>"
    for channel in workspace.channels.values():
        if channel.name:
            references[f"#{channel.name}"] = f"<#{channel.id}|{channel.name}>"
    return references.get(token.lower()) or escape(token)
