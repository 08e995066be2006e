"""Clip, escape and format text, so that what SecMaster and people wrote is never markup.

https://docs.slack.dev/messaging/formatting-message-text: of all characters only ``&``, ``<``
and ``>`` can open a mention or a link.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import assert_never

from bot.domain.objects import MAX_SEARCH, visible
from bot.domain.slack import Destination, DestinationKind

ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
ELLIPSIS = "…"
EXCEPTION = re.compile(r"[\w.]*(?:Error|Exception)\b")  # how the line of a script's error begins
# A number with a fraction, which stays; a dot within an address or a name; an emoji's or an IPv6
# address's colons; the scheme of a link. Slack would make links and pictures of the last three.
ACTIVE = re.compile(
    r"(?P<number>(?<![\w.])\d+\.\d+(?!\.?\w))"
    r"|(?<=\w)(?P<dot>[.．])(?=\w)"
    r"|(?P<emoji>:[\w+'-]*[^\W\d][\w+'-]*(?=:))"
    r"|(?P<scheme>\w+)://"
)
CUT_MARKUP = re.compile(r"(?:<[^<>]*|&[a-z]*)\Z")  # a mention, a link or an entity without its end


def clip(text: str, limit: int) -> str:
    """Return plain text of at most ``limit`` characters, with "…" where it was cut."""
    text = visible(text)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def clip_markup(text: str, limit: int) -> str:
    """Return mrkdwn of at most ``limit`` characters, cut before a mention or link if within it."""
    return text if len(text) <= limit else CUT_MARKUP.sub("", text[: limit - 1]) + ELLIPSIS


def escape(text: str, limit: int = 300) -> str:
    """Escape text for mrkdwn: at most ``limit`` characters, never cut within an entity."""
    parts: list[str] = []
    room = limit
    for letter in visible(text):
        part = ESCAPES.get(letter, letter)
        room -= len(part)
        parts.append(part)
        if room < 0:
            break
    if room >= 0:
        return "".join(parts)
    while parts and sum(map(len, parts)) >= limit:
        parts.pop()
    return "".join(parts).rstrip() + ELLIPSIS


def inline(text: str, limit: int = 150) -> str:
    """Escape text for mrkdwn, on one line and without anything that opens or closes code."""
    return escape(" ".join(text.replace("`", "ˋ").split()), limit)


def defang(text: str) -> str:
    """Return an attacker's text so that nothing in it is a link, an address or an emoji.

    As analysts write it: "hxxps://evil[.]example", "203[.]0[.]113[.]7". It is plain text.
    """
    return ACTIVE.sub(_defanged, visible(text))


def _defanged(match: re.Match[str]) -> str:
    match match.lastgroup:
        case "dot":
            return "[.]"
        case "emoji":
            return f"[:]{match[0][1:]}"
        case "scheme":
            scheme = match["scheme"].lower()
            return f"hxxp{scheme[4:]}://" if scheme in ("http", "https") else f"{scheme}[:]//"
        case _:
            return match[0]


def prose(text: str, limit: int = 150) -> str:
    """Return an attacker's text for a line of markup: defanged, and nothing in it is bold."""
    return inline(defang(text), limit).replace("*", "∗").replace("~", "∼")


def bold(text: str, limit: int = 150) -> str:
    """Return a name in bold, on one line, that can't end the bold itself; "—" for an empty one."""
    name = inline(text, limit).replace("*", "∗")
    return f"*{name}*" if name else "—"


def error_line(error: str) -> str:
    """Return the line of a node's error that says what went wrong; "" where there is none.

    A script's traceback ends with it, and more may have been logged after that.
    """
    lines = [line.strip() for line in error.splitlines() if line.strip()] or [""]
    exceptions = [line for line in lines if EXCEPTION.match(line)]
    return (exceptions or lines)[-1]


