"""Search in what is open: the words of a list command, and which objects they find.

Knows no list and no command; whether an object waits for a person is the policy's to say.
"""

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self, assert_never

from bot.domain.evidence import is_complete
from bot.domain.snapshots import Snapshot
from bot.policy.rules import parse_length
from bot.secmaster import Finding, Instance, PlaybookInstance, Severity, Task

OPENING, CLOSING = "\"'“”„‟«「『＂‘‚‛＇", "\"'“”‟»「」』＂’‘＇"
# A phrase in quotes that open where a word begins, so that an apostrophe is none; or a word.
TOKEN = re.compile(rf"[{OPENING}]([^{OPENING}{CLOSING}]*)[{CLOSING}](?=\s|$)|(\S+)")
FILTER_LIKE = re.compile(r"[a-z]{2,}:[^/\s].*", re.DOTALL)


class UnknownFilter(Exception):
    """A word looks like a filter and is none: ``word`` as it was typed."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


@dataclass(frozen=True, slots=True)
class Search:
    """What a list is narrowed to.

    All of the folded ``words`` have to occur in an object. With ``mine`` it waits for the person
    who asks; tasks may be narrowed to ``overdue`` ones, and to those due within a time. With
    ``severity`` it is about an alert or an incident that is at least so severe.
    """

    words: tuple[str, ...] = ()
    mine: bool = False
    overdue: bool = False
    due_within: timedelta | None = None
    severity: Severity | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what somebody typed: filters anywhere, and words or quoted phrases.

        Raises UnknownFilter for "due:soon" and the like; what is in quotes is no filter.
        """
        words: list[str] = []
        filters: dict[str, Any] = {}
        for word, is_quoted in tokens(text):
            folded = fold(word)
            if is_quoted:
                words += filter(None, [folded])
            elif folded in ("mine", "overdue"):
                filters[folded] = True
            elif folded.startswith("due:"):
                filters["due_within"] = _duration(word, folded.removeprefix("due:"))
            elif folded.startswith("severity:"):
                filters["severity"] = _severity(word, folded.removeprefix("severity:"))
            elif FILTER_LIKE.fullmatch(folded):
                raise UnknownFilter(word)
            else:
                words += filter(None, [folded])
        return cls(tuple(words), **filters)

    @property
    def has_filters(self) -> bool:
        """Whether it asks for more than words."""
        return self.mine or self.asks_for_due_date or self.severity is not None

    @property
    def asks_for_due_date(self) -> bool:
        """Whether only tasks can be found by it."""
        return self.overdue or self.due_within is not None

    def leaves_out_unrated(self, snapshot: Snapshot, now: datetime) -> bool:
        """Whether an object would be found if it had been read how severe its finding is.

        Of one that is about no finding all is known.
        """
        is_read = snapshot.evidence is not None and is_complete(snapshot.evidence)
        if self.severity is None or is_read or _is_as_severe(snapshot, Severity.TIPS):
            return False
        return replace(self, severity=None).matches(snapshot, now)

    def matches(self, snapshot: Snapshot, now: datetime) -> bool:
        """Whether an object is found, all but ``mine`` considered."""
        due = snapshot.due_date if isinstance(snapshot, Task) else None
        if self.asks_for_due_date and due is None:
            return False
        if self.overdue and due is not None and due >= now:
            return False
        if self.due_within is not None and due is not None and due > now + self.due_within:
            return False
        if self.severity and not _is_as_severe(snapshot, self.severity):
            return False
        if not self.words:
            return True
        text = fold("\n".join(_texts(snapshot)))
        return all(word in text or word == snapshot.id.casefold() for word in self.words)


def is_search(text: str) -> bool:
    """Whether a text that a button carries has only filters that this version knows."""
    try:
        Search.parse(text)
    except UnknownFilter:
        return False
    return True


def tokens(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each word or phrase of a text, and whether it was in quotes."""
    for match in TOKEN.finditer(text):
        yield (match[2], False) if match[2] else (match[1], True)


def fold(text: str) -> str:
    """Return a text as it is compared: without case, full width and runs of space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _duration(word: str, text: str) -> timedelta:
    try:
        return parse_length(text)
    except ValueError:
        raise UnknownFilter(word) from None


def _severity(word: str, text: str) -> Severity:
    for severity in Severity:
        if severity.casefold() == text:
            return severity
    raise UnknownFilter(word)


def _is_as_severe(snapshot: Snapshot, least: Severity) -> bool:
    """Whether the finding behind an object is known to be at least so severe."""
    finding = snapshot.evidence.finding if snapshot.evidence else None
    severities: list[str] = [*Severity]
    return finding is not None and finding.severity in severities[severities.index(least) :]


def _texts(snapshot: Snapshot) -> Iterator[str]:
    """Yield the texts of an object that are searched."""
    if snapshot.evidence and (finding := snapshot.evidence.finding):
        yield from _finding_texts(finding)
    match snapshot:
        case Task():
            yield from (snapshot.name, snapshot.description, snapshot.creator_name)
            yield from (snapshot.related_object, snapshot.approver)
            yield from _json_texts(snapshot.view_parameters)
            yield from _json_texts(snapshot.handle_parameters)
        case Instance():
            for part in (snapshot.playbook, snapshot.dataclass_):
                yield from (part.name, part.en_name)
            yield from (snapshot.name, snapshot.workflow.name, snapshot.workflow.name_en)
            if node := snapshot.failed_node:
                yield from (node.action_name, node.error_msg)
        case PlaybookInstance():
            for part in (snapshot.dataobject, snapshot.dataclass_):
                yield from (part.name, part.en_name)
            yield from (snapshot.name, snapshot.playbook.name)
            for action in snapshot.actions or ():
                yield from (action.name, action.log.error_msg)
        case _:
            assert_never(snapshot)


def _finding_texts(finding: Finding) -> Iterator[str]:
    """Yield the title of a finding, and its assets, addresses and users."""
    yield finding.title
    for resource in finding.resources:
        yield from (resource.name, resource.id)
    for each in finding.connections:
        yield from (each.src_ip, each.src_domain, each.dest_ip, each.dest_domain)
    for user in finding.users:
        yield from (user.user_name, user.user_id)


def _json_texts(text: str) -> Iterator[str]:
    """Yield the keys and values of JSON, which may spell letters as escapes; else the text."""
    try:
        documents = [json.loads(text)]
    except (ValueError, RecursionError):
        yield text
        return
    while documents:
        match documents.pop():
            case dict() as fields:
                yield from map(str, fields)
                documents += fields.values()
            case list() as items:
                documents += items
            case value:
                yield str(value)
