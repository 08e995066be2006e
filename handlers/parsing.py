"""Words to a request: the grammar of slash commands and mentions. Knows no Slack client.

People paste: case, smart quotes, code marks, Slack's own escapes and whole console links around
an id are tolerated. Anything that does not make sense as a whole is refused as a whole.
"""

import difflib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote

from pydantic import ValidationError

from bot.domain.actions import LONGEST_REASON, TABLE, Action, Param
from bot.domain.batches import Several
from bot.domain.models import Listing, Noun, Ref, Say
from bot.secmaster import InstanceStatus
from handlers.requests import (
    Ask,
    Audit,
    HandOver,
    Help,
    Lend,
    Loans,
    OnCall,
    Reload,
    Request,
    Routes,
    Show,
    Status,
    Subscribe,
    TakeBack,
    Unsay,
    Whoami,
    Why,
)

# What may be written, and the state that is meant.
FILTERS: dict[Noun, dict[str, str]] = {
    "task": {"todo": "todo", "waiting": "todo", "open": "todo"}
    | {"handled": "handled", "decided": "handled", "finished": "handled"},
    "instance": {status.lower(): status.lower() for status in InstanceStatus},
}
NOUNS: tuple[Noun, ...] = ("task", "instance")
GLASS_USAGE = "break-glass task approve <id> <reason>"
UNSAYING = {"withdraw": Say.WITHDRAW, "refuse": Say.REFUSE}

UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
# What is meant as an id and is none must not become the reason for deciding another task.
LIKE_AN_ID = re.compile(r"(?=.*\d)[0-9a-fA-F-]{8,}")
WRAPPED = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
LEADING_LINK = re.compile(r"[`'\"*]*<[^<>|]+\|[^<>]*>[`'\"*,;]*(?=\s|$)")
QUOTES = str.maketrans("“”„‟«»‘’‚‛", '""""""' + "''''")
PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>[,;]?")
AROUND = "`'\"*<>()[],;"


PLAIN: dict[str, Request] = {
    "whoami": Whoami(),
    "reload": Reload(),
    "delegations": Loans(),
    "status": Status(),
    "digest": HandOver(),
    "oncall": OnCall(),
    "watch": Subscribe(wanted=True),
    "unwatch": Subscribe(wanted=False),
}
ABOUT_ONE: dict[str, type[Why] | type[Audit]] = {"why": Why, "audit": Audit}


class NotUnderstood(Exception):
    """The words make no request.

    ``problem`` says why, ``usage`` how it is written, ``nearest`` what may have been meant.
    """

    def __init__(self, problem: str, usage: str = "", nearest: str = "") -> None:
        super().__init__(problem, usage, nearest)
        self.problem = problem
        self.usage = usage
        self.nearest = nearest


def parse(text: str, here: Ref | None = None) -> Request:
    """Read a command's words; ``here`` is the object whose thread they were written in."""
    words = text.replace("\u00a0", " ").replace("\u200b", "").strip()
    first, rest = _split(words)
    first = first.lower().strip(AROUND)
    if first in ("", "help", "?"):
        return Help()
    if reader := READERS.get(first):
        return reader(first, rest, here)
    for noun in NOUNS:
        if first in (noun, f"{noun}s"):
            return _about(noun, rest, here)
    if here and first in _verbs(here.noun):
        return _about(here.noun, words, here)
    raise NotUnderstood(f"I don't know “{first[:40]}”.", "help", _closest(first))


def _plain_word(word: str, words: str, _here: Ref | None) -> Request:
    """A word that stands alone."""
    _nothing_left(words, word)
    return PLAIN[word]


def _breaking(_word: str, words: str, here: Ref | None) -> Ask:
    """An action that is to be decided alone."""
    again = _split(words)[0].lower().strip(AROUND) == "break-glass"
    asked = None if again else parse(words, here)
    if not isinstance(asked, Ask):
        raise NotUnderstood("What is to be decided alone?", GLASS_USAGE)
    return replace(asked, glass=True)


