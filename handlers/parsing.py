"""Parse the words of a command or mention into a request. Knows the grammar, and no Slack client.

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

# The words that may be written for a list's filter, and the filter that each means.
FILTERS: dict[ObjectKind, dict[str, str]] = {
    "task": {"todo": "todo", "waiting": "todo", "open": "todo"}
    | {"handled": "handled", "decided": "handled", "finished": "handled"},
    "instance": {status.lower(): status.lower() for status in InstanceStatus},
}
KINDS: tuple[ObjectKind, ...] = ("task", "instance")
BREAK_GLASS_USAGE = "break-glass task approve <id> <reason>"
INTENTS = {"withdraw": ApprovalIntent.WITHDRAW, "refuse": ApprovalIntent.DECLINE}

UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
# What is meant as an id and is none must not become the reason for deciding another task.
LIKE_AN_ID = re.compile(r"(?=.*\d)[0-9a-fA-F-]{8,}")
SLACK_LINK = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
LEADING_LINK = re.compile(r"[`'\"*]*<[^<>|]+\|[^<>]*>[`'\"*,;]*(?=\s|$)")
QUOTES = str.maketrans("“”„‟«»‘’‚‛", '""""""' + "''''")
PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>[,;]?")
MARKS = "`'\"*<>()[],;"


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


def parse(text: str, thread_object: Ref | None = None) -> Request:
    """Parse a command; ``thread_object`` is the object in whose card's thread it was written.

    Raises ParseError.
    """
    words = text.replace("\u00a0", " ").replace("\u200b", "").strip()
    first, rest = _split(words)
    first = first.lower().strip(MARKS)
    if first in ("", "help", "?"):
        return ShowHelp()
    if parser := PARSERS.get(first):
        return parser(first, rest, thread_object)
    for kind in KINDS:
        if first in (kind, f"{kind}s"):
            return parse_object_command(kind, rest, thread_object)
    if thread_object and first in _verbs(thread_object.kind):
        return parse_object_command(thread_object.kind, words, thread_object)
    raise ParseError(f"I don't know “{first[:40]}”.", "help", _closest(first))


def parse_plain(word: str, words: str, _thread_object: Ref | None) -> Request:
    """Parse a command of one word."""
    _refuse_more(words, word)
    return PLAIN[word]


def parse_break_glass(_word: str, words: str, thread_object: Ref | None) -> ActionRequest:
    """Parse an action that is to be decided alone."""
    is_repeated = _split(words)[0].lower().strip(MARKS) == "break-glass"
    request = None if is_repeated else parse(words, thread_object)
    if not isinstance(request, ActionRequest):
        raise ParseError("What is to be decided alone?", BREAK_GLASS_USAGE)
    return replace(request, break_glass=True)


def parse_about_object(
    word: str, words: str, thread_object: Ref | None
) -> ExplainPolicy | ShowAudit:
    """Parse "why" and "audit", with or without a kind before the id."""
    first, rest = _split(words)
    kinds: tuple[ObjectKind, ...] = tuple(kind for kind in KINDS if kind == first.lower())
    words = rest if kinds else words
    if not words and thread_object:
        return ABOUT_OBJECT[word](thread_object.id, kinds or (thread_object.kind,))
    ref, rest = _take_ref("task", words, None, f"{word} <id>")
    _refuse_more(rest, f"{word} <id>")
    return ABOUT_OBJECT[word](ref.id, kinds or KINDS)


def parse_delegation(
    word: str, words: str, _thread_object: Ref | None
) -> CreateDelegation | RevokeDelegation:
    """Parse "delegate" and "revoke": to or from whom, and until when."""
    usage = {"delegate": "delegate @person until 18:00", "revoke": "revoke @person"}[word]
    first, rest = _split(words)
    person = PERSON.fullmatch(first)
    if person is None:
        raise ParseError(f"“{first[:60]}” is nobody I know." if first else "Whom?", usage)
    if word == "revoke":
        _refuse_more(rest, usage)
        return RevokeDelegation(person[1])
    if not rest:
        raise ParseError("Until when?", usage)
    return CreateDelegation(person[1], rest)


def parse_routes(_word: str, words: str, thread_object: Ref | None) -> ShowRoutes:
    """Parse "routes", and "routes test" for one object."""
    first, rest = _split(words)
    if not first:
        return ShowRoutes()
    if first.lower() != "test":
        raise ParseError(f"“{first[:40]}” is too much here.", "routes test <id>")
    if not rest and thread_object:
        return ShowRoutes(thread_object.id)
    ref, rest = _take_ref("task", rest, None, "routes test <id>")
    _refuse_more(rest, "routes test <id>")
    return ShowRoutes(ref.id)


def parse_object_command(kind: ObjectKind, words: str, thread_object: Ref | None) -> Request:
    """Parse what follows a kind: a verb, an id where it needs one, and its parameters."""
    verb, rest = _split(words)
    verb = verb.lower().strip(MARKS)
    default_ref = thread_object if thread_object and thread_object.kind == kind else None
    if verb == "help":
        return ShowHelp()
    if not verb:
        raise ParseError(f"What about the {kind}?", f"{kind} list")
    if verb == "list":
        first, text = _split(rest)
        filter_ = FILTERS[kind].get(first.lower(), "")
        return ListQuery(kind=kind, filter=filter_, text=plain(text if filter_ else rest)[:100])
    if verb == "several":
        return BatchQuery(kind=kind, text=plain(rest)[:100])
    if verb == "show":
        ref, rest = _take_ref(kind, rest, default_ref, f"{kind} show <id>")
        _refuse_more(rest, f"{kind} show <id>")
        return ShowCard(ref)
    if verb in INTENTS:
        usage = f"{kind} {verb} <id> [reason]"
        ref, rest = _take_ref(kind, rest, default_ref, usage)
        return ChangeApproval(INTENTS[verb], ref, read_reason(rest, usage))
    for action in TABLE:
        if action.kind == kind and verb in (action.verb, *action.aliases):
            return parse_action(action, rest, default_ref)
    raise ParseError(f"I don't know “{kind} {verb[:40]}”.", "help", _closest(verb, kind))


def parse_action(action: Action, words: str, default_ref: Ref | None) -> ActionRequest:
    """Parse what follows an action's verb: the id, its parameters, and perhaps a reason."""
    ref, rest = _take_ref(action.kind, words, default_ref, action.usage)
    params = {}
    for param in action.params:
        if param.rest:
            value, rest = plain(rest), ""
        else:
            word, rest = _split(rest)
            value = identifier(word)
        params[param.name] = check_param(param, value, action.usage)
    if action.takes_reason:
        return ActionRequest(action, ref, params, read_reason(rest, action.usage))
    _refuse_more(rest, action.usage)
    return ActionRequest(action, ref, params)


