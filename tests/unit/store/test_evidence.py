"""What is stored around an object is part of whatever is loaded of it, by one query a list."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bot.domain.cards import Card
from bot.domain.evidence import merged
from bot.domain.objects import Ref
from bot.domain.snapshots import Reading
from bot.domain.tracking import ListedObject
from bot.secmaster import Evidence, Finding, Task, Unread
from bot.store import Store
from tests.support.databases import both_databases

NOW = datetime(2026, 3, 1, tzinfo=UTC)
EVIDENCE = Evidence(read_at=NOW, finding=Finding(id="a1", severity="High"), decisive=True)
REF = Ref(kind="task", id="t0")
TASK = Task(id="t0", name="Isolate", status="waiting")

pytestmark = both_databases


def test_whatever_is_loaded_of_an_object_has_its_evidence(store: Store) -> None:
    before = store.card_states.load(REF, TASK, NOW)
    assert before.snapshot == TASK
    assert store.evidence.save(REF, EVIDENCE, NOW).changed
    state = store.card_states.load(REF, TASK, NOW)
    assert state.snapshot is not None
    assert state.snapshot.evidence == EVIDENCE
    assert state.rendered_fingerprint != before.rendered_fingerprint
    assert state.decision_fingerprint != before.decision_fingerprint

    # What is recorded for a card that shows it is found by the fingerprint on its buttons.
    card = Card(ref=REF, channel="C1", ts="1.1", decision_fingerprint=state.decision_fingerprint)
    store.cards.add_card(card, NOW)
    store.card_states.record(REF, Reading(TASK, NOW, NOW))
    stored = store.snapshots.get(REF, state.decision_fingerprint)
    assert stored is not None
    assert stored.evidence == EVIDENCE

    # A later reading replaces it there too, though the stored snapshot has one of its own.
    later = EVIDENCE.model_copy(update={"finding": Finding(id="a1", severity="High", count=7)})
    assert not store.evidence.save(REF, later, NOW).changed  # it only ticked
    state = store.card_states.load_stored(REF, NOW)
    assert state.snapshot is not None
    assert state.snapshot.evidence == later


def test_lists_have_it_by_one_query(store: Store) -> None:
    refs = [Ref(kind="task", id=f"t{number}") for number in range(30)]
    objects = [
        ListedObject(ref, TASK.model_copy(update={"id": ref.id, "evidence": EVIDENCE}), "f")
        for ref in refs
    ]
    store.tracked.add(objects, [], NOW)
    for ref in refs[::2]:
        store.evidence.save(ref, EVIDENCE, NOW)
    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    sa.event.listen(store.engine, "before_cursor_execute", note)
    rows = {row.ref: row.snapshot.evidence for row in store.tracked.open_in("main", "task", 100)}
    attached = store.evidence.attach(dict.fromkeys(refs, TASK))
    sa.event.remove(store.engine, "before_cursor_execute", note)
    selects = [text for text in statements if text.lstrip().upper().startswith("SELECT")]
    assert len(selects) == 2
    # What a tracked object was listed with is never taken for what is stored.
    expected = {ref: EVIDENCE if ref in refs[::2] else None for ref in refs}
    assert rows == expected
    assert {ref: snapshot.evidence for ref, snapshot in attached.items()} == expected


def test_what_lacks_evidence_is_found_newest_first_and_what_failed_after_a_while(
    store: Store,
) -> None:
    refs = [Ref(kind="task", id=f"t{number}") for number in range(4)]
    for number, ref in enumerate(refs):
        card = Card(ref=ref, channel="C1", ts=f"{number}.1", decision_fingerprint="f")
        store.cards.add_card(card, NOW + timedelta(minutes=number))
    store.evidence.save(refs[0], EVIDENCE, NOW)
    unread = Evidence(read_at=NOW, unread=(Unread(subject="alert", status=503),))
    store.evidence.save(refs[1], unread, NOW)
    assert store.evidence.unfinished(NOW, 10) == []
    assert store.evidence.unfinished(NOW + timedelta(minutes=9), 10) == [refs[3], refs[2], refs[1]]
    assert store.evidence.unfinished(NOW + timedelta(minutes=9), 1) == [refs[3]]


def test_it_goes_with_its_object(store: Store) -> None:
    other = Ref(kind="task", id="t1")
    for ref in (REF, other):
        store.evidence.save(ref, EVIDENCE, NOW)
    store.cards.add_card(Card(ref=REF, channel="C1", ts="1.1"), NOW)
    later = NOW + timedelta(days=1)
    assert store.evidence.purge(NOW, 100) == 0
    assert store.evidence.purge(later, 100) == 1
    assert store.evidence.get(other) is None
    assert store.evidence.get(REF) == EVIDENCE


def test_what_could_not_be_read_leaves_what_is_stored(store: Store) -> None:
    store.evidence.save(REF, EVIDENCE, NOW)
    failed = Evidence(read_at=NOW, unread=(Unread(subject="alert", status=503),))
    saved = store.evidence.save(REF, failed, NOW)
    assert saved.evidence == merged(EVIDENCE, failed) == store.evidence.get(REF)
    assert saved.evidence.finding == EVIDENCE.finding
    assert saved.changed
