"""Find what belongs to the audit's records: what the card showed, and what came of an approval.

Only reads the database: also for an auditor who has nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from bot.domain.audit import AuditOutcome
from bot.domain.objects import Ref
from bot.domain.snapshots import Snapshot, parse
from bot.messages.audit_history import AuditedRecord
from bot.store import Store

Record = Mapping[str, Any]
CHUNK = 100  # records looked up at once: an audit may be larger than the memory
# What may come of an approval that waits for others, on record under another outcome.
ENDS = (
    AuditOutcome.ALLOWED,
    AuditOutcome.WITHDRAWN,
    AuditOutcome.DECLINED,
    AuditOutcome.LAPSED,
    AuditOutcome.REVOKED,
)


def audited_records(store: Store, records: Iterable[Record]) -> Iterator[AuditedRecord]:
    """Yield what is to be told, in the order of the records; blocks.

    That something was allowed is left out where its end is on record too. What came of it
    afterwards is told with its end, and not once more.
    """
    remaining = iter(records)
    while chunk := list(islice(remaining, CHUNK)):
        allowed = [
            str(record.get("operation_id"))
            for record in chunk
            if record.get("outcome") == AuditOutcome.ALLOWED
        ]
        concluded = store.audit.concluded(allowed)
        done = [
            str(record.get("operation_id"))
            for record in chunk
            if record.get("outcome") == AuditOutcome.DONE
        ]
        results = store.audit.results(done)
        texts = store.snapshots.texts({each for record in chunk for each in _fingerprints(record)})
        for record in chunk:
            is_allowed = record.get("outcome") == AuditOutcome.ALLOWED
            is_told = is_allowed and record.get("operation_id") in concluded
            if is_told or record.get("outcome") == AuditOutcome.RESULT:
                continue
            is_done = record.get("outcome") == AuditOutcome.DONE
            result = results.get(str(record.get("operation_id"))) if is_done else None
            yield replace(_with_details(store, record, texts), result=result)


def snapshot_of(store: Store, record: Record) -> Snapshot | None:
    """Return the object as the person of a record saw it, or as it was found; None if not kept."""
    return _snapshot(record, store.snapshots.texts(_fingerprints(record)))


def _fingerprints(record: Record) -> list[str]:
    """Return the snapshots that a record names: what the person saw, and what was found."""
    names = ("decision_fingerprint", "preflight_fingerprint")
    return [str(record[name]) for name in names if record.get(name)]


def _snapshot(record: Record, texts: Mapping[str, str]) -> Snapshot | None:
    ref = Ref.parse(str(record.get("target")))
    text = next((texts[each] for each in _fingerprints(record) if each in texts), "")
    return parse(ref.kind, text) if ref else None


def _with_details(store: Store, record: Record, texts: Mapping[str, str]) -> AuditedRecord:
    later, current = None, None
    ref = Ref.parse(str(record.get("target")))
    if record.get("outcome") == AuditOutcome.COUNTED:
        later = _what_came(store, record)
    if record.get("outcome") == AuditOutcome.LAPSED and ref:
        current = next((each.snapshot for each in store.tracked.get([ref])), None)
    return AuditedRecord(record, _snapshot(record, texts), later, current)


def _what_came(store: Store, record: Record) -> Record | None:
    """Return the record that says what came of an approval; None while it still waits."""
    operation_id = str(record.get("operation_id"))
    entries = store.audit.entries(str(record.get("target")))
    for entry in entries:
        is_later = entry["number"] > record["number"] and entry.get("outcome") in ENDS
        if is_later and _ends(entry, record, operation_id):
            return _end_of(entries, entry)
    return None


def _ends(entry: Record, record: Record, operation_id: str) -> bool:
    """Whether a later record says what came of the approval that an operation gave."""
    if entry.get("outcome") == AuditOutcome.WITHDRAWN:
        actor, giver = entry.get("actor") or {}, record.get("actor") or {}
        return actor.get("id") == giver.get("id") and entry.get("action") == record.get("action")
    if entry.get("outcome") == AuditOutcome.REVOKED:
        return entry.get("operation_id") == operation_id
    ended = (entry.get("ended_request") or {}).get("approvals") or ()
    approvals = (*(entry.get("co_approvers") or ()), *ended)
    return operation_id in [approval.get("operation_id") for approval in approvals]


def _end_of(entries: Iterable[Record], entry: Record) -> Record:
    """Return how an operation that was allowed ended, and any other record as it is."""
    if entry.get("outcome") != AuditOutcome.ALLOWED:
        return entry
    ends = (AuditOutcome.DONE, AuditOutcome.FAILED, AuditOutcome.UNKNOWN)
    return next(
        (
            each
            for each in entries
            if each.get("operation_id") == entry.get("operation_id") and each.get("outcome") in ends
        ),
        entry,
    )
