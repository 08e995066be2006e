"""Snapshots of tasks and runs, their fingerprints, and what changed between two of them.

A card's buttons carry the decision fingerprint of what it showed, so that a click on an outdated
card is noticed and the record says on what was decided.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never

from bot.domain.fields import decisive_texts, finding_texts
from bot.domain.objects import ObjectKind, Value
from bot.secmaster import DueHandle, Evidence, Instance, PlaybookInstance, Task

Run = Instance | PlaybookInstance  # what may fail and be retried
Snapshot = Task | Run

# Characters of a decision fingerprint: a button has room for them, and nobody finds another
# snapshot with the same.
FINGERPRINT_LENGTH = 32
# What ticks of the evidence while nothing happens: a count, and times, and a request's id.
TICKING: dict[str, Any] = {
    "read_at": True,
    "finding": {"count", "last_observed_time", "update_time"},
    "unread": {"__all__": {"request_id"}},
}
COMMENT = "comment"  # the label of a change of one comment, which is no field with one text


class Change(Value):
    """One fact about an object that differs from what was shown."""

    label: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """SecMaster's answer about an object; ``snapshot`` is None where the object is gone.

    The object was so at some moment between ``asked_at`` and ``answered_at``: of two readings that
    overlap nobody can tell which is newer.
    """

    snapshot: Snapshot | None
    asked_at: datetime
    answered_at: datetime


class ListSource(StrEnum):
    """Where the rows of a list come from.

    What is open is known by ``SYNC``; SecMaster is asked where that is off or late. ``SECMASTER``
    is always asked for what is settled, and sorts and searches that itself.
    """

    SYNC = "sync"
    SYNC_OFF = "sync_off"
    SYNC_LATE = "sync_late"
    SECMASTER = "secmaster"


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list, and how many rows the list has.

    ``offset`` is how many rows come before the page. In a ``restricted`` one the rows that the
    person may not read are left out, and counted nowhere. ``looked_through`` is how many rows of a
    longer list were read at all, None for all. ``as_of`` is when sync read them. ``snoozes`` say
    until when the person has snoozed objects for themselves alone, by their ids; ``assignees`` who
    has claimed which. ``unrated`` is how many objects a search by severity leaves out since nobody
    knows how severe they are.
    """

    rows: Sequence[Snapshot]
    total: int
    offset: int = 0
    restricted: bool = False
    looked_through: int | None = None
    source: ListSource = ListSource.SECMASTER
    as_of: datetime | None = None
    snoozes: Mapping[str, datetime] = field(default_factory=dict)
    assignees: Mapping[str, str] = field(default_factory=dict)
    unrated: int = 0


class StoredSnapshot(Value):
    """A snapshot as JSON, and its decision fingerprint; both "" where the object is gone."""

    fingerprint: str = ""
    snapshot: str = ""


def with_evidence(snapshot: Snapshot, stored: Evidence | None) -> Snapshot:
    """Return a snapshot with the evidence that is stored for its object, unless it has its own."""
    if snapshot.evidence or stored is None:
        return snapshot
    return snapshot.model_copy(update={"evidence": stored})


def without_evidence(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot as SecMaster itself answered it."""
    return snapshot.model_copy(update={"evidence": None}) if snapshot.evidence else snapshot


def rendered_fingerprint(snapshot: Snapshot) -> str:
    """Return the fingerprint of everything: where it differs, a card may look different.

    Left out is what ticks of the evidence: a card that shows it is not drawn again for that alone.
    """
    text = snapshot.model_dump_json(exclude={"evidence": TICKING})
    return hashlib.sha256(text.encode()).hexdigest()


def decision_fingerprint(snapshot: Snapshot) -> str:
    """Return the fingerprint of what matters to a decision, and of which object it is."""
    facts = [snapshot.id, decisive_texts(snapshot), _comments(snapshot)]
    text = json.dumps(facts, sort_keys=True)  # in ASCII: half a surrogate pair has bytes as well
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_LENGTH]


def stored(snapshot: Snapshot) -> StoredSnapshot:
    """Return a snapshot as it is stored."""
    return StoredSnapshot(
        fingerprint=decision_fingerprint(snapshot), snapshot=snapshot.model_dump_json()
    )


def parse(kind: ObjectKind, text: str) -> Snapshot | None:
    """Read a stored snapshot's JSON; None for ""."""
    if not text:
        return None
    match kind:
        case "task":
            return Task.model_validate_json(text)
        case "instance":
            return Instance.model_validate_json(text)
        case "playbook":
            return PlaybookInstance.model_validate_json(text)
        case _:
            assert_never(kind)


def kind_of(snapshot: Snapshot) -> ObjectKind:
    """Return which kind of object this is a snapshot of."""
    match snapshot:
        case Task():
            return "task"
        case Instance():
            return "instance"
        case PlaybookInstance():
            return "playbook"
        case _:
            assert_never(snapshot)


def attempt(snapshot: Snapshot | None) -> int:
    """Return a number that is another, and greater, with every attempt of a run; else 0.

    A run of a workflow counts its retries. One of a playbook does not: its attempts are told apart
    by when they ended, in milliseconds. 0 where that is not stated.
    """
    match snapshot:
        case None | Task():
            return 0
        case Instance():
            return snapshot.retry_count
        case PlaybookInstance():
            return round(snapshot.end_time.timestamp() * 1000) if snapshot.end_time else 0
        case _:
            assert_never(snapshot)


def due_end(snapshot: Snapshot | None, after: datetime) -> tuple[datetime, DueHandle] | None:
    """Return when SecMaster ends a task by itself after a time, and how; None where it does not."""
    if not isinstance(snapshot, Task) or snapshot.due_date is None or snapshot.due_date <= after:
        return None
    if snapshot.due_handle not in tuple(DueHandle):
        return None
    return snapshot.due_date, DueHandle(snapshot.due_handle)


def changes(
    before: Snapshot, after: Snapshot, own_references: Collection[str] = ()
) -> tuple[Change, ...]:
    """Return what matters to a decision and has changed, labelled with SecMaster's field names.

    Comments that carry one of ``own_references`` are the reader's own, and no news to them.
    """
    # What was known around it was shown then, whether or not a rule asked about it.
    old, new = finding_texts(before.evidence) | decisive_texts(before), decisive_texts(after)
    facts = [
        Change(label=key, before=old.get(key, ""), after=text)
        for key, text in new.items()
        if text != old.get(key, "")
    ]
    old_comments, comments = _comments(before, own_references), _comments(after, own_references)
    removed = [
        Change(label=COMMENT, before=text)
        for key, text in old_comments.items()
        if comments.get(key) != text
    ]
    added = [
        Change(label=COMMENT, after=text)
        for key, text in comments.items()
        if text != old_comments.get(key)
    ]
    return (*facts, *removed, *added)


def _comments(snapshot: Snapshot, own_references: Collection[str] = ()) -> dict[str, str]:
    """Return author and text of each comment by its id, without the reader's own.

    Of several comments with one reference only the first is the reader's: a copy comes later.
    """
    comments = snapshot.comments if isinstance(snapshot, Task) else ()
    remaining, texts = set(own_references), {}
    for comment in comments:
        references = {text for text in remaining if text in comment.message}
        remaining -= references
        if not references:
            author = comment.user_name or comment.user_id
            texts[comment.id] = f"{author}: {comment.message}"
    return texts
