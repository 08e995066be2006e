"""Read the parts that commands are made of: words, ids, parameters, and text with Slack's escapes.

People paste: case, smart quotes, code marks, Slack's own escapes and whole console links around
an id are tolerated. Knows no command; those are in ``handlers.command_table``.
"""

import json
import re
from urllib.parse import unquote

from bot.domain.actions import MAX_REASON, Param
from bot.domain.json_faults import find_fault
from bot.domain.objects import ObjectId, ObjectKind, Ref
from bot.messages import command_problems
from bot.messages.catalogue import Sentence

MAX_SEARCH = 100  # characters of a text that is searched for
OBJECT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
IP_ADDRESS = re.compile(r"\d+(?:\.\d+){3}")
UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
# What is meant as an id and is none must not become the reason for deciding another task.
LIKE_AN_ID = re.compile(r"(?=.*\d)[0-9a-fA-F-]{8,}")
BROKEN_UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]+|[0-9a-fA-F]{32}")
JOINERS = {"and", "plus", "then", "&", "&amp;", "+", ",", ";", "/"}  # what stands between two ids
SLACK_LINK = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
LEADING_LINK = re.compile(r"[`'\"*]*<[^<>|]+\|[^<>]*>[`'\"*,;]*(?=\s|$)")
QUOTES = str.maketrans("“”„‟«»‘’‚‛", '""""""' + "''''")
PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>[,;]?")
MARKS = "`'\"*<>()[],;"


class ParseError(Exception):
    """The words make no request.

    ``problem`` says why, in whichever language it is read; ``usage`` how it is written ("": as its
    command is), ``nearest`` what may have been meant. ``sends`` says that the words may have meant
    something that is sent to SecMaster.
    """

    def __init__(
        self, problem: Sentence, usage: str = "", nearest: str = "", *, sends: bool = False
    ) -> None:
        super().__init__(problem, usage, nearest, sends)
        self.problem = problem
        self.usage = usage
        self.nearest = nearest
        self.sends = sends


def split(words: str) -> tuple[str, str]:
    """Return the first word and the rest; a link of Slack's is one word, whatever its label."""
    words = words.strip()
    if link := LEADING_LINK.match(words):
        return link[0], words[link.end() :].strip()
    parts = words.split(maxsplit=1)
    return (*parts, "", "")[0], (*parts, "", "")[1]


def refuse_more(words: str) -> None:
    """Raise ParseError if words are left after a command that is complete."""
    if words.strip():
        raise ParseError(command_problems.unexpected(words.strip()))


def read_reason(words: str) -> str:
    """Return the reason as it was typed; raises ParseError for one that is too long."""
    reason = plain(words)
    check_reason(reason)
    return reason


def check_reason(reason: str, limit: int = MAX_REASON) -> None:
    """Raise ParseError for a reason that is longer than ``limit`` characters."""
    if len(reason) > limit:
        raise ParseError(command_problems.reason_too_long(len(reason), limit))


def refuse_second_id(kind: ObjectKind, words: str) -> None:
    """Raise ParseError if a reason begins with an object's id: it would decide the first alone.

    An id that comes later in the sentence is part of it.
    """
    word, rest = split(words)
    while word.lower() in JOINERS:
        word, rest = split(rest)
    object_id = identifier(word)
    if UUID.fullmatch(object_id) or BROKEN_UUID.fullmatch(object_id):
        raise ParseError(one_at_a_time(kind))


def one_at_a_time(kind: ObjectKind | None) -> Sentence:
    """Return that a command is about one object of a kind, None for either."""
    if kind is None:
        return command_problems.ONE_ID
    return command_problems.one_at_a_time(kind, f"{kind} several")


def ids_in(word: str) -> set[str]:
    """Return the ids that a pasted word names: the last one of a link, and each of other text."""
    targets = [target for target, _label in SLACK_LINK.findall(word)]
    ids = set()
    for part in (*targets, *re.split("[,;]", SLACK_LINK.sub(",", word))):
        uuids = [uuid.lower() for uuid in UUID.findall(unquote(unescape(part)))]
        ids.update(uuids[-1:] if "://" in part else uuids)
    return ids


