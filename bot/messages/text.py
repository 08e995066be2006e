"""Text from SecMaster and from people, made fit to be shown: it is data, never markup.

https://docs.slack.dev/messaging/formatting-message-text: of all characters only ``&``, ``<``
and ``>`` can open a mention or a link.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.domain.objects import visible

ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
ELLIPSIS = "…"


def clip(text: str, limit: int) -> str:
    """Cut plain text to ``limit`` characters, with a visible mark where something is missing."""
    text = visible(text)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def escape(text: str, limit: int = 300) -> str:
    """Text for mrkdwn, at most ``limit`` characters after escaping and never cut within one."""
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
    """The same on one line, with nothing that opens or closes code."""
    return escape(" ".join(text.replace("`", "ˋ").split()), limit)


def code(text: str, limit: int = 100) -> str:
    """A short literal such as an id."""
    shown = inline(text, limit)
    return f"`{shown}`" if shown else "—"


def code_block(text: str, limit: int = 800) -> str:
    """A passage as it is, in a code block that it cannot close."""
    return f"```{escape(text.replace('`', 'ˋ'), limit)}```"


def quote(text: str, limit: int = 1500) -> str:
    """A passage somebody wrote, every line marked as theirs; ``limit`` counts the marks too."""
    kept: list[str] = []
    room = limit
    for each in text.replace("`", "ˋ").splitlines() or [""]:
        if kept and room < len(ELLIPSIS) + 3:
            kept[-1] += ELLIPSIS
            break
        kept.append(f"> {escape(each, max(room - 2, 1))}")
        room -= len(kept[-1]) + 1
    return "\n".join(kept)


def mention_user(user: str) -> str:
    """Name a person of Slack; shown by name, and in a thread it does not ring twice."""
    return f"<@{inline(user, 40)}>"


def mention_group(usergroup: str) -> str:
    return f"<!subteam^{inline(usergroup, 40)}>"


def mention_all(called: Sequence[str]) -> str:
    """Call people and user groups, if any; followed by a space."""
    named = (mention_group(each) if each.startswith("S") else mention_user(each) for each in called)
    return "".join(f"{each} " for each in named)


def date_token(at: datetime | None) -> str:
    """A time in the reader's own zone, in UTC where Slack cannot say."""
    if at is None:
        return "—"
    try:
        fallback = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except OverflowError:  # a time that was never set, at the edge of the calendar
        fallback = at.strftime("%Y-%m-%d %H:%M %Z")
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{fallback}>"


def format_duration(length: timedelta) -> str:
    """A length of time as people say it: two units at most."""
    seconds = int(abs(length.total_seconds()))
    if 0 < seconds < 60:  # noqa: PLR2004
        return f"{seconds} s"
    minutes = seconds // 60
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours and days < 3 else f"{days} d"  # noqa: PLR2004
    if hours:
        return f"{hours} h {rest} min" if rest and hours < 3 else f"{hours} h"  # noqa: PLR2004
    return f"{rest} min"


def relative_time(at: datetime, now: datetime) -> str:
    """How far a time is away: "in 3 h" or "3 h ago"."""
    return f"in {format_duration(at - now)}" if at > now else f"{format_duration(now - at)} ago"
