"""Collect what translators translate: every sentence of the code, as a gettext template (.pot).

``make messages`` writes it. It names files and no lines, and no date, so that it changes only with
the sentences.
"""

from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "bot/messages/catalogues/secmaster-bot.pot"
FOLDERS = ("bot", "handlers")
# Which arguments of which call are a sentence, its plural, and its context ("c").
KEYWORDS = {
    "N_": None,
    "NN_": (1, 2),
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
HEADER = """\
# Sentences of secmaster-bot. `make messages` writes this file: change a sentence in the code.
# docs/architecture.md says how a language is added."""
STABLE_FIELDS = ("MIME-Version", "Content-Type", "Content-Transfer-Encoding")

Key = str | tuple[str, ...]  # a sentence, or its singular and plural


def collect() -> Catalog:
    """Return every sentence of the code, sorted by the first file that has it."""
    files: dict[tuple[str, Key], set[str]] = {}
    comments: dict[tuple[str, Key], list[str]] = {}
    for folder in FOLDERS:
        messages = extract_from_dir(
            ROOT / folder, [("**.py", "python")], {}, KEYWORDS, ["Translators:"]
        )
        for file, _, key, notes, context in messages:
            message = context or "", key
            files.setdefault(message, set()).add(f"{folder}/{file}")
            comments.setdefault(message, []).extend(notes)
    template = Catalog(project="secmaster-bot", header_comment=HEADER, fuzzy=False)
    for context, key in sorted(files, key=lambda message: (min(files[message]), _parts(message))):
        locations = [(file, 0) for file in sorted(files[context, key])]
        notes = sorted(set(comments[context, key]))
        template.add(key, context=context or None, locations=locations, auto_comments=notes)
    return template


def _parts(message: tuple[str, Key]) -> tuple[str, ...]:
    context, key = message
    return (key, context) if isinstance(key, str) else (*key, context)


def text_of(template: Catalog) -> str:
    """Return the file's text, without what would change from one day to the next."""
    file = BytesIO()
    write_po(file, template, include_lineno=False, width=100)
    header, end, rest = file.getvalue().decode().partition("\n\n")
    lines = [
        line
        for line in header.splitlines()
        if not line.startswith('"') or line.lstrip('"').startswith(STABLE_FIELDS)
    ]
    return "\n".join(lines) + end + rest


def read_template() -> Catalog:
    """Return the template that is committed."""
    with TEMPLATE.open("rb") as file:
        return read_po(file, abort_invalid=True)


if __name__ == "__main__":
    TEMPLATE.write_text(text_of(collect()), encoding="utf-8")
