"""The audit in Slack: which records are asked for, and only of objects that the person may read."""

import asyncio
import re
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from itertools import islice

from pydantic import ValidationError

from bot.domain.actions import TABLE
from bot.domain.audit import OUTCOME_WORDS, AuditQuery, read_edge
from bot.domain.objects import MAX_SEARCH, OBJECT_KINDS, ObjectKind, Ref
from bot.domain.slack import Actor, Requester
from bot.domain.snapshots import Snapshot
from bot.messages import Message, audit_history, command_help, command_problems, denials
from bot.messages import permissions as permission_messages
from bot.messages.audit_history import OTHER_RECORDS
from bot.operations import authorization
from bot.operations.audit_stories import CHUNK, Record, audited_records, reportable_records
from bot.operations.authorization import Right
from bot.operations.reading import Reader, open_reader
from bot.slack.directory import LookupFailed
from bot.store import Store
from handlers.command_row import AnswersLater, AnyCommand, Arguments, Command, Delivery
from handlers.context import AppContext, attempt_id
from handlers.errors import UserError
from handlers.parsing import PERSON, QUOTES, UUID, ParseError, identifier, split

SCAN = 5000  # records looked through for one page
CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
EDGES = {"from": "since", "since": "since", "until": "until", "till": "until", "to": "until"}
DAYS = frozenset({"today", "yesterday"})
FILLERS = frozenset({"by", "of", "on"})
KIND_WORDS: dict[str, ObjectKind] = {kind: kind for kind in OBJECT_KINDS}
ACTION_WORDS = {
    **{action.verb: action.verb for action in TABLE},
    **{name: name for name, _is_done in OTHER_RECORDS},
    "release": "unclaim",
    "unsnooze": "wake",  # as the audit has always called it
}


@dataclass(frozen=True, slots=True)
class ShowAudit:
    """Show records of the audit; times are as the requester wrote them, in their own zone.

    An ``object`` that is an id may be of any of the ``kinds``.
    """

    kinds: tuple[ObjectKind, ...] = OBJECT_KINDS
    person: str = ""
    object: str = ""
    action: str = ""
    outcome: str = ""
    edges: dict[str, str] = field(default_factory=dict)


def parse_audit(arguments: Arguments) -> ShowAudit:  # noqa: C901 - a filter each
    """Parse filters in any order; what is none of them is a part of an object's name.

    Raises ParseError.
    """
    request, rest, texts = ShowAudit(), arguments.words, []
    while rest:
        word, rest = split(rest)
        lower = word.lower()
        person = PERSON.fullmatch(word)
        if person or word.startswith("@"):
            request = replace(request, person=person[1] if person else word.removeprefix("@"))
        elif lower in EDGES:
            text, rest = take_time(lower, rest)
            request = replace(request, edges={**request.edges, EDGES[lower]: text})
        elif lower in DAYS:
            request = replace(request, edges={"since": lower, "until": lower})
        elif UUID.search(word):
            request = replace(request, object=identifier(word))
        elif lower in KIND_WORDS:
            request = replace(request, kinds=(KIND_WORDS[lower],))
        elif lower in ACTION_WORDS:
            request = replace(request, action=ACTION_WORDS[lower])
        elif lower in OUTCOME_WORDS:
            request = replace(request, outcome=lower)
        elif lower not in FILLERS:
            texts.append(word)
    text = " ".join(texts).translate(QUOTES).replace('"', "")
    length = max(len(text), len(request.person))
    if length > MAX_SEARCH:  # the button for what is older carries them
        raise ParseError(command_problems.search_too_long(length, MAX_SEARCH))
    if texts:
        return replace(request, object=text)
    thread_object = arguments.thread_object
    if thread_object and request in (ShowAudit(), ShowAudit(kinds=(thread_object.kind,))):
        return ShowAudit(kinds=(thread_object.kind,), object=thread_object.id)
    return request


def take_time(word: str, words: str) -> tuple[str, str]:
    """Split off a day, a time of a day, or a span; raises ParseError where none follows."""
    text, rest = split(words)
    if not text:
        raise ParseError(command_problems.date_missing(word))
    clock, later = split(rest)
    if CLOCK.fullmatch(clock):
        text, rest = f"{text} {clock}", later
    return text, rest


async def audit(app: AppContext, request: ShowAudit, delivery: Delivery) -> Message:
    """Return the latest records that are asked for, for whoever may read the audit."""
    attempt = attempt_id(delivery.dedupe_key)
    reader = await _open_reader(app, delivery.requester, attempt)
    reader.require(*request.kinds)
    zone = await app.services.directory.time_zone(delivery.requester.actor.id)
    now = app.services.clock.now()
    query = AuditQuery(
        person=request.person,
        object=request.object,
        action=request.action,
        outcome=request.outcome,
        since=_read_edge(request, "since", now, zone),
        until=_read_edge(request, "until", now, zone),
    )
    if not UUID.fullmatch(request.object):
        return await _page(app, reader, query)
    for kind in request.kinds:
        ref = Ref(kind=kind, id=request.object, workspace=app.workspace)
        if await asyncio.to_thread(app.services.store.audit.entries, ref):
            await reader.require_object(ref)
            return await _page(app, reader, query.model_copy(update={"target": str(ref)}))
    return permission_messages.no_history(app.catalogue, request.object)


