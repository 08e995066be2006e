"""Look up whole sentences in a reader's language, with their numbers, lists and lengths of time.

The English sentences stand in the code, where ``make messages`` collects them for translators into
``catalogues/secmaster-bot.pot``. A catalogue is handed to whatever renders a text; there is none
that the process as a whole has, since two readers may have two languages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from babel import Locale
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations
from babel.units import format_unit

SMALLEST_SECOND_UNIT = 3  # from so many days or hours on, the smaller unit is left out


def N_(message: str) -> str:  # noqa: N802 - gettext's name for it, which extractors know
    """Mark a sentence for translators that is looked up later, and return it as it is."""
    return message


def NN_(singular: str, plural: str) -> tuple[str, str]:  # noqa: N802 - likewise, for two forms
    """Mark both forms of a sentence that is looked up later by a count, and return them."""
    return singular, plural


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence to be looked up in whichever language its reader has.

    ``message`` is the English one, marked with ``N_``; ``params`` are the values of its names.
    """

    message: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The sentences of one language.

    Parameters are named in a sentence ("Approved by {actor}.") and are put in as they are: what
    comes from people or SecMaster is escaped before.
    """

    locale: Locale
    translations: NullTranslations

    @classmethod
    def english(cls) -> Self:
        """Return the language of the code itself."""
        return cls(Locale("en"), NullTranslations())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the language of a translators' file (.po), whose header names its locale."""
        with path.open("rb") as file:
            messages = read_po(file, abort_invalid=True)
        compiled = BytesIO()
        write_mo(compiled, messages)
        compiled.seek(0)
        if messages.locale is None:
            raise ValueError(f"{path} does not say which language it is")
        return cls(messages.locale, Translations(compiled))

    def gettext(self, message: str, /, **params: object) -> str:
        """Return a sentence with its parameters; "" for "", which is the header of a .po file."""
        if not message:
            return ""
        return self.translations.gettext(message).format(**params)

    def ngettext(self, singular: str, plural: str, count: int, /, **params: object) -> str:
        """Return the form of a sentence that its count asks for; ``{count}`` is the count."""
        text = self.translations.ngettext(singular, plural, count)
        return text.format(count=self.number(count), **params)

    def pgettext(self, context: str, message: str, /, **params: object) -> str:
        """Return a text that means something else in another context, such as a button's word."""
        translated: Any = self.translations.pgettext(context, message)
        return str(translated).format(**params)

    def render(self, sentence: Sentence) -> str:
        """Return a sentence that was chosen before its reader's language was known."""
        return self.gettext(sentence.message, **sentence.params)

    def number(self, number: int) -> str:
        """Return a whole number with the language's separators."""
        return str(format_decimal(number, locale=self.locale))

    def all_of(self, items: Sequence[str], most: int | None = None) -> str:
        """Return a list in a sentence: "A, B, and C"; "" for none.

        Of more than ``most`` items the rest is counted: "A, B, and 3 more".
        """
        rest = len(items) - most if most is not None else 0
        if rest > 0:
            items = [*items[:most], self.ngettext("{count} more", "{count} more", rest)]
        return format_list(items, locale=self.locale)

    def one_of(self, items: Sequence[str]) -> str:
        """Return alternatives in a sentence: "A, B, or C"; "" for none."""
        return format_list(items, style="or", locale=self.locale)

    def measured(self, seconds: float) -> str:
        """Return how long something took: "64 ms", "1.2 sec", "2 min"."""
        if seconds >= 60:  # noqa: PLR2004
            return self.duration(timedelta(seconds=seconds))
        number, unit = (
            (round(seconds, 1), "second")
            if seconds >= 1
            else (round(seconds * 1000), "millisecond")
        )
        return str(format_unit(number, unit, "short", locale=self.locale))

    def duration(self, length: timedelta) -> str:
        """Return a length of time in two units at most: "2 hr, 5 min"; under a minute in seconds.

        For a time that passes while the text is read, a date token of Slack's stays true instead.
        """
        seconds = int(abs(length.total_seconds()))
        minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
        if seconds < 60:  # noqa: PLR2004
            units = [(seconds, "second")]
        elif days:
            units = [(days, "day"), (hours % 24 if days < SMALLEST_SECOND_UNIT else 0, "hour")]
        elif hours:
            units = [
                (hours, "hour"),
                (minutes % 60 if hours < SMALLEST_SECOND_UNIT else 0, "minute"),
            ]
        else:
            units = [(minutes, "minute")]
        parts = [
            format_unit(number, unit, "short", locale=self.locale)
            for place, (number, unit) in enumerate(units)
            if number or place == 0
        ]
        return format_list(parts, style="unit-short", locale=self.locale)
