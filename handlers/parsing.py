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

from bot.domain.actions import MAX_REASON, TABLE, Action, Param
from bot.domain.approvals import ApprovalIntent
from bot.domain.batches import BatchQuery
from bot.domain.objects import ListQuery, ObjectKind, Ref
from bot.secmaster import InstanceStatus
from handlers.requests import (
    ActionRequest,
    ChangeApproval,
    CreateDelegation,
    ExplainPolicy,
    ListDelegations,
    ReloadPolicy,
    Request,
    RevokeDelegation,
    SetSubscription,
    ShowAudit,
    ShowCard,
    ShowDigest,
    ShowHelp,
    ShowOnCall,
    ShowRoutes,
    ShowStatus,
    Whoami,
)

# What may be written, and the state that is meant.
FILTERS: dict[ObjectKind, dict[str, str]] = {
    "task": {"todo": "todo", "waiting": "todo", "open": "todo"}
    | {"handled": "handled", "decided": "handled", "finished": "handled"},
    "instance": {status.lower(): status.lower() for status in InstanceStatus},
}
KINDS: tuple[ObjectKind, ...] = ("task", "instance")
GLASS_USAGE = "break-glass task approve <id> <reason>"
INTENTS = {"withdraw": ApprovalIntent.WITHDRAW, "refuse": ApprovalIntent.DECLINE}

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
    "reload": ReloadPolicy(),
    "delegations": ListDelegations(),
    "status": ShowStatus(),
    "digest": ShowDigest(),
    "oncall": ShowOnCall(),
    "watch": SetSubscription(subscribe=True),
    "unwatch": SetSubscription(subscribe=False),
}
ABOUT_OBJECT: dict[str, type[ExplainPolicy] | type[ShowAudit]] = {
    "why": ExplainPolicy,
    "audit": ShowAudit,
}


class ParseError(Exception):
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
        return ShowHelp()
    if reader := PARSERS.get(first):
        return reader(first, rest, here)
    for noun in KINDS:
        if first in (noun, f"{noun}s"):
            return _about(noun, rest, here)
    if here and first in _verbs(here.kind):
        return _about(here.kind, words, here)
    raise ParseError(f"I don't know “{first[:40]}”.", "help", _closest(first))


def _plain_word(word: str, words: str, _here: Ref | None) -> Request:
    """A word that stands alone."""
    _nothing_left(words, word)
    return PLAIN[word]


def _breaking(_word: str, words: str, here: Ref | None) -> ActionRequest:
    """An action that is to be decided alone."""
    again = _split(words)[0].lower().strip(AROUND) == "break-glass"
    asked = None if again else parse(words, here)
    if not isinstance(asked, ActionRequest):
        raise ParseError("What is to be decided alone?", GLASS_USAGE)
    return replace(asked, break_glass=True)


def _about_one(word: str, words: str, here: Ref | None) -> ExplainPolicy | ShowAudit:
    """Why and audit: with or without a noun before the id."""
    first, rest = _split(words)
    nouns: tuple[ObjectKind, ...] = tuple(each for each in KINDS if each == first.lower())
    words = rest if nouns else words
    if not words and here:
        return ABOUT_OBJECT[word](here.id, nouns or (here.kind,))
    ref, rest = _ref("task", words, None, f"{word} <id>")
    _nothing_left(rest, f"{word} <id>")
    return ABOUT_OBJECT[word](ref.id, nouns or KINDS)


def _lending(word: str, words: str, _here: Ref | None) -> CreateDelegation | RevokeDelegation:
    """To whom, and until when."""
    usage = {"delegate": "delegate @person until 18:00", "revoke": "revoke @person"}[word]
    first, rest = _split(words)
    person = PERSON.fullmatch(first)
    if person is None:
        raise ParseError(f"“{first[:60]}” is nobody I know." if first else "Whom?", usage)
    if word == "revoke":
        _nothing_left(rest, usage)
        return RevokeDelegation(person[1])
    if not rest:
        raise ParseError("Until when?", usage)
    return CreateDelegation(person[1], rest)


def _routes(_word: str, words: str, here: Ref | None) -> ShowRoutes:
    """All routes, or what they make of one object."""
    first, rest = _split(words)
    if not first:
        return ShowRoutes()
    if first.lower() != "test":
        raise ParseError(f"“{first[:40]}” is too much here.", "routes test <id>")
    if not rest and here:
        return ShowRoutes(here.id)
    ref, rest = _ref("task", rest, None, "routes test <id>")
    _nothing_left(rest, "routes test <id>")
    return ShowRoutes(ref.id)


