"""Fold the names that SecMaster states, and match them with the policy's patterns.

Folding undoes what lets a name look like another: width, marks, styles, white space and what is
invisible. Letters of another alphabet can't be undone, as they are what somebody writes with:
there a match can't be told. Patterns are RE2's, which takes linear time whatever the name.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import re2

# What NFKC would make a Greek letter of, though it is written between Latin ones; and what it
# leaves: blanks that Unicode calls a letter or a symbol, and twins of ASCII characters.
_BEFORE_NFKC = str.maketrans({"µ": "u", "ϲ": "c", "Ϲ": "C"})
_AFTER_NFKC = str.maketrans(
    dict.fromkeys("\u115f\u1160\ufffc\U0001d159\U00013441\U00013442", None)
    | {"\u2800": " "}
    | dict(zip("℮ɑɩǀ−’‘⁄∕", "eail-''//", strict=True))
)

# Latin letters that Unicode does not decompose: with a stroke, small capitals, in a square.
_LATIN = re.compile(
    r"(?:LATIN|INDICATOR).* LETTER (?:(?:SMALL CAPITAL|DOTLESS|SCRIPT|BARRED) )?([A-Z])"
    r"(?: WITH .+)?$"
)

# Scripts that are written beside Latin letters in one word, and are taken for none of them.
_BESIDE_LATIN = {"CJK", "IDEOGRAPHIC", "BOPOMOFO", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO"}
_BESIDE_LATIN |= {"KHMER", "MYANMAR"}

# Letters that can't be folded, as somebody writes with them, and what a hasty eye reads.
_READINGS = {
    **dict(zip("АВЕЅІЈКМНОРСТУХԌԚԜҮӀ", "ABESIJKMHOPCTYXGQWYI", strict=True)),  # Cyrillic
    **dict(zip("авгԁеһіјкӏмноргѕтуԛԝхѵьп", "abrdehijklmhoprstyqwxvbn", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),  # Greek
    **dict(zip("αγεηικνοπρςστυχω", "ayenikvonpcotuxw", strict=True)),
    **dict(zip("ՍՏՕԼհյոսցքօզլ", "USOLhjnugfoql", strict=True)),  # Armenian
    **dict(zip("ᎠᎡᎢᎥᎩᎪᎫᎬᎳᎷᎻᏀᏃᏒᏔᏕᏙᏚᏞᏟᏢᏦᏴ", "DRTIYAJEWMHGZRWSVSLCPKB", strict=True)),  # Cherokee
    **dict(zip("ꓐꓑꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ", "BPDTGKJCZFMNLSRVHWXYAEIOU", strict=True)),  # Lisu
    **dict(zip("ⲀⲂⲈⲎⲒⲔⲘⲚⲞⲢⲤⲦⲨⲬ", "ABEHIKMNOPCTYX", strict=True)),  # Coptic
    **dict(zip("ⲁⲃⲉⲏⲓⲕⲙⲛⲟⲣⲥⲧⲩⲭ", "abehikmnopctyx", strict=True)),
    **dict(zip("丨工口丁", "IIOT", strict=True)),  # Chinese
    **dict(zip("ƖⱭꞁǝəɘɐɒɛ", "IAleeeaae", strict=True)),  # Latin letters of their own
}
# The letters I and l are one stroke, and so are those that look like them.
_L_FOR_I = {letter: "l" for letter, latin in _READINGS.items() if latin == "I"}
_TABLES = tuple(
    str.maketrans(_READINGS | readings)
    for readings in ({}, _L_FOR_I, {"\N{CYRILLIC LETTER PALOCHKA}": "l"})
)

# An escape, a repetition without its lower end, a named class, the start of a class, a character.
_TOKEN = re.compile(
    r"\\(?:[pP]\{[^}]*\}|[pP].|.)|\{,\d*\}|\[:\^?\w+:\]|\[\^?\]?|.", re.DOTALL | re.ASCII
)
# What RE2 takes these for is ASCII only, and names are not.
_ESCAPES = {r"\d": r"\p{Nd}", r"\D": r"\P{Nd}", r"\w": r"[\pL\pN_]", r"\W": r"[^\pL\pN_]"}
_ESCAPES |= dict.fromkeys((r"\t", r"\n", r"\r", r"\f", r"\v"), " ")
_ESCAPES_IN_CLASS = _ESCAPES | {r"\w": r"\pL\pN_"}
_OTHER_ESCAPE = re.compile(r"\\(?:[sSbBAz]|[pP].+|[^A-Za-z0-9])", re.ASCII)
_HINTS = {
    "invalid perl operator": "look-around, comments and the like are not supported: write what the "
    "name has, and use the order of the rules for what it has not",
    "bad repetition operator": "repetitions can't be possessive or doubled: write one of * + ? {}",
    "invalid repetition size": "a part can be repeated up to 1000 times",
    "pattern too large": "it repeats too much; write it shorter",
}


def normalize(text: str) -> str:
    """Return a name as patterns see it: folded, on one line, with single spaces."""
    return " ".join(_fold(text).split())


def _fold(text: str) -> str:
    """Return text in plain letters, without marks and without what is invisible."""
    compatible = unicodedata.normalize("NFKC", text.translate(_BEFORE_NFKC)).translate(_AFTER_NFKC)
    characters = map(_plain, unicodedata.normalize("NFD", compatible))
    return unicodedata.normalize("NFC", "".join(characters))


def _plain(character: str) -> str:
    """Return a decomposed character without what is around its letter; "" for a mark."""
    if character.isspace():
        return " "
    category = unicodedata.category(character)
    if category[0] in "CM":
        return ""
    if category == "Pd":  # dashes of any length
        return "-"
    if not character.isascii() and (
        latin := _LATIN.search(name := unicodedata.name(character, ""))
    ):
        return latin[1].lower() if "SMALL" in name else latin[1]
    return character


def matches(pattern: str, name: str) -> bool | None:
    """Whether a folded name matches a pattern from its start; None where that can't be told.

    It can't be told of a word in letters of several alphabets, nor where the name does not match
    and would if its letters were the Latin ones that they look like.
    """
    regex = compile_pattern(pattern)
    if name.isascii():
        return regex.match(name) is not None
    if any(_mixed_words(name)):
        return None
    if regex.match(name):
        return True
    readings = {name.translate(table) for table in _TABLES} - {name}
    return None if any(regex.match(reading) for reading in readings) else False


def lookalikes(name: str) -> str:
    """Return the letters of a folded name that make it unclear, each once, in their order."""
    if mixed := "".join(_mixed_words(name)):
        letters = [letter for letter in mixed if _script(letter) not in {"LATIN", *_BESIDE_LATIN}]
    else:
        letters = [letter for letter in name if letter in _READINGS]
    return "".join(dict.fromkeys(letters))


def _mixed_words(name: str) -> Iterator[str]:
    """Yield the words of a folded name whose letters are of several alphabets."""
    letters = "".join(
        c if unicodedata.category(c) in {"Lu", "Ll", "Lt", "Lo"} else " " for c in name
    )
    for word in letters.split():
        if not word.isascii() and len(set(map(_script, word)) - _BESIDE_LATIN) > 1:
            yield word


def _script(letter: str) -> str:
    """Return the script of a letter, as the first word of its name says it."""
    return unicodedata.name(letter, "").partition(" ")[0]


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> Any:
    """Compile a pattern for folded names; raises ValueError with what to write instead."""
    options = re2.Options()
    options.log_errors = False  # else it writes to stderr
    try:
        return re2.compile(_fold_pattern(text), options)
    except re2.error as error:
        problem = error.args[0].decode()
        hint = next(
            (words for start, words in _HINTS.items() if problem.startswith(start)), problem
        )
        raise ValueError(f"{text!r} is not a pattern: {hint}") from None
    except ValueError as error:
        raise ValueError(f"{text!r} is not a pattern: {error}") from None


def _fold_pattern(text: str) -> str:
    """Return a pattern with its literal characters folded as names are, and RE2's escapes.

    A character that is folded never becomes an operator. Raises ValueError.
    """
    parts, in_class = [], False
    tokens = _TOKEN.findall(unicodedata.normalize("NFC", text))
    for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        if len(token) > 1 and token[0] == "\\":
            parts.append(_escape(token, in_class=in_class))
        elif token.startswith("{,"):
            raise ValueError("write a repetition with its lower end, as {0,3}")
        elif token.isascii() and not token.isspace():
            parts.append(token)
            if in_class:
                in_class = not token.endswith("]") or token.startswith("[:")
            else:
                in_class = token[0] == "[" and not token.startswith("[:")
        else:
            parts.append(_literal(token, in_class=in_class, in_range="-" in (before, after)))
    # Korean letters that stood apart are one syllable by now, as they are in a name.
    folded = unicodedata.normalize("NFC", "".join(parts))
    if not folded:
        raise ValueError("nothing of it can be seen")
    if "  " in folded or folded.startswith(" "):
        raise ValueError("a folded name has no two spaces together, and none in front")
    if not folded.isascii() and re.search(r"\\[bB]", folded):
        raise ValueError("\\b and \\B know the borders of ASCII words only")
    return folded


def _literal(character: str, *, in_class: bool, in_range: bool) -> str:
    """Return a character of a pattern folded; raises ValueError where brackets can't have that."""
    folded = _fold(character)
    if in_class and folded != character and (in_range or len(folded) > 1):
        raise ValueError(f"{character} is matched as {folded}: write that, outside of brackets")
    literal = "".join(re2.escape(c) if c.isascii() and not c.isspace() else c for c in folded)
    return f"(?:{literal})" if len(folded) > 1 else literal


def _escape(escape: str, *, in_class: bool) -> str:
    """Return an escape as RE2 has it; raises ValueError for one that no folded name fits."""
    if in_class and escape == r"\W":
        raise ValueError(r"\W can't stand in brackets: write what is meant")
    unicode_escape = (_ESCAPES_IN_CLASS if in_class else _ESCAPES).get(escape)
    if unicode_escape is None and not _OTHER_ESCAPE.fullmatch(escape):
        raise ValueError(
            f"{escape} is not supported: there are \\d \\s \\w \\b, \\p{{Greek}} and the like, "
            "and a backslash before a sign; write other characters themselves"
        )
    return unicode_escape or escape
