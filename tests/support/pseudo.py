"""A language that nobody speaks, to see what a message has from the catalogue and what it has not.

No ASCII letter is left in it, each text is half again as long, and stands between ⟦ and ⟧: what is
written in letters of English was never looked up, and what stands within two pairs was glued.
"""

import re
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from babel.messages import Catalog
from babel.messages.pofile import write_po
from slack_sdk.models import JsonObject

from bot.messages import Message
from bot.messages.catalogue import Catalogue
from tests.support.template import read_template

# A language of letters that are not ours, whose lists, numbers and times Babel has: Greek.
LOCALE = "el"
LETTERS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "áƀçðéƒǵĥíĵķļɱñóþǫŕšţúṽŵẋýžÁƁÇÐÉƑǴĤÍĴĶĻṀÑÓÞǪŔŠŢÚṼŴẊÝŽ",
)
# What stays: placeholders, code, commands, markup of Slack's.
KEPT = re.compile(r"(\{\w+\}|`[^`]*`|<[^<>]*>|:\w+:)")

# What a reader does not take for words of a language: mentions, dates, addresses, code, emoji.
NO_WORDS = re.compile(
    r"<[@#!][^>]*>|<https?://[^|>]*\|?|https?://\S+|```.*?```|`[^`]*`|:[a-z_]+:"
    r"|&(?:amp|lt|gt);|\b[0-9a-f]{6}\b|\bU0[A-Z]+\b|\bUTC\b|\bHTTP \d+|\d\sms(?=\b|_)",
    re.DOTALL,
)
ENGLISH_WORD = re.compile(r"[A-Za-z]{2,}")
# The label of a button in bold or in quotes, and that of a link, may stand within a sentence.
LABEL = re.compile(r"\*⟦[^⟦⟧]*⟧\*|“⟦[^⟦⟧]*⟧”|(?<=\|)⟦[^⟦⟧]*⟧(?=>)")
# What stands within a sentence as somebody's or something's name.
PHRASES = {
    "{person} (emergency override)",
    "{person} (emergency override); {others} had agreed",
    "{person} (on behalf of {delegator})",
    "nobody",
    "the run",
    "other roles",
    "{letter} is {name}",
    *("{count} more", "{count} task", "{count} tasks", "{count} run", "{count} runs"),
    "{task} since {when}",
    # Names of states and of permissions.
    *("Running", "Failed", "Finished", "Retrying", "Terminating", "Terminated"),
    *("Read tasks", "Read runs"),
}
NOTHING = re.compile(r"(?!)")
READ_ALOUD = ("text", "alt_text", "accessibility_label")


def translate(text: str) -> str:
    """Return a text in the language; what names something in a sentence has brackets of its own."""
    parts = KEPT.split(text)
    letters = "".join(
        part if place % 2 else part.translate(LETTERS) for place, part in enumerate(parts)
    )
    opening, closing = "⟪⟫" if text in PHRASES else "⟦⟧"
    return f"{opening}{letters}{'·' * ((len(text) + 1) // 2)}{closing}"


def write(path: Path) -> None:
    """Write the language's file, as a translator would who had the template."""
    catalog = Catalog(locale=LOCALE)
    for message in read_template():
        if not message.id:
            continue
        plural = isinstance(message.id, tuple)
        forms = [message.id] if isinstance(message.id, str) else [*message.id]
        translated = tuple(translate(form) for form in forms)
        catalog.add(message.id, translated if plural else translated[0], context=message.context)
    file = BytesIO()
    write_po(file, catalog)
    path.write_bytes(file.getvalue())


def texts_of(rendered: object) -> Iterator[str]:
    """Yield every text of a message, a view, a block or a plain text, or of several of these."""
    match rendered:
        case str():
            yield rendered
        case Message():
            yield from texts_of(rendered.payload)
        case JsonObject():
            yield from texts_of(rendered.to_dict())
        case dict():
            for key, value in rendered.items():
                if key in READ_ALOUD or not isinstance(value, str):
                    yield from texts_of(value)
        case list() | tuple():
            for part in rendered:
                yield from texts_of(part)
        case _:
            pass


def faults(rendered: object, names: re.Pattern[str] = NOTHING) -> list[str]:
    """Return the texts that were not looked up, or were glued of several that were.

    ``names`` are no words: whatever the messages are about.
    """
    texts = [
        (text, names.sub("", NO_WORDS.sub("", LABEL.sub("", text)))) for text in texts_of(rendered)
    ]
    return [
        *(f"not looked up: {text}" for text, words in texts if ENGLISH_WORD.search(words)),
        *(f"glued: {text}" for text, words in texts if is_glued(words)),
    ]


def is_glued(words: str) -> bool:
    """Whether a text of the catalogue stands within another."""
    depth = 0
    for letter in words:
        depth += (letter == "⟦") - (letter == "⟧")
        if depth > 1:
            return True
    return False


@cache
def catalogue() -> Catalogue:
    """Return the language, by way of its file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{LOCALE}.po"
        write(path)
        return Catalogue.read(path)
