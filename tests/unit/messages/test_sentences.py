"""Every sentence can be translated: it is written out, marked, whole, and in the template.

``pytest tests/unit/messages/test_sentences.py -k lists`` has a module's own words.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.template import (
    LOOK_UPS,
    ROOT,
    TEMPLATE,
    Sentence,
    collect,
    look_ups,
    read_template,
    sentences,
    text_of,
)

CATALOGUE = ROOT / "bot/messages/catalogue.py"
MAKERS = {"format", "join", "lower", "capitalize", "replace", "removesuffix"}  # of other texts
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
SOURCES = [
    path
    for folder in ("bot", "handlers")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != CATALOGUE and not path.is_relative_to(ROOT / "bot/sandbox")
]


def test_the_template_has_every_sentence_of_the_code() -> None:
    assert TEMPLATE.read_text(encoding="utf-8") == text_of(collect()), "run make messages"


def test_a_sentence_in_an_f_string_is_collected_and_a_note_goes_with_it() -> None:
    source = """
text = f"✅ {catalogue.gettext('Done by {actor}.', actor=actor)}"
# Translators: on a button
label = catalogue.pgettext("button", "Approve")
count = catalogue.ngettext(*words.batch, 2) + catalogue.ngettext("{count} task", "{count} tasks", 2)
"""
    assert set(sentences(source)) == {
        (Sentence(("Done by {actor}.",)), ""),
        (Sentence(("Approve",), "button"), "on a button"),
        (Sentence(("{count} task", "{count} tasks")), ""),
    }


def test_placeholders_are_plain_names_and_plurals_agree() -> None:
    for message in read_template():
        forms = [message.id] if isinstance(message.id, str) else [*message.id]
        names = [set(PLACEHOLDER.findall(form)) for form in forms]
        assert all(name.isidentifier() for name in set().union(*names)), message.id
        assert not any("%" in form for form in forms), message.id
        if len(forms) > 1:
            assert names[0] | {"count"} == names[1] | {"count"}, message.id


def test_no_sentence_begins_or_ends_with_space_or_has_it_twice() -> None:
    texts = [form for m in read_template() for form in ([m.id] if isinstance(m.id, str) else m.id)]
    assert not [text for text in texts if text != text.strip() or "  " in text]


# What is looked up.


def literal(  # noqa: PLR0911 - a row each
    node: ast.expr, function: ast.AST | None = None, seen: frozenset[str] = frozenset()
) -> bool:
    """Whether a text is written out here, or taken from what is marked elsewhere.

    A variable is looked for in ``function``; those that were ``seen`` are being looked for.
    """
    match node:
        case ast.Constant(value=value):
            return isinstance(value, str)
        case ast.IfExp(body=first, orelse=second):
            return literal(first, function, seen) and literal(second, function, seen)
        case ast.BoolOp(values=options) | ast.Tuple(elts=options):
            return all(literal(option, function, seen) for option in options)
        case ast.Subscript() | ast.Attribute():  # a table, or a value that has a marked sentence
            return True
        case ast.Call(func=ast.Attribute(attr=method), args=args):
            is_table = method == "get" and all(literal(text, function, seen) for text in args[1:])
            return is_table or method not in MAKERS | {"get"}
        case ast.Call(func=ast.Name(id="labels")):
            return True
        case ast.Name(id=name):
            texts = [] if name in seen else assigned(name, function)
            return all(literal(text, function, seen | {name}) for text in texts)
        case _:
            return False


def assigned(name: str, function: ast.AST | None) -> Iterator[ast.expr]:
    """Yield all that a variable of a function is given."""
    for node in ast.walk(function) if function else ():
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from (value for target in targets if named(target, name))
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
                yield from [value] if target == name else []
            case ast.NamedExpr(target=ast.Name(id=target), value=value):
                yield from [value] if target == name else []
            case _:
                pass


def named(target: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(target))


def looked_up(tree: ast.Module) -> Iterator[tuple[list[ast.expr], ast.AST | None]]:
    """Yield the texts of every look-up, with the outermost function that it is in."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    homes = {id(child): node for node in reversed(functions) for child in ast.walk(node)}
    for name, call in look_ups(tree):
        match call.args:
            case [ast.Starred(value=forms), *_]:
                texts = [forms]
            case _:
                texts = call.args[: LOOK_UPS[name]]
        yield texts, homes.get(id(call))