def read_reason(words: str, usage: str) -> str:
    """Return the reason as it was typed; raises ParseError for one that is too long."""
    reason = plain(words)
    if len(reason) > MAX_REASON:
        problem = f"The reason has {len(reason):,} characters; {MAX_REASON:,} are possible."
        raise ParseError(problem, usage)
    return reason


def _take_ref(kind: ObjectKind, words: str, default_ref: Ref | None, usage: str) -> tuple[Ref, str]:
    """Split off the object's id; return it with the words after it.

    In a card's thread the card's object is the default, where the next word is no id.
    """
    first, rest = _split(words)
    object_id = identifier(first)
    is_uuid = UUID.fullmatch(object_id)
    if default_ref and not is_uuid and object_id != default_ref.id:
        if LIKE_AN_ID.fullmatch(object_id) or "://" in first:
            raise ParseError(f"“{first[:60]}” is no id.", usage)
        return default_ref, words
    if not first:
        raise ParseError("The id is missing.", usage)
    try:
        return Ref(kind=kind, id=object_id), rest
    except ValidationError:
        raise ParseError(f"“{first[:60]}” is no id.", usage) from None


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


def check_param(param: Param, value: str, usage: str = "") -> str:
    """Return a parameter's value; raises ParseError if it is missing, too long, or malformed."""
    if not value.strip():
        raise ParseError(f"The {param.label} is missing.", usage)
    if len(value) > param.max_length:
        problem = (
            f"The {param.label} has {len(value):,} characters; {param.max_length:,} are possible."
        )
        raise ParseError(problem, usage)
    return read_json_array(value, usage) if param.json else value


def read_json_array(text: str, usage: str = "") -> str:
    """Return a JSON array, without code marks and with the quotes that phones put in straightened.

    Raises ParseError for anything else, constants that are no JSON (NaN, Infinity) included.
    """

    def refuse_constant(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    text = text.strip().strip("`").strip()
    for candidate in (text, text.translate(QUOTES)):
        try:
            value = json.loads(candidate, parse_constant=refuse_constant)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, list):
            return candidate
        raise ParseError("The JSON must be an array: [ … ].", usage)
    raise ParseError("That is not JSON.", usage)


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


def _refuse_more(words: str, usage: str) -> None:
    """Raise ParseError if words are left after a command that is complete."""
    if words.strip():
        raise ParseError(f"“{words.strip()[:60]}” is too much here.", usage)


def _split(words: str) -> tuple[str, str]:
    """Return the first word and the rest; a link of Slack's is one word, whatever its label."""
    words = words.strip()
    if link := LEADING_LINK.match(words):
        return link[0], words[link.end() :].strip()
    parts = words.split(maxsplit=1)
    return (*parts, "", "")[0], (*parts, "", "")[1]


def _verbs(kind: ObjectKind) -> list[str]:
    """Return every verb that may follow a kind."""
    actions = [action for action in TABLE if action.kind == kind]
    return [
        "show",
        "list",
        "several",
        *INTENTS,
        *(verb for action in actions for verb in (action.verb, *action.aliases)),
    ]


Parser = Callable[[str, str, Ref | None], Request]
PARSERS: dict[str, Parser] = {
    **dict.fromkeys(PLAIN, parse_plain),
    **dict.fromkeys(ABOUT_OBJECT, parse_about_object),
    "delegate": parse_delegation,
    "revoke": parse_delegation,
    "routes": parse_routes,
    "break-glass": parse_break_glass,
}


def _closest(word: str, kind: ObjectKind | None = None) -> str:
    """Return the command that is spelled most like a word, "" if none is like it."""
    if kind:
        commands = {verb: f"{kind} {verb}" for verb in _verbs(kind)}
    else:
        commands = {name: name for name in (*KINDS, "help", *PARSERS)}
        for other_kind in reversed(KINDS):
            commands |= {verb: f"{other_kind} {verb}" for verb in _verbs(other_kind)}
    nearest = difflib.get_close_matches(word, commands, n=1)
    return commands[nearest[0]] if nearest else ""