def _about(noun: ObjectKind, words: str, here: Ref | None) -> Request:
    verb, rest = _split(words)
    verb = verb.lower().strip(AROUND)
    if verb == "help":
        return ShowHelp()
    if not verb:
        raise ParseError(f"What about the {noun}?", f"{noun} list")
    if verb == "list":
        return _listing(noun, rest)
    if verb == "several":
        return BatchQuery(kind=noun, text=plain(rest)[:100])
    own = here if here and here.kind == noun else None
    if verb == "show":
        ref, rest = _ref(noun, rest, own, f"{noun} show <id>")
        _nothing_left(rest, f"{noun} show <id>")
        return ShowCard(ref)
    if verb in INTENTS:
        usage = f"{noun} {verb} <id> [reason]"
        ref, rest = _ref(noun, rest, own, usage)
        return ChangeApproval(INTENTS[verb], ref, _reason(rest, usage))
    for action in TABLE:
        if action.kind == noun and verb in (action.verb, *action.aliases):
            return _ask(action, rest, own)
    raise ParseError(f"I don't know “{noun} {verb[:40]}”.", "help", _closest(verb, noun))


def _listing(noun: ObjectKind, words: str) -> ListQuery:
    first, rest = _split(words)
    if state := FILTERS[noun].get(first.lower()):
        return ListQuery(kind=noun, filter=state, text=plain(rest)[:100])
    return ListQuery(kind=noun, text=plain(words)[:100])


def _ask(action: Action, words: str, own: Ref | None) -> ActionRequest:
    ref, rest = _ref(action.kind, words, own, action.usage)
    params = {}
    for param in action.params:
        params[param.name], rest = _param(param, rest, action.usage)
    if action.takes_reason:
        return ActionRequest(action, ref, params, _reason(rest, action.usage))
    _nothing_left(rest, action.usage)
    return ActionRequest(action, ref, params)


def _reason(words: str, usage: str) -> str:
    reason = plain(words)
    if len(reason) > MAX_REASON:
        problem = f"The reason has {len(reason):,} characters; {MAX_REASON:,} are possible."
        raise ParseError(problem, usage)
    return reason


def _ref(noun: ObjectKind, words: str, own: Ref | None, usage: str) -> tuple[Ref, str]:
    """Take the id, or in a card's thread the card's own where the next word is no id."""
    first, rest = _split(words)
    found = identifier(first)
    if own and (not found or not UUID.fullmatch(found)) and found != own.id:
        if LIKE_AN_ID.fullmatch(found) or "://" in first:
            raise ParseError(f"“{first[:60]}” is no id.", usage)
        return own, words
    if not first:
        raise ParseError("The id is missing.", usage)
    try:
        return Ref(kind=noun, id=found), rest
    except ValidationError:
        raise ParseError(f"“{first[:60]}” is no id.", usage) from None


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
        return check_param(param, plain(words), usage), ""
    value, rest = _split(words)
    return check_param(param, identifier(value), usage), rest


def check_param(param: Param, value: str, usage: str = "") -> str:
    """Refuse a parameter that is missing, too long, or not of its form."""
    if not value.strip():
        raise ParseError(f"The {param.label} is missing.", usage)
    if len(value) > param.max_length:
        problem = (
            f"The {param.label} has {len(value):,} characters; {param.max_length:,} are possible."
        )
        raise ParseError(problem, usage)
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
        raise ParseError("The JSON must be an array: [ … ].", usage)
    raise ParseError("That is not JSON.", usage)


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
        raise ParseError(f"“{words.strip()[:60]}” is too much here.", usage)


def _split(words: str) -> tuple[str, str]:
    """The first word and the rest; a link of Slack's is one word, whatever its label says."""
    words = words.strip()
    if link := LEADING_LINK.match(words):
        return link[0], words[link.end() :].strip()
    parts = words.split(maxsplit=1)
    return (*parts, "", "")[0], (*parts, "", "")[1]


def _verbs(noun: ObjectKind) -> list[str]:
    own = [action for action in TABLE if action.kind == noun]
    return [
        "show",
        "list",
        "several",
        *INTENTS,
        *(word for each in own for word in (each.verb, *each.aliases)),
    ]


Reader = Callable[[str, str, Ref | None], Request]
PARSERS: dict[str, Reader] = {
    **dict.fromkeys(PLAIN, _plain_word),
    **dict.fromkeys(ABOUT_OBJECT, _about_one),
    "delegate": _lending,
    "revoke": _lending,
    "routes": _routes,
    "break-glass": _breaking,
}


def _closest(word: str, noun: ObjectKind | None = None) -> str:
    if noun:
        known = {verb: f"{noun} {verb}" for verb in _verbs(noun)}
    else:
        known = {each: each for each in (*KINDS, "help", *PARSERS)}
        known |= {verb: f"{each} {verb}" for each in reversed(KINDS) for verb in _verbs(each)}
    near = difflib.get_close_matches(word, known, n=1)
    return known[near[0]] if near else ""