def _about_one(word: str, words: str, here: Ref | None) -> Why | Audit:
    """Why and audit: with or without a noun before the id."""
    first, rest = _split(words)
    nouns: tuple[Noun, ...] = tuple(each for each in NOUNS if each == first.lower())
    words = rest if nouns else words
    if not words and here:
        return ABOUT_ONE[word](here.id, nouns or (here.noun,))
    ref, rest = _ref("task", words, None, f"{word} <id>")
    _nothing_left(rest, f"{word} <id>")
    return ABOUT_ONE[word](ref.id, nouns or NOUNS)


def _lending(word: str, words: str, _here: Ref | None) -> Lend | TakeBack:
    """To whom, and until when."""
    usage = {"delegate": "delegate @person until 18:00", "revoke": "revoke @person"}[word]
    first, rest = _split(words)
    person = PERSON.fullmatch(first)
    if person is None:
        raise NotUnderstood(f"“{first[:60]}” is nobody I know." if first else "Whom?", usage)
    if word == "revoke":
        _nothing_left(rest, usage)
        return TakeBack(person[1])
    if not rest:
        raise NotUnderstood("Until when?", usage)
    return Lend(person[1], rest)


def _routes(_word: str, words: str, here: Ref | None) -> Routes:
    """All routes, or what they make of one object."""
    first, rest = _split(words)
    if not first:
        return Routes()
    if first.lower() != "test":
        raise NotUnderstood(f"“{first[:40]}” is too much here.", "routes test <id>")
    if not rest and here:
        return Routes(here.id)
    ref, rest = _ref("task", rest, None, "routes test <id>")
    _nothing_left(rest, "routes test <id>")
    return Routes(ref.id)


def _about(noun: Noun, words: str, here: Ref | None) -> Request:
    verb, rest = _split(words)
    verb = verb.lower().strip(AROUND)
    if verb == "help":
        return Help()
    if not verb:
        raise NotUnderstood(f"What about the {noun}?", f"{noun} list")
    if verb == "list":
        return _listing(noun, rest)
    if verb == "several":
        return Several(noun=noun, text=plain(rest)[:100])
    own = here if here and here.noun == noun else None
    if verb == "show":
        ref, rest = _ref(noun, rest, own, f"{noun} show <id>")
        _nothing_left(rest, f"{noun} show <id>")
        return Show(ref)
    if verb in UNSAYING:
        usage = f"{noun} {verb} <id> [reason]"
        ref, rest = _ref(noun, rest, own, usage)
        return Unsay(UNSAYING[verb], ref, _reason(rest, usage))
    for action in TABLE:
        if action.noun == noun and verb in (action.verb, *action.aliases):
            return _ask(action, rest, own)
    raise NotUnderstood(f"I don't know “{noun} {verb[:40]}”.", "help", _closest(verb, noun))


def _listing(noun: Noun, words: str) -> Listing:
    first, rest = _split(words)
    if state := FILTERS[noun].get(first.lower()):
        return Listing(noun=noun, filter=state, text=plain(rest)[:100])
    return Listing(noun=noun, text=plain(words)[:100])


def _ask(action: Action, words: str, own: Ref | None) -> Ask:
    ref, rest = _ref(action.noun, words, own, action.usage)
    params = {}
    for param in action.needs:
        params[param.name], rest = _param(param, rest, action.usage)
    if action.takes_reason:
        return Ask(action, ref, params, _reason(rest, action.usage))
    _nothing_left(rest, action.usage)
    return Ask(action, ref, params)


def _reason(words: str, usage: str) -> str:
    reason = plain(words)
    if len(reason) > LONGEST_REASON:
        problem = f"The reason has {len(reason):,} characters; {LONGEST_REASON:,} are possible."
        raise NotUnderstood(problem, usage)
    return reason