def take_ref(kind: ObjectKind, words: str, default_ref: Ref | None = None) -> tuple[Ref, str]:
    """Split off the object's id; return its reference with the words after it.

    In a card's thread the card's object is the default, where the next word is no id.
    """
    first, rest = split(words)
    object_id = identifier(first)
    is_other = UUID.fullmatch(object_id) or object_id == (default_ref.id if default_ref else "")
    if default_ref and not is_other and len(ids_in(first)) < 2:  # noqa: PLR2004 - one at a time
        if LIKE_AN_ID.fullmatch(object_id) or "://" in first:
            raise ParseError(command_problems.not_an_id(kind))
        return default_ref, words
    object_id, rest = take_id(kind, words)
    return Ref(kind=kind, id=object_id), rest


def take_id(kind: ObjectKind | None, words: str) -> tuple[ObjectId, str]:
    """Split off the id of an object of a kind, None for either; return it with the words after it.

    Without a digit in it a word is none: it is more likely a name, which is searched for.
    """
    first, rest = split(words)
    if len(ids_in(first)) > 1:
        raise ParseError(one_at_a_time(kind))
    if not first:
        raise ParseError(command_problems.which_object(kind))
    object_id = identifier(first)
    if is_object_id(object_id):
        return object_id, rest
    name = " ".join(plain(words).split())
    if "://" in first or len(name) > MAX_SEARCH or not any(map(str.isalnum, name)):
        raise ParseError(command_problems.not_an_id(kind))
    raise ParseError(command_problems.search_instead(f"{kind or 'task'} list {name}"))


def is_object_id(word: str) -> bool:
    """Whether a word may be the id of a task or a run; an address is none."""
    is_id = OBJECT_ID.fullmatch(word) and not IP_ADDRESS.fullmatch(word)
    return bool(is_id) and any(map(str.isdigit, word))


def identifier(word: str) -> str:
    """Return the id in a pasted word: bare, quoted, in code marks, or in a console link."""
    if link := SLACK_LINK.fullmatch(word.strip("`'\"*")):
        word = link[1]
    word = unquote(unescape(word)).translate(QUOTES).strip(MARKS)
    if uuids := UUID.findall(word):
        return str(uuids[-1]).lower()  # written otherwise it is the same task, and has one key
    if "://" in word:
        return re.split(r"[/=]", word.rstrip("/"))[-1]
    return word


def check_param(param: Param, value: str) -> str:
    """Return a parameter's value; raises ParseError if it is missing, too long, or malformed."""
    text = value.strip()
    if not text:
        raise ParseError(command_problems.EMPTY)
    if len(text) > param.max_length:
        raise ParseError(command_problems.too_long(len(text), param.max_length))
    return read_json_array(value) if param.json else text


def read_json_array(text: str) -> str:
    """Return a JSON array, without code marks and with the quotes that phones put in straightened.

    Raises ParseError for anything else, constants that are no JSON (NaN, Infinity) included. It
    says at which line and column of the text the fault is.
    """
    inner = text.strip().strip("`").strip()
    for candidate in (inner, inner.translate(QUOTES)):
        try:
            value = json.loads(candidate, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, list):
            return candidate
        raise ParseError(command_problems.NOT_AN_ARRAY)
    place = find_fault(text, text.index(inner), inner.translate(QUOTES))
    raise ParseError(
        command_problems.json_fault(place) if place else command_problems.JSON_TOO_DEEP
    )


def _refuse_constant(name: str) -> None:
    raise ParseError(command_problems.json_constant(name))


def plain(text: str) -> str:
    """Return what somebody typed without Slack's escapes: mentions by name, links as addresses."""

    def unwrap(link: re.Match[str]) -> str:
        target, label = link[1], link[2]
        if target[0] in "@#!":
            sign = {"!": "@"}.get(target[0], target[0])
            return sign + (label or target[1:]).lstrip("@#")
        return target.removeprefix("mailto:")

    return unescape(SLACK_LINK.sub(unwrap, text)).strip()


def unescape(text: str) -> str:
    """Undo the three escapes that Slack puts into every text."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
