"""The views in which several objects are selected and confirmed."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.actions import TABLE, batch_actions, batch_statuses
from bot.domain.batches import BatchQuery, SkippedItem
from bot.domain.cards import ButtonValue
from bot.domain.objects import OBJECT_KINDS, ListQuery, ObjectKind, Ref
from bot.domain.reasons import SkipReason
from bot.domain.slack import FormInput, SlackLocation
from bot.domain.snapshots import ListPage
from bot.messages import batch_forms, lists
from bot.messages.batch_forms import BatchConfirmation, BatchFormState, BatchOptions, SelectedItem
from bot.secmaster import Task
from tests.support.rendered import read
from tests.support.samples import ENGLISH, NOW, WAITING
from tests.support.slack_limits import assert_slack_opens
from tests.support.strategies import FEW, SOME, ids, runs, tasks, words, workspaces

# A failing example may be megabytes long; saying so must not hide what failed.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

TASK = Ref(kind="task", id="3e4c170e-7cc9-11f0-9216-fa163e200001")
LOCATION = SlackLocation(channel="C0SOC", channel_name="soc")


def twenty_items(id_: str) -> tuple[str, ...]:
    return tuple(f"{id_}:{number:032x}" for number in range(20))


def confirmation(reason: str, items: tuple[str, ...]) -> BatchConfirmation:
    return BatchConfirmation(
        action="task.approve", workspace="main", location=LOCATION, reason=reason, items=items
    )


def test_what_can_be_done_to_many_is_what_the_table_says() -> None:
    names = {action.name for kind in OBJECT_KINDS for action in batch_actions(kind)}
    assert names == {action.name for action in TABLE if action.batchable}
    assert [batch_statuses(kind) for kind in OBJECT_KINDS] == [{"waiting"}, {"FAILED"}, {"FAILED"}]


@pytest.mark.parametrize(
    "query",
    [
        BatchQuery(kind="task"),
        BatchQuery(kind="task", workspace="eu", text="a|b | c"),
        BatchQuery(kind="instance", text="x", definition_id="e1426fd5-bf48-3b71-8f8e-fa163e600001"),
    ],
)
def test_a_button_is_read_back_as_it_was_made(query: BatchQuery) -> None:
    button = batch_forms.batch_button(ENGLISH, query).to_dict()
    assert button["action_id"] == "several"
    assert BatchQuery.parse(button["value"]) == query


@pytest.mark.parametrize("value", ["", "1", "1|task|main|x", "2|task|main||", "1|task|ma in||"])
def test_a_button_of_another_version_is_not_read(value: str) -> None:
    assert BatchQuery.parse(value) is None


@pytest.mark.parametrize(("kind", "noun"), [("instance", "Workflow"), ("playbook", "Playbook")])
def test_whose_runs_alone_are_listed_is_said(kind: ObjectKind, noun: str) -> None:
    query = BatchQuery(kind=kind, definition_id="d-1")
    options = BatchOptions([], 0, "/secmaster", NOW)
    state = BatchFormState(kind=kind, location=LOCATION)
    view = batch_forms.selection_form(ENGLISH, query, state, options)
    assert f"{noun}: `d-1`." in str(view)


def test_what_is_due_or_began_stands_below_each_name() -> None:
    task = Task(id="t-1", name="Isolate", related_object="Alert", due_date=NOW + timedelta(hours=3))
    view = batch_forms.selection_form(
        ENGLISH,
        BatchQuery(kind="task"),
        BatchFormState(kind="task", location=LOCATION),
        BatchOptions([task], 1, "/secmaster", NOW),
    )
    [objects] = [block for block in view["blocks"] if block.get("block_id") == "objects"]
    [option] = objects["element"]["options"]
    assert option["text"]["text"] == "Isolate"
    assert option["description"]["text"] == "Due Mar 1 15:00 · Alert"
    assert objects["element"]["max_selected_items"] == 20


def test_an_action_says_what_it_leads_to_only_where_that_holds_for_every_object() -> None:
    def descriptions(*business_types: str) -> list[str]:
        tasks = [Task(id=f"t-{each}", name="n", business_type=each) for each in business_types]
        view = batch_forms.selection_form(
            ENGLISH,
            BatchQuery(kind="task"),
            BatchFormState(kind="task", location=LOCATION),
            BatchOptions(tasks, len(tasks), "/secmaster", NOW),
        )
        options = view["blocks"][1]["element"]["options"]
        return [option["description"]["text"] for option in options if "description" in option]

    assert descriptions("WORKFLOWNODEAPPROVE") == [
        "The workflow continues.",
        "The task is terminated.",
    ]
    assert descriptions("WORKFLOWNODEAPPROVE", "WORKFLOWPUBLISH") == []


def test_twenty_objects_with_the_longest_reason_fit_into_what_a_view_remembers() -> None:
    view = batch_forms.confirmation_form(
        ENGLISH,
        confirmation("r" * batch_forms.LONGEST_REASON, twenty_items(TASK.id)),
        [],
        [],
        "workspace",
    )
    assert len(view["private_metadata"]) < 2500
    remembered = BatchConfirmation.parse(view["private_metadata"])
    assert remembered
    assert len(remembered.buttons) == 20
    assert remembered.buttons[0] == ButtonValue(ref=TASK, decision_fingerprint="0" * 32)


@pytest.mark.parametrize(
    ("part", "other"), [("task.approve", "task.fly"), (TASK.id, "no id"), ("{", "["), ("{", "")]
)
def test_views_of_another_version_are_not_read(part: str, other: str) -> None:
    metadata = confirmation("", twenty_items(TASK.id)).model_dump_json()
    assert BatchConfirmation.parse(metadata)
    assert BatchConfirmation.parse(metadata.replace(part, other)) is None
    inputs = {name: FormInput() for name in ("action", "objects", "reason")}
    state = BatchFormState(kind="task", location=LOCATION).model_dump_json()
    assert batch_forms.read_selection(state, inputs)
    assert batch_forms.read_selection(state.replace("task", "alert"), inputs) is None
    assert batch_forms.read_selection(state, {"action": FormInput()}) is None
    of_another_version = inputs | {"objects": FormInput(options=("9:x",))}
    assert batch_forms.read_selection(state, of_another_version) is None


@SOME
@given(st.lists(tasks, max_size=4), workspaces, words, st.sampled_from(["", "w-1"]))
def test_any_tasks_can_be_chosen_from(
    snapshots: list[Any], workspace: str, text: str, workflow: str
) -> None:
    query = BatchQuery(kind="task", workspace=workspace, text=text[:100], definition_id=workflow)
    unique = list({snapshot.id: snapshot for snapshot in snapshots}.values())
    options = BatchOptions(unique, len(unique) + 3, "/secmaster", NOW)
    assert_slack_opens(
        batch_forms.selection_form(
            ENGLISH, query, BatchFormState(kind="task", location=LOCATION), options
        )
    )


@pytest.mark.parametrize("words", ["overdue due:2h", "mine", "10.0.0.7 severity:high"])
def test_what_it_was_searched_for_is_told_as_the_list_tells_it(words: str) -> None:
    query = BatchQuery(kind="task", text=words)
    page = ListPage((WAITING,), total=1)
    listed = read(lists.listing(ENGLISH, ListQuery(kind="task", text=words), page, "main", NOW))
    for found in ([WAITING], []):
        options = BatchOptions(found, len(found), "/secmaster", NOW)
        state = BatchFormState(kind="task", location=LOCATION)
        text = read(batch_forms.selection_form(ENGLISH, query, state, options))
        assert f"🔎 `{words}`" in text
    assert f"🔎 `{words}`" in listed


@FEW
@given(st.lists(runs, max_size=4), workspaces)
def test_any_runs_can_be_chosen_from(snapshots: list[Any], workspace: str) -> None:
    query = BatchQuery(kind="instance", workspace=workspace)
    unique = list({snapshot.id: snapshot for snapshot in snapshots}.values())
    options = BatchOptions(unique, len(unique), "@bot", NOW)
    assert_slack_opens(
        batch_forms.selection_form(
            ENGLISH, query, BatchFormState(kind="instance", location=LOCATION), options
        )
    )


@SOME
@given(words, words, words, st.sampled_from(SkipReason), ids)
def test_any_twenty_can_be_asked_about(
    name: str, reason: str, workspace: str, skip_reason: SkipReason, id_: str
) -> None:
    state = confirmation(reason[:100], twenty_items(id_))
    selected = [
        SelectedItem(button=button, name=name, consequence="It goes on.")
        for button in state.buttons[:10]
    ]
    detail = "You may not." if skip_reason is SkipReason.REFUSED else ""
    skipped = [
        SkippedItem(ref=button.ref, name=name, reason=skip_reason, detail=detail)
        for button in state.buttons[10:]
    ]
    assert_slack_opens(batch_forms.confirmation_form(ENGLISH, state, selected, skipped, workspace))
    assert_slack_opens(batch_forms.confirmation_form(ENGLISH, state, [], skipped, workspace))


def test_every_reason_to_skip_an_object_has_a_sentence_or_brings_its_own() -> None:
    assert set(SkipReason) == {*batch_forms.SKIP_REASONS, SkipReason.REFUSED}
