"""Each field has its words, and stands where its rows say: among the differences, on the card."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain import snapshots
from bot.domain.fields import INSTANCE_FIELDS, PLAYBOOK_FIELDS, TASK_FIELDS
from bot.domain.objects import ByKind
from bot.domain.operations import OperationState, Outcome
from bot.domain.snapshots import Snapshot
from bot.messages import RenderContext, card, details
from bot.messages.changes import differences
from bot.messages.fields import INSTANCE_WORDS, PLAYBOOK_WORDS, TASK_WORDS, WORDS
from bot.secmaster import Named, Node, PlaybookAction, PlaybookRef, WorkflowRef
from tests.support.rendered import read
from tests.support.samples import (
    ENGLISH,
    FAILED,
    FAILED_PLAYBOOK,
    NOW,
    PLAYBOOK_RUN,
    RUN,
    TASK,
    WAITING,
)

MARK = "xyzzy"
MOMENT = datetime(2030, 5, 6, 7, 8, tzinfo=UTC)
MOMENT_SHOWN = "2030-05-06 07:08 utc"
DECISIVE, CARD, DETAILS = "decisive", "card", "details"
EVERYWHERE = {DECISIVE, CARD, DETAILS}
# How a field is given a value that can be found again, where that is shown, and as what.
TASK_CASES: list[tuple[str, dict[str, Any], set[str], str]] = [
    ("status", {"status": MARK}, EVERYWHERE, MARK),
    ("name", {"name": MARK}, EVERYWHERE, MARK),
    ("business_type", {"business_type": MARK}, EVERYWHERE, MARK),
    ("related_object", {"related_object": MARK}, EVERYWHERE, MARK),
    ("action_instance_id", {"action_instance_id": MARK}, EVERYWHERE, MARK),
    ("description", {"description": MARK}, EVERYWHERE, MARK),
    ("due_date", {"due_date": MOMENT}, EVERYWHERE, MOMENT_SHOWN),
    ("due_handle", {"due_handle": MARK}, {DECISIVE}, MARK),
    ("approver", {"approver": MARK}, {DECISIVE}, MARK),
    ("view_parameters", {"view_parameters": MARK}, EVERYWHERE, MARK),
    ("handle_parameters", {"handle_parameters": MARK}, EVERYWHERE, MARK),
    ("notes", {"notes": MARK}, EVERYWHERE, MARK),
    ("attachments", {"attachment_id_list": (MARK,)}, EVERYWHERE, MARK),
    ("review_comments", {"review_comments": MARK}, {DETAILS}, MARK),
    ("creator_name", {"creator_name": MARK}, EVERYWHERE, MARK),
    ("create_time", {"create_time": MOMENT}, {CARD, DETAILS}, MOMENT_SHOWN),
]
INSTANCE_CASES: list[tuple[str, dict[str, Any], set[str], str]] = [
    ("status", {"status": MARK}, EVERYWHERE, MARK),
    ("name", {"name": MARK}, EVERYWHERE, MARK),
    ("workflow", {"workflow": WorkflowRef(name=MARK)}, EVERYWHERE, MARK),
    ("retry_count", {"retry_count": 753}, EVERYWHERE, "753"),
    ("failed_node", {"nodes": (Node(action_name=MARK, status="FAILED"),)}, EVERYWHERE, MARK),
    ("error_msg", {"nodes": (Node(error_msg=MARK, status="FAILED"),)}, EVERYWHERE, MARK),
    ("playbook", {"playbook": Named(name=MARK)}, EVERYWHERE, MARK),
    ("trigger_type", {"trigger_type": MARK}, {CARD, DETAILS}, MARK),
    ("start_time", {"start_time": MOMENT}, {CARD, DETAILS}, MOMENT_SHOWN),
    ("end_time", {"end_time": MOMENT}, {CARD, DETAILS}, MOMENT_SHOWN),
]
FAILED_ACTION = PlaybookAction(name=MARK, log=Node(status="FAILED", error_msg=MARK))
PLAYBOOK_CASES: list[tuple[str, dict[str, Any], set[str], str]] = [
    ("status", {"status": MARK}, EVERYWHERE, MARK),
    ("name", {"name": MARK}, EVERYWHERE, MARK),
    ("playbook", {"playbook": PlaybookRef(name=MARK)}, EVERYWHERE, MARK),
    ("dataobject", {"dataobject": Named(name=MARK)}, EVERYWHERE, MARK),
    ("end_time", {"end_time": MOMENT}, EVERYWHERE, MOMENT_SHOWN),
    ("failed_action", {"actions": (FAILED_ACTION,)}, {CARD, DETAILS}, MARK),
    ("error_msg", {"actions": (FAILED_ACTION,)}, {CARD, DETAILS}, MARK),
    ("trigger_type", {"trigger_type": MARK}, {CARD, DETAILS}, MARK),
    ("start_time", {"start_time": MOMENT}, {CARD, DETAILS}, MOMENT_SHOWN),
]


def test_every_field_has_its_words_and_no_words_lack_a_field() -> None:
    assert set(TASK_WORDS) == {field.name for field in TASK_FIELDS}
    assert set(INSTANCE_WORDS) == {field.name for field in INSTANCE_FIELDS}
    assert set(PLAYBOOK_WORDS) == {field.name for field in PLAYBOOK_FIELDS}


def test_every_field_is_tried() -> None:
    assert [name for name, *_ in TASK_CASES] == [field.name for field in TASK_FIELDS]
    assert [name for name, *_ in INSTANCE_CASES] == [field.name for field in INSTANCE_FIELDS]
    assert [name for name, *_ in PLAYBOOK_CASES] == [field.name for field in PLAYBOOK_FIELDS]


@pytest.mark.parametrize(
    ("snapshot", "case"),
    [
        *(pytest.param(WAITING, case, id=f"task {case[0]}") for case in TASK_CASES),
        *(pytest.param(FAILED, case, id=f"instance {case[0]}") for case in INSTANCE_CASES),
        *(pytest.param(FAILED_PLAYBOOK, case, id=f"playbook {case[0]}") for case in PLAYBOOK_CASES),
    ],
)
def test_a_field_stands_where_its_rows_say(
    snapshot: Snapshot, case: tuple[str, dict[str, Any], set[str], str]
) -> None:
    name, update, places, text = case
    changed = snapshot.model_copy(update=update)
    kind = snapshots.kind_of(snapshot)
    ref, all_words = ByKind(task=TASK, instance=RUN, playbook=PLAYBOOK_RUN)[kind], WORDS[kind]
    context = RenderContext(ref, NOW, ENGLISH)
    assert (text in read(card(context, changed, None)).lower()) == (CARD in places)
    assert (text in read(details.details(context, changed)).lower()) == (DETAILS in places)

    before, after = map(snapshots.decision_fingerprint, (snapshot, changed))
    assert (before != after) == (DECISIVE in places)
    changes = snapshots.changes(snapshot, changed)
    assert (name in [change.label for change in changes]) == (DECISIVE in places)
    lines = differences(ENGLISH, ref.kind, Outcome(state=OperationState.FAILED, changes=changes))
    assert (f"*{all_words[name].label}*" in lines) == (DECISIVE in places)
    assert (text in lines.lower()) == (DECISIVE in places)
