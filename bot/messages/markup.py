"""The three ways in which a report is written: Slack's mrkdwn, Markdown, and HTML.

A sentence is looked up first, and its parameters are what a markup returns: escaped.
"""

import html
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Protocol

from bot.domain.objects import visible
from bot.messages import text as slack

MAX_TEXT = 300  # characters of a name or a value
PERSON_ID = re.compile(r"[UW][A-Z0-9]{1,38}")
CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{1,38}")
INVISIBLE = {"\u200d"}  # what emoji are joined with is no text that hides


class Markup(Protocol):
    """Writes what came from people or SecMaster so that it is nothing but text."""

    def text(self, text: str, limit: int = MAX_TEXT) -> str:
        """Return a text on one line."""

    def bold(self, text: str, limit: int = MAX_TEXT) -> str:
        """Return a text on one line that stands out."""

    def code(self, text: str) -> str:
        """Return an id or another literal."""

    def person(self, id_: str, name: str) -> str:
        """Return somebody's name and id."""

    def channel(self, id_: str, name: str = "") -> str:
        """Return a channel by its name: by the one that Slack shows, where it shows any."""

    def time(self, at: datetime) -> str:
        """Return a moment, with its zone where the reader's is not known."""


class SlackMarkup:
    """Slack's mrkdwn: people are mentioned, and times are in the reader's own zone."""

    def text(self, text: str, limit: int = MAX_TEXT) -> str:
        return slack.inline(text, limit)

    def bold(self, text: str, limit: int = MAX_TEXT) -> str:
        return slack.bold(text, limit)

    def code(self, text: str) -> str:
        return slack.code(text)

    def person(self, id_: str, name: str) -> str:
        is_id = PERSON_ID.fullmatch(id_)  # a record may be of another version
        return slack.mention_user(id_) if is_id else slack.inline(name or id_) or "—"

    def channel(self, id_: str, name: str = "") -> str:
        return f"<#{id_}>" if CHANNEL_ID.fullmatch(id_) else slack.code(name or id_)

    def time(self, at: datetime) -> str:
        return slack.date_token(at)


@dataclass(frozen=True, slots=True)
class MarkdownMarkup:
    """Markdown as GitHub and most others read it; times are in ``zone``."""

    zone: tzinfo

    def text(self, text: str, limit: int = MAX_TEXT) -> str:
        line = " ".join(shown(slack.clip(text, limit)).split())
        return re.sub(r"[\\`*_\[\]~|#>!<&@]", escape_character, line)

    def bold(self, text: str, limit: int = MAX_TEXT) -> str:
        return f"**{self.text(text, limit)}**" if text.strip() else "—"

    def code(self, text: str) -> str:
        return f"`{shown(text).replace('`', 'ˋ')}`" if text else "—"

    def person(self, id_: str, name: str) -> str:
        return f"{self.text(name)} ({self.text(id_)})" if name and id_ else self.text(name or id_)

    def channel(self, id_: str, name: str = "") -> str:
        return f"{self.text(f'#{name}')} ({self.code(id_)})" if name else self.code(id_)

    def time(self, at: datetime) -> str:
        return zoned(at, self.zone)


@dataclass(frozen=True, slots=True)
class HtmlMarkup:
    """HTML; times are in ``zone``."""

    zone: tzinfo

    def text(self, text: str, limit: int = MAX_TEXT) -> str:
        return html.escape(" ".join(shown(slack.clip(text, limit)).split()))

    def bold(self, text: str, limit: int = MAX_TEXT) -> str:
        return f"<strong>{self.text(text, limit)}</strong>" if text.strip() else "—"

    def code(self, text: str) -> str:
        return f"<code>{html.escape(shown(text))}</code>" if text else "—"

    def person(self, id_: str, name: str) -> str:
        if not (name and id_):
            return self.text(name or id_)
        return f"{self.text(name)} (<code>{self.text(id_)}</code>)"

    def channel(self, id_: str, name: str = "") -> str:
        return f"{self.text(f'#{name}')} ({self.code(id_)})" if name else self.code(id_)

    def time(self, at: datetime) -> str:
        written = zoned(at, self.zone)
        return f'<time datetime="{at.isoformat()}">{html.escape(written)}</time>'


def escape_character(match: re.Match[str]) -> str:
    """Return a character of Markdown's as text; what could be HTML as an entity."""
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(match[0], f"\\{match[0]}")


def shown(text: str) -> str:
    """Return text in which each character shows: one that would not is written as its number."""
    return "".join(
        f"U+{ord(character):04X}" if is_invisible(character) else character
        for character in text.replace("\t", " ").replace("\r\n", "\n").replace("\r", "\n")
    )


def is_invisible(character: str) -> bool:
    """Whether a character shows nothing, and belongs to no emoji and ends no line."""
    if character in INVISIBLE or character == "\n":
        return False
    category = unicodedata.category(character)
    return category[0] == "C" or category in ("Zl", "Zp")


def plain_lines(text: str) -> list[str]:
    """Return the lines of what somebody wrote, as they show."""
    return shown(visible(text)).splitlines() or [""]


def zoned(at: datetime, zone: tzinfo) -> str:
    """Return a moment in a zone, to the second: "2026-03-01 12:00:00 CET (UTC+01:00)"."""
    moment = at.astimezone(zone)
    offset = moment.strftime("%z")
    name = moment.tzname() or ""
    utc = "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:5]}"
    zone_text = utc if name in ("UTC", utc) else f"{name} ({utc})"
    return f"{moment:%Y-%m-%d %H:%M:%S} {zone_text}"
