"""Find what belongs to the audit's records: what the card showed, and what came of an approval.

Only reads the database: also for an auditor who has nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """Yield what is to be reported, in the order of the records; blocks.

    That something was allowed is left out where its end is on record too. What came of it
    afterwards is told with its end, and not once more.
    """
    remaining = iter(records)
    while chunk := list(islice(remaining, CHUNK)):
        pairs = reportable_records(store, chunk)
        histories = _histories(store, [record for record, _snapshot in pairs])
        lapsed = [
            ref
            for record, _snapshot in pairs
            if record.get("outcome") == AuditOutcome.LAPSED
            and (ref := Ref.parse(str(record.get("target"))))
        ]
        current = {str(each.ref): each.snapshot for each in store.tracked.get(lapsed)}
        names = _names(store, chunk)
        done = [
            str(record.get("operation_id"))
            for record, _snapshot in pairs
            if record.get("outcome") == AuditOutcome.DONE
        ]
        results = store.audit.results(done)
        for record, snapshot in pairs:
            target = str(record.get("target"))
            is_lapsed = record.get("outcome") == AuditOutcome.LAPSED
            is_done = record.get("outcome") == AuditOutcome.DONE
            yield AuditedRecord(
                record,
                snapshot,
                later=_what_came(histories.get(target, ()), record),
                current=current.get(target) if is_lapsed else None,
                names=names,
                result=results.get(str(record.get("operation_id"))) if is_done else None,
            )


def reportable_records(
    store: Store, records: Sequence[Record]
) -> list[tuple[Record, Snapshot | None]]:
    """Return the records that tell something that no later one does, each with its object.

    That is as the person of a record saw it, or as it was found; None if it is not kept. However
    many records there are, this costs two queries.
    """
    allowed = [
        str(record.get("operation_id"))
        for record in records
        if record.get("outcome") == AuditOutcome.ALLOWED
    ]
    concluded = store.audit.concluded(allowed)
    texts = store.snapshots.texts({each for record in records for each in _fingerprints(record)})
    return [
        (record, _snapshot(record, texts))
        for record in records
        if record.get("outcome") != AuditOutcome.RESULT
        and (
            record.get("outcome") != AuditOutcome.ALLOWED
            or record.get("operation_id") not in concluded
        )
    ]


def _fingerprints(record: Record) -> list[str]:
    """Return the snapshots that a record names: what the person saw, and what was found."""
    names = ("decision_fingerprint", "preflight_fingerprint")
    return [str(record[name]) for name in names if record.get(name)]


def _snapshot(record: Record, texts: Mapping[str, str]) -> Snapshot | None:
    ref = Ref.parse(str(record.get("target")))
    text = next((texts[each] for each in _fingerprints(record) if each in texts), "")
    return parse(ref.kind, text) if ref else None


def _histories(store: Store, records: Sequence[Record]) -> dict[str, list[Record]]:
    """Return all records about the objects of approvals that were counted, by target."""
    targets = {
        str(record.get("target"))
        for record in records
        if record.get("outcome") == AuditOutcome.COUNTED
    }
    histories = defaultdict[str, list[Record]](list)
    for entry in store.audit.entries_of(targets):
        histories[str(entry.get("target"))].append(entry)
    return histories


def _names(store: Store, records: Sequence[Record]) -> dict[str, str]:
    """Return the names of people whom records have by their id alone, as other records have them.

    Of whoever came first these are about the same object, of a delegator about the delegate.
    """
    targets = {
        str(target)
        for record in records
        if record.get("outcome") == AuditOutcome.LOST
        or (record.get("terms") or {}).get("delegator")
        for target in (record.get("target"), (record.get("actor") or {}).get("id"))
    }
    actors = [entry.get("actor") or {} for entry in store.audit.entries_of(targets)]
    return {str(actor["id"]): str(actor["name"]) for actor in actors if actor.get("name")}


def _what_came(entries: Sequence[Record], record: Record) -> Record | None:
    """Return the record that says what came of an approval; None while it still waits.

    ``entries`` are all records about its object.
    """
    if record.get("outcome") != AuditOutcome.COUNTED:
        return None
    operation_id = str(record.get("operation_id"))
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