async def turn_page(app: AppContext, value: str, requester: Requester, trigger_id: str) -> None:
    """Put the records before those that are shown in their place."""
    try:
        query = AuditQuery.model_validate_json(value)
    except ValidationError:
        raise UserError(denials.newer_button(app.catalogue)) from None
    reader = await _open_reader(app, requester, attempt_id(trigger_id))
    ref = Ref.parse(query.target)
    if ref is not None:
        await reader.require_object(ref)
    page = await _page(app, reader, query)
    await app.services.slack.respond(requester.location.response_url, page, replace=True)


async def _open_reader(app: AppContext, requester: Requester, attempt: str) -> Reader:
    """Return what a person may read who may read the audit; raises NoRight."""
    await authorization.require_right(app.services, requester, Right.AUDIT, attempt_id=attempt)
    return await open_reader(app.services, requester.actor)


def _read_edge(request: ShowAudit, name: str, now: datetime, zone: tzinfo) -> datetime | None:
    """Return where the period begins or ends; raises ParseError."""
    text = request.edges.get(name, "")
    if not text:
        return None
    try:
        return read_edge(text, now, zone, is_end=name == "until")
    except (ValueError, OverflowError):
        raise ParseError(command_problems.not_a_date(text), COMMAND.usage) from None


async def _page(app: AppContext, reader: Reader, query: AuditQuery) -> Message:
    """Return one page of records, with the button for those before them."""
    store, catalogue = app.services.store, app.catalogue

    def find() -> tuple[list[audit_history.AuditedRecord], int | None]:
        records, before = _find(store, reader, query)
        return list(audited_records(store, records)), before

    records, before = await asyncio.to_thread(find)
    older = ""
    if before is not None:
        older = query.model_copy(update={"before": before}).model_dump_json(exclude_defaults=True)
    names = (str(each.record.get("object_name") or "") for each in records)
    filters = audit_history.filters(catalogue, query)
    if query.target:
        object_text = next(filter(None, names), query.object)
        heading = audit_history.heading(catalogue, object_text, query.object, filters)
    else:
        heading = audit_history.heading(catalogue, query.object, "", filters)
    return audit_history.history(catalogue, heading, records, older, of_one=bool(query.target))


def _find(store: Store, reader: Reader, query: AuditQuery) -> tuple[list[Record], int | None]:
    """Return the latest records that are asked for, and before which number to go on; blocks.

    That is None where nothing may be left.
    """
    page: list[Record] = []
    records = islice(store.audit.latest(query), SCAN)
    scanned = 0
    while chunk := list(islice(records, CHUNK)):
        scanned += len(chunk)
        for record, snapshot in reportable_records(store, list(filter(query.matches, chunk))):
            if not _may_read(reader, record, snapshot):
                continue
            page.append(record)
            if len(page) == audit_history.PAGE:
                return page, _number_before(record)
        if scanned == SCAN:
            return page, _number_before(chunk[-1])
    return page, None


async def object_history(
    app: AppContext, reader: Reader, actor: Actor, ref: Ref, limit: int
) -> list[audit_history.AuditedRecord]:
    """Return the latest records about an object, [] for whoever may not read the audit.

    Nobody asked for the audit by name, so that it is no attempt that leaves a record. Nor is
    anything said where Slack can't tell who may: what was asked for is shown without it.
    """
    try:
        may_read_audit = await authorization.has_right(app.services, actor, Right.AUDIT)
    except LookupFailed:
        may_read_audit = False
    if not may_read_audit:
        return []
    store = app.services.store

    def find() -> list[audit_history.AuditedRecord]:
        records = islice(store.audit.latest(AuditQuery(target=str(ref))), SCAN)
        readable = (
            record
            for record, snapshot in reportable_records(store, list(records))
            if _may_read(reader, record, snapshot)
        )
        return list(audited_records(store, islice(readable, limit)))

    return await asyncio.to_thread(find)


def _number_before(record: Record) -> int | None:
    """Return before which number to go on after a record; None after the first of all."""
    return record["number"] if record["number"] > 1 else None


def _may_read(reader: Reader, record: Record, snapshot: Snapshot | None) -> bool:
    """Whether the person may read the object of a record, as it was then."""
    ref = Ref.parse(str(record.get("target")))
    if ref is None:  # a mute names a workflow, as the status does: to whoever reads all runs
        return "workflow" not in record or reader.reads_all("instance")
    return reader.reads_all(ref.kind) if snapshot is None else reader.may_read(ref, snapshot)


COMMAND: AnyCommand = Command(
    name="audit",
    usage="audit [filters]",
    help=command_help.AUDIT,
    parse=parse_audit,
    handler=AnswersLater(audit),
)
