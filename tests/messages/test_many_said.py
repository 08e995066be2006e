"""What is said of many at once: buttons, views, the line of progress, and the table."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.domain.actions import BY_NAME, TABLE, batch_actions, batch_statuses
from bot.domain.approvals import Approval, ApprovalRequest
from bot.domain.batches import Batch, BatchItem, BatchQuery, SkippedItem
from bot.domain.cards import ButtonValue
from bot.domain.objects import ListQuery, Ref
from bot.domain.operations import Operation, OperationState, Outcome, StandingOperation
from bot.domain.slack import Actor, SlackLocation
from bot.messages import batch_forms, batch_results, listing
from bot.messages.batch_forms import BatchConfirmation, BatchFormState, BatchOptions, SelectedItem
from bot.messages.batch_results import BatchItemResult
from bot.secmaster import Instance, Task
from tests.messages.test_rendering import (
    assert_slack_opens,
    assert_slack_takes,
    few,
    ids,
    operations,
    outcomes,
    runs,
    some,
    tasks,
    verdicts,
    words,
    workspaces,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TASK = Ref(kind="task", id="3e4c170e-7cc9-11f0-9216-fa163e200001")
PLACE = SlackLocation(channel="C0SOC", channel_name="soc")
BOB = Actor(id="U0BOB", name="Bob")


def operation(action="task.approve", **more):
    given = {"action": action, "ref": TASK, "actor": BOB, "location": PLACE, "accepted_at": NOW}
    return Operation(id="abc123def", **(given | more))


def ended(outcome, **before):
    return BatchItemResult(BatchItem(operation=operation(), name="Isolate host"), outcome, **before)


def failed(trouble, **more):
    return Outcome(state=OperationState.FAILED, reason_code=trouble, **more)


def test_what_can_be_done_to_many_is_what_the_table_says():
    able = {each.name for noun in ("task", "instance") for each in batch_actions(noun)}
    assert able == {"task.approve", "task.terminate", "instance.retry", "instance.terminate"}
    assert able == {each.name for each in TABLE if each.batchable}
    assert (batch_statuses("task"), batch_statuses("instance")) == ({"waiting"}, {"FAILED"})


@pytest.mark.parametrize(
    "wanted",
    [
        BatchQuery(kind="task"),
        BatchQuery(kind="task", workspace="eu", text="a|b | c"),
        BatchQuery(kind="instance", text="x", workflow_id="e1426fd5-bf48-3b71-8f8e-fa163e600001"),
    ],
)
def test_a_button_is_read_back_as_it_was_made(wanted):
    button = batch_forms.batch_button(wanted).to_dict()
    assert button["action_id"] == "several"
    assert BatchQuery.parse(button["value"]) == wanted


@pytest.mark.parametrize("value", ["", "1", "1|task|main|x", "2|task|main||", "1|task|ma in||"])
def test_a_button_of_another_version_is_not_read(value):
    assert BatchQuery.parse(value) is None


@pytest.mark.parametrize(
    ("page", "offered"),
    [
        ([Task(id="t-1", name="a", status="waiting")], True),
        ([Task(id="t-1", name="a", status="finished")], False),
        ([Instance(id="i-1", name="a", status="FAILED")], True),
        ([Instance(id="i-1", name="a", status="RUNNING")], False),
        ([], False),
    ],
)
def test_a_list_offers_it_where_something_can_be_chosen(page, offered):
    noun = "instance" if page and isinstance(page[0], Instance) else "task"
    message = listing(ListQuery(kind=noun, text="host"), page, len(page), "main", NOW)
    shown = json.dumps(message.payload)
    assert (f'"1|{noun}|main|host|"' in shown) is offered


def test_what_is_due_or_began_stands_below_each_name():
    task = Task(id="t-1", name="Isolate", related_object="Alert", due_date=NOW + timedelta(hours=3))
    view = batch_forms.selection_form(
        BatchQuery(kind="task"),
        BatchFormState(kind="task", location=PLACE),
        BatchOptions([task], 1, "/secmaster", NOW),
    )
    [objects] = [each for each in view["blocks"] if each.get("block_id") == "objects"]
    [option] = objects["element"]["options"]
    assert option["text"]["text"] == "Isolate"
    assert option["description"]["text"] == "due in 3 h · Alert"
    assert objects["element"]["max_selected_items"] == 20


def test_twenty_objects_with_the_longest_reason_fit_into_what_a_view_remembers():
    view = batch_forms.confirmation_form(
        confirmation("r" * batch_forms.LONGEST_REASON, twenty(TASK.id)), [], [], "workspace"
    )
    assert len(view["private_metadata"]) < 2500
    kept = BatchConfirmation.model_validate_json(view["private_metadata"])
    assert len(kept.buttons) == 20
    assert kept.buttons[0] == ButtonValue(ref=TASK, decision_fingerprint="0" * 32)


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (ended(Outcome(state=OperationState.DONE)), "Approved"),
        (
            ended(Outcome(state=OperationState.UNKNOWN, reason_code="untold")),
            "Unknown: look in SecMaster",
        ),
        (ended(None), "Not known yet: see the thread"),
        (ended(failed("changed")), "Changed since you looked"),
        (ended(failed("Unavailable", code="APIG.0101")), "Given up: SecMaster did not answer"),
        (ended(failed("Refused", code="SecMaster.9")), "SecMaster refused (SecMaster.9)"),
        (
            ended(failed("not_now", blocking_status="finished", decided_by="Lin Yue")),
            "Already decided by Lin Yue: finished",
        ),
        (ended(failed("not_now", blocking_status="canceled")), "Already decided: canceled"),
    ],
)
def test_a_row_says_in_a_few_words_how_one_ended(ending, said):
    assert batch_results.result(ending) == said


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (OperationState.DONE, "Already terminated by Bob"),
        (OperationState.PENDING, "Bob is terminating it right now"),
    ],
)
def test_a_row_names_who_came_first(state, said):
    first = StandingOperation(operation=operation("task.terminate"), state=state, at=NOW)
    assert batch_results.result(ended(failed("lost"), holder=first)) == said
    assert (
        batch_results.result(
            ended(failed("not_now", blocking_status="canceled"), standing_operation=first)
        )
        == said
    )


@pytest.mark.parametrize(
    ("needed", "said"), [(2, "Waits for a second person"), (4, "Waits for 3 more people")]
)
def test_a_row_says_for_how_many_people_one_waits(needed, said):
    vote = Approval(operation_id="abc123def", actor=BOB, at=NOW)
    ballot = ApprovalRequest(
        id="abc123def", action="task.approve", approvals=(vote,), needed=needed, expires_at=NOW
    )
    assert (
        batch_results.result(ended(Outcome(state=OperationState.COUNTED, approval_request=ballot)))
        == said
    )


def test_a_run_that_is_no_longer_open_is_called_by_its_state():
    run = operation("instance.retry", ref=Ref(kind="instance", id="i-1"))
    closed = BatchItemResult(
        BatchItem(operation=run, name="x"), failed("not_now", blocking_status="RUNNING")
    )
    assert batch_results.result(closed) == "Not now: it is running"


def test_the_table_counts_what_is_done_and_tells_what_was_left_out():
    left = SkippedItem(ref=TASK, name="Grave", reason="people")
    batch = Batch(
        id="b", items=(BatchItem(operation=operation(), name="Isolate"),), skipped=(left,)
    )
    table = batch_results.results(batch, [ended(Outcome(state=OperationState.DONE))])
    assert table.text.splitlines() == [
        "⚠️ *Approved: 1 of 2 tasks* for <@U0BOB>",
        "Isolate host: Approved (abc123)",
        "Grave: Left out: asks for several people (—)",
    ]
    assert batch_results.progress(batch, 0).text == "⏳ Approving 1 task for <@U0BOB>: 0 of 1 done"


@some
@given(st.lists(tasks, max_size=4), workspaces, words, st.booleans())
def test_any_tasks_can_be_chosen_from(found, workspace, text, preselected):
    workflow = "w-1" if preselected else ""
    wanted = BatchQuery(kind="task", workspace=workspace, text=text[:100], workflow_id=workflow)
    unique = list({each.id: each for each in found}.values())
    there = BatchOptions(unique, len(unique) + 3, "/secmaster", NOW)
    assert_slack_opens(
        batch_forms.selection_form(wanted, BatchFormState(kind="task", location=PLACE), there)
    )


@few
@given(st.lists(runs, max_size=4), workspaces)
def test_any_runs_can_be_chosen_from(found, workspace):
    wanted = BatchQuery(kind="instance", workspace=workspace)
    unique = list({each.id: each for each in found}.values())
    there = BatchOptions(unique, len(unique), "@bot", NOW)
    assert_slack_opens(
        batch_forms.selection_form(wanted, BatchFormState(kind="instance", location=PLACE), there)
    )


@some
@given(words, words, words, st.sampled_from(sorted({*batch_forms.SKIP_REASONS, "refused"})), ids)
def test_any_twenty_can_be_asked_about(name, reason, workspace, why, id_):
    kept = confirmation(reason[:100], twenty(id_))
    taken = [
        SelectedItem(button=each, name=name, consequence="It goes on.")
        for each in kept.buttons[:10]
    ]
    detail = "You may not." if why == "refused" else ""
    left = [
        SkippedItem(ref=each.ref, name=name, reason=why, detail=detail)
        for each in kept.buttons[10:]
    ]
    assert_slack_opens(batch_forms.confirmation_form(kept, taken, left, workspace))
    assert_slack_opens(batch_forms.confirmation_form(kept, [], left, workspace))


@some
@given(operations("task"), words, outcomes, st.none() | verdicts("task"))
def test_however_many_end_slack_takes_the_table(one, name, outcome, first):
    assume(one.action in BY_NAME and BY_NAME[one.action].batchable)
    item = BatchItem(operation=one, name=name)
    left = SkippedItem(ref=one.ref, name=name, reason="refused")
    batch = Batch(id="b", items=(item,) * 20, skipped=(left,))
    assert_slack_takes(batch_results.progress(batch, 7))
    assert_slack_takes(
        batch_results.results(batch, [BatchItemResult(item, outcome, first, first)] * 20)
    )
    assert_slack_takes(batch_results.item_message(name, one, batch_results.progress(batch, 7)))


def twenty(id_):
    return tuple(f"{id_}:{number:032x}" for number in range(20))


def confirmation(reason, picked):
    return BatchConfirmation(
        action="task.approve", workspace="main", location=PLACE, reason=reason, items=picked
    )