@pytest.mark.parametrize(
    "source",
    [
        'c.gettext(f"No {noun}.")',
        'c.gettext("No " + noun)',
        'c.gettext("No {}.".format(noun))',
        "c.gettext(str(sentence))",
        'def f(a):\n    text = "A" if a else f"{a}"\n    c.gettext(text)',
    ],
)
def test_a_text_that_nobody_can_collect_is_noticed(source: str) -> None:
    [([text], function)] = looked_up(ast.parse(source))
    assert not literal(text, function)


@pytest.mark.parametrize(
    "source",
    [
        'c.gettext("No task.")',
        "c.gettext(labels(action).done)",
        "c.gettext(SENTENCES[reason])",
        'def f(a):\n    text = TABLE[a]\n    if a: text = "Other."\n    c.gettext(text)',
    ],
)
def test_a_text_of_a_table_is_marked_there(source: str) -> None:
    [([text], function)] = looked_up(ast.parse(source))
    assert literal(text, function)


def test_only_what_is_written_out_is_looked_up() -> None:
    strange = []
    for path in SOURCES:
        for texts, function in looked_up(ast.parse(path.read_text(encoding="utf-8"))):
            strange += [
                f"{path.relative_to(ROOT)}:{text.lineno}: {ast.unparse(text)}"
                for text in texts
                if not literal(text, function)
            ]
    assert not strange, "\n".join(strange)


# What is not.

# English by design, and read by nobody in Slack.
ENGLISH_MODULES = {"secmaster_access.py", "slack_delivery.py"}
# What reads as a sentence or a label; elsewhere three words may as well be those of a command.
WORDS = re.compile(
    r"^[^\w@#/]*[A-Z][a-z]{2,}| [a-z]{2,}[.:?!]$|(?:\b[a-z]{2,}\b[,;]? ){2}[a-z]{2,}"
)
SENTENCE = re.compile(r"^[^\w@#/]*[A-Z][a-z]{2,}| [a-z]{2,}[.?!]$")
NO_WORDS = re.compile(r"HTTP |\w+\[\w+\]|\{\w+\}|<[^>]*(?:>|$)|`[^`]*`|https?://\S+|^[\w.-]+\|")
SILENT = ("log.", "re.compile", "code(", "code_block(")


def unmarked(tree: ast.Module, words: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Yield the texts that have words and are never looked up, with their lines."""
    silent: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case (
                ast.Raise()
                | ast.Expr(value=ast.Constant())
                | ast.Assign(targets=[ast.Name(id="__all__")])
            ):
                silent |= {id(child) for child in ast.walk(node)}
            case ast.Call(func=function) if f"{ast.unparse(function)}(".startswith(SILENT):
                silent |= {id(child) for child in ast.walk(node)}
            case ast.Call(func=ast.Attribute(attr="partition" | "split" | "strftime" | "replace")):
                silent |= {id(child) for child in node.args}
            case _:
                pass
    for texts, _ in looked_up(tree):
        silent |= {id(child) for text in texts for child in ast.walk(text)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or id(node) in silent:
            continue
        if isinstance(node.value, str) and words.search(NO_WORDS.sub("", node.value)):
            yield node.lineno, node.value


def modules() -> list[object]:
    """Return each module that has words for people, as a parameter of a test."""
    paths = sorted([*(ROOT / "bot/messages").glob("*.py"), *(ROOT / "handlers").glob("*.py")])
    return [
        pytest.param(path, id=f"{path.parent.name}.{path.stem}")
        for path in paths
        if path.name not in ENGLISH_MODULES
    ]


@pytest.mark.parametrize("path", modules())
def test_no_words_stand_outside_of_the_catalogue(path: Path) -> None:
    words = WORDS if path.parent.name == "messages" else SENTENCE
    texts = unmarked(ast.parse(path.read_text(encoding="utf-8")), words)
    assert not (lines := [f"{line}: {text}" for line, text in texts]), "\n".join(lines)