def _ref(noun: Noun, words: str, own: Ref | None, usage: str) -> tuple[Ref, str]:
    """Take the id, or in a card's thread the card's own where the next word is no id."""
    first, rest = _split(words)
    found = identifier(first)
    if own and (not found or not UUID.fullmatch(found)) and found != own.id:
        if LIKE_AN_ID.fullmatch(found) or "://" in first:
            raise NotUnderstood(f"“{first[:60]}” is no id.", usage)
        return own, words
    if not first:
        raise NotUnderstood("The id is missing.", usage)
    try:
        return Ref(noun=noun, id=found), rest
    except ValidationError:
        raise NotUnderstood(f"“{first[:60]}” is no id.", usage) from None


def identifier(word: str) -> str:
    """The id in a pasted word: bare, quoted, in code marks, or in a console link."""
    if wrapped := WRAPPED.fullmatch(word.strip("`'\"*")):
        word = wrapped[1]
    word = unquote(unescape(word)).translate(QUOTES).strip(AROUND)
    if uuids := UUID.findall(word):
        return str(uuids[-1]).lower()  # written otherwise it is the same task, and has one key
    if "://" in word:
        return re.split(r"[/=]", word.rstrip("/"))[-1]
    return word


def _param(param: Param, words: str, usage: str) -> tuple[str, str]:
    if param.rest:
        return checked(param, plain(words), usage), ""
    value, rest = _split(words)
    return checked(param, identifier(value), usage), rest


def checked(param: Param, value: str, usage: str = "") -> str:
    """Refuse a parameter that is missing, too long, or not of its form."""
    if not value.strip():
        raise NotUnderstood(f"The {param.label} is missing.", usage)
    if len(value) > param.longest:
        problem = (
            f"The {param.label} has {len(value):,} characters; {param.longest:,} are possible."
        )
        raise NotUnderstood(problem, usage)
    return _json(value, usage) if param.json else value


def _json(text: str, usage: str) -> str:
    """A JSON array, forgiving code marks and the quotes that phones put in."""
    text = text.strip().strip("`").strip()
    for attempt in (text, text.translate(QUOTES)):
        try:
            found = json.loads(attempt, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, list):
            return attempt
        raise NotUnderstood("The JSON must be an array: [ … ].", usage)
    raise NotUnderstood("That is not JSON.", usage)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def plain(text: str) -> str:
    """What somebody typed, without Slack's escapes: mentions by name, links as addresses."""
    return unescape(WRAPPED.sub(_unwrap, text)).strip()


def _unwrap(found: re.Match[str]) -> str:
    target, label = found[1], found[2]
    if target[0] in "@#!":
        sign = {"!": "@"}.get(target[0], target[0])
        return sign + (label or target[1:]).lstrip("@#")
    return target.removeprefix("mailto:")


def unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _nothing_left(words: str, usage: str) -> None:
    if words.strip():
        raise NotUnderstood(f"“{words.strip()[:60]}” is too much here.", usage)


def _split(words: str) -> tuple[str, str]:
    """The first word and the rest; a link of Slack's is one word, whatever its label says."""
    words = words.strip()
    if link := LEADING_LINK.match(words):
        return link[0], words[link.end() :].strip()
    parts = words.split(maxsplit=1)
    return (*parts, "", "")[0], (*parts, "", "")[1]


def _verbs(noun: Noun) -> list[str]:
    own = [action for action in TABLE if action.noun == noun]
    return [
        "show",
        "list",
        "several",
        *UNSAYING,
        *(word for each in own for word in (each.verb, *each.aliases)),
    ]


Reader = Callable[[str, str, Ref | None], Request]
READERS: dict[str, Reader] = {
    **dict.fromkeys(PLAIN, _plain_word),
    **dict.fromkeys(ABOUT_ONE, _about_one),
    "delegate": _lending,
    "revoke": _lending,
    "routes": _routes,
    "break-glass": _breaking,
}


def _closest(word: str, noun: Noun | None = None) -> str:
    if noun:
        known = {verb: f"{noun} {verb}" for verb in _verbs(noun)}
    else:
        known = {each: each for each in (*NOUNS, "help", *READERS)}
        known |= {verb: f"{each} {verb}" for each in reversed(NOUNS) for verb in _verbs(each)}
    near = difflib.get_close_matches(word, known, n=1)
    return known[near[0]] if near else ""