def error_text(error: str, limit: int) -> str:
    """Return what fits of a node's error, with the line first that says what went wrong."""
    if len(error.strip().splitlines()) > 1:
        last = clip(error_line(error), limit // 2)
        return f"{last}\n\n{clip(error.strip(), limit - len(last))}"
    if len(error) <= limit:
        return error
    # Of a long line the beginning and the end: one of the two says what matters.
    return f"{error[: limit // 2]}\n{ELLIPSIS}\n{error[-limit // 2 :]}"


def code(text: str, limit: int = 100) -> str:
    """Return a short literal, such as an id, as inline code; "—" for an empty one."""
    literal = inline(text, limit)
    return f"`{literal}`" if literal else "—"


def search_text(words: str) -> str:
    """Return what a list is narrowed to, as it was typed; it may be filters, words, or both."""
    return f"🔎 {code(words, MAX_SEARCH)}"


def without_markup(text: str) -> str:
    """Return one of our own sentences as plain text, for the log."""
    return text.replace("`", "").replace("*", "")


def rule_number(title: str) -> str:
    """Return a rule's title as sentences name it, after their word for a rule: 4 “isolation”.

    It is plain text: its name is a policy's.
    """
    number, _, name = title.removeprefix("rule ").partition(" ")
    return f"{number} “{name[1:-1]}”" if name else number


def code_block(text: str, limit: int = 800) -> str:
    """Return a passage in a code block that it cannot close."""
    return f"```{escape(text.replace('`', 'ˋ'), limit)}```"


def quote(text: str, limit: int = 1500) -> str:
    """Return what somebody wrote with "> " before every line; ``limit`` counts these marks too."""
    lines: list[str] = []
    room = limit
    for line in text.replace("`", "ˋ").splitlines() or [""]:
        if lines and room < len(ELLIPSIS) + 3:
            lines[-1] += ELLIPSIS
            break
        lines.append(f"> {escape(line, max(room - 2, 1))}")
        room -= len(lines[-1]) + 1
    return "\n".join(lines)


def mention_user(user: str) -> str:
    """Return the mention of a user id: Slack shows the name, and a thread does not ring twice."""
    return f"<@{inline(user, 40)}>"


def mention_group(usergroup: str) -> str:
    """Return the mention of a user group's id."""
    return f"<!subteam^{inline(usergroup, 40)}>"


def mention(id_: str) -> str:
    """Return the mention of a person or a user group, by its id."""
    return destination_name(Destination.parse(id_))


def mention_all(ids: Sequence[str]) -> str:
    """Return mentions of people and user groups, by their ids, each followed by a space."""
    return "".join(f"{mention(id_)} " for id_ in ids)


def destination_name(destination: Destination) -> str:
    """Return the markup that Slack shows as the name of a channel, a person or a user group.

    It mentions people, and all members of a group.
    """
    match destination.kind:
        case DestinationKind.USERGROUP:
            return mention_group(destination.id)
        case DestinationKind.PERSON:
            return mention_user(destination.id)
        case DestinationKind.CHANNEL | DestinationKind.DIRECT_MESSAGE | DestinationKind.UNKNOWN:
            return f"<#{inline(destination.id, 40)}>"
        case _:
            assert_never(destination.kind)


def date_token(at: datetime | None) -> str:
    """Return a time that Slack shows in the reader's own zone, and in UTC where it cannot."""
    if at is None:
        return "—"
    try:
        fallback = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except OverflowError:  # a time that was never set, at the edge of the calendar
        fallback = at.strftime("%Y-%m-%d %H:%M %Z")
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{fallback}>"


def ago_token(at: datetime) -> str:
    """Return how far away a time is, which Slack keeps true while it is read: "in 3 hours"."""
    return date_token(at).replace("{date_short_pretty} {time}", "{ago}")


def time_token(at: datetime) -> str:
    """Return the time of day alone, for a sentence that stands beside its date."""
    return date_token(at).replace("{date_short_pretty} {time}", "{time}")
