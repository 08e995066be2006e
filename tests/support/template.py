"""Collect what translators translate: every sentence of the code, as a gettext template (.pot).

``make messages`` writes it. It names files and no lines, and no date, so that it changes only with
the sentences.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "bot/messages/catalogues/secmaster-bot.pot"
FOLDERS = ("bot", "handlers")
# How many of its first arguments a call has looked up: a context, a sentence, its plural.
LOOK_UPS = {"N_": 1, "NN_": 2, "gettext": 1, "ngettext": 2, "pgettext": 2}
NOTE = "# Translators: "  # in a line of its own above a sentence

HEADER = """\
# Sentences of secmaster-bot. `make messages` writes this file: change a sentence in the code.
# docs/architecture.md says how a language is added."""
STABLE_FIELDS = ("MIME-Version", "Content-Type", "Content-Transfer-Encoding")


@dataclass(frozen=True, order=True)
class Sentence:
    """A sentence of the code: its context, or "", and its singular, with its plural if any."""

    forms: tuple[str, ...]
    context: str = ""


def look_ups(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield every call that looks a sentence up or marks it, with its name."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in LOOK_UPS:
                yield name, node
            case _:
                pass


def sentences(source: str) -> Iterator[tuple[Sentence, str]]:
    """Yield what a module has written out to be looked up, with the note for its translators.

    Unlike Babel's own extraction it looks into f-strings, whatever the version of Python.
    """
    lines = source.splitlines()
    for name, call in look_ups(ast.parse(source)):
        texts = [
            argument.value
            for argument in call.args[: LOOK_UPS[name]]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        ]
        if len(texts) < LOOK_UPS[name]:
            continue  # it was marked elsewhere
        above = lines[call.lineno - 2].strip() if call.lineno > 1 else ""
        note = above.removeprefix(NOTE) if above.startswith(NOTE) else ""
        context = texts.pop(0) if name == "pgettext" else ""
        yield Sentence(tuple(texts), context), note


def collect() -> Catalog:
    """Return every sentence of the code, sorted by the first file that has it."""
    files: dict[Sentence, set[str]] = {}
    notes: dict[Sentence, set[str]] = {}
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for sentence, note in sentences(path.read_text(encoding="utf-8")):
            files.setdefault(sentence, set()).add(path.relative_to(ROOT).as_posix())
            notes.setdefault(sentence, set()).update([note] if note else [])
    template = Catalog(project="secmaster-bot", header_comment=HEADER, fuzzy=False)
    for sentence in sorted(files, key=lambda sentence: (min(files[sentence]), sentence)):
        template.add(
            sentence.forms if len(sentence.forms) > 1 else sentence.forms[0],
            context=sentence.context or None,
            locations=[(file, 0) for file in sorted(files[sentence])],
            auto_comments=sorted(notes[sentence]),
        )
    return template


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
